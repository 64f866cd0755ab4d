"""The data set card of an export: what is in it, who made it, what was left out. Markdown.

Whatever comes from records is untrusted and stands in code spans.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from grounding_assets.core.exports.report import ExportReport
from grounding_assets.core.spec.export_settings import ExportFormat

CARD = "README.md"
CHAT_FORMATS = ("ms_swift", "qwen_vl", "llama_factory")
SOURCES: Mapping[ExportFormat, str] = {
    "odvg": "the loaders of mmdetection 3.3.0 and Open-GroundingDino d248268 (27 July 2025)",
    "odvg_detection": "the loaders of mmdetection 3.3.0 and Open-GroundingDino d248268 (27 July 2025)",
    "mdetr": "the loaders of MDETR ea09acc, GLIP 9dda955 and mmdetection 3.3.0 (`Flickr30kDataset`)",
    "coco": "cocodataset.org/#format-data",
    "flickr30k_entities": "the data set's own reader, as in MDETR ea09acc",
    "parquet": "pyarrow",
    "ms_swift": "ms-swift's documentation at 3602360 (22 August 2026), release 4.6.0",
    "qwen_vl": "Qwen3-VL's qwen-vl-finetune at 9658872 (30 January 2026)",
    "llama_factory": "LLaMA-Factory's data/README.md at ff6d4d1 (18 August 2026), release 0.9.5",
}
"""The documents and programs that each format was written by."""
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
        "## Format\n",
        _format(report),
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


def _format(report: ExportReport) -> str:
    """Which documents it was written by, and what a reader has to know of its numbers."""
    lines = [f"Written by {SOURCES[report.fmt]}.\n"]
    if report.fmt in CHAT_FORMATS:
        lines.append(
            f"Task: {report.settings.task}. Images stand as in the annotations: set the folder that they start from.\n"
        )
    if report.fmt == "ms_swift":
        lines.append(
            "Boxes are pixels of the upright original; ms-swift makes the trained model's numbers of them.\n"
        )
    elif report.fmt in CHAT_FORMATS:
        lines.append(_numbers_of(report))
    return "\n".join(lines)


def _numbers_of(report: ExportReport) -> str:
    model = report.chat_model
    if not model.writes_pixels:
        return f"Boxes are {model.convention.name}, as the family {model.family} writes them.\n"
    cap = report.settings.max_pixels
    return (
        f"Boxes are pixels of the image as the family {model.family} sees it in training, resized by the trainer with "
        + (f"max_pixels {cap}" if cap else "its default max_pixels")
        + ": train with the same.\n"
    )


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
