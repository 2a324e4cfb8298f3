# SPDX-License-Identifier: Apache-2.0
# ruby-pg: libpq with its asynchronous API, COPY, cursors, large objects, notices.

require 'pg'

def say(*words)
  puts words.join(' ')
end

def show(result)
  say result.cmd_status, result.values.inspect
end

def fails
  yield
  say 'no error'
rescue PG::Error => e
  state = e.result&.error_field(PG::Result::PG_DIAG_SQLSTATE)
  say 'error', e.class, state, e.message.lines.first.strip
end

def connect(options = {})
  PG.connect(options)
end

def tables(c)
  show c.exec("CREATE TABLE item (id serial PRIMARY KEY, name text UNIQUE, price numeric);
    INSERT INTO item (name, price) SELECT 'name ' || n, n FROM generate_series(1, 100) n;
    SELECT count(*) FROM item")
end

def read_only(_)
  c = connect
  c.exec('BEGIN READ ONLY')
  say '@replica', c.exec('SELECT inet_server_port()').getvalue(0, 0)
  fails { c.exec("INSERT INTO refused VALUES ('x')") }
  fails { c.exec('SELECT 1') }
  show c.exec('ROLLBACK')
  c.close
end

def parameters(c)
  wanted = 'SELECT $1::int4, $2::text, $3::bytea, $4::numeric, $5::text IS NULL'
  bytes = { value: "\x00\x01'\\\xff".b, type: 17, format: 1 }
  2.times do |format|
    result = c.exec_params(wanted, ['7', "Grüße € ' \\", bytes, '1.50', nil], format)
    say result.values.inspect, result.nfields, result.ftype(2), result.fformat(0)
  end
  c.type_map_for_results = PG::BasicTypeMapForResults.new(c)
  show c.exec_params('SELECT 1, true, now() > $1::timestamptz, 1.5::float8', ['2020-01-01'])
  c.type_map_for_results = PG::TypeMapAllStrings.new
end

def prepared(c)
  c.prepare('one', 'SELECT name FROM item WHERE id = $1')
  c.prepare('two', 'UPDATE item SET price = $1 WHERE id = 7 RETURNING price')
  10.times { |n| show(c.exec_prepared('one', [n])); show(c.exec_prepared('two', [n])) }
  about = c.describe_prepared('one')
  say about.nparams, about.paramtype(0), about.fname(0)
  fails { c.prepare('one', 'SELECT 1') }
  fails { c.exec_prepared('nothing') }
  fails { c.prepare('wrong', 'SELECT frobnicate') }
  show c.exec('DEALLOCATE one')
  fails { c.exec_prepared('one', [1]) }
  c.exec('PREPARE three AS SELECT $1::int + 1')
  show c.exec('EXECUTE three(4)')
  show c.exec_prepared('three', [5])
  show c.exec('DEALLOCATE ALL')
end

def asynchronous(c)
  c.send_query('SELECT 1; SELECT 2; SELECT 1 / 0; SELECT 4')
  while (result = c.get_result)
    say result.res_status(result.result_status), result.values.inspect
  end
  c.send_query('SELECT n FROM generate_series(1, 5) n')
  c.set_single_row_mode
  while (result = c.get_result)
    say result.res_status(result.result_status), result.values.inspect
  end
  c.enter_pipeline_mode
  5.times { |n| c.send_query_params('SELECT $1::int', [n]) }
  c.send_query_params("INSERT INTO item (name) VALUES ('piped') RETURNING name", [])
  c.pipeline_sync
  loop do
    result = c.get_result or next
    say result.res_status(result.result_status), result.values.inspect
    break if result.result_status == PG::PGRES_PIPELINE_SYNC
  end
  c.exit_pipeline_mode
end

def transactions(c)
  fails do
    c.transaction do
      c.exec("INSERT INTO item VALUES (1000, 'new')")
      c.exec('SAVEPOINT s')
      fails { c.exec("INSERT INTO item VALUES (1000, 'again')") }
      say c.transaction_status == PG::PQTRANS_INERROR
      c.exec('ROLLBACK TO s')
      show c.exec('SELECT name FROM item WHERE id = 1000')
      c.exec('SELECT 1 / 0')
    end
  end
  show c.exec('SELECT count(*) FROM item WHERE id = 1000')
end

def copies(c)
  c.exec('CREATE TABLE copied (a int, b text)')
  c.copy_data('COPY copied FROM STDIN') do
    5000.times { |n| c.put_copy_data("#{n}\tGrüße\n") }
  end
  c.copy_data('COPY (SELECT * FROM copied ORDER BY a LIMIT 2) TO STDOUT') do
    say c.get_copy_data.inspect, c.get_copy_data.inspect, c.get_copy_data.inspect
  end
  fails { c.copy_data('COPY copied FROM STDIN') { c.put_copy_data("x\ty\n") } }
  fails { c.copy_data('COPY copied FROM STDIN') { raise PG::Error, 'own' } }
  show c.exec('SELECT count(*) FROM copied')
end

def large_objects(c)
  c.transaction do
    oid = c.lo_creat
    descriptor = c.lo_open(oid, PG::INV_READ | PG::INV_WRITE)
    say c.lo_write(descriptor, 'x' * 100_000)
    c.lo_lseek(descriptor, 50_000, PG::SEEK_SET)
    say c.lo_read(descriptor, 5), c.lo_tell(descriptor)
    c.lo_truncate(descriptor, 10)
    say c.lo_lseek(descriptor, 0, PG::SEEK_END)
    c.lo_close(descriptor)
    c.lo_unlink(oid)
  end
  fails { c.transaction { c.lo_open(1, PG::INV_READ) } }
end

def cursors(c)
  c.transaction do
    c.exec('DECLARE c SCROLL CURSOR FOR SELECT id FROM item ORDER BY id')
    show c.exec('FETCH 3 FROM c')
    show c.exec('MOVE LAST FROM c')
    show c.exec('FETCH BACKWARD 2 FROM c')
    show c.exec('CLOSE c')
  end
end

def notices(c)
  c.set_notice_receiver do |result|
    say 'notice', result.error_field(PG::Result::PG_DIAG_MESSAGE_PRIMARY)
  end
  c.exec("DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two'; END $$")
  c.exec('DROP TABLE IF EXISTS nothing')
  fails { c.exec("INSERT INTO item (name) VALUES ('name 1')") }
end

def cancelling(c)
  c.send_query('SELECT pg_sleep(60)')
  sleep 0.3
  say c.cancel.inspect
  fails { c.get_result.check }
  c.discard_results
  show c.exec("SELECT 'alive'")
end

def notifications(c)
  other = connect
  c.exec('LISTEN news')
  other.exec("NOTIFY news, 'one'")
  c.wait_for_notify(60) { |channel, _, text| say channel, text }
  c.exec('UNLISTEN *')
  c.reset
  show c.exec("SELECT 'after a reset'")
  other.close
end

c = connect
%i[tables read_only parameters prepared asynchronous transactions copies large_objects cursors
   notices cancelling notifications].each do |part|
  say '==', part
  send(part, c)
end
c.close
say 'end'
