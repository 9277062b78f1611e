#!/bin/sh
# SPDX-License-Identifier: MIT
# The PRU's compiler: finds it, or builds it once from Debian's source packages.
#
# Usage: toolchain.sh           prints the prefix of the tools (.../bin/pru-elf-), builds them if there are none
#        toolchain.sh --find    the same, but builds nothing: exit 1 and a word on stderr if there are none
#        toolchain.sh --sim     prints the path of GNU's PRU simulator, empty if there is none
#
# Where it looks: $BELLWETHER_TOOLCHAIN, the cache folder it builds into, then pru-elf-gcc and pru-gcc of the PATH.
# What it needs to build (12 minutes of one core's time, so 7 to 12 on two cores, 1.5 GB while it does, 130 MB afterwards):
#   apt install binutils-source gcc-12-source gdb-source libgmp-dev libmpfr-dev libmpc-dev bison flex texinfo xz-utils
set -eu

cache=${BELLWETHER_TOOLCHAIN:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/bellwether/pru-toolchain}
src=${BELLWETHER_TOOLCHAIN_SOURCES:-/usr/src}
jobs=$(getconf _NPROCESSORS_ONLN)

fail() { echo "toolchain.sh: $*" >&2; exit 1; }

# The prefix of the first compiler that is there.
find_tools() {
    if [ -x "$cache/bin/pru-elf-gcc" ]; then
        echo "$cache/bin/pru-elf-"
        return 0
    fi
    for prefix in pru-elf- pru-; do
        if path=$(command -v "${prefix}gcc"); then
            echo "${path%gcc}"
            return 0
        fi
    done
    return 1
}

find_sim() {
    if [ -x "$cache/bin/pru-elf-run" ]; then
        echo "$cache/bin/pru-elf-run"
    else
        command -v pru-elf-run || true
    fi
}

# One tarball that matches; or the package that brings it, and status 77.
source_of() {
    set -- "$1" $2
    if [ ! -e "$2" ]; then
        echo "toolchain.sh: no $2: apt install $1" >&2
        exit 77
    fi
    echo "$2"
}

unpack() {
    mkdir -p "$2"
    tar -xJf "$1" -C "$2" --strip-components=1
}

# run STEP COMMAND: quiet, but a failure shows the end of its log.
run() {
    step=$1
    shift
    if ! "$@" >"$work/log.$step" 2>&1; then
        tail -n 20 "$work/log.$step" >&2
        cp "$work/log.$step" "$cache.failed.log"
        fail "$step failed, log: $cache.failed.log"
    fi
}

build_binutils() {
    unpack "$binutils" "$work/binutils"
    mkdir "$work/b1" && cd "$work/b1"
    run binutils.configure "$work/binutils/configure" --prefix="$cache" --target=pru-elf --disable-gdb --disable-sim \
        --disable-gprofng --disable-nls --disable-werror
    run binutils.make make -j"$jobs" MAKEINFO=true
    run binutils.install make install-strip MAKEINFO=true DESTDIR="$work/root"
    cd "$work" && rm -rf binutils b1
}

# gcc/s-tm-texi: the source package comes without the documentation that this step would compare; it is
# older than the compiler's own programs, so the mark comes behind these.
build_gcc() {
    unpack "$gcc" "$work/gcc"
    mkdir "$work/b2" && cd "$work/b2"
    PATH=$work/root$cache/bin:$PATH
    # -O0: what it compiles is small, and it is built sooner itself
    CFLAGS='-O0 -w' CXXFLAGS='-O0 -w'
    run gcc.configure "$work/gcc/configure" --prefix="$cache" --target=pru-elf --enable-languages=c --without-headers \
        --with-newlib --disable-shared --disable-threads --disable-libssp --disable-lto --disable-multilib \
        --disable-nls --disable-bootstrap --with-build-time-tools="$work/root$cache/pru-elf/bin"
    run gcc.make make -j"$jobs" all-gcc MAKEINFO=true
    touch gcc/s-tm-texi
    run gcc.install make install-gcc MAKEINFO=true DESTDIR="$work/root"
    run libgcc.make make -j"$jobs" all-target-libgcc MAKEINFO=true
    run libgcc.install make install-target-libgcc MAKEINFO=true DESTDIR="$work/root"
    CFLAGS='-O1 -w' CXXFLAGS='-O1 -w'
    cd "$work" && rm -rf gcc b2
}

build_sim() {
    unpack "$gdb" "$work/gdb"
    mkdir "$work/b3" && cd "$work/b3"
    run sim.configure "$work/gdb/configure" --prefix="$cache" --target=pru-elf --disable-gdb --disable-gdbserver \
        --enable-sim --disable-nls --disable-werror
    run sim.make make -j"$jobs" all-sim MAKEINFO=true
    run sim.install make install-sim MAKEINFO=true DESTDIR="$work/root"
    cd "$work" && rm -rf gdb b3
}

# The folder appears complete or not at all: everything is built beside it and renamed.
build_all() {
    binutils=$(source_of binutils-source "$src/binutils/binutils-*.tar.xz")
    gcc=$(source_of gcc-12-source "$src/gcc-12/gcc-12*.tar.xz")
    gdb=$(source_of gdb-source "$src/gdb*.tar.xz")
    for tool in bison flex make g++ xz; do
        command -v $tool >/dev/null || fail "no $tool: apt install bison flex make g++ xz-utils"
    done
    echo "toolchain.sh: building the PRU compiler in $cache, some ten minutes" >&2
    CFLAGS='-O1 -w' CXXFLAGS='-O1 -w' MAKEFLAGS=
    export CFLAGS CXXFLAGS MAKEFLAGS
    build_binutils
    build_gcc
    build_sim
    find "$work/root" -name cc1 -exec strip {} +
    echo 'int main(void) { return 0; }' >"$work/hello.c"
    run hello "$work/root$cache/bin/pru-elf-gcc" -ffreestanding -Os -c "$work/hello.c" -o "$work/hello.o"
    mv -T "$work/root$cache" "$cache"
}

case ${1:-} in
--find)
    find_tools || fail "no pru-elf-gcc and no pru-gcc; 'sh pru/toolchain.sh' builds one"
    exit 0
    ;;
--sim)
    find_sim
    exit 0
    ;;
'') ;;
*) fail "unknown option $1 (--find, --sim or nothing)" ;;
esac

if find_tools; then
    exit 0
fi
case $cache in
/*) ;;
*) fail "\$BELLWETHER_TOOLCHAIN is not an absolute path: $cache" ;;
esac
mkdir -p "$(dirname "$cache")"
exec 9>"$cache.lock"
flock 9
if find_tools; then
    exit 0
fi
rmdir "$cache" 2>/dev/null || true
[ ! -e "$cache" ] || fail "$cache holds no bin/pru-elf-gcc; remove it, or name another folder in \$BELLWETHER_TOOLCHAIN"
work=$(mktemp -d "$cache.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
build_all
find_tools
