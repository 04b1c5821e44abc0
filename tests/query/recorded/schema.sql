-- What the tests of query/ resolve names in. record.py makes it in an empty database and records what
-- catalog_queries() say of it in catalog.tsv; after a change here or there, run it again.
--
-- PostgreSQL 15, as a superuser: base types, languages and foreign data wrappers ask for one.

CREATE SCHEMA app;
CREATE EXTENSION pgcrypto;
CREATE EXTENSION postgres_fdw;

-- Plain tables, one for each thing that a column may be.

CREATE TABLE accounts (aid int4 PRIMARY KEY, bid int4, abalance int4);
CREATE TABLE users (
    id int4 PRIMARY KEY, name text, created_at timestamptz, born date, note text, age int4);
CREATE TABLE events (id int4, at text);
CREATE UNLOGGED TABLE scratch (id int4, c text);
CREATE SEQUENCE serial;
CREATE TABLE items (id int4 PRIMARY KEY, value int4);
CREATE TABLE app.items (id int4, value date);
CREATE TABLE "Mixed Case" ("Id" int4 PRIMARY KEY, "a column" text);
CREATE TABLE names (c regclass);
CREATE TABLE times (c timetz);
CREATE TABLE derived (a int4, c int4 GENERATED ALWAYS AS (a * 2) STORED);

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN calm_mood AS mood CHECK (VALUE <> 'sad');
CREATE DOMAIN app.numeric AS pg_catalog.numeric;
CREATE TABLE moods (a mood, b calm_mood, c mood[], id int4 PRIMARY KEY);

-- A base type of the user's: not the extension of that name, but made as one is.
CREATE TYPE citext;
CREATE FUNCTION citextin(cstring) RETURNS citext LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION citextout(citext) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE citext (INPUT = citextin, OUTPUT = citextout, LIKE = text);
CREATE TABLE odd (c citext);

CREATE TYPE address AS (street text, city text);
CREATE TYPE app.id_and_name AS (id int4, name text);
CREATE TYPE period AS RANGE (subtype = date);
CREATE TABLE people (id int8 PRIMARY KEY, home address, whole users, absence period);

CREATE FOREIGN DATA WRAPPER dummy;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER dummy;
CREATE FOREIGN TABLE remote (id int4, c text) SERVER elsewhere;

-- Functions of the first tests.

CREATE FUNCTION volatile_one(int) RETURNS int LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO users (id) VALUES ($1);
    RETURN $1;
