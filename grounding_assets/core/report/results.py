"""The report of a results folder: which of its files are read and where the page lies."""

from pathlib import Path

from grounding_assets.core.files import read_lines, stopping_if_unwritable
from grounding_assets.core.images.locations import ImageRoot
from grounding_assets.core.report.gold_section import gold_section
from grounding_assets.core.report.page import WrittenReport, write_report
from grounding_assets.core.review.reviews import Reviews
from grounding_assets.core.spec.settings import ReportSpec


def report_file(results_dir: Path) -> Path:
    """Where the page of a results folder lies."""
    return results_dir / "report.html"


def write_results_report(
    results_dir: Path, image_root: ImageRoot, *, title: str, settings: ReportSpec
) -> WrittenReport:
    """Writes `report.html` of `annotations.jsonl` and `failures.jsonl`, line by line.

    With `evaluation.json` beside them, the page shows its figures if they are of these annotations; with
    `reviews.jsonl`, what reviewers said.

    Raises:
        InputError: there are no annotations yet, or a line is not one.
        RunStopped: the page cannot be written.
    """
    failures, rejected = results_dir / "failures.jsonl", results_dir / "rejected.jsonl"
    rejected_lines = sum(1 for _ in read_lines(rejected)) if rejected.is_file() else 0
    out = report_file(results_dir)
    with stopping_if_unwritable(out):
        return write_report(
            read_lines(results_dir / "annotations.jsonl"),
            read_lines(failures) if failures.is_file() else (),
            lambda image_path: image_root / image_path,
            out,
            title=title,
            summary={"rejected lines": rejected_lines},
            settings=settings,
            gold=gold_section(results_dir),
            reviews=Reviews.load(results_dir),
        )
