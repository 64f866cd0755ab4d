"""Step 1 for captions that share a picture: their expressions are asked about together, identical ones once.

Each sample still has a result of its own. A request that fails for its reply is put again for each sample alone.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from grounding_assets.core.annotation.asking import current_asker
from grounding_assets.core.annotation.teacher import Teacher
from grounding_assets.core.dataset.workspace import PendingSample, Workspace
from grounding_assets.core.errors import Reason, RunStopped, SampleFailure
from grounding_assets.core.images.locations import ImageLocation
from grounding_assets.core.records import Expression, Extraction, Grounding
from grounding_assets.core.steps import Step

_OF_THE_REPLY = (Reason.UNPARSABLE, Reason.TRUNCATED, Reason.COORDINATES, Reason.REFUSED)
_FREE = {"calls": 0, "attempts": 0, "tokens_in": 0, "tokens_out": 0, "seconds": 0.0}


def extractions_first(workspace: Workspace, pending: Sequence[PendingSample]) -> list[PendingSample]:
    """Step 0 alone of the samples that lack it; what is redone keeps its old result until all steps are."""
    return [
        PendingSample(one.sample_id, (Step.EXTRACTION,))
        for one in pending
        if one.steps[0] is Step.EXTRACTION
        and len(one.steps) > 1
        and not any(workspace.is_to_redo(one.sample_id, step) for step in one.steps)
    ]


def after_extractions(
    workspace: Workspace, pending: Sequence[PendingSample], first: Sequence[PendingSample]
) -> list[PendingSample]:
    """What is left once `first` are through: not the later steps of those that failed."""
    begun = {one.sample_id for one in first}
    rest = []
    for one in pending:
        if one.sample_id not in begun:
            rest.append(one)
        elif workspace.is_done(one.sample_id, Step.EXTRACTION):
            rest.append(PendingSample(one.sample_id, one.steps[1:]))
    return rest


def sharing_groups(workspace: Workspace, pending: Sequence[PendingSample]) -> dict[str, tuple[str, ...]]:
    """By sample id, all samples of the same picture that wait for step 1 alone; two or more."""
    by_picture: dict[str, list[str]] = defaultdict(list)
    for one in pending:
        if one.steps[0] is Step.GROUNDING and not workspace.is_to_redo(one.sample_id, Step.GROUNDING):
            by_picture[workspace.samples.read(one.sample_id).image_path].append(one.sample_id)
    groups = (tuple(sample_ids) for sample_ids in by_picture.values() if len(sample_ids) > 1)
    return {sample_id: group for group in groups for sample_id in group}


class SharingTeacher:
    """See `core.annotation.teacher.Teacher`; another teacher is asked."""

    def __init__(self, teacher: Teacher[Any], workspace: Workspace, groups: Mapping[str, tuple[str, ...]]):
        """`groups` are those of `sharing_groups`."""
        self._teacher, self._workspace, self._groups = teacher, workspace, groups
        self._asked: dict[tuple[str, ...], asyncio.Task[Grounding]] = {}
        self._left: dict[tuple[str, ...], int] = {}

    @property
    def in_flight_limit(self) -> int | None:
        return self._teacher.in_flight_limit

    def prepare(self, image_file: ImageLocation) -> Any:
        return self._teacher.prepare(image_file)

    def stop(self, reason: RunStopped) -> None:
        self._teacher.stop(reason)

    async def aclose(self) -> None:
        """Leaves the other teacher open."""
        for task in self._asked.values():
            task.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)

    async def extract(self, image: Any, caption: str) -> Extraction:
        return await self._teacher.extract(image, caption)

    async def ground(self, image: Any, cleaned_caption: str, expressions: Sequence[Expression]) -> Grounding:
        asker = current_asker()
        group = self._groups.get(asker.sample_id) if asker is not None else None
        if group is None or not expressions:
            return await self._teacher.ground(image, cleaned_caption, expressions)
        is_first = group not in self._asked
        if is_first:
            self._asked[group] = asyncio.create_task(self._ask(image, group))
            self._left[group] = len(group)
        try:
            together = await asyncio.shield(self._asked[group])
        except SampleFailure as failure:
            if failure.reason not in _OF_THE_REPLY or failure.in_doubt:
                raise
            return await self._teacher.ground(image, cleaned_caption, expressions)
        finally:
            self._forget(group)
        shared = _part_of(together, expressions, is_first=is_first, captions=len(group))
        # edited since the group was asked
        return shared or await self._teacher.ground(image, cleaned_caption, expressions)

    async def _ask(self, image: Any, group: tuple[str, ...]) -> Grounding:
        captions, expressions = await asyncio.to_thread(self._extracted, group)
        return await self._teacher.ground(image, "\n".join(captions), tuple(expressions.values()))

    def _extracted(self, group: tuple[str, ...]) -> tuple[list[str], dict[str, Expression]]:
        store = self._workspace.step(Step.EXTRACTION).store
        found = [made for sample_id in group if (made := store.load(sample_id)) is not None]
        captions = list(dict.fromkeys(made.cleaned_caption for made in found if made.expressions))
        return captions, {one.text: one for made in reversed(found) for one in reversed(made.expressions)}

    def _forget(self, group: tuple[str, ...]) -> None:
        self._left[group] -= 1
        if not self._left[group]:
            self._asked.pop(group, None)


def _part_of(
    together: Grounding, expressions: Sequence[Expression], *, is_first: bool, captions: int
) -> Grounding | None:
    """What of a group's result is about these expressions; None if it is not about all of them."""
    by_text = {one.text: one for one in together.expressions}
    if not all(one.text in by_text for one in expressions):
        return None
    grounded = tuple(
        replace(
            one,
            instances=by_text[one.text].instances,
            grounding_status=by_text[one.text].grounding_status,
        )
        for one in expressions
    )
    # what the call took is told once
    provenance = {**together.provenance, "captions_asked_together": captions, **({} if is_first else _FREE)}
    return Grounding(grounded, provenance, together.replies)
