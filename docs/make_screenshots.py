"""Makes the README's pictures of the web UI and of the report: `python -m docs.make_screenshots`.

A copy of the demonstration, with one photo taken away so that a failure shows, is annotated by the embedded
teacher under a real `dagster dev` and looked at in Chromium (Debian's chromium and chromium-driver).
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.corpus import PROJECT
from tests.doors.project import Project
from tests.report.browser import opened_browser
from tests.ui.dagster_dev import running_dagster, wait_for
from tests.ui.pages import DagsterPages

PICTURES = PROJECT / "docs" / "images"
GROUPS = ("input", "annotation", "rollups", "report")
PENDING = ("samples", "endpoint_check", "annotation_run", "step_0_annotations", "step_1_annotations",
           "annotations", "report")  # fmt: skip
LOST = {"image_path": "images/lost.jpg", "image_id": "lost", "caption": "A photo that nobody can find."}
MAX_BYTES = 200_000
COLOURED = """return [...document.querySelectorAll("foreignObject div")].filter((element) => {
  const { borderTopColor, borderTopWidth } = getComputedStyle(element);
  const [r, g, b] = borderTopColor.match(/[0-9.]+/g).map(Number);
  return parseFloat(borderTopWidth) > 0 && Math.max(r, g, b) - Math.min(r, g, b) > 80;
}).length"""
"""How many assets of the graph are drawn as materialized or failed, once their state is known."""


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter).parse_args()
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, opened_browser() as browser:
        project = demonstration(Path(folder) / "demo")
        with running_dagster(project, "demo") as dev:
            dev.finished(dev.materialize(*PENDING))
            for picture in pictures_of_the_ui(DagsterPages(browser, dev)):
                compress(picture)
        for picture in pictures_of_the_report(browser, project.results / "report.html"):
            compress(picture)


def demonstration(folder: Path) -> Project:
    """A project of its own over the demonstration's photos and captions."""
    folder.mkdir()
    shutil.copy(PROJECT / "dagster.yaml", folder)
    shutil.copytree(PROJECT / "demo" / "images", folder / "images")
    captions = (PROJECT / "demo" / "captions.jsonl").read_text(encoding="utf-8")
    (folder / "captions.jsonl").write_text(captions + json.dumps(LOST) + "\n", encoding="utf-8")
    (folder / "spec.yaml").write_text(
        "results_dir: results\nimage_grounding:\n  vlm: {backend: local}\n"
        "  data: {name: demo, input_jsonl: captions.jsonl}\n",
        encoding="utf-8",
    )
    return Project(folder)


def pictures_of_the_ui(page: DagsterPages) -> list[Path]:
    page.browser.set_window_size(1500, 640)
    expanded = ",".join(f"global@global:{group}" for group in GROUPS)
    page.open("/asset-groups", *GROUPS)
    page.click("Hide navigation")
    page.open(f"/asset-groups?expanded={expanded}", *PENDING)
    wait_for(lambda: page.browser.execute_script(COLOURED) >= len(PENDING), "the state of each asset")
    graph = page.shoot("graph", PICTURES)
    page.browser.set_window_size(1500, 760)
    page.open(
        "/assets/demo/groundings?view=partitions&partition=coffee", "Failed (1)", "Materialized (8)", "boxes"
    )
    partitions = page.shoot("partitions", PICTURES)
    page.open("/assets/demo/annotations?view=checks&checkDetail=failed_samples", "Checks (7)", "tried lines")
    checks = page.shoot("checks", PICTURES)
    page.open("/assets/demo/groundings?view=partitions&partition=lost", "failed, and did not")
    page.click("View all historical events (1)")
    page.see("Historical events for lost")
    page.disclose()
    page.see("what_to_do")
    return [graph, partitions, checks, page.shoot("failed-partition", PICTURES)]


def pictures_of_the_report(browser: Chrome, report: Path) -> list[Path]:
    """The summary in the dark, one sample in the light, and a box drawn there."""
    browser.set_window_size(1300, 900)
    browser.get(report.as_uri())
    set_theme(browser, "dark")
    summary = PICTURES / "report-summary.png"
    browser.save_screenshot(str(summary))
    set_theme(browser, "light")
    browser.find_element(By.CSS_SELECTOR, "details summary").click()
    browser.find_element(By.CSS_SELECTOR, "input[type=search]").send_keys("cup")
    wait_for(lambda: "1–2 of 2" in browser.find_element(By.TAG_NAME, "body").text, "the samples with a cup")
    browser.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
    sample = PICTURES / "report-sample.png"
    browser.save_screenshot(str(sample))
    # the first phrase, to be edited, with a new box in the middle of the photo
    for key in ("1", "e", "n"):
        browser.switch_to.active_element.send_keys(key)
    correction = PICTURES / "report-correction.png"
    browser.save_screenshot(str(correction))
    return [summary, sample, correction]


def set_theme(browser: Chrome, theme: str) -> None:
    browser.find_element(By.CSS_SELECTOR, f"#theme option[value={theme}]").click()
    browser.execute_script("document.activeElement.blur()")
    wait_for(
        lambda: browser.execute_script("return document.getAnimations().length == 0"), "an end to fading"
    )


def compress(picture: Path) -> None:
    """In place, to as many colours as fit."""
    with Image.open(picture) as opened:
        full = opened.convert("RGB")
    for colours in (256, 128, 64, 32):
        full.quantize(colours, dither=Image.Dither.FLOYDSTEINBERG).save(picture, optimize=True)
        if picture.stat().st_size < MAX_BYTES:
            return
    raise SystemExit(f"{picture} is larger than {MAX_BYTES} bytes with 32 colours")


if __name__ == "__main__":
    main()
