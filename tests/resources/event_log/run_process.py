"""A process that is in the middle of a run: `python run_process.py FOLDER` reports four of ten samples.

Then it prints the run's id, and goes on only when a line is sent to it.
"""

import sys
from pathlib import Path

import dagster as dg

from resources.dead_runs import process_tags
from tests.resources.event_log.support import SUMMARY, annotate_asset, batched_instance, report_with_emitter


def main(folder: str) -> None:
    def report_and_wait(context, planned, materializations) -> None:
        done = [m for m in materializations if m.partition in {"s00", "s01", "s02", "s03"}]
        report_with_emitter(context, planned, done)
        print(context.run_id, flush=True)
        sys.stdin.readline()

    with batched_instance(Path(folder)) as instance:
        asset = annotate_asset(report_and_wait, set())
        dg.materialize([asset], instance=instance, selection=[SUMMARY], tags=process_tags())


if __name__ == "__main__":
    main(sys.argv[1])
