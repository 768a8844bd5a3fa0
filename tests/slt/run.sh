#!/usr/bin/env bash
# The records of SQLite's logic tests that PostgreSQL 18 passes, run on a node over the wire.
#   tests/slt/run.sh BINARY         a slice of them (about a minute)
#   tests/slt/run.sh BINARY all     all of a sample of 158,000 records
# The sample and its runner are not part of the project: they are looked for in ../shared/slt beside the checkout, or in
# $AEROLITHDB_SHARED/slt.
set -euo pipefail
cd "$(dirname "$0")/../.."
binary=${1:?usage: run.sh BINARY [all]}
corpus=${AEROLITHDB_SHARED:-../shared}/slt
if [[ ! -f $corpus/slt.py ]]; then
  echo "tests/slt: not run: there is no $corpus here"
  exit 0
fi
corpus=$(cd "$corpus" && pwd)
work=$(mktemp -d)
node_pid=
finish() {
  [[ -z $node_pid ]] || { kill "$node_pid" 2>/dev/null || true; wait "$node_pid" 2>/dev/null || true; }
  rm -rf "$work"
}
trap finish EXIT
mkdir "$work/records"
cp "$corpus/pg18_pass.json" "$work/records/"
if [[ ${2:-} == all ]]; then
  cp -r "$corpus/sqlite" "$work/records/sqlite"
else
  slice=(select1 select2 select3 select5 evidence/in2 evidence/slt_lang_aggfunc evidence/slt_lang_dropindex
    evidence/slt_lang_droptable evidence/slt_lang_droptrigger evidence/slt_lang_replace index/between/10/slt_good_4
    index/commute/10/slt_good_11 index/commute/100/slt_good_6 index/in/10/slt_good_3 index/orderby/100/slt_good_0
    index/orderby_nosort/10/slt_good_14 index/random/100/slt_good_0 index/view/10/slt_good_5
    random/aggregates/slt_good_103 random/aggregates/slt_good_9 random/expr/slt_good_102 random/expr/slt_good_77
    random/groupby/slt_good_5 random/groupby/slt_good_6 random/groupby/slt_good_7 random/select/slt_good_110
    random/select/slt_good_99)
  for name in "${slice[@]}"; do
    mkdir -p "$work/records/sqlite/$(dirname "$name")"
    ln -s "$corpus/sqlite/$name.test.gz" "$work/records/sqlite/$name.test.gz"
  done
fi
mkfifo "$work/ready"
env -u AEROLITHDB_SHARED AEROLITHDB_ADMIN_PASSWORD=records "$binary" start --data-dir "$work/data" --pg-port 0 >"$work/ready" 2>"$work/log" &
node_pid=$!
read -r ready <"$work/ready" || { cat "$work/log" >&2; exit 1; }
port=$(sed -E 's/.*"pg_port": ?([0-9]+).*/\1/' <<<"$ready")
python3 "$corpus/slt.py" --dsn "postgresql://aerolith:records@127.0.0.1:$port/aerolith" --timeout 60 \
  --out "$work/results.json" "$work/records"
python3 - "$work/results.json" <<'PY'
import json, sys
results = json.load(open(sys.argv[1]))
failures = [(file, f) for file, found in results["failures"].items() for f in found]
for file, failure in failures[:20]:
    print(f'{file}:{failure["line"]}: {failure["why"]}\n    {failure["sql"][:300]}')
share = results["passed"] / max(1, results["total"])
print(f'logic tests: {results["passed"]} of {results["total"]} records ({100 * share:.2f} %; 99.5 % are asked for)')
sys.exit(share < 0.995)
PY
