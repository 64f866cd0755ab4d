"""The command over a project, in this process, and what its exports hold."""

from typing import Any

import pyarrow.parquet

from grounding_assets.cli import main
from tests.doors.project import Project


def command(project: Project, name: str, *words: str) -> int:
    return main([name, "-e", str(project.spec), "-r", str(project.results), *words])


def exported(project: Project) -> dict[str, list[list[int]]]:
    """Boxes by the expression's id."""
    assert command(project, "export", "format=parquet", "min_score=0") == 0
    table = pyarrow.parquet.read_table(project.results / "exports" / "parquet" / "train.parquet")
    return {
        expression["expression_id"]: [instance["bbox"] for instance in expression["instances"]]
        for row in table.to_pylist()
        for expression in row["expressions"]
    }


def with_phrases(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those with two boxed expressions of different texts at least."""
    return [line for line in lines if len({e["text"] for e in line["expressions"] if e["instances"]}) >= 2]
