"""Writes a report of generated samples and times opening it in Chromium; exits 1 where that takes too long.

    python -m bench.report [--samples 10000] [--photos FOLDER] [--keep report.html]

Opening counts from navigation until the first page of samples is painted with its photos; the time until
the whole file is read is shown beside it. Each opening has a fresh browser profile.
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

from grounding_assets.core.report import write_report
from grounding_assets.core.spec.settings import ReportSpec
from tests.report.browser import opened_browser
from tests.report.generated import failures, photo_files, records

LIMIT_S = 3.0
TIMES = """
const navigation = performance.getEntriesByType("navigation")[0];
const painted = performance.getEntriesByName("samples-painted")[0];
const photos = [...document.querySelectorAll("#samples .mat")];
return {
  painted: painted.startTime,
  whole: navigation.loadEventEnd,
  cards: photos.length,
  shown: photos.filter((mat) => mat.querySelector("img")?.naturalWidth > 0).length,
};
"""


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--samples", type=int, default=10_000)
    arguments.add_argument("--photos", type=Path, help="JPEG files used in turn")
    arguments.add_argument("--openings", type=int, default=3)
    arguments.add_argument("--keep", type=Path, help="where to leave the report")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = given.keep or Path(folder) / "report.html"
        files = (
            sorted(given.photos.glob("*.jpg")) if given.photos else photo_files(Path(folder) / "photos", 64)
        )
        build(out, given.samples, files)
        slowest = max(open_once(out) for _ in range(given.openings))
    print(f"slowest opening {slowest:.2f} s, limit {LIMIT_S:g} s")
    return int(slowest >= LIMIT_S)


def build(out: Path, samples: int, files: list[Path]) -> None:
    started = time.perf_counter()
    failed = samples // 50
    written = write_report(
        records(samples - failed),
        failures(failed),
        lambda path: files[int(Path(path).stem) % len(files)],
        out,
        title=f"{samples:,} generated samples",
        summary={},
        settings=ReportSpec(),
    )
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{written.samples:,} samples, photos of {written.photo_px} px, {written.size_bytes / 1e6:.0f} MB, "
        f"written in {time.perf_counter() - started:.1f} s, peak memory {peak_mb:.0f} MB"
    )


def open_once(out: Path) -> float:
    """Seconds from navigation to the first page of samples with its photos, once all of it is loaded."""
    with opened_browser() as browser:
        browser.get(out.as_uri())
        times = browser.execute_script(TIMES)
    if times["shown"] == 0:
        raise SystemExit("no photo is shown: the report did not open")
    print(
        f"first samples painted {times['painted'] / 1000:.2f} s, "
        f"whole file read {times['whole'] / 1000:.2f} s, {times['shown']} of {times['cards']} photos shown"
    )
    return max(times["painted"], times["whole"]) / 1000


if __name__ == "__main__":
    sys.exit(main())
