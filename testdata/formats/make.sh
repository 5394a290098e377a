#!/usr/bin/env bash
# Makes a small home by the real binary, one sample of each format: `make.sh NERONET FOLDER [language|sealed]`, once for a version of
# the formats; with `language` one that holds what a specification may say beyond parameters (testdata/formats/1-language), with
# `sealed` one whose run is sealed (testdata/formats/1-sealed).
# What it holds is checked by crates/store/tests/formats.rs. Run it under a neutral host name and user, as
#   unshare --uts sh -c 'hostname host; setpriv --reuid 65534 --regid 65534 --clear-groups testdata/formats/make.sh …'
set -euo pipefail
BINARY=$(realpath "$1")
OUT=$(realpath -m "$2")
SCRATCH=/tmp/neronet-sample
rm -rf "$SCRATCH" && mkdir -p "$SCRATCH/bin" "$SCRATCH/project"
for program in sh sleep cat mv git; do ln -s "$(command -v "$program")" "$SCRATCH/bin/$program"; done

neronet() { /usr/bin/env -i HOME="$SCRATCH" PATH="$SCRATCH/bin" NERONET_HOME="$SCRATCH/home" NERONET_SEAL_AFTER=0 LC_ALL=C.UTF-8 "$BINARY" "$@"; }

cd "$SCRATCH/project"
language() {
    mkdir "$SCRATCH/set"
    echo one >"$SCRATCH/set/train.txt"
    cat >train.sh <<'END'
cat conf.ini "$2/train.txt"
echo "epoch 1/1 loss $1"
echo "$1" >model.new
mv model.new model.ckpt
echo "acc,$1" >preds.csv
echo kept by nobody >scratch.txt
END
    printf '[train]\nlr = 1\nbits = 8\n' >conf.ini
    cat >neronet.toml <<'END'
command = "sh train.sh {lr} {inputs.set}"
objective = "loss min"
[params]
lr = [0.5, 25e-2]
bits = 0xff
[inputs.set]
path = "../set"
fingerprint = "hash"
[[file]]
edit = "conf.ini"
set = { "train.lr" = "{lr}", "train.bits" = "{bits}" }
[checkpoints]
paths = ["model.ckpt"]
[outputs]
keep = ["*.csv"]

[[experiment]]
name = "pre"
[[experiment.then]]
name = "evaluate"
command = "printf 'test_acc 9'; cat {checkpoint.best}"
[[experiment]]
name = "fine"
after = "pre"
match = "best"
command = "cat {pre.checkpoint.best} && echo 'fine: no such data' >&2 && exit 2"
END
    printf 'lr,comments,phase\n0.125,"by hand",first\n' >rows.csv
    printf 'command = "echo loss {lr}"\n' >rows.toml
    # Runs 1 and 2 with a step each, run 3 after the better one; run 4 is a row.
    neronet run --quiet || [ $? = 1 ]
    neronet run --quiet rows.csv
}

# Two attempts of run 1, of which the daemon seals what is large enough.
sealed() {
    cat >train.sh <<'END'
first=1
if [ -e half ]; then first=101; fi
epoch=$first
while [ $epoch -le 200 ]; do
    echo "epoch $epoch/200 loss 0.$((10000 - 7 * epoch)) and what else there is to say"
    echo "{\"epoch\": $epoch, \"accuracy\": 0.$((1000 + epoch)), \"lr\": 0.001}" >>"$NERONET_METRICS"
    if [ $epoch = 100 ] && [ $first = 1 ]; then echo half >half.new && mv half.new half; exit 3; fi
    epoch=$((epoch + 1))
done
END
    printf 'command = "sh train.sh"\n[checkpoints]\npaths = ["half"]\n[resume]\nautomatic = true\n' >neronet.toml
    neronet run --quiet || [ $? = 1 ]
    neronet resume 1 --quiet
    neronet serve --background
    for n in 1 2; do
        attempt=$SCRATCH/home/runs/1/attempts/$n
        until [ ! -e "$attempt/metrics.1.jsonl" ] && [ ! -e "$attempt/output.1.0.jsonl" ] && [ ! -e "$attempt/metrics-in.jsonl" ]; do sleep 0.1; done
    done
    neronet down
}

