#!/bin/bash
# What takes too long for every run: valgrind over the unit tests and the command; for a minute each,
# serial ports that are never silent, the thread tests (as shipped and by ThreadSanitizer) and libFuzzer
# on each target; serial ports that are idle for long; esptool, which is skipped where there is none:
# $ESPTOOL names a folder with its source. Ends as test.sh does.
#   scripts/soak.sh [SECONDS]       instead of that minute
set -uo pipefail
exec </dev/null
cd "$(dirname "$0")/.." || exit 1

seconds=${1:-60}
mkdir -p build
jobs=$(nproc)
broken=() # what did not build
failed=()
passed=0
logs=()

# build DIR COMPILER TARGET [MESON OPTION...]
build()
{
    local dir=build/soak-$1 compiler=$2 target=$3
    shift 3
    if [ ! -f "$dir/build.ninja" ]; then
        CC=$compiler meson setup "$dir" -Dtests=enabled "$@" >"$dir.log" 2>&1 || {
            tail -n 40 "$dir.log"
            return 1
        }
    fi
    ninja -C "$dir" "$target" >"$dir.log" 2>&1 || {
        tail -n 40 "$dir.log"
        return 1
    }
}

# check NAME COMMAND...: one line, and the output when it fails.
check()
{
    local name=$1 log=build/soak-logs/$1.log start=$SECONDS
    shift
    if "$@" >"$log" 2>&1; then
        echo "ok      $name ($((SECONDS - start)) s)"
        passed=$((passed + 1))
    else
        echo "not ok  $name ($((SECONDS - start)) s)"
        tail -n 40 "$log"
        failed+=("$name")
    fi
}

mkdir -p build/soak-logs

echo "== valgrind"
if build valgrind gcc all; then
    rm -f build/soak-valgrind/meson-logs/valgrind*
    # Timing is not valgrind's business: the suites that bound it are left out. Pointers into the
    # middle of objects are how our lists work, so what is "possibly" lost is not.
    meson test -C build/soak-valgrind --no-rebuild --print-errorlogs --logbase valgrind \
        --num-processes "$jobs" --timeout-multiplier 20 \
        --suite unit --suite contract --suite fuzz --suite cli \
        --wrapper "valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite --suppressions=$PWD/scripts/valgrind.supp --trace-children=yes --trace-children-skip=/usr/*,/bin/*,*/python3*"
    logs+=(build/soak-valgrind/meson-logs/valgrind-valgrind) # meson adds the wrapper's name
else
    broken+=(valgrind)
fi

echo "== esptool over slow networks, and ports that are idle for long"
if [ -f build/soak-valgrind/build.ninja ]; then
    rm -f build/soak-valgrind/meson-logs/serial*
    USBWIRE_TEST_ESPTOOL=all USBWIRE_TEST_SERIAL=all meson test -C build/soak-valgrind --no-rebuild \
        --print-errorlogs --logbase serial --timeout-multiplier 10 programs-esptool programs-acceptance
    logs+=(build/soak-valgrind/meson-logs/serial)
fi

# lasting NAME DIR TEST...: each of their scenarios goes on for all the seconds.
lasting()
{
    local name=$1 dir=build/soak-$2
    shift 2
    USBWIRE_TEST_SECONDS=$seconds check "$name" meson test -C "$dir" --no-rebuild --print-errorlogs \
        --timeout-multiplier $((10 + seconds / 5)) "$@"
}

echo "== sources of 3 Mbaud, $seconds s each"
if build valgrind gcc all; then
    lasting source valgrind programs-source unit-serial-wire
fi

echo "== threads, $seconds s each"
if build valgrind gcc all; then
    lasting threads-plain valgrind programs-threads
fi
if build tsan gcc all -Db_sanitize=thread -Db_lundef=false; then
    export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
    lasting threads-tsan tsan --suite threads
    end=$((SECONDS + seconds))
    round=0
    while [ $SECONDS -lt $end ]; do
        round=$((round + 1))
        check "threads-$round" meson test -C build/soak-tsan --no-rebuild --print-errorlogs \
            --suite threads --timeout-multiplier 10
    done
else
    broken+=(tsan)
fi

echo "== libFuzzer, $seconds s a target"
if build fuzz clang-14 fuzzers -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false; then
    for target in build/soak-fuzz/fuzz/fuzz_*; do
        if [ ! -x "$target" ] || [ -d "$target" ]; then continue; fi
        name=$(basename "$target")
        # New inputs go to a directory of their own: the corpus in the tree is chosen by hand.
        mkdir -p "build/soak-corpus/$name"
        check "$name" "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
            -artifact_prefix="build/soak-logs/$name-" \
            "build/soak-corpus/$name" "fuzz/corpus/${name#fuzz_}"
    done
else
    broken+=(fuzz)
fi

args=()
for s in ${broken[@]+"${broken[@]}"}; do args+=(--broken "$s"); done
for s in ${failed[@]+"${failed[@]}"}; do args+=(--failed "$s"); done
exec python3 scripts/summary.py --passed "$passed" ${args[@]+"${args[@]}"} ${logs[@]+"${logs[@]}"}
