# Ruby's pg: exec goes simple, exec_params without a name, prepare and exec_prepared by name, text and binary.
require 'digest'
require 'json'
require 'pg'

HOST, PORT, DATABASE = ARGV
$stdout.sync = true
$db = PG.connect(host: HOST, port: PORT, dbname: DATABASE, user: 'postgres', sslmode: 'disable', gssencmode: 'disable')
$reads = 0

def plain(value)
  case value
  when Array then value.map { |one| plain(one) }
  when Hash then value.transform_values { |one| plain(one) }
  when String
    return ['large', value.bytesize, Digest::MD5.hexdigest(value)] if value.bytesize > 1000

    value.encoding == Encoding::BINARY ? ['bytes', value.unpack1('H*')] : value
  else value
  end
end

def tell(step, value)
  puts JSON.generate([step, plain(value)], ascii_only: true)
end

def pause(what)
  puts JSON.generate(what)
  $stdin.gets
end

def seen(result)
  [result.cmd_status, result.fields, result.nfields.times.map { |i| [result.ftype(i), result.fformat(i)] }, result.values]
end

def read(step)
  $reads += 1
  tell(step, seen(yield))
end

def fails(step)
  tell(step, yield)
rescue PG::Error => e
  tell(step, [e.result&.error_field(PG::Result::PG_DIAG_SQLSTATE), e.message])
end

def ask(sql, *values)
  seen($db.exec_params(sql, values))
end

def round_of_reads
  [0, 1].each do |format|
    (1..3).each { |n| read('kinds') { $db.exec_params('SELECT * FROM kinds WHERE id = $1', [n], format) } }
  end
  read('simple') { $db.exec('SELECT * FROM kinds WHERE id = 1') }
  read('no values') { $db.exec('SELECT id, name FROM items ORDER BY id') }
  read('typed') do
    $db.exec_params('SELECT name FROM items WHERE id = $1', [{ value: [9].pack('N'), type: 23, format: 1 }])
  end
  read('array') { $db.exec_params('SELECT name FROM items WHERE id = ANY($1) ORDER BY id', ['{2,3,5}']) }
  read('words') { $db.exec_params('SELECT id FROM kinds WHERE words = $1', ['{one,"two words","quo\\"te"}']) }
  read('json') { $db.exec_params('SELECT id, jb FROM kinds WHERE jb @> $1', ['{"b": 1}']) }
  read('large') { $db.exec_params('SELECT body, raw FROM large WHERE id = $1', [1]) }
  [0, 1].each do |format|
    (1..5).each { |n| read('reuse') { $db.exec_prepared('by id', [n], format) } }
  end
  $db.transaction { read('in a transaction') { $db.exec_params('SELECT count(*) FROM items WHERE price > $1', [3]) } }
end

def rest(n)
  $db.exec('BEGIN')
  tell('update', ask('UPDATE ledger SET amount = amount + 1 WHERE id = $1 RETURNING amount', 1))
  tell('own', ask('SELECT amount FROM ledger WHERE id = $1', 1))
  $db.exec('ROLLBACK')
  tell('rolled back', ask('SELECT amount FROM ledger WHERE id = $1', 1))
  $db.transaction { ask('UPDATE ledger SET amount = amount + 1 WHERE id = $1', 2) }
  tell('committed', ask('SELECT amount FROM ledger ORDER BY id'))
  $db.exec('BEGIN')
  fails('error') { ask('SELECT 1 / (amount - amount) FROM ledger WHERE id = $1', 1) }
  fails('after it') { ask('SELECT amount FROM ledger WHERE id = $1', 1) }
  $db.exec('ROLLBACK')
  tell('after that', ask('SELECT amount FROM ledger WHERE id = $1', 1))
  tell('described', [$db.describe_prepared('by id').fields, $db.describe_prepared('by id').nparams])

  $db.enter_pipeline_mode
  $db.send_query_params('UPDATE ledger SET amount = amount + $1 WHERE id = $2 RETURNING amount', [1, 3])
  $db.send_query_prepared('by id', [2])
  $db.pipeline_sync
  answers = []
  while answers.length < 3
    $db.block
    result = $db.get_result or next
    answers << [result.result_status, result.values]
  end
  $db.exit_pipeline_mode
  tell('pipeline', answers)
  tell('script', seen($db.exec("INSERT INTO loaded VALUES (#{n}, 'a'); SELECT count(*) FROM loaded")))
  fails('script fails') { $db.exec("INSERT INTO loaded VALUES (0, 'no'); SELECT 1 / 0") }

  $db.copy_data('COPY loaded FROM STDIN') { $db.put_copy_data("#{n}\tcopied\n#{n}\t\\N\n") }
  lines = []
  $db.copy_data('COPY (SELECT * FROM loaded ORDER BY n, t) TO STDOUT') do
    while (line = $db.get_copy_data)
      lines << line
    end
  end
  tell('copy', lines)
  fails('copy fails') { $db.copy_data('COPY loaded FROM STDIN') { $db.put_copy_data("no number\tx\n") } }
  tell('after copy', ask('SELECT count(*) FROM loaded'))

  $db.transaction do
    $db.exec('DECLARE pages CURSOR FOR SELECT id, name FROM items WHERE id > 2 ORDER BY id')
    tell('cursor', [7, 1, 100].map { |count| seen($db.exec("FETCH #{count} FROM pages")) })
  end
  $db.send_query('SELECT id, name FROM items ORDER BY id')
  $db.set_single_row_mode
  tell('row by row', $db.get_result.stream_each_row.to_a)
  $db.get_result

  $db.exec('LISTEN channel')
  $db.exec("NOTIFY channel, 'payload'")
  $db.wait_for_notify(30) { |channel, _, payload| tell('notified', [channel, payload]) }
  $db.exec('UNLISTEN channel')

  $db.send_query('SELECT pg_sleep(60)')
  pause(part: 'cancel')
  $db.cancel
  fails('cancel') { seen($db.get_last_result) }
  tell('after cancel', ask('SELECT amount FROM ledger WHERE id = $1', 1))

  tell('bytes', ask('SELECT $1::bytea, $2::jsonb', { value: "\0\xff'\\".b, format: 1 }, "{\"n\": [#{n}, null]}"))
end

$db.prepare('by id', 'SELECT name, price FROM items WHERE id = $1')
(1..5).each do |turn|
  $reads = 0
  round_of_reads
  pause(round: turn, reads: $reads)
end
pause(part: 'rest')
(1..5).each { |turn| rest(turn) }
$db.close
