// node-postgres with its default settings: types, prepared statements, cursors, COPY streams, transactions, errors, cancel.
const assert = require('assert');
const { Client, Pool } = require('pg');
const Cursor = require('pg-cursor');
const copy = require('pg-copy-streams');
const { Readable } = require('stream');
const { pipeline } = require('stream/promises');

const scenario = (name) => console.log(`node pg: ${name}`);

async function main() {
  const client = new Client();
  await client.connect();
  await client.query('DROP TABLE IF EXISTS node_t');
  await client.query('CREATE TABLE node_t (id int PRIMARY KEY, doc jsonb, at timestamptz DEFAULT now())');

  scenario('types');
  const when = new Date('2026-11-22T01:02:03.456Z');
  const r = await client.query(
    `SELECT $1::bool AS b, $2::int4 AS i, $3::int8 AS l, $4::float8 AS d, $5::numeric AS n, $6::text AS t, $7::jsonb AS j,
            $8::timestamptz AS ts, $9::int4[] AS ia, $10::text[] AS ta, $11::bytea AS by, NULL::text AS nil`,
    [true, -7, '9007199254740993', 1.25, '123.4500', 'ünï', { a: [1, 'x', null] }, when, [1, 2, 3], ['a', 'b "q"', null], Buffer.from([0, 255])]);
  assert.deepStrictEqual(r.rows[0], {
    b: true, i: -7, l: '9007199254740993', d: 1.25, n: '123.4500', t: 'ünï', j: { a: [1, 'x', null] }, ts: when,
    ia: [1, 2, 3], ta: ['a', 'b "q"', null], by: Buffer.from([0, 255]), nil: null });
  assert.strictEqual(r.fields[0].dataTypeID, 16);
  assert.strictEqual(r.command, 'SELECT');

  scenario('named prepared statements');
  for (let i = 0; i < 50; i++) {
    const q = await client.query({ name: 'ins', text: 'INSERT INTO node_t (id, doc) VALUES ($1, $2) RETURNING id', values: [i, { n: i }] });
    assert.strictEqual(q.rows[0].id, i);
  }
  const q = await client.query({ name: 'sel', text: 'SELECT doc FROM node_t WHERE id = $1', values: [7] });
  assert.deepStrictEqual(q.rows[0].doc, { n: 7 });

  scenario('several statements in one query');
  const multi = await client.query("SELECT 1 AS one; SELECT 'two' AS two");
  assert.deepStrictEqual(multi.map((m) => m.rows[0]), [{ one: 1 }, { two: 'two' }]);

  scenario('cursor');
  const cursor = client.query(new Cursor('SELECT id FROM node_t WHERE id >= $1 ORDER BY id', [10]));
  const first = await cursor.read(15);
  const second = await cursor.read(100);
  assert.deepStrictEqual([first.length, second.length, second[24].id], [15, 25, 49]);
  await cursor.close();

  scenario('COPY streams');
  const input = client.query(copy.from('COPY node_t (id, doc) FROM STDIN'));
  await pipeline(Readable.from([...Array(1000).keys()].map((i) => `${1000 + i}\t{"c": ${i}}\n`)), input);
  assert.strictEqual(input.rowCount, 1000);
  let text = '';
  for await (const chunk of client.query(copy.to('COPY (SELECT id FROM node_t WHERE id > 1997 ORDER BY id) TO STDOUT'))) text += chunk;
  assert.strictEqual(text, '1998\n1999\n');

  scenario('transactions');
  await client.query('BEGIN');
  await client.query('DELETE FROM node_t');
  await client.query('ROLLBACK');
  assert.strictEqual((await client.query('SELECT count(*)::int AS n FROM node_t')).rows[0].n, 1050);

  scenario('errors');
  const fails = async (sql, code, check) => {
    await assert.rejects(client.query(sql), (e) => { assert.strictEqual(e.code, code, `${sql}: ${e.code} ${e.message}`); if (check) check(e); return true; });
  };
  await fails('SELECT * FROM nowhere', '42P01', (e) => assert.strictEqual(e.position, '15'));
  await fails('INSERT INTO node_t (id) VALUES (1)', '23505', (e) => {
    assert.strictEqual(e.detail, 'Key (id)=(1) already exists.'); assert.strictEqual(e.constraint, 'node_t_pkey'); });
  await fails("SELECT 'x'::int", '22P02');

  scenario('cancel');
  const other = new Client();
  await other.connect();
  const slow = assert.rejects(client.query('SELECT pg_sleep(60)'), (e) => e.code === '57014');
  const pid = client.processID;
  for (;;) {
    const s = await other.query('SELECT pg_cancel_backend($1) AS sent', [pid]);
    if (s.rows[0].sent && await Promise.race([slow.then(() => true), new Promise((d) => setTimeout(d, 50, false))])) break;
  }
  await slow;

  scenario('notifications');
  const heard = new Promise((done) => client.on('notification', done));
  await client.query('LISTEN node_channel');
  await other.query("NOTIFY node_channel, 'from node'");
  assert.strictEqual((await heard).payload, 'from node');
  await other.end();

  scenario('pool');
  const pool = new Pool({ max: 4 });
  const all = await Promise.all([...Array(20).keys()].map((i) => pool.query('SELECT $1::int AS i', [i])));
  assert.deepStrictEqual(all.map((x) => x.rows[0].i), [...Array(20).keys()]);
  await pool.end();
  await client.query('DROP TABLE node_t');
  await client.end();
  scenario('ok');
}

main().catch((e) => { console.error(e); process.exit(1); });
