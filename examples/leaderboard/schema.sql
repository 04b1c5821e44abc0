CREATE TABLE players (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE scores (id bigserial PRIMARY KEY, player int NOT NULL REFERENCES players, points int NOT NULL);
INSERT INTO players SELECT n, 'player ' || n FROM generate_series(1, 5000) n;
INSERT INTO scores (player, points) SELECT 1 + n::bigint * 7919 % 5000, n::bigint * 31 % 1000 FROM generate_series(1, 1000000) n;
ANALYZE;
