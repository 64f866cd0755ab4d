"""A teacher from its making to its closing: account, measurement, work."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from grounding_assets.core.annotation.teacher import Teacher
from grounding_assets.core.budget.grants import Grants
from grounding_assets.core.budget.opening import open_account
from grounding_assets.core.errors import BoxesInDoubt, GroundingError, Interrupted, RunStopped, SampleFailure
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
_LAST_CARD_S = 300.0
"""Patience with the last card, in seconds: all samples are done, and only the endpoint may have gone."""


def not_told(why: object) -> str:
    """What a user is told if no card was answered."""
    return f"Whether boxes are still written as measured could not be told: {why}"


async def work_with_teacher(
    spec: Spec,
    credentials: Credentials,
    results_dir: Path,
    work: Callable[[Teacher[Any]], Coroutine[Any, Any, T]],
    notice: Callable[[str], None],
    warn: Callable[[str], None],
    grants: Grants | None = None,
    *,
    confirms: bool = False,
) -> T:
    """Makes a teacher, makes sure of its boxes, runs `work(teacher)` and closes it.

    `confirms`: results that were stored earlier wait for a card that confirms them.

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
                control = _control(spec, teacher, results_dir)
                if control is not None:
                    return await controlled(control, lambda: work(teacher), warn, confirms=confirms)
            return await work(teacher)
        finally:
            await teacher.aclose()


def _control(spec: Spec, teacher: Teacher[Any], results_dir: Path) -> BoxControl | None:
    """None if nothing was measured to go by, or batch jobs answer, hours after they were asked."""
    measurements = Measurements(results_dir)
    measured = measurements.find(*endpoint_of(spec))
    if spec.vlm.batch.is_on or measured is None or measured.convention is None:
        return None
    assert isinstance(teacher, VlmTeacher)
    return BoxControl(teacher, measurements, measured, results_dir)


async def controlled(
    control: BoxControl,
    work: Callable[[], Coroutine[Any, Any, T]],
    warn: Callable[[str], None],
    *,
    confirms: bool,
) -> T:
    """Works, and confirms meanwhile and afterwards that boxes are read right; at once if it `confirms` earlier results.

    Raises:
        BoxesInDoubt: they are not.
    """
    if confirms or control.is_due:
        with _telling(warn, SampleFailure):
            async with asyncio.timeout(_LAST_CARD_S if confirms else None):
                await control.confirm()
    with control.boxes_are_made():
        watch = asyncio.create_task(control.watch())
        try:
            result = await work()
        finally:
            watch.cancel()
            (end,) = await asyncio.gather(watch, return_exceptions=True)
            if isinstance(end, BoxesInDoubt):
                # also if nobody asked the stopped teacher again, or somebody stopped the run meanwhile
                raise end
        if isinstance(end, Exception):
            raise end
    if control.lacks_confirmation:
        with _telling(warn, SampleFailure, RunStopped):
            async with asyncio.timeout(_LAST_CARD_S):
                await control.confirm()
    return result


@contextmanager
def _telling(warn: Callable[[str], None], *troubles: type[GroundingError]) -> Iterator[None]:
    """What keeps a card from being answered is told; a doubt and a signal are not of that kind."""
    try:
        yield
    except (BoxesInDoubt, Interrupted):
        raise
    except TimeoutError:
        warn(not_told(f"no answer within {_LAST_CARD_S:g} s."))
    except troubles as trouble:
        warn(not_told(trouble))