runs() {
# A virtual environment by the files that tell it, with one package.
mkdir -p .venv/bin .venv/lib/python3.11/site-packages/numpy-1.24.2.dist-info
printf 'home = /usr/bin\nversion = 3.11.2\n' >.venv/pyvenv.cfg
ln -s /usr/bin/python3 .venv/bin/python

cat >train.sh <<'END'
# Trains nothing, and prints as training scripts print.
lr=$1 resume=${2-}
echo "Namespace(lr=$lr, optimizer='sgd', epochs=3)"
first=1
if [ -n "$resume" ]; then first=$(($(cat "$resume") + 1)); fi
for epoch in 1 2 3; do
    if [ "$epoch" -lt "$first" ]; then continue; fi
    echo "epoch $epoch/3 loss 0.$((9 / epoch))"
    echo "$epoch" >model.new
    mv model.new model.ckpt
    # Somebody ends the first attempt here.
    if [ -n "${WAITS-}" ] && [ -z "$resume" ] && [ "$epoch" = 2 ]; then sleep 60; fi
done
echo "test_acc 97.5"
echo '{"epoch": 3, "grad": NaN, "phase": "over"}' >>"$NERONET_METRICS"
printf 'epoch,val_loss\n3,0.45\n' >log.csv
END
cat >neronet.toml <<'END'
command = "sh train.sh {lr}"
objective = "test_acc max"

[environment]
python = ".venv"

[metrics]
files = ["log.csv"]

[checkpoints]
paths = ["model.ckpt"]

[resume]
arguments = "{checkpoint}"

[[experiment]]
name = "grid"
params.lr = [0.1, 1e-2]

[[experiment]]
name = "fails"
command = "echo 'no such data: digits.npz' >&2; exit 3"

[[experiment]]
name = "waits"
params.lr = 0.5
env.WAITS = 1
END
git() { /usr/bin/env -i HOME="$SCRATCH" PATH="$SCRATCH/bin" git -c user.name=somebody -c user.email=somebody@example.org "$@"; }
git init --quiet --initial-branch main
printf '.venv\n' >.git/info/exclude
git add train.sh
git commit --quiet --message "Train nothing"
echo "# not committed" >>train.sh

# Runs 1 to 3; the failure makes the exit code 1.
neronet run neronet.toml:grid --quiet
neronet run neronet.toml:fails --quiet || [ $? = 1 ]
# Run 4 loses its supervisor, then is stopped, then resumed.
neronet run neronet.toml:waits --detach
attempt=$SCRATCH/home/runs/4/attempts/1
until [ -s "$attempt/metrics.1.jsonl" ] && [ -e "$attempt/position.json" ]; do sleep 0.1; done
kill -9 "$(sed -nE 's/.*"supervisor":\{[^}]*"pid":([0-9]+).*/\1/p' "$attempt/keeper.jsonl")"
until grep -q supervisor-died "$attempt/keeper.jsonl"; do sleep 0.1; done
until grep -q '"checkpoint"' "$attempt"/events.*.jsonl; do sleep 0.1; done
neronet stop 4
until grep -q '"ended"' "$attempt"/events.*.jsonl; do sleep 0.1; done
neronet resume 4 --quiet
# Run 5 is taken from the disk for good, run 6 comes back from the trash.
neronet run --quiet -- sh -c 'echo five'
neronet run --quiet --set code.in_place=true -- sh -c 'echo six'
neronet tag 1 good
neronet note 1 "the better one"
neronet rm --yes 5 6
neronet rm --yes --purge 5
neronet restore 6
}

"${3:-runs}"

mkdir -p "$OUT"
cp -r "$SCRATCH/home/." "$OUT/"
# Environments are their owner's alone; one shows the format.
find "$OUT/private" -type f ! -name sweep-1.environ -delete
# What a daemon left is none of the formats.
rm -f "$OUT"/daemon.log "$OUT"/daemon.lock "$OUT"/queue.json
# The machine itself is nobody's business; nothing is hashed over these.
sed -i -E 's/("kernel": )"[^"]*"/\1"6.1.0-18-amd64"/; s/("cpu": )"[^"]*"/\1"A processor"/' "$OUT"/sweeps/*.json
