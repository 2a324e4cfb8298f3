// SPDX-License-Identifier: Apache-2.0
// node-postgres: unnamed and named statements, cursors, streams of queries without waiting.

const { Client, Pool } = require('pg')
const Cursor = require('pg-cursor')
const QueryStream = require('pg-query-stream')

const say = (...words) => console.log(...words.map((w) =>
  typeof w === 'string' ? w : JSON.stringify(w)))
const show = (result) => say(result.command, result.rowCount, result.rows)

async function fails(promise) {
  try {
    await promise
    say('no error')
  } catch (error) {
    say('error', error.code ?? '', error.message, error.constraint ?? '', error.detail ?? '')
  }
}

async function connect(options = {}) {
  const client = new Client(options)
  await client.connect()
  return client
}

async function tables(c) {
  const results = await c.query(`CREATE TABLE item (id serial PRIMARY KEY, name text UNIQUE);
    INSERT INTO item (name) SELECT 'name ' || n FROM generate_series(1, 100) n;
    SELECT count(*) FROM item`)
  results.forEach(show)
}

async function readOnly() {
  const c = await connect()
  await c.query('BEGIN READ ONLY')
  say('@replica', (await c.query('SELECT inet_server_port()::text AS p')).rows[0].p)
  await fails(c.query("INSERT INTO refused VALUES ('x')"))
  await fails(c.query('SELECT 1'))
  show(await c.query('ROLLBACK'))
  await c.end()
}

async function types(c) {
  const text = 'SELECT $1::int4, $2::int8, $3::float8, $4::numeric, $5::text, $6::bytea,' +
    ' $7::bool, $8::timestamptz, $9::json, $10::int[], $11::text[], $12::uuid, $13::text AS nothing'
  const values = [1 << 30, '-9223372036854775808', Math.PI, '1234567890.0123456789', 'Grüße € \' \\',
    Buffer.from([0, 1, 255]), true, new Date(1709210096789), { a: [1, null] }, [1, null, 3],
    ['a,b', '"', null], '00000000-0000-0000-0000-000000000007', null]
  for (const name of [undefined, 'types', 'types', undefined]) {
    const result = await c.query({ name, text, values })
    show(result)
    say(result.fields.map((f) => [f.name, f.dataTypeID, f.format]))
  }
  show(await c.query({ text: 'SELECT $1::int, 2', values: [1], rowMode: 'array' }))
  show(await c.query({ text: 'SELECT 7::int8 AS n', values: [], binary: true }))
}

async function statements(c) {
  for (let n = 0; n < 12; n++) {
    show(await c.query({ name: 'one', text: 'SELECT name FROM item WHERE id = $1', values: [n] }))
    show(await c.query('UPDATE item SET name = name WHERE id = $1 RETURNING id', [n]))
  }
  await c.query('CREATE TABLE changing AS SELECT 1 AS a')
  for (const change of ['ADD COLUMN b int', 'DROP COLUMN a', 'ADD COLUMN c text']) {
    show(await c.query('SELECT * FROM changing WHERE 0 < $1', [1]))
    await c.query('ALTER TABLE changing ' + change)
    show(await c.query('SELECT * FROM changing WHERE 0 < $1', [1]))
  }
  show(await c.query({ name: 'kept', text: 'SELECT * FROM changing WHERE 0 < $1', values: [1] }))
  await c.query('ALTER TABLE changing ADD COLUMN d int')
  await fails(c.query({ name: 'kept', values: [1] }))
  await fails(c.query({ name: 'wrong', text: 'SELECT frobnicate', values: [] }))
  await fails(c.query({ name: 'wrong', text: 'SELECT $1::int', values: ['x'] }))
  await fails(c.query('SELECT $1::int', []))
  show(await c.query(''))
}

async function unawaited(c) {
  const all = []
  for (let n = 0; n < 50; n++) {
    all.push(c.query(n % 5 ? 'SELECT $1::int AS n' : 'UPDATE item SET name = name WHERE id = $1' +
      ' RETURNING id AS n', [n + 1]))
  }
  say((await Promise.all(all)).map((result) => result.rows[0].n))
  const settled = await Promise.allSettled(
    ['SELECT 1', 'SELECT 1 / 0', 'SELECT 3'].map((text) => c.query(text)))
  say(settled.map((one) => one.status))
}

