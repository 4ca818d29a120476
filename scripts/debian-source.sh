#!/bin/bash
# Fetches and unpacks the upstream source of a Debian package, without touching the system's list of
# sources.
#   scripts/debian-source.sh PACKAGE FOLDER      prints the folder it lies in, below FOLDER
# Ends with 77, which meson counts as skipped, where it cannot be had.
set -euo pipefail
exec </dev/null

[ $# = 2 ] || { echo "usage: debian-source.sh PACKAGE FOLDER" >&2; exit 2; }
package=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
log=$folder/$package.log
apt=$folder/apt

skip()
{
    echo "debian-source.sh: no source of $package: $1" >&2
    exit 77
}

# One at a time: tests that run side by side want the same lists.
exec 9>"$folder/lock"
flock 9

if [ ! -f "$folder/$package/whole" ]; then
    rm -rf "${folder:?}/$package"
    mkdir -p "$apt/parts" "$apt/lists/partial" "$folder/$package"
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources}; do
        [ ! -f "$list" ] || sed -e 's/^Types:.*/Types: deb-src/' \
            -e 's/^deb[[:blank:]]/deb-src /' "$list" >"$apt/parts/$(basename "$list")"
    done
    [ ! -f "$apt/parts/sources.list" ] || mv "$apt/parts/sources.list" "$apt/parts/main.list"
    options=(-q -o "Dir::Etc::SourceList=/dev/null" -o "Dir::Etc::SourceParts=$apt/parts"
        -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache::pkgcache=" -o "Dir::Cache::srcpkgcache="
        -o "APT::Sandbox::User=root" -o "Acquire::Retries=3")
    [ -f "$apt/fresh" ] || apt-get "${options[@]}" update >"$log" 2>&1 || skip "see $log"
    touch "$apt/fresh"
    (
        cd "$folder/$package"
        apt-get "${options[@]}" source --tar-only --download-only "$package"
        tar -xf ./*.orig.tar.*[zf2]
    ) >"$log" 2>&1 || skip "see $log"
    touch "$folder/$package/whole"
fi
dirname "$folder/$package"/*/. | head -n 1
