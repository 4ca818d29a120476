#!/bin/bash
# All tests, stage after stage, each in a build directory of its own below build/. Ends with one line
# "N passed, N failed, N skipped" and a status that is 0 only when nothing failed.
#   scripts/test.sh [STAGE...]      gcc clang asan tsan interop programs style; all when none is named
# shellcheck disable=SC2317 # the stages are called by their names
set -uo pipefail
exec </dev/null
cd "$(dirname "$0")/.." || exit 1

all="gcc clang asan tsan interop programs style"
stages=${*:-$all}
for s in $stages; do
    case " $all " in *" $s "*) ;; *) echo "test.sh: no stage '$s' (there are: $all)" >&2; exit 2 ;; esac
done

mkdir -p build
rm -f build/test-report build/test-summary
jobs=$(nproc)
broken=() # stages that did not get as far as running tests
logs=()   # what summary.py counts

# No sanitizer report may be survived, in whatever process of a test it happens.
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:history_size=4
export LSAN_OPTIONS=report_objects=0

# build DIR COMPILER [MESON OPTION...]: configures and compiles, quietly unless it fails.
build()
{
    local dir=build/test-$1 compiler=$2 out
    shift 2
    out=$dir.log
    if [ ! -f "$dir/build.ninja" ]; then
        rm -rf "$dir"
        CC=$compiler meson setup "$dir" -Dtests=enabled "$@" >"$out" 2>&1 || {
            tail -n 40 "$out"
            return 1
        }
    fi
    ninja -C "$dir" -j "$jobs" >"$out" 2>&1 || {
        grep -E -A8 'FAILED|error:|warning:' "$out" | head -n 60
        tail -n 3 "$out"
        return 1
    }
}

# run DIR NAME TIMEOUT_MULTIPLIER [MESON TEST OPTION...]: what fails is counted by summary.py.
run()
{
    local dir=build/test-$1 name=$2 factor=$3
    shift 3
    rm -f "$dir/meson-logs/$name".*
    meson test -C "$dir" --no-rebuild --print-errorlogs --logbase "$name" \
        --num-processes "$jobs" --timeout-multiplier "$factor" "$@"
    logs+=("$dir/meson-logs/$name")
}

stage_gcc()
{
    build gcc gcc -Dwerror=true
}

stage_clang()
{
    build clang clang-14 -Dwerror=true
}

# Warnings are judged above: sanitizers make compilers see conversions that are not there.
# Everything that tests the product itself; the suites left out have stages of their own.
stage_asan()
{
    build asan gcc -Db_sanitize=address,undefined -Db_lundef=false \
        -Dc_args=-fno-sanitize-recover=all &&
        run asan asan 4 --no-suite interop --no-suite programs --no-suite style \
            --no-suite threads
}

stage_tsan()
{
    build tsan gcc -Db_sanitize=thread -Db_lundef=false && run tsan tsan 4 --suite threads
}

# As shipped, without sanitizers: timing and sizes are the real ones.
stage_interop()
{
    build gcc gcc -Dwerror=true && run gcc interop 1 --suite interop
}

# Programs that nobody here wrote, and the Python package, on the library as shipped. (A sanitized
# library cannot be preloaded into a program that is not.)
stage_programs()
{
    build gcc gcc -Dwerror=true && run gcc programs 1 --suite programs
}

# With clang, because clang-tidy reads the compile commands.
stage_style()
{
    build clang clang-14 -Dwerror=true && run clang style 1 --suite style
}

times=
for s in $stages; do
    echo "== $s"
    start=$SECONDS
    "stage_$s" || broken+=("$s")
    took=$((SECONDS - start))
    echo "== $s: $took s"
    times+="  $s $took s"
done
echo "== stages:$times"

args=()
for s in ${broken[@]+"${broken[@]}"}; do args+=(--broken "$s"); done
python3 scripts/summary.py ${args[@]+"${args[@]}"} ${logs[@]+"${logs[@]}"} >build/test-report
status=$?
cat build/test-report
tail -n 1 build/test-report >build/test-summary
exit "$status"