END $$;
CREATE FUNCTION stable_one(int) RETURNS int LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT age FROM users WHERE id = $1);
END $$;
CREATE FUNCTION pure_one(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1';
CREATE FUNCTION app.lower(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT pg_catalog.lower($1)';
CREATE PROCEDURE refresh() LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM scratch;
    COMMIT;
END $$;
CREATE FUNCTION distance(int, int) RETURNS int LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    DELETE FROM scratch;
    RETURN abs($1 - $2);
END $$;
CREATE OPERATOR <-> (LEFTARG = int, RIGHTARG = int, FUNCTION = distance, COMMUTATOR = <->);
CREATE FUNCTION looks_around(text, text) RETURNS bool LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM events WHERE at = $1 || $2);
END $$;
CREATE OPERATOR ~? (LEFTARG = text, RIGHTARG = text, FUNCTION = looks_around);

-- Functions by what they do.

CREATE FUNCTION app.user_name(wanted int) RETURNS text LANGUAGE sql STABLE
    AS 'SELECT name FROM public.users WHERE id = wanted';
CREATE FUNCTION app.user_age(wanted int) RETURNS int LANGUAGE sql STABLE
    BEGIN ATOMIC SELECT age FROM public.users WHERE id = wanted; END;
CREATE FUNCTION app.items_of(wanted int) RETURNS SETOF public.items LANGUAGE sql STABLE
    BEGIN ATOMIC SELECT * FROM public.items WHERE id = wanted; END;
CREATE FUNCTION app.next_one(i int) RETURNS int LANGUAGE sql IMMUTABLE RETURN i + 1;
CREATE FUNCTION app.greeting(wanted int, prefix text DEFAULT 'Hello ') RETURNS text LANGUAGE sql STABLE
    AS 'SELECT prefix || app.user_name(wanted)';
CREATE FUNCTION app.add_user(new_id int, new_name text) RETURNS void LANGUAGE sql
    AS 'INSERT INTO public.users (id, name) VALUES (new_id, new_name)';
CREATE FUNCTION app.add_item(new_id int) RETURNS int LANGUAGE sql
    BEGIN ATOMIC
        INSERT INTO public.items (id) VALUES (new_id) ON CONFLICT (id) DO UPDATE SET value = 0;
        DELETE FROM app.items WHERE id = new_id RETURNING id;
    END;
CREATE FUNCTION app.clock() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT now()';
CREATE FUNCTION app.tenant() RETURNS int LANGUAGE sql STABLE
    AS $$ SELECT current_setting('app.tenant', true)::int $$;
CREATE FUNCTION app.never_ends(i int) RETURNS int LANGUAGE sql STABLE AS 'SELECT i';
CREATE OR REPLACE FUNCTION app.never_ends(i int) RETURNS int LANGUAGE sql STABLE AS 'SELECT app.never_ends(i)';
CREATE FUNCTION app.pure(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    total int := 0;
BEGIN
    FOR step IN 1..i LOOP
        total := total + step;
    END LOOP;
    RETURN total;
END $$;
CREATE FUNCTION app.count_users() RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    counted bigint;
BEGIN
    SELECT count(*) INTO counted FROM public.users;
    RETURN counted;
END $$;
CREATE FUNCTION app.rename_user(wanted int, new_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE public.users SET name = new_name WHERE id = wanted;
END $$;
CREATE FUNCTION app.any_table(named text) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    counted bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %I', named) INTO counted;
    RETURN counted;
END $$;
CREATE FUNCTION app.with_path(wanted int) RETURNS date LANGUAGE sql STABLE SET search_path = app
    AS 'SELECT value FROM items WHERE id = wanted';
CREATE FUNCTION app.as_owner(wanted int) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
    AS 'SELECT name FROM public.users WHERE id = wanted';
CREATE FUNCTION app.many(VARIADIC numbers int[]) RETURNS int LANGUAGE sql IMMUTABLE
    AS 'SELECT coalesce(sum(n), 0)::int FROM unnest(numbers) n';
CREATE FUNCTION app.pair(IN i int, OUT a int, OUT b int) LANGUAGE sql IMMUTABLE AS 'SELECT i, i';
CREATE FUNCTION app.same(anyelement) RETURNS anyelement LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION overloaded(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION overloaded(text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO events (at) VALUES ($1);
    RETURN $1;
END $$;
CREATE PROCEDURE app.move_item(wanted int) LANGUAGE sql
    BEGIN ATOMIC
        INSERT INTO app.items (id) SELECT id FROM public.items WHERE id = wanted;
        DELETE FROM public.items WHERE id = wanted;
    END;
CREATE PROCEDURE app.log_it(what text) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.events (at) VALUES (what);
END $$;

-- What a table_am or plpython would be: a language that cannot be seen into.
CREATE LANGUAGE opaque HANDLER plpgsql_call_handler;
CREATE FUNCTION app.unseen(i int) RETURNS int LANGUAGE opaque STABLE AS 'nobody reads this';
CREATE FUNCTION app.unseen_trigger() RETURNS trigger LANGUAGE opaque AS 'nobody reads this';

CREATE FUNCTION app.add_square(total int8, i int) RETURNS int8 LANGUAGE sql IMMUTABLE AS 'SELECT total + i * i';
CREATE AGGREGATE app.sum_of_squares(int) (SFUNC = app.add_square, STYPE = int8, INITCOND = '0');
CREATE FUNCTION app.add_logged(total int8, i int) RETURNS int8 LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO public.events (id) VALUES (i);
    RETURN total + i;
END $$;
CREATE AGGREGATE app.sum_logged(int) (SFUNC = app.add_logged, STYPE = int8, INITCOND = '0');

CREATE FUNCTION app.identical(text, text) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 = $2';
CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = app.identical);
CREATE FUNCTION app.address_text(address) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1.street || ', ' || $1.city $$;
CREATE CAST (address AS text) WITH FUNCTION app.address_text(address);
CREATE FUNCTION app.mood_number(mood) RETURNS int LANGUAGE sql STABLE
    AS 'SELECT age FROM public.users WHERE id = 1';
CREATE CAST (mood AS int) WITH FUNCTION app.mood_number(mood) AS ASSIGNMENT;
CREATE CAST (citext AS text) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (text AS mood) WITH INOUT AS ASSIGNMENT;

-- Views.

CREATE VIEW user_names AS SELECT id, name FROM users;
CREATE VIEW adults AS SELECT id AS user_id, name AS user_name FROM user_names WHERE name IS NOT NULL;
CREATE VIEW young AS SELECT id, name, age FROM (SELECT * FROM users WHERE age < 30) u;
CREATE VIEW accounts_of_users AS
    SELECT u.id, u.name, a.aid, a.abalance, a.abalance + 1 AS more FROM users u JOIN accounts a ON a.bid = u.id;
CREATE VIEW accounts_if_any AS
    SELECT u.id, a.aid FROM users u LEFT JOIN accounts a ON a.bid = u.id AND a.abalance > 0;
CREATE VIEW using_join AS SELECT id, u.name, i.value FROM users u FULL JOIN items i USING (id);
CREATE VIEW recent AS SELECT id, created_at FROM users WHERE created_at > now() - interval '1 day';
CREATE VIEW todays AS SELECT id, born FROM users WHERE born = CURRENT_DATE;
CREATE VIEW mine AS SELECT id, name FROM users WHERE name = CURRENT_USER;
CREATE VIEW balances AS SELECT bid, sum(abalance) AS total FROM accounts GROUP BY bid HAVING count(*) > 0;
CREATE VIEW unsure AS SELECT id, volatile_one(id) AS one FROM users;
CREATE VIEW logged_sum AS SELECT app.sum_logged(age) AS total FROM users;
CREATE VIEW first_ten AS SELECT id, name FROM users ORDER BY id LIMIT 10;
CREATE VIEW distinct_names AS SELECT DISTINCT name FROM users;
CREATE VIEW distinct_on AS SELECT DISTINCT ON (bid) bid, aid FROM accounts ORDER BY bid, aid;
CREATE VIEW ranked AS SELECT id, rank() OVER (PARTITION BY age ORDER BY name) AS place FROM users;
CREATE VIEW numbered AS SELECT id, generate_series(1, age) AS n FROM users;
CREATE VIEW everybody AS SELECT id, name FROM users UNION ALL SELECT aid, NULL FROM accounts;
CREATE VIEW with_exists AS
    SELECT u.id, u.name FROM users u WHERE EXISTS (SELECT FROM accounts a WHERE a.bid = u.id);
CREATE VIEW with_cte AS
    WITH old_ones AS (SELECT id, name FROM users WHERE age > 60) SELECT o.id, i.value FROM old_ones o, items i;
CREATE VIEW descendants AS
    WITH RECURSIVE tree AS (
        SELECT id, value FROM items WHERE id = 1 UNION ALL SELECT i.id, i.value FROM items i JOIN tree t ON i.value = t.id)
        SEARCH BREADTH FIRST BY id SET seq CYCLE id SET is_cycle USING path
    SELECT id, value FROM tree;
CREATE VIEW sampled AS SELECT id FROM users TABLESAMPLE system (10);
CREATE VIEW locked AS SELECT id FROM users FOR UPDATE;
CREATE VIEW by_tenant AS SELECT id, name FROM users WHERE id = current_setting('app.Tenant')::int;
CREATE VIEW by_some_setting AS SELECT id, current_setting(name) AS setting FROM users;
CREATE VIEW clock_text AS SELECT id FROM events WHERE at::date = 'today'::text::date;
CREATE VIEW of_function AS SELECT i.id, i.value, f.n FROM items i, LATERAL app.items_of(i.id) AS f (n, m);
CREATE VIEW series AS SELECT n FROM generate_series(1, 10) WITH ORDINALITY AS g (n, o);
CREATE VIEW of_values AS SELECT v.a, u.name FROM (VALUES (1, 'x'), (2, 'y')) v (a, b) JOIN users u ON u.id = v.a;
CREATE VIEW of_xml AS SELECT xmlelement(name x, name) AS x FROM users;
CREATE VIEW of_xmltable AS
    SELECT t.a FROM events, XMLTABLE('/r' PASSING (at::xml) COLUMNS a int PATH 'a') t;
CREATE VIEW of_catalog AS SELECT relname FROM pg_class;
CREATE VIEW everything_else AS
    SELECT u.id,
           CASE u.name WHEN 'a' THEN 1 ELSE 2 END AS simple_case,
           CASE WHEN u.age > 1 THEN u.age END AS searched_case,
           coalesce(u.name, u.note, '') AS c, nullif(u.age, 3) AS n, greatest(u.age, 1) AS g,
           ARRAY[u.age, 1] AS a, (ARRAY[u.age, 1])[1] AS first_of, ROW(u.id, u.name)::app.id_and_name AS r,
           (u.id, u.age) < (1, 2) AS compared, u.age IS DISTINCT FROM 3 AS d, u.age IS NULL AS e,
           (u.age = 1) IS TRUE AS f, u.age = ANY (ARRAY[1, 2]) AS h, u.age IN (SELECT id FROM items) AS s,
           u.id > ALL (SELECT value FROM items) AS t, ARRAY(SELECT value FROM items) AS v,
           u.name COLLATE "C" AS w, u.born::text AS y, u.name::varchar(3) AS z, (u.age::text)::mood AS m,
           ('{1,2}'::text[])::int[] AS ia, (p.home).city AS city, p.whole AS whole, p.home::text AS home,
           u.age::app.numeric AS dom, u.name === 'x' AS same, -u.age AS neg, NOT (u.age = 1 AND u.id = 2 OR u.id = 3) AS b,
           u.age <-> 3 AS far, make_interval(days => 3) AS named,
           SESSION_USER AS su, CURRENT_CATALOG AS cc, LOCALTIME AS lt
    FROM users u CROSS JOIN people p
    ORDER BY u.name USING > NULLS FIRST;
CREATE VIEW grouped AS
    SELECT bid, aid, GROUPING(bid) AS g, count(*) FILTER (WHERE abalance > 0) AS n, max(abalance ORDER BY aid) AS m,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY abalance) AS p
    FROM accounts GROUP BY GROUPING SETS ((bid), ROLLUP (aid)), bid;
CREATE VIEW framed AS
    SELECT id, sum(age) OVER w AS s FROM users
    WINDOW w AS (ORDER BY born RANGE BETWEEN interval '1 day' PRECEDING AND CURRENT ROW);
CREATE VIEW invoked WITH (security_invoker = true) AS SELECT id, name FROM users;
CREATE VIEW barred WITH (security_barrier) AS SELECT id, name FROM users WHERE age > 1 WITH CHECK OPTION;
CREATE VIEW odd_names AS
    SELECT id AS ":funcid 1", name AS "{RTE :relid 99}", age AS "a (b) \c <> ""quoted""", note AS "9", born AS "<>", created_at AS "-1 "
    FROM users AS "old";
CREATE MATERIALIZED VIEW totals AS SELECT bid, sum(abalance) AS total FROM accounts GROUP BY bid;
CREATE UNIQUE INDEX totals_bid ON totals (bid);
CREATE MATERIALIZED VIEW totals_of_adults AS SELECT user_id, user_name FROM adults;

CREATE FUNCTION app.write_through() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE public.users SET name = NEW.name WHERE id = OLD.id;
    RETURN NEW;
END $$;
CREATE VIEW instead AS SELECT id, name FROM users;
CREATE TRIGGER instead_of_update INSTEAD OF UPDATE ON instead FOR EACH ROW EXECUTE FUNCTION app.write_through();
CREATE VIEW ruled_view AS SELECT id, name FROM users;
CREATE RULE add AS ON INSERT TO ruled_view DO INSTEAD INSERT INTO users (id, name) VALUES (NEW.id, NEW.name);
CREATE RULE change AS ON UPDATE TO ruled_view WHERE OLD.id > 0 DO INSTEAD
    (UPDATE users SET name = NEW.name WHERE id = OLD.id; INSERT INTO events (id) VALUES (OLD.id));
CREATE RULE otherwise AS ON UPDATE TO ruled_view DO INSTEAD NOTHING;

-- Partitions and inheritance.

CREATE TABLE measurements (city int4, at date, value int4, PRIMARY KEY (city, at)) PARTITION BY RANGE (at);
CREATE TABLE measurements_1 PARTITION OF measurements FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE measurements_2 PARTITION OF measurements FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')
    PARTITION BY HASH (city);
CREATE TABLE measurements_2_0 PARTITION OF measurements_2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE measurements_2_1 PARTITION OF measurements_2 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE by_expression (name text) PARTITION BY LIST (app.lower(name));
CREATE TABLE by_expression_a PARTITION OF by_expression FOR VALUES IN ('a');
CREATE TABLE animals (id int4, name text);
CREATE TABLE dogs (breed text) INHERITS (animals);
CREATE TABLE puppies (weeks int4) INHERITS (dogs);

-- Foreign keys.

CREATE TABLE owner (id int4 PRIMARY KEY, name text);
CREATE TABLE owned (
    id int4 PRIMARY KEY, owner_id int4 REFERENCES owner ON UPDATE CASCADE ON DELETE CASCADE);
CREATE TABLE owned_deeper (
    id int4 PRIMARY KEY, owned_id int4 REFERENCES owned ON DELETE CASCADE, value int4);
CREATE TABLE owned_nulled (id int4 PRIMARY KEY, owned_id int4 REFERENCES owned_deeper ON DELETE SET NULL);
CREATE TABLE owned_default (id int4 PRIMARY KEY, deeper_id int4 DEFAULT 0 REFERENCES owned_deeper ON DELETE SET DEFAULT);
CREATE TABLE owned_renumbered (id int4 PRIMARY KEY, owner_id int4 REFERENCES owner ON UPDATE CASCADE);
CREATE TABLE owned_plain (id int4 PRIMARY KEY, owner_id int4 REFERENCES owner);
CREATE TABLE tree (id int4 PRIMARY KEY, parent int4 REFERENCES tree ON DELETE CASCADE);
CREATE TABLE measured_by (city int4, at date, FOREIGN KEY (city, at) REFERENCES measurements ON DELETE CASCADE);

-- Triggers and rules.

CREATE TABLE app.audit (what text, at timestamptz DEFAULT now());
CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at = now();
    RETURN NEW;
END $$;
CREATE FUNCTION app.audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO app.audit (what) VALUES (TG_TABLE_NAME);
    RETURN NULL;
END $$;
CREATE FUNCTION app.run_anything() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'DELETE FROM ' || TG_ARGV[0];
    RETURN NULL;
END $$;
CREATE FUNCTION app.renumber() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.id := NEW.id + 1;
    RETURN NEW;
END $$;
CREATE TABLE touched (id int4 PRIMARY KEY, name text, updated_at timestamptz);
CREATE TRIGGER touch BEFORE UPDATE ON touched FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name)
    EXECUTE FUNCTION app.touch();
CREATE TABLE audited (id int4 PRIMARY KEY, name text);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON audited FOR EACH ROW EXECUTE FUNCTION app.audit();
CREATE TABLE triggered (id int4 PRIMARY KEY, name text);
CREATE TRIGGER anything AFTER INSERT OR UPDATE ON triggered FOR EACH STATEMENT EXECUTE FUNCTION app.run_anything('scratch');
CREATE TABLE triggered_unseen (id int4 PRIMARY KEY);
CREATE TRIGGER unseen BEFORE INSERT ON triggered_unseen FOR EACH ROW EXECUTE FUNCTION app.unseen_trigger();
CREATE TABLE renumbered (id int4 PRIMARY KEY);
CREATE TRIGGER renumber BEFORE INSERT ON renumbered FOR EACH ROW EXECUTE FUNCTION app.renumber();
CREATE TABLE silenced (id int4 PRIMARY KEY);
CREATE TRIGGER silent AFTER INSERT ON silenced FOR EACH ROW EXECUTE FUNCTION app.run_anything('scratch');
ALTER TABLE silenced DISABLE TRIGGER silent;
CREATE TABLE deferred (id int4 PRIMARY KEY);
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON deferred DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION app.audit();
CREATE TABLE truncated (id int4 PRIMARY KEY);
CREATE TRIGGER on_truncate AFTER TRUNCATE ON truncated FOR EACH STATEMENT EXECUTE FUNCTION app.audit();

CREATE TABLE ruled (id int4 PRIMARY KEY, name text);
CREATE RULE also AS ON UPDATE TO ruled DO ALSO INSERT INTO app.audit (what) VALUES (OLD.name || NEW.name);
CREATE RULE told AS ON DELETE TO ruled DO ALSO NOTIFY ruled;
CREATE RULE looked AS ON INSERT TO ruled WHERE EXISTS (SELECT FROM ruled old WHERE old.id > 1) DO INSTEAD
    INSERT INTO scratch (id) SELECT NEW.id FROM (SELECT old.id FROM ruled AS old) x;

-- Row security.

CREATE TABLE secured (id int4 PRIMARY KEY, tenant int4, name text);
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON secured USING (tenant = current_setting('app.tenant')::int);
CREATE TABLE secured_own (id int4 PRIMARY KEY, owner name);
ALTER TABLE secured_own ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secured_own USING (owner = CURRENT_USER) WITH CHECK (owner = SESSION_USER);
CREATE TABLE secured_by_other (id int4 PRIMARY KEY, user_id int4);
ALTER TABLE secured_by_other ENABLE ROW LEVEL SECURITY;
CREATE POLICY other ON secured_by_other USING (user_id IN (SELECT id FROM users WHERE name = CURRENT_USER));
CREATE TABLE secured_oddly (id int4 PRIMARY KEY);
ALTER TABLE secured_oddly ENABLE ROW LEVEL SECURITY;
CREATE POLICY oddly ON secured_oddly USING (volatile_one(id) > 0);
CREATE TABLE secured_by_clock (id int4 PRIMARY KEY, until timestamptz);
ALTER TABLE secured_by_clock ENABLE ROW LEVEL SECURITY;
CREATE POLICY clock ON secured_by_clock USING (until > now());
CREATE TABLE secured_shut (id int4 PRIMARY KEY);
ALTER TABLE secured_shut ENABLE ROW LEVEL SECURITY;
CREATE TABLE secured_off (id int4 PRIMARY KEY);
CREATE POLICY off ON secured_off USING (id > 0);

-- What runs when a row is written.

CREATE FUNCTION app.is_fine(i int) RETURNS bool LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM public.users WHERE id = i);
END $$;
CREATE DOMAIN positive AS int CHECK (VALUE > 0) CHECK (app.pure(VALUE) > 0);
CREATE DOMAIN looked_up AS int DEFAULT app.count_users() CHECK (app.is_fine(VALUE));
CREATE TABLE checked (id int4 PRIMARY KEY, c int4 CHECK (app.is_fine(c)));
CREATE TABLE with_domains (id int4 PRIMARY KEY, a positive, b looked_up, c positive[]);
CREATE TABLE with_defaults (
    id serial PRIMARY KEY, a int4 DEFAULT volatile_one(1), at timestamptz DEFAULT now(), plain int4 DEFAULT 7,
    g text GENERATED ALWAYS AS (app.lower('x' || plain::text)) STORED);
CREATE TABLE with_identity (
    id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY, other int4 GENERATED BY DEFAULT AS IDENTITY, name text);
CREATE TABLE with_serial (id bigserial PRIMARY KEY, email text UNIQUE, name text);
CREATE TABLE with_index (id int4 PRIMARY KEY, name text, value int4);
CREATE INDEX with_index_lower ON with_index (app.lower(name)) WHERE app.pure(value) > 1;
CREATE FUNCTION app.backwards(int4, int4) RETURNS int4 LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN sign($2 - $1);
END $$;
CREATE FUNCTION app.after(int4, int4) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 > $2';
CREATE OPERATOR app.<| (LEFTARG = int4, RIGHTARG = int4, FUNCTION = app.after);
CREATE OPERATOR CLASS app.backwards FOR TYPE int4 USING btree
    AS OPERATOR 1 app.<|, FUNCTION 1 app.backwards(int4, int4);
CREATE TABLE with_class (id int4 PRIMARY KEY, value int4);
CREATE INDEX with_class_backwards ON with_class (value app.backwards);
CREATE TABLE excluded (during tstzrange, EXCLUDE USING gist (during WITH &&));

-- Keys.

CREATE TABLE composite (a int4, b text, c int4, PRIMARY KEY (b, a), UNIQUE (c));
CREATE UNIQUE INDEX composite_partial ON composite (a) WHERE c > 0;
CREATE UNIQUE INDEX composite_expression ON composite (abs(c));
CREATE UNIQUE INDEX composite_including ON composite (a, c) INCLUDE (b);
CREATE TABLE by_text (id text PRIMARY KEY, value int4);
CREATE TABLE by_varchar (id varchar(10) PRIMARY KEY, value int4);
CREATE TABLE by_char (id char(3) PRIMARY KEY, value int4);
CREATE TABLE by_uuid (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), value int4);
CREATE TABLE by_bool (id bool PRIMARY KEY, value int4);
CREATE TABLE by_bigint (id bigint PRIMARY KEY, value int4);
CREATE TABLE by_numeric (id numeric PRIMARY KEY, value int4);
CREATE TABLE by_date (id date PRIMARY KEY, value int4);
CREATE TABLE by_domain (id positive PRIMARY KEY, value int4);
CREATE COLLATION ignores_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE by_loose_text (id text COLLATE ignores_case PRIMARY KEY, strict text UNIQUE);
CREATE DOMAIN loose AS text COLLATE ignores_case;
CREATE TABLE by_loose_domain (id loose PRIMARY KEY);
CREATE TABLE with_holes (a int4, gone int4, b int4 UNIQUE);
ALTER TABLE with_holes DROP COLUMN gone;

