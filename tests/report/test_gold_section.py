"""What was measured on gold: its numbers, where they are drawn, and that they are of these annotations."""

import hashlib
import math
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounding_assets.core.evaluation.evaluation import Figure, ReliabilityBin
from grounding_assets.core.report import write_results_report
from grounding_assets.core.report.evaluation_plots import calibration_plot, slice_plot
from grounding_assets.core.report.gold_section import GoldSection, gold_section
from grounding_assets.core.spec.settings import ReportSpec
from tests.report.measured import MARKUP, figure, measured_section, write_evaluation
from tests.report.showcase import write_showcase
from tests.report.test_report_page import parsed

shares = st.floats(0, 1)


def plotted(figures: dict[str, Any]) -> dict[str, Figure]:
    return {name: Figure(**one) for name, one in figures.items()}


def test_figures_stand_with_their_intervals(tmp_path: Path) -> None:
    section = measured_section(tmp_path)
    assert "1,234 of 1,250 gold samples judged" in section.note
    assert section.confidence == "95 %"
    assert list(section.figures) == [
        ("Expressions: F1", "64.3 %", "59.8 to 69.0"),
        ("R@1, IoU 0.5", "72.7 %", "57.4 to 86.1"),
        ("Boxes: recall, IoU 0.5", "49.5 %", "30.7 to 77.4"),
        ("Mean IoU of matches", "0.849", "0.805 to 0.896"),
        ("Absent rejected", "100.0 %", ""),
        ("Calibration error", "0.108", "0.077 to 0.175"),
    ]


def test_how_it_was_judged_is_said(tmp_path: Path) -> None:
    write_evaluation(tmp_path, options={"steps": "step_1", "min_span_iou": 0.5, "missing": "wrong"})
    section = gold_section(tmp_path)
    assert section is not None
    assert "boxes alone" in section.note
    assert "without a result count as wrong" in section.note


def test_calibration_points_lie_where_their_numbers_say(tmp_path: Path) -> None:
    plot = measured_section(tmp_path).calibration
    assert plot is not None
    ends = {"0%": plot.bottom, "100%": plot.top}
    assert {label: y for y, label in plot.y_ticks if label in ends} == ends
    width, height = plot.right - plot.left, plot.bottom - plot.top
    first, _, last = plot.points
    assert (first.x, first.y) == pytest.approx((plot.left + 0.55 * width, plot.top + 0.75 * height), abs=0.01)
    assert last.diagonal_y == pytest.approx(plot.top + 0.04 * height, abs=0.01)
    assert [point.few for point in plot.points] == [True, True, False]
    assert [point.count for point in plot.points] == ["8", "1", "1.2k"]
    assert [point.text for point in plot.points] == [
        "score 0.5 to 0.6: 8 boxes, mean score 0.55, 25% right",
        "score 0.7 to 0.8: 1 box, mean score 0.72, 100% right",
        "score 0.9 to 1.0: 1,250 boxes, mean score 0.96, 80% right",
    ]
    assert last.bar_height == pytest.approx(plot.strip_base - last.bar_y)
    assert first.bar_height == 1.5, "low, and still to be seen"


def test_whiskers_lie_where_their_numbers_say(tmp_path: Path) -> None:
    plot = measured_section(tmp_path).by_slice
    assert plot is not None
    assert [name for _, name in plot.headings] == ["all", "box size", "number"]
    assert [row.text for row in plot.rows] == [
        "all: 72.7% (57.4% to 86.1%), 1,210 expressions",
        "box size small: 25.0% (0.0% to 50.0%), 1 expression",
        "box size large: 90.0% (85.0% to 95.0%), 12,600 expressions",
        f"number {MARKUP}: 50.0%, 2 expressions",
    ]
    whole, small, large, single = plot.rows
    width = plot.right - plot.left
    assert whole.value == plot.overall == pytest.approx(plot.left + 0.727 * width, abs=0.01)
    assert (small.low, small.high) == (plot.left, plot.left + width / 2)
    assert (large.cases, large.value) == ("13k", pytest.approx(plot.left + 0.9 * width, abs=0.01))
    assert [row.few for row in plot.rows] == [False, True, False, True]
    assert (single.low, single.high) == (None, None)
    assert len(single.label) < len(MARKUP)


@given(st.lists(st.tuples(st.integers(0, 10**7), shares, shares), max_size=10))
def test_calibration_stays_in_its_frame(bins: list[tuple[int, float, float]]) -> None:
    plot = calibration_plot(
        [
            ReliabilityBin(low=n / 10, high=(n + 1) / 10, boxes=boxes, mean_score=score, hit_share=share)
            for n, (boxes, score, share) in enumerate(bins)
        ]
    )
    assert (plot is None) == (not any(boxes for boxes, _, _ in bins))
    for point in plot.points if plot else ():
        assert plot is not None
        assert plot.left <= point.x <= plot.right
        assert plot.top <= point.y <= plot.bottom
        assert plot.left <= point.bar_x <= point.bar_x + point.bar_width <= plot.right
        # the bar and its count stay below the labels of the scores
        assert plot.bottom + 16 < point.bar_y - 12
        assert len(point.count) <= 4


