"""Writes the report: one HTML file that holds its photos, rows, style and script and asks for nothing else.

What may run is pinned by hashes in the page's own policy; rows are JSON that cannot end its element.
Which rows there are and how photos look is decided in `choice`, `rows` and `thumbnails`.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from grounding_assets.core.dataset.choice import SeededChoice
from grounding_assets.core.files import replacing
from grounding_assets.core.images.locations import ImageLocation
from grounding_assets.core.report.doubt import FILTERS, RULES
from grounding_assets.core.report.evaluation_plots import FEW
from grounding_assets.core.report.figures import Figures
from grounding_assets.core.report.gold_section import GoldSection
from grounding_assets.core.report.palette import INK, PALETTE
from grounding_assets.core.report.rows import Row, named_line, row_of_failure, row_of_record
from grounding_assets.core.report.summary import PLOT_SIZE, fact, facts, plots, reasons
from grounding_assets.core.report.thumbnails import PhotoSize, fitting_size, small_photos
from grounding_assets.core.review.judged import sample_id_of
from grounding_assets.core.review.reviews import Reviews
from grounding_assets.core.review.shown_marks import shown_marks
from grounding_assets.core.spec.settings import ReportSpec

_WEB = files("grounding_assets.core.report") / "web"
_SCRIPTS = ("dom.js", "caption.js", "card.js", "marks.js", "editing.js", "selection.js", "app.js")
_ROWS_PER_CHUNK = 500
_EARLY_PHOTOS = 24
"""Photos that stand before the script, so that the first screen is whole while the rest is still read."""
_PHOTO_BUDGET_BYTES = 100_000_000
"""About what all photos together may weigh as JPEG; a third more in the file. Beyond it they are made
smaller. 10,000 photos then have some 300 pixels a side, and the page opens in under 3 seconds."""
_SCRIPT_SAFE = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """What the page holds."""

    samples: int
    """Samples shown, failed ones included."""
    photo_px: int
    """Longer side of its photos in pixels, at most."""
    size_bytes: int
    figures: Figures
    """Over all lines, shown or not."""


def write_report(
    records: Iterable[Mapping[str, Any]],
    failures: Iterable[Mapping[str, Any]],
    image_file: Callable[[str], ImageLocation],
    out: Path,
    *,
    title: str,
    summary: Mapping[str, Any],
    settings: ReportSpec,
    seed: int = 0,
    gold: GoldSection | None = None,
    reviews: Reviews | None = None,
) -> WrittenReport:
    """Writes `out`, replacing it once the new page is whole.

    `records` are lines of `annotations.jsonl`, `failures` of `failures.jsonl`; both are read once, and
    only what the page shows is kept. A record may carry `sample_id`, which tells records without
    expressions apart. Input order is that of the records, then that of the failures. `image_file` gives
    the file of an `image_path`; a photo that cannot be read is shown as a reason. `summary` holds further
    facts, label to value, that are shown unchanged; `seed` chooses the samples of a set with more than
    `settings.max_samples`; `gold` is what was measured of these records, `reviews` what reviewers said of them before.

    Raises `InputError` for a line that is not an annotation, `OSError` if `out` cannot be written.
    """
    figures, chosen = _chosen(records, failures, settings.max_samples or None, seed, reviews or Reviews())
    photo_of_path = {path: position for position, path in enumerate(dict.fromkeys(p for p, _ in chosen))}
    paths = [image_file(path) for path in photo_of_path]
    size = fitting_size(paths, settings.thumbnail_px, _PHOTO_BUDGET_BYTES)
    photos = _photos(paths, size)
    total = figures.lines + figures.failures.total()
    page = _template().generate(
        title=title,
        policy=_policy(_style(), _script()),
        style=Markup(_style()),
        script=Markup(_script()),
        total=total,
        seed=seed if len(chosen) < total else None,
        shown=len(chosen),
        facts=facts(figures) + [(label, fact(value)) for label, value in summary.items()],
        reasons=reasons(figures),
        plots=plots(figures),
        plot_size=PLOT_SIZE,
        gold=gold,
        few=FEW,
        made_by=figures.made_by.most_common(5),
        filters=FILTERS,
        rules=RULES,
        page_config=_page_config(title, size, [photo_of_path[path] for path, _ in chosen]),
        row_chunks=_chunks([row for _, row in chosen]),
        early_photos=islice(photos, _EARLY_PHOTOS),
        photos=photos,
    )
    return WrittenReport(len(chosen), size.longest_px, _write(page, out), figures)


def _chosen(
    records: Iterable[Mapping[str, Any]],
    failures: Iterable[Mapping[str, Any]],
    max_samples: int | None,
    seed: int,
    reviews: Reviews,
) -> tuple[Figures, list[tuple[str, str]]]:
    """Figures over all lines; path of the photo and row as JSON of each line that the page shows."""
    figures = Figures()
    choice: SeededChoice[tuple[str, str]] = SeededChoice(max_samples, seed)
    for record in records:
        with named_line(record):
            key = [sample_id_of(record), record["image_path"], record["caption"]]
            choice.offer(
                json.dumps(key), lambda line=record: _shown(row_of_record(line, shown_marks(reviews, line)))
            )
            figures.observe(record)
    for failure in failures:
        with named_line(failure):
            choice.offer(
                json.dumps(["failed", failure["sample_id"]]),
                lambda line=failure: _shown(row_of_failure(line)),
            )
            figures.observe_failure(failure)
    return figures, choice.chosen()


def _page_config(title: str, size: PhotoSize, photos: Sequence[int]) -> Markup:
    """What the script has to know; `photos` are positions, one a row."""
    return _script_json({"title": title, "hues": len(PALETTE), "photo_px": size.longest_px, "photos": photos})


def _write(page: Iterable[str], out: Path) -> int:
    """Replaces `out`; returns its size in bytes."""
    with replacing(out) as stream:
        for part in page:
            stream.write(part.encode("utf-8", "xmlcharrefreplace"))
        return stream.tell()


def _shown(row: Row) -> tuple[str, str]:
    """The photo's path and the row as JSON."""
    return row["path"], _script_json(row)


