<?php
// PHP's PDO: each prepare() is a Parse of a name of its own, executed by name, in text; with a fourth argument of
// "emulated" values are written into the text, for the simple protocol. PDO cannot cancel: PHP's own pgsql does that.
[, $host, $port, $database] = $argv;
$emulated = ($argv[4] ?? '') === 'emulated';
$db = new PDO("pgsql:host=$host;port=$port;dbname=$database;sslmode=disable;gssencmode=disable", 'postgres', '', [
    PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_EMULATE_PREPARES => $emulated]);
$reads = 0;

function plain($value)
{
    if (is_resource($value)) {
        $value = stream_get_contents($value);
        return ['bytes', strlen($value), strlen($value) < 100 ? bin2hex($value) : md5($value)];
    }
    if (is_array($value)) {
        return array_map('plain', $value);
    }
    return is_string($value) && strlen($value) > 1000 ? ['text', strlen($value), md5($value)] : $value;
}

function say(string $step, $value): void
{
    echo json_encode([$step, plain($value)], JSON_THROW_ON_ERROR), "\n";
}

function pause(array $what): void
{
    echo json_encode($what), "\n";
    fgets(STDIN);
}

function ask(string $sql, array $values = [])
{
    global $db;
    $statement = $db->prepare($sql);
    foreach ($values as $i => $value) {
        $statement->bindValue($i + 1, $value, is_int($value) ? PDO::PARAM_INT : PDO::PARAM_STR);
    }
    $statement->execute();
    return $statement->columnCount() ? $statement->fetchAll(PDO::FETCH_NUM) : $statement->rowCount();
}

function read(string $step, ...$question): void
{
    global $reads;
    ++$reads;
    say($step, ask(...$question));
}

function fails(string $step, callable $action): void
{
    try {
        say($step, $action());
    } catch (PDOException $error) {
        // A statement's name holds an address.
        say($step, [$error->errorInfo[0] ?? null, preg_replace('/pdo_stmt_\w+/', 'pdo_stmt', $error->getMessage())]);
    }
}

function round_of_reads(): void
{
    global $db, $reads;
    foreach ([1, 2, 3] as $n) {
        read('kinds', 'SELECT * FROM kinds WHERE id = ?', [$n]);
    }
    ++$reads;
    say('no values', $db->query('SELECT id, name FROM items ORDER BY id')->fetchAll(PDO::FETCH_ASSOC));
    read('array', 'SELECT name FROM items WHERE id = ANY(?::int[]) ORDER BY id', ['{2,3,5}']);
    read('words', 'SELECT id FROM kinds WHERE words = ?', ['{one,"two words","quo\\"te"}']);
    read('json', 'SELECT id, jb FROM kinds WHERE jb @> ?::jsonb', ['{"b": 1}']);
    read('large', 'SELECT body, raw FROM large WHERE id = ?', [1]);
    $statement = $db->prepare('SELECT name, price FROM items WHERE id = ?');
    foreach ([1, 2, 3, 4, 5] as $n) {
        ++$reads;
        $statement->execute([$n]);
        say('reuse', $statement->fetchAll(PDO::FETCH_NUM));
    }
    $db->beginTransaction();
    read('in a transaction', 'SELECT count(*) FROM items WHERE price > ?', [3]);
    $db->commit();
}

function rest(int $n): void
{
    global $db;
    $db->beginTransaction();
    say('update', ask('UPDATE ledger SET amount = amount + 1 WHERE id = ? RETURNING amount', [1]));
    say('own', ask('SELECT amount FROM ledger WHERE id = ?', [1]));
    $db->rollBack();
    say('rolled back', ask('SELECT amount FROM ledger WHERE id = ?', [1]));
    $db->beginTransaction();
    say('count', ask('UPDATE ledger SET amount = amount + 1 WHERE id = ?', [2]));
    $db->commit();
    say('committed', ask('SELECT amount FROM ledger ORDER BY id'));
    $db->beginTransaction();
    fails('error', fn() => ask('SELECT 1 / (amount - amount) FROM ledger WHERE id = ?', [1]));
    fails('after it', fn() => ask('SELECT amount FROM ledger WHERE id = ?', [1]));
    $db->rollBack();
    say('after that', ask('SELECT amount FROM ledger WHERE id = ?', [1]));

    $statement = $db->prepare('INSERT INTO loaded VALUES (?, ?)');
    foreach (['a', null] as $text) {
        $statement->execute([$n, $text]);
    }
    say('rows', ask('SELECT * FROM loaded ORDER BY n, t'));
    say('script', $db->exec("UPDATE ledger SET amount = 5 WHERE id = 5; DELETE FROM loaded WHERE n = 0"));

    $db->pgsqlCopyFromArray('loaded', ["$n\tcopied\n", "$n\t\\N\n"]);
    $copied = $db->pgsqlCopyToArray('loaded');
    sort($copied);
    say('copy', $copied);
    fails('copy fails', fn() => $db->pgsqlCopyFromArray('loaded', ["no number\tx\n"]));
    say('after copy', ask('SELECT count(*) FROM loaded'));

    $db->beginTransaction();
    $cursor = $db->prepare('SELECT id, name FROM items ORDER BY id', [PDO::ATTR_CURSOR => PDO::CURSOR_SCROLL]);
    $cursor->execute();
    say('cursor', [$cursor->fetch(PDO::FETCH_NUM), $cursor->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_LAST),
        $cursor->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_ABS, 3)]);
    $cursor = null;
    $db->commit();

    $db->exec('LISTEN channel');
    $db->exec("NOTIFY channel, 'payload'");
    $heard = $db->pgsqlGetNotify(PDO::FETCH_ASSOC, 30000);
    say('notified', [$heard['message'], $heard['payload']]);
    $db->exec('UNLISTEN channel');

    $statement = $db->prepare('SELECT ?::bytea, ?::jsonb');
    $statement->bindValue(1, "\0\xff'\\", PDO::PARAM_LOB);
    $statement->bindValue(2, "{\"n\": [$n, null]}");
    $statement->execute();
    say('bytes', $statement->fetch(PDO::FETCH_NUM));
}

function with_pgsql(string $where): void
{
    $connection = pg_connect("$where sslmode=disable gssencmode=disable user=postgres");
    for ($n = 1; $n <= 5; ++$n) {
        say('params', pg_fetch_all(pg_query_params($connection, 'SELECT name FROM items WHERE id = $1', [$n])));
        pg_send_query($connection, 'SELECT pg_sleep(60)');
        pause(['part' => 'cancel']);
        say('cancel', [pg_cancel_query($connection), pg_fetch_all(pg_query($connection, 'SELECT 1'))]);
    }
}

for ($turn = 1; $turn <= 5; ++$turn) {
    $reads = 0;
    round_of_reads();
    pause(['round' => $turn, 'reads' => $reads]);
}
pause(['part' => 'rest']);
for ($turn = 1; $turn <= 5; ++$turn) {
    rest($turn);
}
with_pgsql("host=$host port=$port dbname=$database");
