"""Every package that is imported is declared, and every declared one has a version in constraints.txt."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest

from tests.corpus import PROJECT

OWN = {"grounding_assets", "resources", "tests", "bench", "docs"}
DECLARED = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = {name: needs for name, needs in DECLARED["optional-dependencies"].items() if name != "dev"}
RUN_TIME = [*DECLARED["dependencies"], *chain.from_iterable(EXTRAS.values())]
DEVELOPMENT = DECLARED["optional-dependencies"]["dev"]


def normalized(requirement: str) -> str:
    """The name of a requirement such as `openai[aiohttp]>=3`, as indexes compare names."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=~!; ]", requirement, maxsplit=1)[0]).lower()


def imported(folder: Path) -> Iterator[str]:
    """Top-level names that the files below `folder` import."""
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.split(".")[0]


@pytest.mark.parametrize(
    ("folders", "declared"),
    [
        (("grounding_assets", "resources"), RUN_TIME),
        (("tests", "bench", "docs"), [*RUN_TIME, *DEVELOPMENT]),
    ],
    ids=["the package", "its tests"],
)
def test_what_is_imported_is_declared(folders: tuple[str, ...], declared: list[str]) -> None:
    names = set(chain.from_iterable(imported(PROJECT / folder) for folder in folders))
    names -= OWN | set(sys.stdlib_module_names) | {"_typeshed"}  # which type checkers bring
    assert len(names) > 10
    known, provided_by = set(map(normalized, declared)), packages_distributions()
    # a namespace such as `google` is provided by several
    undeclared = {name for name in names if not known & set(map(normalized, provided_by.get(name, ())))}
    assert undeclared == set()


def test_what_is_declared_has_a_version() -> None:
    constraints = (PROJECT / "constraints.txt").read_text(encoding="utf-8").split()
    pinned = {normalized(line) for line in constraints}
    assert {normalized(r) for r in [*RUN_TIME, *DEVELOPMENT]} <= pinned
    assert all(re.fullmatch(r"[\w.-]+==[\w.+!-]+", line) for line in constraints)
