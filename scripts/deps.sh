#!/bin/bash
# Installs the Debian packages of the named groups that are missing; says nothing when none is.
#   scripts/deps.sh GROUP...        groups as in scripts/packages.txt; "all" for every one
set -euo pipefail
exec </dev/null

here=$(cd "$(dirname "$0")" && pwd)
[ $# -gt 0 ] || { echo "usage: deps.sh GROUP..." >&2; exit 2; }

wanted=$(awk -v groups=" $* " '
    /^[a-z]/ && (index(groups, " " $1 " ") || index(groups, " all ")) { print $2 }
' "$here/packages.txt" | sort -u)
[ -n "$wanted" ] || { echo "deps.sh: no such group: $*" >&2; exit 2; }

# "PACKAGE/COMMAND" is not wanted where the command is there already, from whatever source.
names=
for name in $wanted; do
    case $name in
    */*) command -v "${name#*/}" >/dev/null || names+=" ${name%/*}" ;;
    *) names+=" $name" ;;
    esac
done
wanted=$(tr ' ' '\n' <<<"${names# }" | sort -u)

if ! command -v dpkg-query >/dev/null; then
    echo "deps.sh: not a Debian system; install by hand what stands for:" "${wanted//$'\n'/ }" >&2
    exit 0
fi

# One query for all; it fails when it does not know one of them, which is an answer, too. A package
# counts when dpkg has it installed ("ii" or held, "hi").
# shellcheck disable=SC2086
present=$({ dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' $wanted 2>/dev/null || true; } |
    awk '$1 ~ /^[ih]i/ { print $2 }' | sort -u)
missing=$(comm -23 <(echo "$wanted") <(echo "$present") | tr '\n' ' ')
missing=${missing% }
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
elif command -v sudo >/dev/null && [ -z "${CI:-}" ] && [ -r /dev/tty ]; then
    as_root=sudo
else
    echo "deps.sh: packages are missing and this is not root; as root: apt-get install $missing" >&2
    exit 1
fi

echo "deps: installing $missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt="$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300"
# Without recommended packages: they would bring desktops in with QEMU.
# shellcheck disable=SC2086
if ! { $apt update && $apt install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "deps.sh: could not install: $missing" >&2
    exit 1
fi
