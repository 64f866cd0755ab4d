"""The written file, without a browser: what may run, what cannot break out, which samples are in it."""

import json
import re
import tracemalloc
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from grounding_assets.core.errors import InputError
from tests.report.generated import annotated, failure, record, records
from tests.report.showcase import (
    SCRIPT,
    showcase_failures,
    showcase_records,
    write,
    write_photos,
    write_showcase,
)

HOSTILE = '</script><script>x()</script><!--<script>" onerror="x()" \u2028\u2029 ]]> &lt; \x00 \ud800 🐕'


class Elements(HTMLParser):
    """All elements with their attributes, and the text of scripts and styles."""

    def __init__(self, page: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[dict[str, str | None], str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.raw.append((dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem:
            attributes, text = self.raw[-1]
            self.raw[-1] = attributes, text + data

    def rows(self) -> list[dict[str, Any]]:
        return [
            row
            for attributes, text in self.raw
            if attributes.get("class") == "rows"
            for row in json.loads(text)
        ]


def parsed(out: Path) -> Elements:
    return Elements(out.read_text(encoding="utf-8"))


def shown_ids(out: Path) -> list[str]:
    return [row["id"] for row in parsed(out).rows()]


def test_policy_pins_the_one_script_and_the_one_style(tmp_path: Path) -> None:
    page = parsed(write_showcase(tmp_path))
    policy = next(a["content"] for tag, a in page.elements if tag == "meta" and "http-equiv" in a)
    running = [text for attributes, text in page.raw if not attributes]
    pins = [f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in running]
    assert len(pins) == 2
    assert policy == (
        f"default-src 'none'; img-src data:; style-src {pins[0]}; script-src {pins[1]}; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def test_nothing_is_fetched_and_nothing_runs_from_attributes(tmp_path: Path) -> None:
    page = parsed(write_showcase(tmp_path))
    names = {name for _, attributes in page.elements for name in attributes}
    assert [
        name for name in names if name.startswith("on") or name in ("src", "srcset", "style", "action")
    ] == []
    assert [a["href"] for _, a in page.elements if "href" in a] == ["#samples"]


def test_hostile_text_stays_in_its_place(tmp_path: Path) -> None:
    hostile = annotated(HOSTILE, HOSTILE, [], {"step_0": {"model": HOSTILE, "backend": "b"}})
    hostile["sample_id"] = HOSTILE
    failed = failure(
        1, sample_id=HOSTILE + "!", message=HOSTILE, reason=HOSTILE, image_path=HOSTILE.replace("\x00", "")
    )
    plain, loaded = tmp_path / "plain.html", tmp_path / "loaded.html"
    write(plain, [annotated("a", "b", [], {"step_0": {"model": "m", "backend": "b"}})], [failure(1)])
    write(loaded, [hostile], [failed])
    shapes = [
        [(tag, sorted(attributes)) for tag, attributes in parsed(out).elements] for out in (plain, loaded)
    ]
    assert shapes[0] == shapes[1]
    rows = parsed(loaded).rows()
    assert [row["caption"] for row in rows] == [HOSTILE, failed["caption"]]
    assert rows[0]["id"] == HOSTILE
    assert rows[1]["failure"]["message"] == HOSTILE


def test_rows_are_plain_ascii_without_markup(tmp_path: Path) -> None:
    page = write_showcase(tmp_path).read_text(encoding="utf-8")
    chunks = re.findall(r'class="rows">(.*?)</script>', page, re.DOTALL)
    assert len(chunks) == 1
    assert chunks[0].isascii()
    assert not set("<>&") & set(chunks[0])
    assert SCRIPT in [row["caption"] for row in json.loads(chunks[0])]


def test_an_interrupted_report_leaves_the_old_one(tmp_path: Path) -> None:
    def breaking() -> Iterator[dict[str, Any]]:
        yield record(1)
        raise InputError("the rollup ended early")

    out = tmp_path / "report.html"
    write(out, records(2))
    before = out.read_bytes()
    with pytest.raises(InputError, match="ended early"):
        write(out, breaking())
    assert out.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("missing", ["expressions", "caption", "char_span", "bbox"])
def test_a_line_that_is_no_annotation_is_named(tmp_path: Path, missing: str) -> None:
    broken = record(7)
    broken.pop(missing, None)
    if missing == "caption":
        broken.pop("cleaned_caption")
    for expression in broken.get("expressions", ()):
        expression.pop(missing, None)
        for instance in expression["instances"]:
            instance.pop(missing, None)
    with pytest.raises(InputError, match="000007"):
        write(tmp_path / "report.html", [broken])


def test_only_what_is_shown_is_kept_in_memory(tmp_path: Path) -> None:
    write(tmp_path / "warm.html", records(10))
    tracemalloc.start()
    written = write(tmp_path / "report.html", records(3_000), max_samples=20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (written.samples, written.figures.lines) == (20, 3_000)
    assert peak < 4_000_000


def test_a_seeded_sample_depends_on_seed_and_samples_alone(tmp_path: Path) -> None:
    out = tmp_path / "report.html"

    def chosen(lines: list[dict[str, Any]], seed: int) -> list[str]:
        write(out, lines, [failure(n) for n in range(900, 950)], max_samples=60, seed=seed)
        return shown_ids(out)

    lines = list(records(400))
    first = chosen(lines, 1)
    assert len(first) == 60
    assert first == chosen(lines, 1) == sorted(first)
    assert set(chosen(lines[::-1], 1)) == set(first)
    assert set(chosen(lines, 2)) != set(first)
    assert any(sample_id >= "000900" for sample_id in first)
    assert "a random 60 (seed 2)" in out.read_text(encoding="utf-8")


def test_a_sample_on_two_lines_is_shown_once(tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    written = write(out, [record(1), record(2), record(1)])
    assert shown_ids(out) == ["000001", "000002"]
    assert written.figures.lines == 3


def test_captions_of_one_image_without_expressions_are_told_apart(tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    write(out, [annotated("one", "First.", []), annotated("one", "Second.", []) | {"sample_id": "one~2"}])
    assert shown_ids(out) == ["one", "one~2"]


def test_one_photo_serves_all_its_captions(tmp_path: Path) -> None:
    write_photos(tmp_path)
    shared = [record(n) | {"image_path": "plain.jpg"} for n in range(5)]
    out = tmp_path / "report.html"
    write(out, shared)
    photos = [a for a, _ in parsed(out).raw if str(a.get("id")).startswith("photo-")]
    assert [photo["data-size"] for photo in photos] == ["640 480"]


def test_an_empty_set_is_a_page_too(tmp_path: Path) -> None:
    written = write(tmp_path / "report.html", [])
    assert written.samples == 0
    assert shown_ids(tmp_path / "report.html") == []


def test_the_page_opens_with_what_the_set_holds(tmp_path: Path) -> None:
    page = write_showcase(tmp_path).read_text(encoding="utf-8")
    count = len(showcase_records()) + len(showcase_failures())
    assert f"{count} samples" in " ".join(page.split())
    assert "<dt>rejected lines</dt><dd>2</dd>" in page
    assert "Showcase of &lt;b&gt;&#34;trouble&#34;&lt;/b&gt;" in page
