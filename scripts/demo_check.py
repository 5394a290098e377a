"""Reads `neronet ls --json` of the demo and says whether it showed what it promises."""

import json
import sys


def main(wanted):
    runs = json.load(sys.stdin)
    unfinished = [run["id"] for run in runs if run.get("outcome") != "finished"]
    if len(runs) < 6 or unfinished:
        return f"6 finished runs were expected; found {len(runs)} runs, not finished: {unfinished or 'none'}"
    accuracy = {run["id"]: run["metrics"]["test_acc"]["last"] for run in runs}
    best = max(runs, key=lambda run: accuracy[run["id"]])
    spread = max(accuracy.values()) - min(accuracy.values())
    if accuracy[best["id"]] <= wanted:
        return f"the best configuration has {accuracy[best['id']]} % test accuracy; more than {wanted:g} % was expected"
    if spread < 1:
        return f"the configurations hardly differ: {accuracy}"
    params = best["params"]
    print(
        f"Best: run {best['id']}, lr {params['lr']}, activation {params['activation']}: "
        f"{accuracy[best['id']]} % of 1,000 held-out digits (wanted: over {wanted:g} %)."
    )
    return None


if __name__ == "__main__":
    problem = main(float(sys.argv[1]))
    sys.exit(f"error: {problem}" if problem else 0)
