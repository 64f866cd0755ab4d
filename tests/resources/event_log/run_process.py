"""For processes of their own: one in the middle of a run, which reported four of ten samples, and one that has ended."""

from multiprocessing.connection import Connection
from pathlib import Path

import dagster as dg

from resources.dead_runs import RunProcess, process_tags
from tests.resources.event_log.support import SUMMARY, annotate_asset, batched_instance, report_with_emitter


def begin_run(folder: Path, connection: Connection) -> None:
    """Sends the run's id, and goes on only when something is sent to it."""

    def report_and_wait(context, planned, materializations) -> None:
        done = [m for m in materializations if m.partition in {"s00", "s01", "s02", "s03"}]
        report_with_emitter(context, planned, done)
        connection.send(context.run_id)
        connection.recv()

    with batched_instance(folder) as instance:
        asset = annotate_asset(report_and_wait, set())
        dg.materialize([asset], instance=instance, selection=[SUMMARY], tags=process_tags())


def tell_itself(connection: Connection) -> None:
    connection.send(RunProcess.own())
