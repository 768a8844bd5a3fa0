#!/usr/bin/env bash
# Installs what is missing to build and run (Debian and Ubuntu; elsewhere it says what to install).
#   tools/setup.sh           compiler, libclang (for RocksDB's bindings), psql
#   tools/setup.sh drivers   also what the programs in tests/drivers run on: Python, Node.js and Java with PostgreSQL drivers and ORMs
set -euo pipefail
cache=${BUILD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/aerolithdb}

command -v cargo >/dev/null || { echo "cargo is not installed: install Rust 1.94 or newer from https://rustup.rs and run this again" >&2; exit 1; }

missing=()
need() { # need COMMAND PACKAGE...
  command -v "$1" >/dev/null || missing+=("${@:2}")
}
need g++ g++
need make make
need psql postgresql-client
need git git
compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null || compgen -G '/usr/lib/*-linux-gnu/libclang*.so*' >/dev/null || missing+=(libclang-dev)
if [[ ${1:-} == drivers ]]; then
  need python3 python3
  python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
  need node nodejs
  need npm npm
  need javac default-jdk-headless
  [[ -f /usr/share/java/postgresql.jar ]] || missing+=(libpostgresql-jdbc-java)
fi
if ((${#missing[@]})); then
  command -v apt-get >/dev/null || { echo "please install: ${missing[*]}" >&2; exit 1; }
  sudo=; [[ $(id -u) == 0 ]] || sudo=sudo
  echo "installing ${missing[*]}" >&2
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

if [[ ${1:-} == drivers ]]; then
  mkdir -p "$cache/drivers"
  if [[ ! -f $cache/drivers/python.ready ]]; then
    python3 -m venv "$cache/drivers/python"
    "$cache/drivers/python/bin/pip" install -q --disable-pip-version-check 'psycopg[binary]==3.*' 'asyncpg'
    touch "$cache/drivers/python.ready"
  fi
  if [[ ! -d $cache/drivers/node_modules/pg ]]; then
    (cd "$cache/drivers" && npm install --silent --no-fund --no-audit pg@8 pg-cursor@2 pg-copy-streams@6)
  fi
  if [[ ! -f $cache/drivers/applications.ready ]]; then
    "$cache/drivers/python/bin/pip" install -q --disable-pip-version-check 'sqlalchemy==2.*' 'alembic==1.*' 'django==5.*'
    (cd "$cache/drivers" && npm install --silent --no-fund --no-audit sequelize@6 drizzle-orm@0)
    touch "$cache/drivers/applications.ready"
  fi
fi
