#!/usr/bin/env bash
# Builds librocksdb.a once, from the source that cargo has already unpacked for librocksdb-sys, into a cache
# folder that every profile and checkout shares; prints that folder. Cargo links it when it sees
#   ROCKSDB_LIB_DIR=<folder> ROCKSDB_STATIC=1
# and otherwise builds RocksDB itself, one translation unit a source file, which takes three times as long:
# here up to 24 sources share a unit, and a unit that does not compile as one is halved until it does.
# Usage: tools/rocksdb-lib.sh [JOBS]
set -euo pipefail
cd "$(dirname "$0")/.."
version=0.19.0+11.8.1
jobs=${1:-$(nproc)}
cache=${BUILD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/aerolithdb}
out=$cache/rocksdb-$version-$(uname -m)
if [[ -f $out/librocksdb.a ]]; then echo "$out"; exit 0; fi

cargo fetch --locked --quiet >&2
src=$(ls -d "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/librocksdb-sys-"$version" | head -n 1)
lz4=$(ls -d "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/lz4-sys-*/liblz4/lib | head -n 1)
zstd=$(ls -d "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/zstd-sys-*/zstd/lib | head -n 1)
mkdir -p "$cache"
exec 9>"$cache/rocksdb.lock"
flock 9
if [[ -f $out/librocksdb.a ]]; then echo "$out"; exit 0; fi

work=$(mktemp -d "$cache/rocksdb-build.XXXXXX")
trap 'rm -rf "$work"' EXIT
flags=(-O2 -std=c++20 -fPIC -w -ffunction-sections -fdata-sections -include cstdint
  -I"$src/rocksdb/include" -I"$src/rocksdb" -I"$src" -I"$lz4" -I"$zstd"
  -DNDEBUG -DLZ4=1 -DZSTD=1 -DHAVE_ALIGNED_NEW -DHAVE_UINT128_EXTENSION
  -DOS_LINUX -DROCKSDB_PLATFORM_POSIX -DROCKSDB_LIB_IO_POSIX -DROCKSDB_SCHED_GETCPU_PRESENT
  -DROCKSDB_AUXV_GETAUXVAL_PRESENT -DROCKSDB_FALLOCATE_PRESENT -DROCKSDB_RANGESYNC_PRESENT)
[[ $(uname -m) == x86_64 ]] && flags+=(-msse4.2 -mpclmul)
[[ $(uname -m) == aarch64 ]] && flags+=(-march=armv8-a+crc+crypto)

# compile UNIT: one translation unit of the files listed in UNIT; halved when it does not compile.
compile() {
  local list=$1 n
  sed "s|.*|#include \"&\"|" "$list" >"$list.cc"
  if g++ "${flags[@]}" -c "$list.cc" -o "$list.o" 2>"$list.err"; then return 0; fi
  n=$(wc -l <"$list")
  if ((n == 1)); then cat "$list.err" >&2; return 1; fi
  rm -f "$list.o"
  head -n $((n / 2)) "$list" >"$list-a"
  tail -n +$((n / 2 + 1)) "$list" >"$list-b"
  compile "$list-a" && compile "$list-b"
}
grep -v '^util/build_version.cc$' "$src/rocksdb_lib_sources.txt" | sed "/^$/d; s|^|$src/rocksdb/|" >"$work/all"
echo "$src/build_version.cc" >>"$work/all"
split -l 24 -d "$work/all" "$work/unit."
echo "building RocksDB once into $out ($(wc -l <"$work/all") sources, $jobs jobs)" >&2
running=0
for unit in "$work"/unit.??; do
  compile "$unit" &
  running=$((running + 1))
  if ((running >= jobs)); then wait -n; running=$((running - 1)); fi
done
while ((running > 0)); do wait -n; running=$((running - 1)); done
mkdir -p "$out"
ar crs "$work/librocksdb.a" "$work"/unit.*.o
mv "$work/librocksdb.a" "$out/librocksdb.a"
echo "$out"
