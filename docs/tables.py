"""Writes the tables of the pages that would otherwise rot: `python -m docs.tables`.

The settings come from the spec's own fields, the families from the table that chooses them. A test compares
the pages with what this writes. The text around the tables is written by hand.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from grounding_assets.core.annotation.calls import Trouble
from grounding_assets.core.images.image_policy import ImagePolicy
from grounding_assets.core.spec.settings import Spec
from resources.vlm.families import FAMILIES, UNKNOWN, Family
from resources.vlm.policy import CONSEQUENCES
from resources.vlm.refusals import SIGNS, Sign

PAGES = Path(__file__).resolve().parent
_YAML_END = "\n...\n"
_LIMITS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
MARK = "docs/tables.py"
_END = "<!-- end -->\n"


def settings() -> Iterator[str]:
    """One table a section of the spec: name, default, what is allowed, meaning."""
    yield from _section(Spec, Spec.model_construct(results_dir="???"), "")


def _section(model: type[BaseModel], values: BaseModel, prefix: str) -> Iterator[str]:
    sections = {name: value for name, value in values if isinstance(value, BaseModel)}
    plain = {name: field for name, field in model.model_fields.items() if name not in sections}
    if plain:
        title = f"`{prefix[:-1]}`" if prefix else "Top level"
        yield f"### {title}\n\n{(model.__doc__ or '').strip().splitlines()[0]}\n\n"
        yield from rows_of(
            ("Field", "Default", "Allowed", "Meaning"),
            (
                (f"`{prefix}{name}`", _default(getattr(values, name)), _allowed(field), _meaning(field))
                for name, field in plain.items()
            ),
        )
        yield "\n"
    for name, value in sections.items():
        yield from _section(type(value), value, f"{prefix}{name}.")


def _default(value: Any) -> str:
    if value == "???":
        return "required"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    shown = list(value) if isinstance(value, tuple) else value
    text = yaml.safe_dump(shown, default_flow_style=True, width=1000)
    return f"`{text.removesuffix(_YAML_END).strip()}`"


def _allowed(field: FieldInfo) -> str:
    annotation, listed = field.annotation, ""
    if get_origin(annotation) is tuple:
        annotation, listed = get_args(annotation)[0], "list of "
    if get_origin(annotation) is Literal:
        return listed + ", ".join(f"`{choice}`" for choice in get_args(annotation))
    if annotation is bool:
        return "`true`, `false`"
    limits = [
        f"{word} {getattr(limit, name):,}"
        for limit in field.metadata
        for name, word in _LIMITS.items()
        if getattr(limit, name, None) is not None
    ]
    patterns = [f"matches `{limit.pattern}`" for limit in field.metadata if getattr(limit, "pattern", None)]
    kind = {int: "whole number", float: "number"}.get(annotation or object, "")
    return ", ".join(filter(None, [kind, *limits, *patterns])).replace("|", "\\|")


def _meaning(field: FieldInfo) -> str:
    return " ".join((field.description or "").split()).replace("|", "\\|")


def families() -> Iterator[str]:
    """What the project does for each model family."""
    plain = ImagePolicy()
    yield from rows_of(
        ("Family", "Model name contains", "Boxes are read as", "Key asked for", "Reply", "Image is sent"),
        (
            (
                f"`{family.name}`",
                f"`{family.pattern}`".replace("|", "\\|") if family.pattern else "(any other)",
                _read_as(family),
                f"`{family.box_key}`" if not family.native and not family.refusal else "",
                _reply(family),
                _image(family.image, plain),
            )
            for family in (*FAMILIES, UNKNOWN)
        ),
    )


def _read_as(family: Family) -> str:
    if family.refusal:
        return "refused for step 1" if family.sees else "refused: takes no pictures"
    return f"`{family.convention}`" if family.is_sure else "as measured"


def _reply(family: Family) -> str:
    if family.refusal:
        return "points" if family.sees else ""
    form = (
        "JSON schema" if family.structure == "schema" else "special tokens" if family.native else "plain text"
    )
    return form + (", thinking off" if family.extra else "")


def _image(policy: ImagePolicy, plain: ImagePolicy) -> str:
    if policy == plain:
        return "up to 4096 px a side"
    parts = [f"at most {policy.max_pixels:,} pixels"]
    if policy.max_side_px != plain.max_side_px:
        parts.append(f"{policy.max_side_px} px a side")
    if policy.multiple_of > 1:
        parts.append(f"sides multiples of {policy.multiple_of}")
    return ", ".join(parts)


def troubles() -> Iterator[str]:
    """What each answer of an endpoint is taken for, in the order in which it is asked."""
    yield from rows_of(
        ("The endpoint answers", "Trouble", "A sample that fails by it is"),
        ((sign.when, sign.trouble.value, f"`{sign.reason}`" if _fails(sign) else "") for sign in SIGNS),
    )


def _fails(sign: Sign) -> bool:
    return sign.trouble in (Trouble.REQUEST, Trouble.SAMPLE, Trouble.SAMPLE_OR_ACCOUNT, Trouble.PASSING)


def consequences() -> Iterator[str]:
    """What follows from each trouble."""
    yield from rows_of(
        ("Trouble", "Before anything has worked", "Afterwards"),
        ((trouble.value, row.before_success, row.after_success) for trouble, row in CONSEQUENCES.items()),
    )


def rows_of(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table."""
    yield f"| {' | '.join(head)} |\n|{'---|' * len(head)}\n"
    for row in rows:
        yield f"| {' | '.join(row)} |\n"


TABLES: Sequence[tuple[str, str, Callable[[], Iterator[str]]]] = (
    ("configuration.md", MARK, settings),
    ("models.md", MARK, families),
    ("errors.md", MARK, troubles),
    ("errors.md", f"{MARK}, consequences", consequences),
)
"""Page, mark, table."""


def with_table(page: str, table: str, mark: str = MARK) -> str:
    """The page with what stands between the marks replaced; raises ValueError where there are none."""
    begin = f"<!-- written by {mark} -->\n"
    before, _, rest = page.partition(begin)
    _, found, after = rest.partition(_END)
    if not found:
        raise ValueError(f"the page has no marks for a table written by {mark}")
    return f"{before}{begin}\n{table.strip()}\n\n{_END}{after}"


if __name__ == "__main__":
    for name, mark, table in TABLES:
        page = PAGES / name
        page.write_text(
            with_table(page.read_text(encoding="utf-8"), "".join(table()), mark), encoding="utf-8"
        )
