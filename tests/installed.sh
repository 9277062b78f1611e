#!/bin/sh
# SPDX-License-Identifier: MIT
# What `cmake --install` puts where: the whole list, into a root of its own; and that it is what it is called.
# Usage: tests/installed.sh BUILD
set -eu
build=$1
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
bad=0
fail() { echo "$*"; bad=1; }

expected() {
    for name in 24A0 24A0-i2c1 24A0-uart1pins 24A0-i2c1-uart1pins 25A0 25A0-i2c1 25A0-uart1pins 25A0-i2c1-uart1pins; do
        ! command -v dtc >/dev/null || echo "644 lib/firmware/BELLWETHER-$name.dtbo"
    done
    for name in pru0-emulate-24 pru0-emulate-25 pru0-harvest-24 pru1-24 pru1-25; do
        ! grep -q "$name.elf" "$build/pru/fw/cmake_install.cmake" || echo "644 lib/firmware/bellwether/$name.elf"
    done
    cat <<LIST
755 usr/local/bin/herd
755 usr/local/bin/sheep
644 usr/local/lib/modprobe.d/bellwether.conf
644 usr/local/lib/modules-load.d/bellwether.conf
644 usr/local/lib/systemd/system/sheep.service
644 usr/local/lib/sysusers.d/bellwether.conf
644 usr/local/lib/udev/rules.d/60-bellwether.rules
644 usr/local/share/bellwether/presets/harvesters.yaml
644 usr/local/share/bellwether/presets/sources.yaml
644 usr/local/share/bellwether/presets/storages.yaml
644 usr/local/share/doc/bellwether/uEnv.txt
644 usr/local/share/man/man1/herd.1
644 usr/local/share/man/man8/sheep.8
LIST
}

DESTDIR=$root cmake --install "$build" --prefix /usr/local >"$root.log" 2>&1 || { cat "$root.log"; rm -f "$root.log"; exit 1; }
rm -f "$root.log"
(cd "$root" && find . -type f -printf '%m %P\n' | sort -k 2) >"$build/installed.txt"
expected | sort -k 2 | diff - "$build/installed.txt" || fail "not the list that is expected (<), but another (>)"

# Components share nothing, and together they are all.
for part in node herd; do
    DESTDIR=$root/$part cmake --install "$build" --prefix /usr/local --component $part >/dev/null
    (cd "$root/$part" && find . -type f -printf '%m %P\n')
done | sort -k 2 | diff "$build/installed.txt" - || fail "the components are not the whole"

"$root/usr/local/bin/herd" --version >/dev/null || fail "herd does not start"
"$root/usr/local/bin/sheep" --version >/dev/null || fail "sheep does not start"
overlay=$(sed -n 's/^uboot_overlay_addr0=//p' "$root/usr/local/share/doc/bellwether/uEnv.txt")
[ -f "$root$overlay" ] || ! command -v dtc >/dev/null || fail "uEnv.txt names $overlay, which is not there"
for image in "$root"/lib/firmware/bellwether/*.elf; do
    [ ! -e "$image" ] || [ "$(od -An -tx1 -N20 "$image" | tr -d ' \n' | cut -c1-8,37-40)" = 7f454c469000 ] \
        || fail "$image is no program of a PRU"
done
if command -v systemd-analyze >/dev/null; then
    unit=$root/usr/local/lib/systemd/system/sheep.service
    sed -i "s|^ExecStart=/usr/local|ExecStart=$root/usr/local|" "$unit"
    words=$(systemd-analyze verify --man=no "$unit" 2>&1 | grep sheep.service || true)
    [ -z "$words" ] || fail "$words"
fi
[ "$bad" = 0 ] && echo "$(wc -l <"$build/installed.txt") files"
exit "$bad"
