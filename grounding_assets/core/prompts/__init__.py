"""The prompts, as versioned template files. A changed template changes the version that results carry.

Captions and expressions are untrusted text: they enter as JSON string literals between tags that
they cannot close, and the constant instructions say that they are data. Imports `records` only.
"""

import hashlib
import json
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from grounding_assets.core.records import Expression

_ENVIRONMENT = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)


@cache
def _template(name: str) -> tuple[Template, str]:
    source = files(__name__).joinpath(f"{name}.j2").read_text(encoding="utf-8")
    digest = hashlib.sha256(source.encode("utf-8")).hexdigest()[:8]
    return _ENVIRONMENT.from_string(source), f"{name}@{digest}"


def render(name: str, **values: Any) -> str:
    """The text of template `name`; a missing value is an error."""
    return _rendered(name, tuple(sorted(values.items())))


@lru_cache(maxsize=256)
def _rendered(name: str, values: tuple[tuple[str, Any], ...]) -> str:
    # instructions differ only by the size of the photo and what the family is told
    return _template(name)[0].render(dict(values)).strip()


def version(name: str) -> str:
    """Name and digest of the template file, such as `ground@1f0c22ab`."""
    return _template(name)[1]


def caption_text(caption: str) -> str:
    """Step 0's varying text."""
    return f"<caption>{_literal(caption)}</caption>"


def expressions_text(caption: str, expressions: Sequence[tuple[str, Expression]]) -> str:
    """Step 1's varying text; `expressions` are (id within this request, expression)."""
    rows = [{"id": name, "text": expression.text} for name, expression in expressions]
    return f"<caption>{_literal(caption)}</caption>\n<expressions>{_literal(rows)}</expressions>"


def box_question(caption: str, expression: str, colour: str) -> str:
    """Step 2's varying text about one box."""
    return (
        f"<caption>{_literal(caption)}</caption>\n<expression>{_literal(expression)}</expression>\n"
        f"<box_colour>{_literal(colour)}</box_colour>"
    )


def expression_question(caption: str, expression: str, colour: str, boxes: int) -> str:
    """Step 2's varying text about one expression and all of its boxes."""
    return f"{box_question(caption, expression, colour)}\n<boxes_drawn>{boxes}</boxes_drawn>"


def _literal(value: Any) -> str:
    # "</" cannot occur in what it encloses, so no caption can close the tag
    return json.dumps(value, ensure_ascii=False).replace("</", "<\\/")
