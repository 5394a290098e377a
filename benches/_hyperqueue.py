"""HyperQueue's server and one worker of two cores in this process, for peers.py: `_hyperqueue.py FOLDER LAST`.

Its Python library alone is in a package (the program `hq` is not), and its wait asks once a second. So each job ends with a task that
depends on all others and runs the command LAST, which tells peers.py. Says when it is ready; then for each line with
a number submits so many tasks, and answers when all of them are known to have succeeded.
"""

import os
import sys

# The server prints a table of its own as well: that goes where errors go.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig

folder, last = sys.argv[1:]
with LocalCluster(folder, WorkerConfig(cores=2)) as cluster:
    client = cluster.client()
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        job = Job(default_workdir=folder)
        before = [job.program(["/bin/true"]) for _ in range(int(line) - 1)]
        job.program([last], deps=before)
        client.wait_for_jobs([client.submit(job)])
        print("succeeded", file=answers, flush=True)
