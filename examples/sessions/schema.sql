CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    user_name text NOT NULL,
    cart text[] NOT NULL DEFAULT '{}'
);
INSERT INTO sessions SELECT gen_random_uuid(), 'somebody' FROM generate_series(1, 1000);
ANALYZE sessions;
