# Sourced by setup.sh: the queues that benches/peers.py measures beside ours and the trackers of benches/trackers.py, in .cache/peers
# without root. What cannot be got is named and does not stop anything; queues that are installed already are taken as they are.
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

# tracker NAME PACKAGE…: packages of Python's in an environment of their own, unless they are there already.
tracker() {
    local folder=$PEERS/$1 wanted=${*:2}
    [ "$(cat "$folder/made-for" 2>/dev/null)" = "$wanted" ] && return
    say "$1 into .cache/peers (once)"
    if (make_venv "$folder") && "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "${@:2}"; then
        printf '%s' "$wanted" >"$folder/made-for"
    else
        say "$1 cannot be got here: see above"
    fi
}

# MLflow's smaller package with what it needs for SQLite: the whole one brings a server and 1 GB, and writes no faster.
trackers() {
    mkdir -p "$PEERS"
    tracker tensorboard tensorboard==2.21.0 tensorboard-data-server==0.7.2 tensorboardX==2.6.5
    tracker mlflow mlflow-skinny==3.17.2 sqlalchemy==2.1.9 alembic==1.20.1
    tracker trackio trackio==0.43.0
    tracker wandb wandb==0.31.0
    tracker aim aim==3.29.1
}
