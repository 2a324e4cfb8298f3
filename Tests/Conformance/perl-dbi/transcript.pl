# SPDX-License-Identifier: Apache-2.0
# DBD::Pg: its own prepared statements, savepoints, COPY, large objects, asynchronous queries.

use strict;
use warnings;
use utf8;
use DBI;
use DBD::Pg qw(:async :pg_types);

binmode STDOUT, ':utf8';
$| = 1;

sub say_line { print join(' ', map { defined $_ ? $_ : 'undef' } @_), "\n" }

sub connection {
    my %options = @_;
    return DBI->connect("dbi:Pg:dbname=$ENV{PGDATABASE}", undef, undef,
        { RaiseError => 1, PrintError => 0, PrintWarn => 0, AutoCommit => 1, %options });
}

sub show {
    my ($c, $text, @values) = @_;
    my $rows = $c->selectall_arrayref($text, undef, @values);
    say_line(map { '[' . join(', ', map { defined $_ ? $_ : 'undef' } @$_) . ']' } @$rows);
}

sub fails {
    my ($c, $work) = @_;
    if (eval { $work->(); 1 }) { say_line('no error'); return }
    say_line('error', $c->state, (split /\n/, $c->errstr)[0]);
}

sub read_only {
    my $c = connection(AutoCommit => 0, ReadOnly => 1);
    say_line('@replica', $c->selectrow_array('SELECT inet_server_port()'));
    fails($c, sub { $c->do("INSERT INTO refused VALUES ('x')") });
    $c->rollback;
    $c->disconnect;
}

sub statements {
    my ($c) = @_;
    for my $prepare (0, 1) {
        $c->{pg_server_prepare} = $prepare;
        my $one = $c->prepare('SELECT name FROM item WHERE id = ?');
        my $two = $c->prepare('UPDATE item SET price = $1 WHERE id = 7 RETURNING price');
        for my $n (0 .. 8) {
            $one->execute($n);
            say_line(map { @$_ } @{ $one->fetchall_arrayref });
            $two->execute($n);
            say_line($two->rows, map { @$_ } @{ $two->fetchall_arrayref });
        }
        my $types = $c->prepare('SELECT ?::int4, ?::text, ?::bytea, ?::numeric, ?::int[], ?::text');
        $types->bind_param(3, "\x00\x01\xff'", { pg_type => PG_BYTEA });
        $types->execute(5, "Grüße € ' \\", "\x00\x01\xff'", '1.50', [1, 2], undef);
        my @row = $types->fetchrow_array;
        say_line(@row[0, 1], length $row[2], $row[3], "@{$row[4]}", $row[5]);
        say_line("@{$types->{NAME}}", "@{$types->{pg_type}}");
        fails($c, sub { $c->prepare('SELECT frobnicate', { pg_prepare_now => 1 })->execute });
        fails($c, sub { $c->do('SELECT 1 / ?::int', undef, 0) });
        my $many = $c->prepare('INSERT INTO item (name) VALUES (?)');
        my $count = $many->execute_array({}, [map { "many $prepare $_" } 1 .. 20]);
        say_line($count);
    }
    show($c, 'SELECT count(*) FROM item');
    $c->do('CREATE TABLE changing AS SELECT 1 AS a');
    show($c, 'SELECT * FROM changing WHERE 0 < ?', 1);
    $c->do('ALTER TABLE changing ADD COLUMN b int');
    show($c, 'SELECT * FROM changing WHERE 0 < ?', 1);
    $c->do('DROP TABLE changing');
}

sub transactions {
    my ($c) = @_;
    $c->begin_work;
    $c->do("INSERT INTO item VALUES (1000, 'new')");
    $c->pg_savepoint('s');
    fails($c, sub { $c->do("INSERT INTO item VALUES (1000, 'again')") });
    say_line($c->ping);
    $c->pg_rollback_to('s');
    show($c, 'SELECT name FROM item WHERE id = 1000');
    $c->rollback;
    show($c, 'SELECT count(*) FROM item WHERE id = 1000');
    say_line($c->ping);
}

