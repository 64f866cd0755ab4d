"""An annotator over a small data set, for its tests."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from grounding_assets.core.annotation.annotator import Annotator
from grounding_assets.core.dataset.workspace import Workspace
from tests.core.workspaces import BOTH, Outcomes, RuleTeacher


def caption(number: int) -> str:
    return f"a cat {number} near two dogs and a tree"


def within(seconds: float, work: Coroutine[Any, Any, Any]) -> Any:
    """Runs it, failing rather than hanging."""

    async def limited() -> Any:
        async with asyncio.timeout(seconds):
            return await work

    return asyncio.run(limited())


def annotator(workspace: Workspace, teacher: RuleTeacher, outcomes: Outcomes, **options: Any) -> Annotator:
    return Annotator(workspace, teacher, outcomes, **{"max_workers": 4, **options})


def everything(workspace: Workspace) -> Any:
    return workspace.pending(workspace.samples.ids, BOTH)