async function transactions(c) {
  for (const begin of ['BEGIN', 'BEGIN ISOLATION LEVEL SERIALIZABLE']) {
    await c.query(begin)
    await c.query('SAVEPOINT s')
    await fails(c.query('INSERT INTO item VALUES ($1, $2)', [1, 'twice']))
    await fails(c.query('SELECT 1'))
    await c.query('ROLLBACK TO SAVEPOINT s')
    show(await c.query('INSERT INTO item VALUES ($1, $2) RETURNING *', [1000, 'new']))
    show(await c.query('ROLLBACK'))
    show(await c.query('SELECT count(*) FROM item WHERE id = 1000'))
  }
  await c.query('BEGIN')
  await fails(c.query('SELECT 1 / 0'))
  show(await c.query('COMMIT'))
  await c.query("BEGIN; INSERT INTO item VALUES (1000, 'x'); PREPARE TRANSACTION '" +
    process.env.PGDATABASE + "'")
  show(await c.query("COMMIT PREPARED '" + process.env.PGDATABASE + "'"))
  show(await c.query('DELETE FROM item WHERE id = 1000'))
}

async function cursors(c) {
  for (const begin of ['BEGIN READ ONLY', 'BEGIN']) {
    await c.query(begin)
    const cursor = c.query(new Cursor('SELECT id FROM item WHERE id <= $1 ORDER BY id', [20]))
    for (let rows = [0]; rows.length;) say(rows = await cursor.read(7))
    await cursor.close()
    await c.query('COMMIT')
  }
  const early = c.query(new Cursor('SELECT generate_series(1, 1000) AS n'))
  say(await early.read(2))
  await early.close()
  const failing = c.query(new Cursor('SELECT 10 / (5 - n) AS n FROM generate_series(1, 9) n'))
  say(await failing.read(2))
  await fails(failing.read(7))
  let sum = 0
  const text = 'SELECT n::int FROM generate_series(1, $1) n'
  const stream = c.query(new QueryStream(text, [5000], { batchSize: 100 }))
  for await (const row of stream) sum += row.n
  say(sum)
}

async function notices(c) {
  const seen = []
  c.on('notice', (notice) => seen.push([notice.code, notice.severity, notice.message]))
  await c.query("DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two'; END $$")
  await c.query('DROP TABLE IF EXISTS nothing')
  await c.query('BEGIN')
  await c.query('BEGIN')
  await c.query('COMMIT')
  await c.query('COMMIT')
  say(seen)
}

async function cancelling(c) {
  const other = await connect()
  const sleeping = c.query('SELECT pg_sleep(60)')
  setTimeout(() => {
    const canceller = new Client()
    canceller.cancel(c, c.activeQuery)
  }, 300)
  await fails(sleeping)
  show(await c.query("SELECT 'alive' AS a"))
  await other.query('SET statement_timeout = 200')
  await fails(other.query('SELECT pg_sleep(60)'))
  await other.end()
  const limited = await connect({ statement_timeout: 200, application_name: 'limited' })
  await fails(limited.query('SELECT pg_sleep(60)'))
  show(await limited.query('SHOW application_name'))
  await limited.end()
}

async function notifications(c) {
  const other = await connect()
  await c.query('LISTEN news')
  const heard = new Promise((resolve) => {
    const all = []
    c.on('notification', (one) => {
      all.push([one.channel, one.payload])
      if (all.length === 2) resolve(all)
    })
  })
  await other.query("NOTIFY news, 'one'")
  await other.query('SELECT pg_notify($1, $2)', ['news', 'two'])
  say(await heard)
  await c.query('UNLISTEN *')
  await other.end()
}

async function pools() {
  const pool = new Pool({ max: 5 })
  const work = async (n) => {
    const c = await pool.connect()
    try {
      await c.query('BEGIN')
      await c.query('UPDATE item SET name = $1 WHERE id = $2', ['name ' + n, n])
      await c.query('COMMIT')
      return (await c.query('SELECT id FROM item WHERE name = $1', ['name ' + n])).rows[0].id
    } finally {
      c.release()
    }
  }
  say(await Promise.all([...Array(40).keys()].map((n) => work(n + 1))))
  await pool.end()
}

async function main() {
  const c = await connect()
  for (const part of [tables, readOnly, types, statements, unawaited, transactions, cursors,
    notices, cancelling, notifications, pools]) {
    say('== ' + part.name)
    await part(c)
  }
  await c.end()
  say('end')
}

main().catch((error) => {
  say(String(error.stack))
  process.exit(1)
})
