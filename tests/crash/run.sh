#!/usr/bin/env bash
# tests/crash/run.sh BINARY [ROUNDS] [--seed N]: see crash.py.
set -euo pipefail
cd "$(dirname "$0")"
cache=${BUILD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/aerolithdb}/drivers
../../tools/setup.sh drivers
exec "$cache/python/bin/python" crash.py "$@"
