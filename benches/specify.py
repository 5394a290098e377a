"""How long a specification takes to be read, expanded and shown: a million combinations, 200 runs, a sheet of 10,000 rows."""

import statistics

import _bench as bench

ROUNDS = 7
ROWS = 10_000
COLUMNS = 20

env = bench.environment(bench.root() / "home", bench.root() / "cache")


def floor(folder):
    """What any answer costs."""
    return bench.run([bench.NERONET, "--version"], folder, env)


def spec(name, text):
    folder = bench.folder(name)
    (folder / "neronet.toml").write_text(text)
    return folder


def numbers(count):
    return ", ".join(map(str, range(count)))


def check(folder, *words):
    return bench.run_with_memory([bench.NERONET, "check", "--no-preflight", *words], folder, env)


def measured(name, bound_seconds, bound_bytes, folder, *words, shown=None):
    """The figure of one kind of specification, beside its bounds."""
    took = [check(folder, *words) for _ in range(ROUNDS)]
    seconds, most = [seconds for seconds, _ in took], max(most for _, most in took)
    bound = f"{bound_seconds * 1000:.0f} ms" + (f", {bound_bytes / 1e6:.0f} MB" if bound_bytes else "")
    met = statistics.median(seconds) <= bound_seconds and (not bound_bytes or most <= bound_bytes)
    bench.promise(shown or name, bound, f"{bench.spread(seconds)}, {most / 1e6:.0f} MB", met)


GRID = f'command = ["/bin/true", "{{flags}}"]\n\n[params]\na = [{numbers(100)}]\nb = [{numbers(100)}]\nc = [{numbers(100)}]\n'
measured("check of 1,000,000 combinations", 2, 500e6, spec("grid", GRID))
CONDITION = GRID + 'd = { derive = "a * b + c" }\n\n[sweep]\nonly_if = "(a + b + c) % 2 == 0"\n'
measured("the same, derived and under a condition", 2, 500e6, spec("condition", CONDITION))
DRAWN = 'command = ["/bin/true", "{flags}"]\n\n[params]\nlr = { log_uniform = [1e-6, 1e-1] }\nact = { choice = ["relu", "gelu"] }\n\n[sweep]\nsamples = 1000000\n'
measured("1,000,000 draws of two parameters", 2, 500e6, spec("drawn", DRAWN))
SOME = f'command = "python train.py {{flags}} --out ckpt"\nobjective = "val_error min"\n\n[params]\nlr = [{numbers(50)}]\nseed = {{ repeat = 4 }}\n\n[checkpoints]\npaths = ["ckpt/*.pt"]\n'
some = spec("some", SOME)
(some / "train.py").write_text("print('loss 1')\n")
measured("check of 200 runs, without the preflight", 0.05, None, some)

sheet = spec("sheet", 'command = "python train.py {flags}"\n')
(sheet / "train.py").write_text("print('loss 1')\n")
header = ["status", *(f"p{column}" for column in range(COLUMNS - 1))]
rows = [["TODO", *(str(row * column / 7) for column in range(COLUMNS - 1))] for row in range(ROWS)]
(sheet / "runs.csv").write_text("\n".join(",".join(row) for row in [header, *rows]) + "\n")
measured(f"check of a sheet of {ROWS:,} rows by {COLUMNS}, .csv", 1, None, sheet, "runs.csv")

bench.say("neronet --version", bench.spread([floor(some) for _ in range(ROUNDS)]))
bench.finish()
