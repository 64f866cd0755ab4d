"""A teacher from its making to its closing: account, measurement, work."""

from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeVar

from grounding_assets.core.annotation.teacher import Teacher
from grounding_assets.core.budget.grants import Grants
from grounding_assets.core.budget.opening import open_account
from grounding_assets.core.spec.settings import Spec
from grounding_assets.core.steps import Step
from resources.credentials import Credentials
from resources.vlm.measurements import Measurements
from resources.vlm.resource import base_url, build_teacher, make_sure_of_boxes, model_name

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
    known = measurements.find(spec.vlm.backend, base_url(spec), model_name(spec))
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
            return await work(teacher)
        finally:
            await teacher.aclose()
