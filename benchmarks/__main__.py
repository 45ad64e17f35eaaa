"""Run jobs and write their figures: ``python -m benchmarks [JOB ...] [--rounds 5] [--quick]``."""

from __future__ import annotations

import argparse
import importlib
import os
import sys

from benchmarks.common import Options, say
from benchmarks.page import PAGE, fill, targets

JOBS = {
    "main": "main_job",
    "load": "load",
    "predict": "predict",
    "erase": "erase",
    "noop": "noop",
    "incremental": "incremental",
    "register": "register",
    "encode": "encode",
    "serving": "serving",
    "online": "online",
    "rollback": "rollback",
    "contracts": "contracts",
    "profile": "profile",
    "cleaning": "cleaning",
    "labels": "labels",
    "watch": "watch",
    "alarms": "alarms",
    "drift": "drift",
    "estimate": "estimate",
    "streams": "streams",
    "estimate-monitor": "estimate_monitor",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Tidemill against scripts by hand.")
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=f"of {', '.join(JOBS)}; all when none is named")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="small sizes, one round: only shows that everything runs")
    given = parser.parse_args()
    unknown = sorted(set(given.jobs) - set(JOBS))
    if unknown:
        parser.error(f"no job is named {', '.join(unknown)}; there are {', '.join(JOBS)}")
    options = Options(rounds=1 if given.quick else given.rounds, quick=given.quick)
    load = os.getloadavg()[0]
    results = []
    for job in given.jobs or JOBS:
        say(f"{job}:")
        result = importlib.import_module(f"benchmarks.{JOBS[job]}").run(options)
        results.append(result)
        print("\n".join(["", f"## {job}", "", *result.lines]), flush=True)
        if not options.quick:
            fill(result.page or PAGE, [result], load=load)
    print("\n".join(["", *targets(results)]))
    if not options.quick and not all(target.reached for result in results for target in result.targets):
        sys.exit(1)


if __name__ == "__main__":
    main()
