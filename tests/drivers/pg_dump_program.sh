#!/usr/bin/env bash
# pg_dump --schema-only of a schema, restored into an empty database and dumped again: the same text. DSN in the first argument.
set -euo pipefail
dsn=${1:?usage: pg_dump_program.sh DSN}
copy=${dsn%/*}/${dsn##*/}_copy
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
psql -qXv ON_ERROR_STOP=1 "$dsn" <<'SQL'
CREATE SCHEMA shop;
CREATE TYPE shop.state AS ENUM ('open', 'paid', 'sent');
CREATE DOMAIN shop.amount AS numeric(10,2) CHECK (VALUE >= 0);
CREATE TABLE shop.customer (id serial PRIMARY KEY, name text NOT NULL UNIQUE, doc jsonb DEFAULT '{}'::jsonb, since timestamptz DEFAULT now());
CREATE TABLE shop.purchase (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer integer NOT NULL REFERENCES shop.customer(id) ON DELETE CASCADE,
  state shop.state DEFAULT 'open', total shop.amount, tags text[] DEFAULT '{}'::text[],
  CONSTRAINT tagged CHECK (array_length(tags, 1) < 10));
CREATE INDEX purchase_doc ON shop.customer USING gin (doc jsonb_path_ops);
CREATE INDEX purchase_state ON shop.purchase (state, id DESC) WHERE state <> 'sent';
CREATE UNIQUE INDEX lower_name ON shop.customer (lower(name));
CREATE SEQUENCE shop.counter START 100 INCREMENT 5 CYCLE;
CREATE VIEW shop.paid AS SELECT c.name, sum(p.total) AS total FROM shop.customer c JOIN shop.purchase p ON p.customer = c.id WHERE p.state = 'paid' GROUP BY c.name;
CREATE TABLE shop.log (at date NOT NULL, what text, PRIMARY KEY (at, what)) PARTITION BY RANGE (at);
CREATE TABLE shop.log_2026 PARTITION OF shop.log FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE shop.log_rest PARTITION OF shop.log DEFAULT;
CREATE INDEX ON shop.log (what);
CREATE TABLE shop.guest (until date) INHERITS (shop.customer);
CREATE FUNCTION shop.twice(n integer) RETURNS integer LANGUAGE sql AS 'SELECT n * 2';
CREATE MATERIALIZED VIEW shop.sums AS SELECT state, count(*) AS n FROM shop.purchase GROUP BY state;
GRANT SELECT ON shop.customer TO PUBLIC;
COMMENT ON TABLE shop.customer IS 'who buys';
COMMENT ON COLUMN shop.customer.doc IS 'what we know';
SQL
dump() { pg_dump --schema-only --no-owner "$1" | grep -v -e '^--' -e '^\\' -e '^$'; }
dump "$dsn" >"$work/first"
psql -qXc "DROP DATABASE IF EXISTS ${copy##*/}" -c "CREATE DATABASE ${copy##*/}" "$dsn"
psql -qXv ON_ERROR_STOP=1 "$copy" <"$work/first" >/dev/null
dump "$copy" >"$work/second"
diff "$work/first" "$work/second"
for word in 'CREATE TYPE shop.state AS ENUM' 'FOREIGN KEY (customer) REFERENCES shop.customer(id) ON DELETE CASCADE' 'USING gin (doc jsonb_path_ops)' \
  'CREATE VIEW shop.paid' 'COMMENT ON COLUMN shop.customer.doc' 'GENERATED ALWAYS AS IDENTITY' 'ATTACH PARTITION shop.log_2026' 'INHERITS (shop.customer)' \
  'CREATE FUNCTION shop.twice' 'CREATE MATERIALIZED VIEW shop.sums' 'GRANT SELECT ON TABLE shop.customer TO PUBLIC'; do
  grep -qF "$word" "$work/first" || { echo "the dump lacks: $word" >&2; exit 1; }
done
echo "pg_dump: passed"
