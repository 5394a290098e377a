#!/usr/bin/env bash
# One binary for Linux x86_64 that runs on glibc 2.17 and later: dist/neronet-linux-x86_64 and its checksum.
# Zig is the linker that can target an old glibc; it comes from PyPI, cargo-zigbuild from crates.io, both into .cache.
. "$(dirname "$0")/lib.sh"
. scripts/venv.sh

GLIBC=2.17
TARGET=x86_64-unknown-linux-gnu
LIMIT=25000000
ZIG=0.15.2
ZIGBUILD=0.24.1
OUT=dist/neronet-linux-x86_64

scripts/setup.sh tools
[ "$(uname -m)" = x86_64 ] || die "make dist builds on x86_64 only, this is $(uname -m)"
command -v readelf >/dev/null || die "readelf is missing: on Debian 'sudo apt-get install binutils'"

PYTHON=${PYTHON:-python3}
if [ "$(cat "$CACHE/venv-dist/made-for" 2>/dev/null)" != "$PWD $ZIG" ]; then
    say "Zig $ZIG from PyPI into .cache/venv-dist (once)"
    make_venv "$CACHE/venv-dist"
    "$CACHE/venv-dist/bin/python" -m pip install --quiet --disable-pip-version-check "ziglang==$ZIG" || die "pip could not install ziglang"
    printf '%s' "$PWD $ZIG" >"$CACHE/venv-dist/made-for"
fi
# Does nothing when this version is there.
cargo install --quiet --locked --root "$CACHE/cargo" --version "$ZIGBUILD" cargo-zigbuild
if command -v rustup >/dev/null; then rustup target add "$TARGET" 2>/dev/null || true; fi

say "Building for glibc $GLIBC (profile dist)"
# cargo-zigbuild finds Zig as the module of the first python3 on PATH.
PATH="$CACHE/venv-dist/bin:$CACHE/cargo/bin:$PATH" \
    cargo zigbuild --quiet --package neronet --profile dist --target "$TARGET.$GLIBC"

mkdir -p dist
install -m 755 "target/$TARGET/dist/neronet" "$OUT"
(cd dist && sha256sum "${OUT#dist/}" >"${OUT#dist/}.sha256" && cat "${OUT#dist/}.sha256")
wanted=$(readelf --dyn-syms --wide "$OUT" | grep -oE 'GLIBC_[0-9.]+' | sed 's/GLIBC_//' | sort -uV | tail -n 1)
size=$(stat -c %s "$OUT")
say "$OUT: $size bytes, needs glibc ${wanted:-none}, $("$OUT" --version 2>/dev/null || say 'no answer to --version')"
[ "$(printf '%s\n%s\n' "$wanted" "$GLIBC" | sort -V | tail -n 1)" = "$GLIBC" ] || die "$OUT needs glibc $wanted; $GLIBC is the most allowed"
[ "$size" -lt "$LIMIT" ] || die "$OUT has $size bytes; under $LIMIT is allowed"
