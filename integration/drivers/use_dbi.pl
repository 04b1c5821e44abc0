# Perl's DBI with DBD::Pg: the first execution of a statement by name-less Parse, from the second on by name
# (pg_switch_prepared), in text; without values in the simple protocol.
use strict;
use warnings;
use DBI;
use DBD::Pg qw(:async :pg_types);
use Digest::MD5 qw(md5_hex);
use Encode qw(encode_utf8);
use JSON::PP;

my ($host, $port, $database) = @ARGV;
$| = 1;
my $json = JSON::PP->new->ascii->canonical->allow_nonref;
my $db = DBI->connect("dbi:Pg:dbname=$database;host=$host;port=$port;sslmode=disable;gssencmode=disable", 'postgres', '',
    { RaiseError => 1, PrintError => 0, AutoCommit => 1 });
my $reads = 0;

sub plain {
    my ($value) = @_;
    return undef if !defined $value;
    return [map { plain($_) } @$value] if ref $value eq 'ARRAY';
    return { map { $_ => plain($value->{$_}) } keys %$value } if ref $value eq 'HASH';
    return ['large', length $value, md5_hex(encode_utf8($value))] if length $value > 1000;
    return "$value";
}

sub say_step { print $json->encode([$_[0], plain($_[1])]), "\n"; }
sub pause { print $json->encode($_[0]), "\n"; scalar <STDIN>; }

sub ask {
    my ($sql, @values) = @_;
    my $statement = $db->prepare($sql);
    my $count = $statement->execute(@values);
    return $statement->{NUM_OF_FIELDS} ? [$statement->{NAME}, $statement->fetchall_arrayref] : $count;
}

sub reading { my ($step, @question) = @_; ++$reads; say_step($step, ask(@question)); }

sub fails {
    my ($step, $action) = @_;
    my $got = eval { $action->() };
    say_step($step, $@ ? [$db->state, $db->errstr] : $got);
}

my $kinds = $db->prepare('SELECT * FROM kinds WHERE id = ?');
my $reuse = $db->prepare('SELECT name, price FROM items WHERE id = ?');

sub round_of_reads {
    for my $n (1 .. 3) {
        ++$reads;
        $kinds->execute($n);
        say_step('kinds', [$kinds->{NAME}, $kinds->{pg_type}, $kinds->fetchall_arrayref]);
    }
    reading('never prepared', 'SELECT * FROM kinds WHERE id = ?', 1);
    reading('no values', 'SELECT id, name FROM items ORDER BY id');
    reading('array', 'SELECT name FROM items WHERE id = ANY(?) ORDER BY id', [2, 3, 5]);
    reading('words', 'SELECT id FROM kinds WHERE words = ?', ['one', 'two words', 'quo"te']);
    reading('json', 'SELECT id, jb FROM kinds WHERE jb @> ?::jsonb', '{"b": 1}');
    reading('large', 'SELECT body, raw FROM large WHERE id = ?', 1);
    for my $n (1 .. 5) {
        ++$reads;
        $reuse->execute($n);
        say_step('reuse', $reuse->fetchall_arrayref);
    }
    $db->begin_work;
    reading('in a transaction', 'SELECT count(*) FROM items WHERE price > ?', 3);
    $db->commit;
}

sub rest {
    my ($n) = @_;
    $db->begin_work;
    say_step('update', ask('UPDATE ledger SET amount = amount + 1 WHERE id = ? RETURNING amount', 1));
    say_step('own', ask('SELECT amount FROM ledger WHERE id = ?', 1));
    $db->rollback;
    say_step('rolled back', ask('SELECT amount FROM ledger WHERE id = ?', 1));
    $db->begin_work;
    say_step('count', ask('UPDATE ledger SET amount = amount + 1 WHERE id = ?', 2));
    $db->pg_savepoint('deeper');
    ask('UPDATE ledger SET amount = 0');
    $db->pg_rollback_to('deeper');
    $db->commit;
    say_step('committed', ask('SELECT amount FROM ledger ORDER BY id'));
    $db->begin_work;
    fails('error', sub { ask('SELECT 1 / (amount - amount) FROM ledger WHERE id = ?', 1) });
    fails('after it', sub { ask('SELECT amount FROM ledger WHERE id = ?', 1) });
    $db->rollback;
    say_step('after that', ask('SELECT amount FROM ledger WHERE id = ?', 1));

    my $batch = $db->prepare('INSERT INTO loaded VALUES (?, ?)');
    $batch->execute_array({}, [$n, $n], ['a', undef]);
    say_step('rows', ask('SELECT * FROM loaded ORDER BY n, t'));

    $db->do('COPY loaded FROM STDIN');
    $db->pg_putcopydata("$n\tcopied\n$n\t\\N\n");
    $db->pg_putcopyend;
    $db->do('COPY (SELECT * FROM loaded ORDER BY n, t) TO STDOUT');
    my ($line, @lines) = ('');
    push @lines, $line while $db->pg_getcopydata($line) >= 0;
    say_step('copy', \@lines);
    $db->do('COPY loaded FROM STDIN');
    $db->pg_putcopydata("no number\tx\n");
    fails('copy fails', sub { $db->pg_putcopyend });
    say_step('after copy', ask('SELECT count(*) FROM loaded'));

    $db->begin_work;
    $db->do('DECLARE pages CURSOR FOR SELECT id, name FROM items WHERE id > 2 ORDER BY id');
    say_step('cursor', [map { ask("FETCH $_ FROM pages") } 7, 1, 100]);
    $db->commit;

    $db->do('LISTEN channel');
    $db->do("NOTIFY channel, 'payload'");
    my $heard;
    $heard = $db->pg_notifies until $heard;
    say_step('notified', [$heard->[0], $heard->[2]]);
    $db->do('UNLISTEN channel');

    my $sleeping = $db->prepare('SELECT pg_sleep(60)', { pg_async => PG_ASYNC });
    $sleeping->execute;
    pause({ part => 'cancel' });
    $db->pg_cancel;
    say_step('cancel', [$db->state]);
    say_step('after cancel', ask('SELECT amount FROM ledger WHERE id = ?', 1));

    my $bytes = $db->prepare('SELECT ?::bytea, ?::jsonb');
    $bytes->bind_param(1, "\0\xff'\\", { pg_type => PG_BYTEA });
    $bytes->bind_param(2, qq({"n": [$n, null]}));
    $bytes->execute;
    say_step('bytes', $bytes->fetchall_arrayref);
}

for my $turn (1 .. 5) {
    $reads = 0;
    round_of_reads();
    pause({ round => $turn, reads => $reads });
}
pause({ part => 'rest' });
rest($_) for 1 .. 5;
$db->disconnect;