@given(st.dictionaries(st.text(max_size=40), st.dictionaries(st.text(max_size=40), shares, max_size=5)))
def test_rows_of_slices_do_not_overlap(slices: dict[str, dict[str, float]]) -> None:
    plot = slice_plot(
        None, {name: plotted({k: figure(v) for k, v in one.items()}) for name, one in slices.items()}
    )
    if plot is None:
        assert not any(slices.values())
        return
    heights = sorted([y for y, _ in plot.headings] + [row.y for row in plot.rows])
    assert all(above + 18 <= below for above, below in pairwise(heights))
    assert heights[0] > 0
    assert heights[-1] < plot.bottom < plot.height
    assert all(plot.left <= row.value <= plot.right for row in plot.rows)


def test_scores_that_no_model_gave_are_not_plotted(tmp_path: Path) -> None:
    write_evaluation(tmp_path, reliability=[], calibration_error=figure(None, of=0))
    section = gold_section(tmp_path)
    assert section is not None
    assert section.calibration is None
    assert "Calibration error" not in [label for label, _, _ in section.figures]


def test_nothing_measured_is_no_section(tmp_path: Path) -> None:
    assert gold_section(tmp_path) is None


def test_gold_that_was_changed_since_shows_no_figure(tmp_path: Path) -> None:
    gold = tmp_path / "gold.jsonl"
    gold.write_text("{}\n")
    digest = hashlib.sha256(gold.read_bytes()).hexdigest()
    write_evaluation(
        tmp_path,
        gold=str(gold),
        gold_sha256=digest,
        options={"steps": "both", "missing": "left_out", "min_span_iou": 0.7},
    )
    section = gold_section(tmp_path)
    assert section is not None and section.figures and "overlap by 0.7" in section.note
    gold.write_text('{"corrected": 1}\n')
    assert gold_section(tmp_path) == GoldSection(
        "gold.jsonl has changed since evaluation.json was written; run auto_label evaluate again."
    )


@pytest.mark.parametrize("digest", ["0" * 64, None])
def test_an_evaluation_of_other_annotations_shows_no_figure(tmp_path: Path, digest: str | None) -> None:
    write_evaluation(tmp_path, **({} if digest is None else {"results_sha256": digest}))
    if digest is None:
        (tmp_path / "annotations.jsonl").write_text("{}\n")
    section = gold_section(tmp_path)
    assert section == GoldSection(
        "evaluation.json is of earlier annotations than these; run auto_label evaluate again."
    )


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"format": 2}, "format"),
        ({"overall": {"r1_50": figure(1.5)}}, "overall.r1_50.value"),
        ({"overall": {"r1_50": figure(math.nan)}}, "overall.r1_50.value"),
        ({"reliability": {}}, "reliability"),
    ],
)
def test_what_is_no_evaluation_is_named(tmp_path: Path, changed: dict[str, Any], named: str) -> None:
    write_evaluation(tmp_path, **changed)
    section = gold_section(tmp_path)
    assert section is not None
    assert not section.figures
    assert f"is not an evaluation ({named}: " in section.note
    assert "auto_label evaluate" in section.note


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    write_evaluation(tmp_path)
    (tmp_path / "evaluation.json").write_bytes(b'{"format": 1, "gold": "\xff')
    section = gold_section(tmp_path)
    assert section is not None
    assert "is not an evaluation" in section.note


def test_the_page_shows_the_section_and_nothing_breaks_out(tmp_path: Path) -> None:
    out = write_showcase(tmp_path, measured=True)
    page = parsed(out)
    text = out.read_text(encoding="utf-8")
    assert text.count(">Measured on gold</h2>") == 1
    assert re.search(r"R@1, IoU 0.5</th><td>72.7 %</td><td>57.4 to 86.1</td>", text)
    assert MARKUP not in text
    assert text.count("&lt;/svg&gt;&lt;script&gt;x()") == 2, (
        "in the row's title and in the plot's alternative"
    )
    assert "&lt;svg&gt;&lt;script&gt;x()" in text, "the gold file's name"
    labels = [a["aria-label"] or "" for tag, a in page.elements if tag == "svg" and "aria-label" in a]
    assert [f"number {MARKUP}: 50.0%" in label for label in labels].count(True) == 1
    assert not [a for _, a in page.elements if "onload" in a]
    assert sum(tag == "circle" for tag, _ in page.elements) == 3 + 4


def test_the_report_of_a_folder_takes_its_evaluation(tmp_path: Path) -> None:
    write_evaluation(tmp_path)
    settings = ReportSpec()
    write_results_report(tmp_path, tmp_path, title="tested", settings=settings)
    assert "72.7 %" in (tmp_path / "report.html").read_text(encoding="utf-8")
    write_evaluation(tmp_path, results_sha256="0" * 64)
    write_results_report(tmp_path, tmp_path, title="tested", settings=settings)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "is of earlier annotations" in text
    assert "72.7 %" not in text
    (tmp_path / "evaluation.json").unlink()
    write_results_report(tmp_path, tmp_path, title="tested", settings=settings)
    assert ">Measured on gold</h2>" not in (tmp_path / "report.html").read_text(encoding="utf-8")