-- What a write brings along, and what its rows are confined to.

CREATE TABLE by_two_collations (name text UNIQUE, value int4);
CREATE UNIQUE INDEX by_two_collations_loosely ON by_two_collations (name COLLATE ignores_case);
CREATE TABLE by_two_classes (id int4 UNIQUE, value int4);
CREATE UNIQUE INDEX by_two_classes_backwards ON by_two_classes (id app.backwards);
CREATE TABLE plain_parent (id int4 UNIQUE, a int4 UNIQUE);
CREATE TABLE generated_child (id int4 GENERATED ALWAYS AS (a * 2) STORED) INHERITS (plain_parent);
CREATE VIEW of_partitions AS SELECT city, at, value FROM measurements;
CREATE VIEW of_animals AS SELECT id, name FROM ONLY animals;
CREATE FUNCTION app.add_both(new_id int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM app.add_user(new_id, 'both');
    WITH gone AS (DELETE FROM public.items WHERE id = new_id RETURNING id) INSERT INTO app.items (id) SELECT id FROM gone;
END $$;
CREATE PROCEDURE app.move_all() LANGUAGE plpgsql AS $$
BEGIN
    CALL app.move_item(1);
    COMMIT;
    CALL app.log_it('moved');
END $$;
CREATE FUNCTION app.fan_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE public.audited SET name = NEW.name WHERE id = NEW.id;
    DELETE FROM public.owner WHERE id = NEW.id;
    RETURN NEW;
END $$;
CREATE TABLE chained (id int4 PRIMARY KEY, name text);
CREATE TRIGGER fan_out AFTER UPDATE OF name ON chained FOR EACH ROW EXECUTE FUNCTION app.fan_out();
CREATE FUNCTION app.replace_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN jsonb_populate_record(NEW, '{"id": 7}');
END $$;
CREATE TABLE replaced (id int4 PRIMARY KEY, name text);
CREATE TRIGGER replace_row BEFORE INSERT OR UPDATE ON replaced FOR EACH ROW EXECUTE FUNCTION app.replace_row();
CREATE FUNCTION app.told_when(i int) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.events (id) VALUES (i);
    RETURN true;
END $$;
CREATE TABLE told (id int4 PRIMARY KEY, name text);
CREATE TRIGGER told AFTER INSERT ON told FOR EACH ROW WHEN (app.told_when(NEW.id)) EXECUTE FUNCTION app.touch();
CREATE TABLE guarded (id int4 PRIMARY KEY, name text);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY guarded ON guarded USING (true) WITH CHECK (app.told_when(id));
CREATE TABLE told_by_check (id int4 PRIMARY KEY, c int4 CHECK (app.told_when(c)));
CREATE TABLE pairs (a int4, b int4, PRIMARY KEY (a, b), UNIQUE (b, a));
CREATE TABLE of_pairs (id int4 PRIMARY KEY, a int4, b int4,
    FOREIGN KEY (a, b) REFERENCES pairs ON UPDATE SET NULL ON DELETE SET DEFAULT);
CREATE TABLE boss (id int4 PRIMARY KEY, boss int4 REFERENCES boss ON UPDATE CASCADE ON DELETE SET NULL);

-- What reads more than it seems to.

CREATE VIEW with_ctid AS SELECT ctid AS place, id FROM users;
CREATE VIEW with_xmax AS SELECT id FROM users WHERE xmax::text = '0';
CREATE FUNCTION app.days(written text, day date) RETURNS int LANGUAGE plpgsql STABLE AS $$
BEGIN
    day := written;
    RETURN day - '2000-01-01'::date;
END $$;
CREATE FUNCTION app.born_since(born text) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
BEGIN
    RETURN (SELECT count(*) FROM public.users WHERE created_at > born::date);
END $$;
CREATE FUNCTION app.of_domain(i looked_up) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i + 1';
CREATE FUNCTION app.with_default(a int DEFAULT app.count_users()::int, VARIADIC b int[] DEFAULT '{}') RETURNS int
    LANGUAGE sql IMMUTABLE AS 'SELECT a';

-- Key-value confinement: two tables with the same columns, and views over them.

CREATE TABLE lefts (id int4 PRIMARY KEY, name text, k int4 UNIQUE);
CREATE TABLE rights (id int8 PRIMARY KEY, name varchar(10), k int2 UNIQUE);
CREATE TABLE thirds (id int4 PRIMARY KEY, t int4 UNIQUE);
CREATE VIEW lefts_renamed AS SELECT name AS id, id AS name FROM lefts;
CREATE VIEW lefts_and_rights AS SELECT l.id, r.id AS rid, l.k FROM lefts l LEFT JOIN rights r ON r.k = l.k;
CREATE VIEW lefts_limited AS SELECT id, name FROM lefts ORDER BY name LIMIT 10;
CREATE VIEW lefts_deeper AS SELECT d.id AS deep, d.rid FROM lefts_and_rights d WHERE d.id > 0;

-- TPC-H.

CREATE SCHEMA tpch;
CREATE TABLE tpch.region (r_regionkey int4 PRIMARY KEY, r_name char(25), r_comment varchar(152));
CREATE TABLE tpch.nation (n_nationkey int4 PRIMARY KEY, n_name char(25), n_regionkey int4, n_comment varchar(152));
CREATE TABLE tpch.part (
    p_partkey int4 PRIMARY KEY, p_name varchar(55), p_mfgr char(25), p_brand char(10), p_type varchar(25), p_size int4,
    p_container char(10), p_retailprice numeric(15, 2), p_comment varchar(23));
CREATE TABLE tpch.supplier (
    s_suppkey int4 PRIMARY KEY, s_name char(25), s_address varchar(40), s_nationkey int4, s_phone char(15),
    s_acctbal numeric(15, 2), s_comment varchar(101));
CREATE TABLE tpch.partsupp (
    ps_partkey int4, ps_suppkey int4, ps_availqty int4, ps_supplycost numeric(15, 2), ps_comment varchar(199),
    PRIMARY KEY (ps_partkey, ps_suppkey));
CREATE TABLE tpch.customer (
    c_custkey int4 PRIMARY KEY, c_name varchar(25), c_address varchar(40), c_nationkey int4, c_phone char(15),
    c_acctbal numeric(15, 2), c_mktsegment char(10), c_comment varchar(117));
CREATE TABLE tpch.orders (
    o_orderkey int8 PRIMARY KEY, o_custkey int4, o_orderstatus char(1), o_totalprice numeric(15, 2), o_orderdate date,
    o_orderpriority char(15), o_clerk char(15), o_shippriority int4, o_comment varchar(79));
CREATE TABLE tpch.lineitem (
    l_orderkey int8, l_partkey int4, l_suppkey int4, l_linenumber int4, l_quantity numeric(15, 2),
    l_extendedprice numeric(15, 2), l_discount numeric(15, 2), l_tax numeric(15, 2), l_returnflag char(1),
    l_linestatus char(1), l_shipdate date, l_commitdate date, l_receiptdate date, l_shipinstruct char(25),
    l_shipmode char(10), l_comment varchar(44), PRIMARY KEY (l_orderkey, l_linenumber));

-- TPC-C.

CREATE SCHEMA tpcc;
CREATE TABLE tpcc.warehouse (w_id int2 PRIMARY KEY, w_name varchar(10), w_street_1 varchar(20), w_street_2 varchar(20),
    w_city varchar(20), w_state char(2), w_zip char(9), w_tax numeric(4, 4), w_ytd numeric(12, 2));
CREATE TABLE tpcc.district (d_id int2, d_w_id int2 REFERENCES tpcc.warehouse, d_name varchar(10), d_street_1 varchar(20),
    d_street_2 varchar(20), d_city varchar(20), d_state char(2), d_zip char(9), d_tax numeric(4, 4), d_ytd numeric(12, 2),
    d_next_o_id int4, PRIMARY KEY (d_w_id, d_id));
CREATE TABLE tpcc.customer (c_id int4, c_d_id int2, c_w_id int2, c_first varchar(16), c_middle char(2), c_last varchar(16),
    c_street_1 varchar(20), c_street_2 varchar(20), c_city varchar(20), c_state char(2), c_zip char(9), c_phone char(16),
    c_since timestamp, c_credit char(2), c_credit_lim numeric(12, 2), c_discount numeric(4, 4), c_balance numeric(12, 2),
    c_ytd_payment numeric(12, 2), c_payment_cnt int2, c_delivery_cnt int2, c_data varchar(500),
    PRIMARY KEY (c_w_id, c_d_id, c_id), FOREIGN KEY (c_w_id, c_d_id) REFERENCES tpcc.district (d_w_id, d_id));
CREATE TABLE tpcc.history (h_c_id int4, h_c_d_id int2, h_c_w_id int2, h_d_id int2, h_w_id int2, h_date timestamp,
    h_amount numeric(6, 2), h_data varchar(24));
CREATE TABLE tpcc.orders (o_id int4, o_d_id int2, o_w_id int2, o_c_id int4, o_entry_d timestamp, o_carrier_id int2,
    o_ol_cnt int2, o_all_local int2, PRIMARY KEY (o_w_id, o_d_id, o_id));
CREATE TABLE tpcc.new_order (no_o_id int4, no_d_id int2, no_w_id int2, PRIMARY KEY (no_w_id, no_d_id, no_o_id));
CREATE TABLE tpcc.item (i_id int4 PRIMARY KEY, i_im_id int4, i_name varchar(24), i_price numeric(5, 2), i_data varchar(50));
CREATE TABLE tpcc.stock (s_i_id int4, s_w_id int2, s_quantity int2, s_dist_01 char(24), s_dist_02 char(24), s_ytd int4,
    s_order_cnt int2, s_remote_cnt int2, s_data varchar(50), PRIMARY KEY (s_w_id, s_i_id));
CREATE TABLE tpcc.order_line (ol_o_id int4, ol_d_id int2, ol_w_id int2, ol_number int2, ol_i_id int4,
    ol_supply_w_id int2, ol_delivery_d timestamp, ol_quantity int2, ol_amount numeric(6, 2), ol_dist_info char(24),
    PRIMARY KEY (ol_w_id, ol_d_id, ol_o_id, ol_number));

-- As Django's migrations make them.

CREATE SCHEMA django;
CREATE TABLE django.django_migrations (
    id bigint PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, app varchar(255) NOT NULL, name varchar(255) NOT NULL,
    applied timestamptz NOT NULL);
CREATE TABLE django.django_content_type (
    id int4 PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, app_label varchar(100) NOT NULL, model varchar(100) NOT NULL,
    UNIQUE (app_label, model));
CREATE TABLE django.django_session (
    session_key varchar(40) PRIMARY KEY, session_data text NOT NULL, expire_date timestamptz NOT NULL);
CREATE TABLE django.auth_user (
    id int4 PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, password varchar(128) NOT NULL, last_login timestamptz,
    is_superuser bool NOT NULL, username varchar(150) NOT NULL UNIQUE, first_name varchar(150) NOT NULL,
    email varchar(254) NOT NULL, is_active bool NOT NULL, date_joined timestamptz NOT NULL);
CREATE TABLE django.auth_group (id int4 PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, name varchar(150) UNIQUE NOT NULL);
CREATE TABLE django.auth_user_groups (
    id bigint PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY,
    user_id int4 NOT NULL REFERENCES django.auth_user DEFERRABLE INITIALLY DEFERRED,
    group_id int4 NOT NULL REFERENCES django.auth_group DEFERRABLE INITIALLY DEFERRED, UNIQUE (user_id, group_id));
CREATE TABLE django.blog_post (
    id bigint PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, title varchar(200) NOT NULL, slug varchar(50) NOT NULL UNIQUE,
    body text NOT NULL, published timestamptz, views int4 NOT NULL CHECK (views >= 0), meta jsonb NOT NULL,
    author_id int4 NOT NULL REFERENCES django.auth_user DEFERRABLE INITIALLY DEFERRED);

-- As Rails' migrations make them.

CREATE SCHEMA rails;
CREATE TABLE rails.schema_migrations (version varchar NOT NULL PRIMARY KEY);
CREATE TABLE rails.ar_internal_metadata (
    key varchar NOT NULL PRIMARY KEY, value varchar, created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL);
CREATE TABLE rails.authors (
    id bigserial PRIMARY KEY, email varchar NOT NULL, name varchar, posts_count int4 DEFAULT 0 NOT NULL,
    created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL, lock_version int4 DEFAULT 0);
CREATE UNIQUE INDEX index_authors_on_email ON rails.authors USING btree (email);
CREATE TABLE rails.posts (
    id bigserial PRIMARY KEY, author_id bigint NOT NULL CONSTRAINT fk_rails_1 REFERENCES rails.authors ON DELETE CASCADE,
    title varchar, body text, published boolean DEFAULT false, created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL);
CREATE TABLE rails.comments (
    id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY,
    post_id bigint NOT NULL CONSTRAINT fk_rails_2 REFERENCES rails.posts ON DELETE CASCADE, body text,
    created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL);

-- As Hibernate makes them.

CREATE SCHEMA hib;
CREATE SEQUENCE hib.customers_seq START WITH 1 INCREMENT BY 50;
CREATE TABLE hib.customers (id bigint NOT NULL, email varchar(255), name varchar(255), version int4, PRIMARY KEY (id));
ALTER TABLE hib.customers ADD CONSTRAINT uk_1 UNIQUE (email);
CREATE TABLE hib.purchases (
    id bigint NOT NULL, customer_id bigint REFERENCES hib.customers, total numeric(38, 2), placed_at timestamp(6),
    PRIMARY KEY (id));
CREATE TABLE hib.purchase_items (
    id bigint NOT NULL, purchase_id bigint REFERENCES hib.purchases, product varchar(255), quantity int4 NOT NULL,
    PRIMARY KEY (id));

-- Never seen by anybody else.

CREATE TEMPORARY TABLE fleeting (id int4 PRIMARY KEY);
CREATE TEMPORARY VIEW fleeting_view AS SELECT id FROM users;
