"""The documentation, compared with what it speaks of: settings, families, messages, links and commands."""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path

import pytest
import yaml

from docs.tables import PAGES, TABLES, with_table
from grounding_assets.cli import command_parser
from grounding_assets.core.errors import Reason
from grounding_assets.core.spec.loading import field_names, validate_spec
from tests.corpus import PROJECT

DOCUMENTS = sorted([*PROJECT.glob("*.md"), *PAGES.glob("*.md")])
CODE_SPAN = re.compile(r"`([^`\n]+)`")


@pytest.mark.parametrize(
    ("name", "mark", "table"), TABLES, ids=lambda value: getattr(value, "__name__", None)
)
def test_generated_tables_are_up_to_date(name: str, mark: str, table: Callable[[], Iterator[str]]) -> None:
    page = (PAGES / name).read_text(encoding="utf-8")
    assert page == with_table(page, "".join(table()), mark), "run: python -m docs.tables"


def test_every_setting_is_on_the_page() -> None:
    named = set(CODE_SPAN.findall((PAGES / "configuration.md").read_text(encoding="utf-8")))
    assert not set(field_names()) - named


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_spec_on_a_page_is_one(document: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)
    for block in blocks:
        tree = yaml.safe_load(block)
        # the others are pieces of one, introduced by the text before them
        if "image_grounding" in tree:
            validate_spec({"results_dir": "r", **tree}, where=document.name)


def test_every_reason_of_a_failure_is_explained() -> None:
    rows = _first_columns((PAGES / "errors.md").read_text(encoding="utf-8"))
    assert {str(reason) for reason in Reason} <= set(chain.from_iterable(map(CODE_SPAN.findall, rows)))


def test_the_messages_on_the_page_are_those_of_the_code() -> None:
    rows = _first_columns((PAGES / "errors.md").read_text(encoding="utf-8"))
    quoted = [span for row in rows for span in CODE_SPAN.findall(row) if " " in span and "<" not in span]
    assert len(quoted) > 50
    known = "\n".join(_messages())
    missing = [message for message in quoted if message not in known]
    assert not missing


def _first_columns(page: str) -> Iterator[str]:
    """Of all tables but TAO's, whose first column quotes TAO."""
    for section in page.split("\n## "):
        if not section.startswith("TAO"):
            yield from (line.split(" | ")[0] for line in section.splitlines() if line.startswith("| "))


@cache
def _messages() -> tuple[str, ...]:
    """The texts in the code, with … for every value that is filled in."""
    files = chain(PROJECT.glob("grounding_assets/**/*.py"), PROJECT.glob("resources/**/*.py"))
    trees = (ast.parse(file.read_text(encoding="utf-8")) for file in files)
    return tuple(_text(node) for tree in trees for node in ast.walk(tree))


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    local = [target for target in targets if not target.startswith(("http:", "https:", "mailto:"))]
    assert [target for target in local if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    code = "\n".join(CODE_SPAN.findall(text) + re.findall(r"```(?:bash)?\n(.*?)```", text, re.DOTALL))
    targets = set(re.findall(r"^make ([a-z-]+)", code, re.MULTILINE))
    assert targets <= set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    commands = set(re.findall(r"^(?:auto_label) ([a-z_]+)", code, re.MULTILINE))
    assert commands <= set(re.findall(r"^    ([a-z_]+)\b", command_parser().format_help(), re.MULTILINE))
    modules = set(re.findall(r"python -m ((?:tests|bench|docs)[\w.]*)", code))
    assert not [m for m in modules if not _is_module(PROJECT / m.replace(".", "/"))]


def test_the_map_shows_the_layers_that_are_enforced() -> None:
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    enforced = [layer for contract in contracts for layer in contract.get("layers", ())]
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    page = text[text.index("grounding_assets/ ") : text.index("resources/ ")]
    shown = [re.split(r"  +", line.strip())[0] for line in page.splitlines()[1:]]
    # core is a layer of one contract, and the container of the other
    assert [layer for layer in shown if layer != "core/"] == [layer for layer in enforced if layer != "core"]


def _is_module(path: Path) -> bool:
    return path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()