sub copies {
    my ($c) = @_;
    $c->do('CREATE TABLE copied (a int, b text)');
    $c->do('COPY copied FROM STDIN');
    $c->pg_putcopydata("$_\ttext $_\n") for 1 .. 2000;
    say_line($c->pg_putcopyend);
    $c->do('COPY (SELECT * FROM copied ORDER BY a LIMIT 3) TO STDOUT');
    my $line = '';
    while ($c->pg_getcopydata($line) >= 0) { chomp $line; say_line($line) }
    $c->do('COPY copied FROM STDIN');
    $c->pg_putcopydata("x\ty\n");
    fails($c, sub { $c->pg_putcopyend });
    show($c, 'SELECT count(*), sum(a) FROM copied');
}

sub large_objects {
    my ($c) = @_;
    $c->begin_work;
    my $oid = $c->pg_lo_creat($c->{pg_INV_READ} | $c->{pg_INV_WRITE});
    my $object = $c->pg_lo_open($oid, $c->{pg_INV_READ} | $c->{pg_INV_WRITE});
    say_line($c->pg_lo_write($object, 'x' x 100000, 100000), $c->pg_lo_lseek($object, 50, 0));
    my $buffer = '';
    say_line($c->pg_lo_read($object, $buffer, 5), $buffer, $c->pg_lo_tell($object));
    $c->pg_lo_close($object);
    $c->pg_lo_unlink($oid);
    $c->commit;
}

sub asynchronous {
    my ($c) = @_;
    $c->do('SELECT pg_sleep(0.1)', { pg_async => PG_ASYNC });
    say_line($c->pg_result);
    my $sleeping = $c->prepare('SELECT pg_sleep(60)', { pg_async => PG_ASYNC });
    $sleeping->execute;
    select undef, undef, undef, 0.3;
    say_line($sleeping->pg_cancel);
    show($c, "SELECT 'alive'");
}

sub notices {
    my ($c) = @_;
    local $SIG{__WARN__} = sub { say_line('warning', (split /\n/, $_[0])[0]) };
    local $c->{PrintWarn} = 1;
    $c->do("DO \$\$ BEGIN RAISE WARNING 'two'; END \$\$");
    my $other = connection();
    $c->do('LISTEN news');
    $other->do("NOTIFY news, 'one'");
    my $found;
    until ($found = $c->pg_notifies) { select undef, undef, undef, 0.05 }
    say_line($found->[0], $found->[2]);
    $c->do('UNLISTEN *');
}

sub metadata {
    my ($c) = @_;
    say_line(sort $c->tables(undef, 'public', '%', 'TABLE'));
    say_line($c->primary_key(undef, 'public', 'item'));
    say_line(map { $_->[3] } @{ $c->column_info(undef, 'public', 'item', '%')->fetchall_arrayref });
    # Of the sequence as the transaction used it last; another transaction may be elsewhere.
    $c->begin_work;
    $c->do("INSERT INTO item (name) VALUES ('last')");
    say_line($c->{pg_server_version}, $c->last_insert_id(undef, 'public', 'item', undef) > 0);
    $c->rollback;
}

my $c = connection();
$c->do("CREATE TABLE item (id serial PRIMARY KEY, name text UNIQUE, price numeric)");
$c->do("INSERT INTO item (name, price) SELECT 'name ' || n, n FROM generate_series(1, 100) n");
my @parts = (
    [read_only => \&read_only], [statements => \&statements], [transactions => \&transactions],
    [copies => \&copies], [large_objects => \&large_objects], [asynchronous => \&asynchronous],
    [notices => \&notices], [metadata => \&metadata],
);
for my $part (@parts) {
    say_line('==', $part->[0]);
    $part->[1]->($c);
}
$c->disconnect;
say_line('end');