def _photos(paths: Sequence[ImageLocation], size: PhotoSize) -> Iterator[dict[str, Any]]:
    for position, photo in enumerate(small_photos(paths, size)):
        yield {
            "position": position,
            "size": "{} {}".format(*photo.image_size) if photo.image_size else "",
            "trouble": photo.trouble,
            "base64": Markup(b64encode(photo.jpeg).decode("ascii")),
        }


def _chunks(rows: Sequence[str]) -> Iterator[Markup]:
    for start in range(0, len(rows), _ROWS_PER_CHUNK):
        yield Markup("[" + ",\n".join(rows[start : start + _ROWS_PER_CHUNK]) + "]")


def _script_json(value: Any) -> Markup:
    """JSON in ASCII without `<`, `>` and `&`: no text in it can end a script element or start a comment."""
    return Markup(json.dumps(value, allow_nan=False, separators=(",", ":")).translate(_SCRIPT_SAFE))


def _style() -> str:
    hues = "".join(f"--hue-{position}:{colour};" for position, colour in enumerate(PALETTE))
    return f":root{{{hues}--hue-ink:{INK}}}\n{(_WEB / 'report.css').read_text(encoding='utf-8')}"


def _script() -> str:
    parts = ((_WEB / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    return '"use strict";\n{\n' + "\n".join(parts) + "}\n"


def _policy(style: str, script: str) -> str:
    """Content security policy: this style, this script, inline pictures, nothing from anywhere."""
    pins = {
        name: f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
        for name, text in (("style-src", style), ("script-src", script))
    }
    rules = {
        "default-src": "'none'",
        "img-src": "data:",
        **pins,
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string((_WEB / "report.html.j2").read_text(encoding="utf-8"))
