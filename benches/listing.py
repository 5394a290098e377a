"""`neronet ls` in a home of 1,000 ended runs, made by a real sweep, each with two metrics."""

import statistics

import _bench as bench

ROUNDS = 40
RUNS = 1_000
SPEC = """name = "many"
command = ["/bin/echo", "epoch={{n}} loss=0.{{n}} accuracy=0.5"]

[params]
n = [{numbers}]

[sweep]
parallel = 2
"""

work = bench.folder("work")
(work / "neronet.toml").write_text(SPEC.format(numbers=", ".join(map(str, range(RUNS)))))
env = bench.environment(bench.root() / "home", bench.root() / "cache")
made = bench.run([bench.NERONET, "run", "--quiet"], work, env)
for one in bench.expect_finished(env, RUNS, work):
    if sorted(one["metrics"]) != ["accuracy", "loss"]:
        bench.fail(f"run {one['id']} has the metrics {sorted(one['metrics'])}, not accuracy and loss")

words = {"true": ["/bin/true"], "ls": ["ls"], "json": ["ls", "--json"], "filter": ["ls", "loss < 0.5"], "show": ["show", str(RUNS // 2)]}


def measured(name):
    command = words[name] if name == "true" else [bench.NERONET, *words[name]]
    return lambda: bench.run(command, work, env)


times = bench.alternate(ROUNDS, **{name: measured(name) for name in words})
for name, command in words.items():
    bench.say(" ".join(command), bench.spread(times[name]))
bench.say(f"the sweep of {RUNS:,} runs that made them, a run", bench.spread([made / RUNS]))

bench.promise(f"ls with {RUNS:,} runs", "under 30 ms", bench.spread(times["ls"]), statistics.median(times["ls"]) < 0.030)
bench.remark("ls --json", bench.spread(times["json"]))
bench.remark("show of one run", bench.spread(times["show"]))
bench.finish()
