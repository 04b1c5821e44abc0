-- A database in which built-in types do not behave: what a text means, and what it runs, is up to the user. record.py
-- records what catalog_queries() say of it in hostile.tsv. PostgreSQL 15, as a superuser.

CREATE TABLE plain (id int4 PRIMARY KEY, name text, place point);
CREATE TABLE log (what text);

CREATE FUNCTION equals(a int4, b int4) RETURNS bool LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO public.log VALUES ('compared');
    RETURN true;
END $$;
CREATE OPERATOR public.= (LEFTARG = int4, RIGHTARG = int4, FUNCTION = equals);

CREATE FUNCTION day(number int4) RETURNS date LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO public.log VALUES ('cast');
    RETURN now()::date + number;
END $$;
CREATE CAST (int4 AS date) WITH FUNCTION day(int4) AS IMPLICIT;

CREATE FUNCTION point_before(point, point) RETURNS bool LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM public.log WHERE what = $1::text);
END $$;
CREATE OPERATOR public.< (LEFTARG = point, RIGHTARG = point, FUNCTION = point_before);
CREATE FUNCTION compare(point, point) RETURNS int4 LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO public.log VALUES ('sorted');
    RETURN 0;
END $$;
CREATE OPERATOR CLASS point_order DEFAULT FOR TYPE point USING btree AS OPERATOR 1 public.<, FUNCTION 1 compare(point, point);

CREATE TEXT SEARCH TEMPLATE unknown_words (LEXIZE = dsimple_lexize);

CREATE FUNCTION told() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.log VALUES (TG_TAG);
END $$;
CREATE EVENT TRIGGER told ON ddl_command_end EXECUTE FUNCTION told();
