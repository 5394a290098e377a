"""What keeping a record costs a short command: 200 runs of /bin/true, two at a time, beside xargs."""

import statistics

import _bench as bench

ROUNDS = 9
RUNS = 200
MANY = 100_000

work = bench.no_ops("work", RUNS)
homes = []


def sweep():
    homes.append(bench.environment(bench.root() / f"home-{len(homes)}", bench.root() / "cache"))
    return bench.run([bench.NERONET, "run", "--quiet"], work, homes[-1])


times = bench.alternate(ROUNDS, xargs=lambda: bench.xargs(RUNS), sweep=sweep)
for env in homes:
    bench.expect_finished(env, RUNS, work)

# How long 100,000 combinations take to be read and shown, of which nothing is started.
many = bench.no_ops("many", MANY)
check = [bench.run_with_memory([bench.NERONET, "check"], many, homes[0]) for _ in range(3)]
seconds, memory = bench.spread([took for took, _ in check]), f"{max(most for _, most in check) / 1e6:.0f} MB"

ratios = [sweep / xargs for sweep, xargs in zip(times["sweep"], times["xargs"])]
bench.say(f"{RUNS} /bin/true by xargs -P2, a task", bench.spread([t / RUNS for t in times["xargs"]]))
bench.say(f"{RUNS} recorded runs, two at a time, a run", bench.spread([t / RUNS for t in times["sweep"]]))
bench.say(f"check of {MANY:,} combinations", f"{seconds}, {memory}")
bench.promise(f"{RUNS} recorded runs beside xargs -P2", "5 x", bench.ratio_spread(ratios), statistics.median(ratios) <= 5)
bench.remark(f"check of {MANY:,} combinations", f"{seconds}, {memory}")
bench.finish()
