<?php
// SPDX-License-Identifier: Apache-2.0
// PDO and the pgsql functions: native and emulated prepares, large objects, COPY, notifications.

function say(...$words): void
{
    echo implode(' ', array_map(fn ($w) => is_string($w) ? $w : json_encode($w), $words)), "\n";
}

function connect(array $options = []): PDO
{
    $host = getenv('PGHOST');
    $port = getenv('PGPORT');
    $name = getenv('PGDATABASE');
    $pdo = new PDO("pgsql:host=$host;port=$port;dbname=$name", getenv('PGUSER'),
        getenv('PGPASSWORD'), $options + [PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_NUM]);
    return $pdo;
}

function fails(callable $work): void
{
    try {
        $work();
        say('no error');
    } catch (PDOException $error) {
        say('error', (string) $error->getCode(), strtok($error->getMessage(), "\n"));
    }
}

function show(PDOStatement $statement): void
{
    say($statement->rowCount(), $statement->fetchAll());
}

function readOnly(): void
{
    $c = connect();
    $c->exec('BEGIN READ ONLY');
    say('@replica', (string) $c->query('SELECT inet_server_port()')->fetchColumn());
    fails(fn () => $c->exec("INSERT INTO refused VALUES ('x')"));
    $c->exec('ROLLBACK');
}

function statements(PDO $c): void
{
    $one = $c->prepare('SELECT name FROM item WHERE id = ?');
    $two = $c->prepare('UPDATE item SET price = :p WHERE id = 7 RETURNING price');
    for ($n = 0; $n < 8; $n++) {
        $one->execute([$n]);
        show($one);
        $two->execute(['p' => $n]);
        show($two);
    }
    $types = $c->prepare('SELECT ?::int, ?::text, ?::bool, ?::numeric, ?::text IS NULL');
    $types->bindValue(1, 5, PDO::PARAM_INT);
    $types->bindValue(2, "Grüße € ' \\");
    $types->bindValue(3, false, PDO::PARAM_BOOL);
    $types->bindValue(4, '1.50');
    $types->bindValue(5, null, PDO::PARAM_NULL);
    $types->execute();
    say($types->fetch(), $types->getColumnMeta(0)['native_type']);
    fails(fn () => $c->prepare('SELECT frobnicate')->execute());
    fails(fn () => $c->query('SELECT 1 / 0'));
    $c->exec('CREATE TABLE changing AS SELECT 1 AS a');
    show($c->query('SELECT * FROM changing'));
    $c->exec('ALTER TABLE changing ADD COLUMN b int');
    show($c->query('SELECT * FROM changing'));
    $c->exec('DROP TABLE changing');
    say($c->query("INSERT INTO item (name) VALUES ('last') RETURNING id")->fetchColumn() > 0);
    say($c->exec("DELETE FROM item WHERE name = 'last'"), (string) $c->errorCode());
}

function transactions(PDO $c): void
{
    $c->beginTransaction();
    $c->exec("INSERT INTO item VALUES (1000, 'new')");
    $c->exec('SAVEPOINT s');
    fails(fn () => $c->exec("INSERT INTO item VALUES (1000, 'again')"));
    fails(fn () => $c->query('SELECT 1'));
    $c->exec('ROLLBACK TO s');
    show($c->query('SELECT name FROM item WHERE id = 1000'));
    say($c->inTransaction(), $c->rollBack(), $c->inTransaction());
    show($c->query('SELECT count(*) FROM item WHERE id = 1000'));
}

function copies(PDO $c): void
{
    $c->exec('CREATE TABLE copied (a int, b text)');
    $rows = array_map(fn ($n) => "$n\ttext $n", range(1, 2000));
    say($c->pgsqlCopyFromArray('copied', $rows), count($c->pgsqlCopyToArray('copied')));
    fails(fn () => $c->pgsqlCopyFromArray('copied', ["x\ty"]));
    show($c->query('SELECT count(*), sum(a) FROM copied'));
    $c->exec('DROP TABLE copied');
}

function largeObjects(PDO $c): void
{
    $c->beginTransaction();
    $oid = $c->pgsqlLOBCreate();
    $stream = $c->pgsqlLOBOpen($oid, 'w');
    say(fwrite($stream, str_repeat('x', 100000)), fseek($stream, 5), strlen(fread($stream, 10)));
    fclose($stream);
    say($c->pgsqlLOBUnlink($oid));
    $c->commit();
}

function cursors(PDO $c): void
{
    $c->beginTransaction();
    $cursor = $c->prepare('SELECT id FROM item ORDER BY id',
        [PDO::ATTR_CURSOR => PDO::CURSOR_SCROLL]);
    $cursor->execute();
    say($cursor->fetch(), $cursor->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_LAST),
        $cursor->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_ABS, 5));
    $cursor = null;
    $c->commit();
}

function notifications(PDO $c): void
{
    $c->exec('LISTEN news');
    connect()->exec("NOTIFY news, 'one'");
    say($c->pgsqlGetNotify(PDO::FETCH_ASSOC, 60000)['payload']);
    $c->exec('UNLISTEN *');
}

function functions(): void
{
    $c = pg_connect('', PGSQL_CONNECT_FORCE_NEW);
    say(pg_fetch_all(pg_query_params($c, 'SELECT $1::int + 1 AS n', [1])));
    pg_prepare($c, 'named', 'SELECT name FROM item WHERE id = $1');
    say(pg_fetch_all(pg_execute($c, 'named', [3])));
    pg_send_query($c, 'SELECT 1; SELECT 2; SELECT 1 / 0');
    while ($result = pg_get_result($c)) {
        say(pg_result_status($result), (string) pg_result_error_field($result, PGSQL_DIAG_SQLSTATE));
    }
    say(pg_insert($c, 'item', ['name' => 'by pg_insert']) !== false);
    pg_query($c, "DO $$ BEGIN RAISE NOTICE 'hello'; END $$");
    say(pg_last_notice($c), pg_transaction_status($c), pg_parameter_status($c, 'server_encoding'));
    pg_send_query($c, 'SELECT pg_sleep(60)');
    usleep(300000);
    say(pg_cancel_query($c));
    say(pg_fetch_all(pg_query($c, "SELECT 'alive' AS a")));
    pg_close($c);
}

$c = connect();
$c->exec("CREATE TABLE item (id serial PRIMARY KEY, name text UNIQUE, price numeric);
    INSERT INTO item (name, price) SELECT 'name ' || n, n FROM generate_series(1, 100) n");
readOnly();
$modes = ['native' => [], 'emulated' => [PDO::ATTR_EMULATE_PREPARES => true],
    'unprepared' => [PDO::PGSQL_ATTR_DISABLE_PREPARES => true],
    'persistent' => [PDO::ATTR_PERSISTENT => true]];
foreach ($modes as $name => $options) {
    say('==', $name);
    $c = connect($options);
    foreach (['statements', 'transactions', 'copies', 'largeObjects', 'cursors',
        'notifications'] as $part) {
        $part($c);
    }
}
functions();
say('end');
