#!/bin/bash
# A walk through the command, against the simulated bench on a free loopback port. On a terminal the
# bench stays at the end, for trying things from another one; otherwise everything ends.
#   scripts/demo.sh [BUILD DIRECTORY]
set -euo pipefail
cd "$(dirname "$0")/.."

usbwire=${1:-build}/usbwire
[ -x "$usbwire" ] || { echo "demo.sh: $usbwire is not there: run 'make' first" >&2; exit 1; }

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    bold=$'\e[1m' plain=$'\e[0m'
fi

# The bench ends with its standard input, that is with this script, however it ends.
coproc BENCH { exec "$usbwire" serve --port 0 --until-eof; }
read -r first <&"${BENCH[0]}" || { echo "demo.sh: the simulated bench did not start" >&2; exit 1; }
export USBWIRE_HOST=${first#listening on }

say()
{
    printf '\n%s\n' "# $1"
}

# A command as one would type it.
show()
{
    local word line='$ usbwire'

    for word; do
        case $word in
        *[!A-Za-z0-9_./:=,+-]*) line+=" '$word'" ;;
        *) line+=" $word" ;;
        esac
    done
    printf '%s\n' "$bold$line$plain"
}

# Shows a command, then runs it. Failures are part of the show when the exit code is the one expected.
step()
{
    local expected=0 status=0

    if [ "$1" = --fails ]; then
        expected=$2
        shift 2
    fi
    show "$@"
    "$usbwire" "$@" 2>&1 || status=$?
    if [ "$status" != "$expected" ]; then
        echo "demo.sh: this ended with exit code $status, not $expected" >&2
        exit 1
    fi
}

echo "usbwire uses USB devices of other machines, over USB/IP, without kernel module or root."
echo "The devices here are simulated: a server with $("$usbwire" list | wc -l) of them listens on $USBWIRE_HOST,"
echo "and USBWIRE_HOST says so to each command below."

say "What does the server export?"
step list

say "Import one of them, an ESP board, and show its device descriptor."
step probe --vid 0x303a --pid 0x4004 --get-device-desc

say "The same by hand, a control transfer: GET_DESCRIPTOR (6) of type 1, index 0."
step control --vid 0x303a --pid 0x4004 --direction in --bm-request-type 0x80 \
    --b-request 0x06 --w-value 0x0100 --length 18

say "The board's own requests: vendor request 1 stores some bytes, and returns them."
step control --vid 0x303a --direction out --bm-request-type 0x40 --b-request 1 --data '75 73 62 77 69 72 65'
step control --vid 0x303a --direction in --bm-request-type 0xc0 --b-request 1 --length 64

say "Bulk data: what is written to endpoint 0x01 comes back from endpoint 0x81."
step write --vid 0x303a --endpoint 0x01 --text 'hello, board'
step read --vid 0x303a --endpoint 0x81 --length 64

say "A keyboard types on its interrupt endpoint: three of its reports, as JSON."
step --json read --pid 0004 --endpoint 0x81 --length 8 --count 3

say "An error is one sentence: what was tried, on what, what came back, what to do."
step --fails 4 probe --vid 0x303a --pid 0x1234

say "-vv shows every message that went over the wire."
step -vv control --vid 0x303a --b-request 0x08 --direction in --length 1

say "How fast is it?"
step bench --pid 0002 --mode in --size 16384 --depth 8 --seconds 1

if ! [ -t 0 ] || ! [ -t 1 ]; then
    printf '\nThat was the demo; with a terminal the bench would stay for you to try.\n'
    exit 0
fi

cat <<END

${bold}The bench keeps running.$plain In another terminal, in this directory, try:

  export USBWIRE_HOST=$USBWIRE_HOST
  $usbwire list -v                                     with interfaces
  $usbwire probe --pid 0005                            all descriptors of the disk
  $usbwire read --pid 0004 -e 0x81 -n 8 -c 0           watch the keyboard, until Ctrl-C
  $usbwire read --pid 0002 -e 0x81 -n 16384 -c 0 --raw >/dev/null
  $usbwire --help                                      everything else
  man -l man/usbwire.1                                    the manual

END
read -r -p "Enter ends the bench and the demo. " || echo
