"""`auto_label` over a project's folder in forked processes, to be signalled, limited and killed."""

from collections.abc import Mapping
from typing import Any

from tests.doors.project import Project
from tests.forked import HOST, PATIENCE_S, Ended, Forked

__all__ = ["HOST", "Ended", "Run", "generate", "generating"]


class Run(Forked):
    """One command of a project under way."""

    def __init__(
        self, project: Project, *arguments: str, environment: Mapping[str, str] | None = None, **options: Any
    ):
        super().__init__(
            project.folder, {**project.environment, **(environment or {})}, *arguments, **options
        )


def generating(project: Project, *overrides: str, **options: Any) -> Run:
    """`auto_label generate` under way."""
    return Run(project, "generate", "-e", "spec.yaml", *overrides, **options)


def generate(project: Project, *overrides: str, within_s: float = PATIENCE_S, **options: Any) -> Ended:
    """`auto_label generate`, to its end."""
    with generating(project, *overrides, **options) as run:
        return run.ended(within_s)
