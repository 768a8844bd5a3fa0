#!/usr/bin/env bash
# Runs the program of each driver and application against a node of its own (or against the server that PG* names: tests/drivers/run.sh -).
#   tests/drivers/run.sh BINARY
set -euo pipefail
cd "$(dirname "$0")"
cache=${BUILD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/aerolithdb}/drivers
binary=${1:?usage: run.sh BINARY}
work=$(mktemp -d)
node_pid=
finish() {
  [[ -z $node_pid ]] || { kill "$node_pid" 2>/dev/null || true; wait "$node_pid" 2>/dev/null || true; }
  rm -rf "$work"
}
trap finish EXIT
if [[ $binary != - ]]; then
  mkfifo "$work/ready"
  AEROLITHDB_ADMIN_PASSWORD=drivers "$binary" start --data-dir "$work/data" --pg-port 0 >"$work/ready" 2>"$work/log" &
  node_pid=$!
  read -r ready <"$work/ready" || { cat "$work/log" >&2; exit 1; }
  export PGHOST=127.0.0.1 PGUSER=aerolith PGPASSWORD=drivers PGDATABASE=aerolith
  PGPORT=$(sed -E 's/.*"pg_port": ?([0-9]+).*/\1/' <<<"$ready")
  export PGPORT
fi
passed=0 failed=0
run() { # run NAME COMMAND...
  if "${@:2}"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $1" >&2; fi
}
run psycopg timeout 300 "$cache/python/bin/python" psycopg_program.py
run asyncpg timeout 300 "$cache/python/bin/python" asyncpg_program.py
run "node pg" env NODE_PATH="$cache/node_modules" timeout 300 node node_pg_program.js
javac -cp /usr/share/java/postgresql.jar -d "$work" Jdbc.java
jars=$(printf "%s:" /usr/share/java/{postgresql,scram-client,scram-common,saslprep,stringprep}.jar)
run pgjdbc timeout 300 java -cp "$jars:$work" Jdbc
# Applications: each in a database of its own.
app() { # app NAME COMMAND... with the DSN behind
  local database=app_${1,,}
  psql -qXc "DROP DATABASE IF EXISTS $database" -c "CREATE DATABASE $database" postgres 2>/dev/null ||
    psql -qXc "DROP DATABASE IF EXISTS $database" -c "CREATE DATABASE $database"
  run "$1" "${@:2}" "postgresql://$PGUSER:${PGPASSWORD:-}@$PGHOST:$PGPORT/$database"
}
app SQLAlchemy timeout 300 "$cache/python/bin/python" sqlalchemy_program.py
app Django timeout 300 "$cache/python/bin/python" django_program.py
app Sequelize env NODE_PATH="$cache/node_modules" timeout 300 node sequelize_program.js
app pg_dump timeout 300 bash pg_dump_program.sh
app Drizzle env NODE_PATH="$cache/node_modules" timeout 300 node drizzle_program.mjs
if [[ -n $node_pid ]] && grep -E 'panicked|ERROR' "$work/log" >&2; then
  failed=$((failed + 1)); echo "FAILED: the node's log asks somebody to look" >&2
fi
echo "drivers: $passed passed, $failed failed"
((failed == 0))
