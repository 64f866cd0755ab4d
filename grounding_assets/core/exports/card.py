"""The data set card of an export: what is in it, who made it, what was left out. Markdown.

Whatever comes from records is untrusted and stands in code spans.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from grounding_assets.core.exports.report import ExportReport

CARD = "README.md"
_DEMO_WARNING = """> **Demonstration data.** {samples:,} of the samples were annotated by the embedded \
demonstration teacher, which
> knows 80 kinds of things and is there to try the pipeline out. Do not train on them.
"""


def render_card(report: ExportReport) -> str:
    """The card of an export that is written, without a statement on its licence: that is the user's."""
    parts = [f"# Phrase grounding annotations ({report.fmt})\n"]
    if report.demo_samples:
        parts.append(_DEMO_WARNING.format(samples=report.demo_samples))
    parts += [
        f"Captions, referring expressions and boxes, annotated by a model and {_checked(report)}.\n",
        "## Contents\n",
        _table(
            ("Split", "Images", "Samples", "Expressions", "Boxes"),
            (
                (_code(name), f"{c.images:,}", f"{c.samples:,}", f"{c.expressions:,}", f"{c.boxes:,}")
                for name, c in report.splits.items()
            ),
        ),
        f"Images were dealt out by a hash of the seed ({report.settings.seed}) and their path, in the shares "
        + ", ".join(f"{_code(name)} {share:g}" for name, share in report.settings.fractions.items())
        + ". No image is in two splits.\n",
        "## Made by\n",
        _origins(report),
        "## Settings\n",
        _table(
            ("Setting", "Value"),
            ((_code(name), _code(str(value))) for name, value in report.filters().items()),
        ),
        "## Left out\n",
        _counts(report.left_out),
        *(("## Reviewed\n", _counts(report.reviewed)) if any(report.reviewed.values()) else ()),
        "## Worth knowing\n",
        "".join(f"Split {_code(name)} is empty.\n\n" for name in report.empty_splits) + _counts(report.notes),
        "## Licence\n",
        "Not stated. Fill in the licences of the images and of the captions, and the terms of the model "
        "that annotated them.\n",
    ]
    return "\n".join(parts)


def _origins(report: ExportReport) -> str:
    origins = report.origins
    if not origins.counts:
        return "The records do not say.\n"
    table = _table(
        ("Step", "Backend", "Model", "Prompt version", "Settings", "Samples"),
        ((*(_code(words) for words in origin), f"{n:,}") for origin, n in sorted(origins.counts.items())),
    )
    rest = f"\n{origins.unlisted:,} more were made with yet other settings.\n" if origins.unlisted else ""
    return table + rest


def _checked(report: ExportReport) -> str:
    """How far people looked at it, for the first sentence."""
    said = any(report.reviewed.values()) or any(
        n for what, n in report.left_out.items() if "a reviewer" in what
    )
    return "checked by people in part: see Reviewed and Left out" if said else "not checked by people"


def _counts(counts: Mapping[str, int]) -> str:
    rows = [(what, f"{count:,}") for what, count in sorted(counts.items()) if count]
    return _table(("What", "How many"), rows) if rows else "Nothing.\n"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _code(words: str) -> str:
    """A code span that holds any text: one line, a longer fence than the backticks inside."""
    words = " ".join(words.split()).replace("|", "\\|")[:500]
    longest = max((len(run) for run in re.findall("`+", words)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {words} {fence}" if longest else f"`{words}`"
