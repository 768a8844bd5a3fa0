#!/usr/bin/env bash
# Starts a node on the embedded default, loads documents that it generates itself, asks a few questions with psql, and
# leaves it running.   tools/demo.sh BINARY [DOCUMENTS]
set -euo pipefail
binary=${1:?usage: demo.sh BINARY [DOCUMENTS]}
documents=${2:-100000}
data=${DEMO_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/aerolithdb/demo}
mkdir -p "$data"
if [[ -f $data/pid ]] && kill -0 "$(cat "$data/pid")" 2>/dev/null; then
  echo "a demo node is running already; stopping it"
  kill "$(cat "$data/pid")"
  while kill -0 "$(cat "$data/pid")" 2>/dev/null; do sleep 0.1; done
fi
rm -f "$data/ready"
port=${AEROLITHDB_PG_PORT:-5432}
if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
  echo "port $port is taken; using a free one"
  port=0
fi
nohup "$binary" start --data-dir "$data/db" --pg-port "$port" >"$data/ready" 2>"$data/log" </dev/null &
echo $! >"$data/pid"
until [[ -s $data/ready ]]; do
  kill -0 "$(cat "$data/pid")" 2>/dev/null || { cat "$data/log" >&2; exit 1; }
  sleep 0.05
done
dsn=$("$binary" dsn --data-dir "$data/db")
ask() { echo; echo "aerolith=> $1"; psql -X "$dsn" -c "$1"; }

psql -qX -v ON_ERROR_STOP=1 "$dsn" -c "DROP TABLE IF EXISTS orders"
ask "CREATE TABLE orders (id bigint PRIMARY KEY, doc jsonb NOT NULL)"
ask "INSERT INTO orders
SELECT g, jsonb_build_object(
  'customer', jsonb_build_object('name', 'customer ' || g % 1000, 'city', (ARRAY['Oslo','Lagos','Lima','Pune','Kyoto'])[1 + g % 5]),
  'items', (SELECT jsonb_agg(jsonb_build_object('sku', 'A' || (g * i) % 97, 'qty', 1 + (g + i) % 4, 'price', round(((g * 37 + i * 11) % 5000) / 100.0, 2)))
            FROM generate_series(1, 1 + g % 3) i),
  'placed', to_jsonb(timestamptz '2026-01-01 00:00+00' + g * interval '1 minute'))
FROM generate_series(1, $documents) g"
ask "CREATE INDEX orders_city ON orders ((doc->'customer'->>'city'))"
ask "SELECT jsonb_pretty(doc) FROM orders WHERE id = 42"
ask "SELECT doc->'customer'->>'city' AS city, count(*) AS orders FROM orders GROUP BY city ORDER BY city"
ask "SELECT i->>'sku' AS sku, sum((i->>'qty')::int) AS sold, sum((i->>'qty')::int * (i->>'price')::numeric) AS revenue
FROM orders, jsonb_array_elements(doc->'items') i GROUP BY sku ORDER BY revenue DESC LIMIT 5"
ask "UPDATE orders SET doc = jsonb_set(doc, '{customer,city}', '\"Bergen\"') WHERE id = 42 RETURNING doc->'customer'"
ask "SELECT count(*) FROM orders WHERE doc @> '{\"customer\": {\"city\": \"Bergen\"}}'"
echo
echo "The node is running (log: $data/log)."
echo "  connect:  psql '$dsn'"
echo "  stop:     kill $(cat "$data/pid")"
