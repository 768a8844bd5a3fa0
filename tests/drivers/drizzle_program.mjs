// Drizzle: typed queries over node-postgres. DSN in the first argument.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const require = createRequire(process.env.NODE_PATH + '/');
const { drizzle } = require('drizzle-orm/node-postgres');
const { pgTable, serial, text, integer, jsonb, timestamp } = require('drizzle-orm/pg-core');
const { eq, sql, desc, count } = require('drizzle-orm');
const { Pool } = require('pg');

const users = pgTable('d_users', { id: serial('id').primaryKey(), name: text('name').notNull(), doc: jsonb('doc'), at: timestamp('at').defaultNow() });
const posts = pgTable('d_posts', { id: serial('id').primaryKey(), user: integer('user_id').references(() => users.id), body: text('body') });
const pool = new Pool({ connectionString: process.argv[2] });
const db = drizzle(pool);
await db.execute(sql`DROP TABLE IF EXISTS d_posts, d_users`);
await db.execute(sql`CREATE TABLE d_users (id serial PRIMARY KEY, name text NOT NULL, doc jsonb, at timestamp DEFAULT now())`);
await db.execute(sql`CREATE TABLE d_posts (id serial PRIMARY KEY, user_id integer REFERENCES d_users(id), body text)`);
const [ada, bob] = await db.insert(users).values([{ name: 'ada', doc: { n: 1 } }, { name: 'bob', doc: { n: 2 } }]).returning();
await db.insert(posts).values([{ user: ada.id, body: 'x' }, { user: ada.id, body: 'y' }]);
const joined = await db.select({ name: users.name, n: count(posts.id) }).from(users).leftJoin(posts, eq(posts.user, users.id)).groupBy(users.name).orderBy(desc(count(posts.id)));
assert.deepEqual(joined, [{ name: 'ada', n: 2 }, { name: 'bob', n: 0 }]);
const deep = await db.select().from(users).where(sql`${users.doc}->>'n' = '2'`);
assert.equal(deep[0].name, 'bob');
assert.ok(deep[0].at instanceof Date);
await db.insert(users).values({ id: ada.id, name: 'Ada' }).onConflictDoUpdate({ target: users.id, set: { name: 'Ada' } });
await db.update(users).set({ doc: { n: 5 } }).where(eq(users.id, bob.id));
await assert.rejects(db.transaction(async (tx) => {
  await tx.delete(posts);
  await tx.insert(posts).values({ user: 999, body: 'nobody' });
}));
assert.equal((await db.select().from(posts)).length, 2);
await db.execute(sql`DROP TABLE d_posts, d_users`);
await pool.end();
console.log('Drizzle: passed');
