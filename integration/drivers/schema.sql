-- What every driver's script finds. Reads repeat on the first three tables, which nothing writes; the rest of the
-- scenario writes to the others.
CREATE TABLE kinds (
  id int PRIMARY KEY, i2 smallint, i8 bigint, n numeric(24, 5), f4 real, f8 double precision, b boolean, t text,
  v varchar(20), c char(4), d date, ts timestamp, tz timestamptz, tm time, iv interval, u uuid, j json, jb jsonb,
  raw bytea, ints int[], words text[]);
INSERT INTO kinds VALUES
  (1, 32767, 9007199254740991, 1234567890123456789.12345, 1.5, 0.1, true, 'plain', 'varying', 'pad', '2024-02-29',
   '2024-02-29 23:59:59.123456', '2024-02-29 23:59:59.123456+00', '12:34:56.789', '1 day 02:03:04',
   '00112233-4455-6677-8899-aabbccddeeff', '{"b": 1, "a": [true, null, "x"]}', '{"b": 1, "a": [true, null, "x"]}',
   '\x00ff10', '{1,2,3}', '{one,"two words","quo\"te"}'),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
   NULL),
  (3, -32768, -9007199254740991, -0.00001, -2.25, -1e100, false, 'naïve ☃ ''quoted'' \ back', '', '', '1999-12-31',
   '1970-01-01 00:00:00', '1970-01-01 00:00:00+00', '00:00:00', '00:00:00', 'ffffffff-ffff-ffff-ffff-ffffffffffff',
   '[]', '{}', '', '{}', '{}');
CREATE TABLE items (id int PRIMARY KEY, name text NOT NULL, price numeric NOT NULL);
INSERT INTO items SELECT n, 'item ' || n, n * 1.5 FROM generate_series(1, 20) n;
CREATE TABLE large (id int PRIMARY KEY, body text NOT NULL, raw bytea NOT NULL);
INSERT INTO large SELECT 1, string_agg(md5(n::text), ''), decode(string_agg(md5(n::text), ''), 'hex')
  FROM generate_series(1, 8000) n;
CREATE TABLE ledger (id int PRIMARY KEY, amount int NOT NULL);
INSERT INTO ledger SELECT n, 100 FROM generate_series(1, 5) n;
CREATE TABLE loaded (n int, t text);
