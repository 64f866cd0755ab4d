"""Texts of others in the Markdown that Dagster's pages show."""

import re

from grounding_assets.core.errors import visible

_MOST_CHARACTERS = 300


def code_span(text: str) -> str:
    """A code span of any text, cut if it is long: on one line, and shown as it is."""
    text = " ".join(visible(text[:_MOST_CHARACTERS]).split())
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {text} {fence}" if longest else f"`{text}`"
