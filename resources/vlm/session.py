"""A teacher from its making to its closing: account, measurement, work."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, TypeVar

from grounding_assets.core.annotation.teacher import Teacher
from grounding_assets.core.budget.grants import Grants
from grounding_assets.core.budget.opening import open_account
from grounding_assets.core.errors import BoxesInDoubt, RunStopped
from grounding_assets.core.spec.settings import Spec
from grounding_assets.core.steps import Step
from resources.credentials import Credentials
from resources.vlm.control import BoxControl
from resources.vlm.measurements import Measurements
from resources.vlm.resource import (
    build_teacher,
    endpoint_of,
    make_sure_of_boxes,
)
from resources.vlm.teacher import VlmTeacher

T = TypeVar("T")


async def work_with_teacher(
    spec: Spec,
    credentials: Credentials,
    results_dir: Path,
    work: Callable[[Teacher[Any]], Coroutine[Any, Any, T]],
    notice: Callable[[str], None],
    warn: Callable[[str], None],
    grants: Grants | None = None,
) -> T:
    """Makes a teacher, makes sure of its boxes, runs `work(teacher)` and closes it.

    `notice` is told what the user should know about the endpoint, `warn` what makes all results doubtful.
    """
    measurements = Measurements(results_dir)
    known = measurements.find(*endpoint_of(spec))
    learned = known.manners if known else None
    local = spec.vlm.backend == "local"
    with nullcontext() if local else open_account(spec, results_dir, notice, grants) as account:
        teacher = build_teacher(spec, credentials, learned, account, notice)
        try:
            # without an endpoint, the first job measures: see `batch.cards`
            is_asked = spec.vlm.batch.mode != "file" and Step.GROUNDING in spec.workflow.run_steps
            if spec.vlm.measure and is_asked:
                follows = await make_sure_of_boxes(spec, teacher, measurements)
                if follows.text:
                    (warn if follows.kind == "warns" else notice)(follows.text)
                control = _control(spec, teacher, measurements)
                if control is not None:
                    return await _controlled(control, lambda: work(teacher), notice, warn)
            return await work(teacher)
        finally:
            await teacher.aclose()


def _control(spec: Spec, teacher: Teacher[Any], measurements: Measurements) -> BoxControl | None:
    """None if nothing was measured to go by, or batch jobs answer, hours after they were asked."""
    measured = measurements.find(*endpoint_of(spec))
    if spec.vlm.batch.is_on or measured is None or measured.convention is None:
        return None
    assert isinstance(teacher, VlmTeacher)
    return BoxControl(teacher, measurements, measured)


async def _controlled(
    control: BoxControl,
    work: Callable[[], Coroutine[Any, Any, T]],
    notice: Callable[[str], None],
    warn: Callable[[str], None],
) -> T:
    """Works, and confirms meanwhile and afterwards that boxes are read right; raises BoxesInDoubt if they are not."""
    if control.is_due:
        await control.confirm(notice, after_calls=False)
    watch = asyncio.create_task(control.watch(notice))
    try:
        result = await work()
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
    try:
        await control.confirm(warn)
    except BoxesInDoubt:
        raise
    except RunStopped as stop:
        warn(f"Whether boxes are still written as measured could not be told at the end: {stop}")
    return result
