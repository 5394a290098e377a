# Sourced by setup.sh: the queues that benches/peers.py measures beside ours, in .cache/peers without root. What cannot be got is named
# and does not stop anything; what is installed already is taken as it is.
# shellcheck shell=bash
PEERS=$CACHE/peers

# has NAME PROGRAM OPTION: does the program that the benchmark finds say this name? There are others called parallel and tsp.
has() { [[ $(PATH=$PEERS/bin:$PATH "$2" "$3" 2>/dev/null) == *"$1"* ]]; }

# get_debian PROGRAM PACKAGE: a program out of a package of Debian's, unpacked.
get_debian() {
    say "$1 into .cache/peers (once)"
    local packages=$PEERS/packages
    rm -rf "$packages" && mkdir -p "$packages" "$PEERS/bin" &&
        (cd "$packages" && apt-get download -qq "$2" && dpkg-deb -x "$2"_*.deb "$PEERS/debian") &&
        ln -sf "../debian/usr/bin/$1" "$PEERS/bin/$1"
}

get_pueue() {
    say "pueue into .cache/peers (once, some minutes)"
    cargo install --quiet --locked --root "$PEERS" --version 4.0.4 pueue
}

get_hyperqueue() {
    say "HyperQueue into .cache/peers (once)"
    (make_venv "$PEERS/hyperqueue") && "$PEERS/hyperqueue/bin/python" -m pip install --quiet --disable-pip-version-check hyperqueue==0.27.0
}

# Each where it is not there yet.
peers() {
    mkdir -p "$PEERS"
    has "GNU parallel" parallel --version || get_debian parallel parallel || say "GNU parallel cannot be got here: see above"
    has "Task Spooler" tsp -V || get_debian tsp task-spooler || say "task-spooler cannot be got here: see above"
    "$PEERS/hyperqueue/bin/python" -c 'import hyperqueue' 2>/dev/null || get_hyperqueue || say "HyperQueue cannot be got here: see above"
    has pueued pueued --version || get_pueue || say "pueue cannot be got here: see above"
}
