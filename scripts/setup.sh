#!/usr/bin/env bash
# Makes ready what a target needs: `setup.sh tools` looks only, `setup.sh demo` also makes the demo's Python environment and data,
# `setup.sh recipes` the Python environment of docs/recipes.md (PyTorch, Hydra, Lightning: about 5 GB and some minutes).
# `setup.sh peers` the queues that the benchmarks measure beside ours, `setup.sh trackers` the trackers (1 GB), as far as they can be got.
# Done once; later calls take a blink. PYTHON=… chooses the interpreter, FRAMEWORK=torch|jax the demo's framework.
. "$(dirname "$0")/lib.sh"
. scripts/venv.sh
. scripts/peers.sh

# newer WANTED FOUND: is version FOUND at least WANTED?
newer() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

# need NAME WANTED FOUND HOW
need() {
    [ -n "$3" ] || die "$1 is missing (at least $2 is needed): $4"
    newer "$2" "$3" || die "$1 $3 is too old (at least $2 is needed): $4"
}

number() { sed -nE '1s/^[^0-9]*([0-9]+(\.[0-9]+)*).*/\1/p'; }

tools() {
    need Rust 1.95 "$(rustc --version 2>/dev/null | number)" \
        "install rustup (https://rustup.rs), then 'rustup toolchain install stable' or 'rustup update'"
    command -v cargo >/dev/null || die "cargo is missing beside rustc: install Rust by rustup (https://rustup.rs)"
    command -v cc >/dev/null || die "a C linker is missing (cc): on Debian 'sudo apt-get install gcc libc6-dev'"
    need Node 20.19 "$(node --version 2>/dev/null | number)" "install Node 20 or later (https://nodejs.org)"
    command -v npm >/dev/null || die "npm is missing: it comes with Node, on Debian also as 'sudo apt-get install npm'"
    need Python 3.9 "$("$PYTHON" --version 2>/dev/null | number)" \
        "on Debian 'sudo apt-get install python3', or name another one by PYTHON=/path/to/python3"
}

# The framework that is already there, else the one that needs neither root nor a GPU's libraries.
framework() {
    if [ -n "${FRAMEWORK:-}" ]; then
        say "$FRAMEWORK"
    elif "$PYTHON" -c 'import torch, numpy' 2>/dev/null; then
        say torch
    else
        say jax
    fi
}

demo() {
    local wanted made=$CACHE/venv/made-for
    # What the environment was made for; anything else makes it anew.
    wanted="$PWD $(command -v "$PYTHON") $("$PYTHON" --version) ${FRAMEWORK:-any} $(cksum <examples/lenet/requirements.txt)"
    if [ "$(cat "$made" 2>/dev/null)" != "$wanted" ]; then
        local chosen
        chosen=$(framework)
        say "Python environment in .cache/venv for $chosen (once)"
        case $chosen in
            torch) make_venv_that_sees_packages "$CACHE/venv" ;;
            jax)
                make_venv "$CACHE/venv"
                "$CACHE/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r examples/lenet/requirements.txt ||
                    die "pip could not install examples/lenet/requirements.txt: see above"
                ;;
            *) die "FRAMEWORK=$chosen: it is torch or jax" ;;
        esac
        "$CACHE/venv/bin/python" -c "import $chosen, numpy" || die "the new environment cannot import $chosen: see above"
        say "$chosen" >"$CACHE/venv/framework"
        printf '%s' "$wanted" >"$made"
    fi
    "$CACHE/venv/bin/python" examples/lenet/fetch_mnist.py
}

recipes() {
    local folder=$CACHE/venv-recipes
    "$folder/bin/python" -c 'import torch, hydra, lightning' 2>/dev/null && return
    say "Python environment in .cache/venv-recipes: about 5 GB (once)"
    make_venv "$folder"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile -r tests/recipes/requirements.txt ||
        die "pip could not install tests/recipes/requirements.txt: see above"
}

PYTHON=${PYTHON:-python3}
case ${1:-tools} in
    tools) tools ;;
    demo) tools && demo ;;
    recipes) tools && recipes ;;
    peers) tools && peers ;;
    trackers) tools && trackers ;;
    *) die "setup.sh $1: it is tools, demo, recipes, peers or trackers" ;;
esac
