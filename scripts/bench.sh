#!/bin/bash
# Builds without sanitizers, measures, and says where the results are. Options go to bench/bench.py.
set -euo pipefail
exec </dev/null
cd "$(dirname "$0")/.."

dir=build/bench
[ -f $dir/build.ninja ] || meson setup $dir -Dtests=enabled >$dir.log 2>&1 ||
    { cat $dir.log; exit 1; }
ninja -C $dir >$dir.log 2>&1 || { tail -n 30 $dir.log; exit 1; }
exec python3 bench/bench.py --build $dir "$@"
