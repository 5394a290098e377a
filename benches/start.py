"""What `neronet run -- /bin/true` costs beyond `/bin/true`: in a git work tree of 500 files with an environment of 200 packages."""

import statistics

import _bench as bench

ROUNDS = 30
COLD_ROUNDS = 5
TRUE = ["/bin/true"]
RUN = [bench.NERONET, "run", "--quiet", "--", "/bin/true"]

tree = bench.folder("tree")
active = bench.virtual_environment(bench.folder("environment") / "venv", 200)
bench.work_tree(tree, 500)
warm = bench.environment(bench.root() / "home", bench.root() / "cache", **active)


def started(words, env):
    return lambda: bench.run(words, tree, env)


cold = []
for i in range(COLD_ROUNDS):
    env = bench.environment(bench.root() / f"cold-home-{i}", bench.root() / f"cold-cache-{i}", **active)
    floor = bench.run(TRUE, tree, env)
    cold.append(bench.run(RUN, tree, env) - floor)
    bench.expect_finished(env, 1, tree)
# What any copy of the tree costs here: every run gets one.
copies = bench.folder("copies")


def copied():
    number = sum(1 for _ in copies.iterdir())
    return bench.run(["cp", "-r", "--", *sorted(map(str, tree.glob("package_*"))), str(bench.folder(f"copies/{number}"))])


times = bench.alternate(ROUNDS, true=started(TRUE, warm), run=started(RUN, warm), copy=copied)
bench.expect_finished(warm, ROUNDS + 1, tree)
version = bench.alternate(ROUNDS, true=started(TRUE, warm), version=started([bench.NERONET, "--version"], warm))

more = [run - true for run, true in zip(times["run"], times["true"])]
bench.say("/bin/true", bench.spread(times["true"]))
bench.say("neronet run -- /bin/true", bench.spread(times["run"]))
bench.say("more than /bin/true, warm", bench.spread(more))
bench.say("of the same 500 files, a copy by cp -r", bench.spread(times["copy"]))
bench.say("more than /bin/true, cold (fresh home and caches)", bench.spread(cold))
bench.say("neronet --version", bench.spread(version["version"]))
size = bench.Path(bench.NERONET).stat().st_size
bench.say("size of the binary", f"{size / 1e6:.1f} MB")

bench.promise("run -- /bin/true beside /bin/true, warm", "25 ms more", bench.spread(more), statistics.median(more) <= 0.025)
bench.remark("a copy of the same 500 files by cp -r", bench.spread(times["copy"]))
bench.remark("the same run, cold", bench.spread(cold))
bench.promise("--version", "under 5 ms", bench.spread(version["version"]), statistics.median(version["version"]) < 0.005)
bench.promise("size of the binary", "under 25 MB", f"{size / 1e6:.1f} MB", size < 25e6)
bench.finish()
