"""A run by batch, from its beginning to its end: one process at a time works with the jobs of a data set."""

import fcntl
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from grounding_assets.core.batch.held_samples import LOCK
from grounding_assets.core.batch.journal import FOLDER, Journal
from grounding_assets.core.batch.service import BatchService
from grounding_assets.core.budget.account import BudgetReached
from grounding_assets.core.budget.call_file import FileAccount
from grounding_assets.core.budget.prices import Prices
from grounding_assets.core.errors import RunStopped
from grounding_assets.core.files import stopping_if_unwritable
from grounding_assets.core.spec.settings import Spec
from grounding_assets.core.steps import Step
from resources.vlm.batch.batching import Batching
from resources.vlm.batch.caller import BatchCaller
from resources.vlm.batch.cards import boxes_by_batch
from resources.vlm.client import EndpointClient
from resources.vlm.measurements import Measurements
from resources.vlm.retry import RetryingCaller
from resources.vlm.teacher import VlmTeacher


@asynccontextmanager
async def batching(
    spec: Spec,
    results_dir: Path,
    service: BatchService,
    teacher: VlmTeacher,
    notice: Callable[[str], None],
    warn: Callable[[str], None],
) -> AsyncIterator[Batching]:
    """The teacher asks by batch within the block; what it asked is submitted at its end, a cap's included.

    `warn` is told what makes all results doubtful.

    Raises:
        RunStopped: another process works with the batches, or see `Batching.catch_up`.
    """
    calls = teacher.caller
    assert isinstance(calls, RetryingCaller)
    client, account = calls.client, calls.account
    assert isinstance(client, EndpointClient)
    assert isinstance(account, FileAccount)
    with only_one(results_dir / FOLDER):
        journal = Journal(results_dir)
        settings, prices = spec.vlm.batch, Prices.of(spec)
        run = Batching(settings, journal, service, client, account, teacher, notice, prices)
        try:
            await run.catch_up()
            by_calls = settings.rest == "calls" and service.name != "file"
            teacher.caller = BatchCaller(calls, client, journal, run.put, rest_by_calls=by_calls)
            try:
                if service.name == "file" and spec.vlm.measure and Step.GROUNDING in spec.workflow.run_steps:
                    follows = await boxes_by_batch(spec, teacher, Measurements(results_dir), journal)
                    run.boxes_are_known = follows is not None
                    if follows and follows.text:
                        (warn if follows.kind == "warns" else notice)(follows.text)
                yield run
            except BudgetReached:
                await run.submit()
                raise
            await run.submit()
        finally:
            teacher.caller = calls
            run.discard()
            service.close()


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Keeps other processes from the batches. Raises RunStopped if one is at work."""
    with stopping_if_unwritable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunStopped(
                f"Another process is working with the batches of {folder.parent}: wait for its end."
            ) from None
        yield
    finally:
        os.close(descriptor)
