"""The whole way of a reviewer: annotate, mark in the real page, take over, export, ask again."""

import json
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.corpus import PROJECT, needs_corpus
from tests.doors.project import coco24_rows, endpoint_settings, make_project, sample_calls
from tests.endpoints.server import SimulatedEndpoint, running
from tests.report.browser import needs_chromium, save_downloads_in
from tests.review.commands import command, exported, with_phrases

pytestmark = [needs_corpus("coco24"), needs_chromium]
REJECTED, CORRECTED = 5, 2


def press(browser: webdriver.Chrome, *keys: str) -> None:
    for key in keys:
        browser.switch_to.active_element.send_keys(key)


def mark_in_the_page(browser: webdriver.Chrome, page: Path, chosen: list[tuple[dict[str, Any], int]]) -> Path:
    """Rejects the first phrases and draws a box more for the last ones; returns the marks that were saved."""
    for number, (line, place) in enumerate(chosen):
        browser.get("about:blank")
        browser.get(f"{page.as_uri()}#{line['sample_id']}")
        press(browser, str(place + 1), *("x" if number < REJECTED else ("e", "n", Keys.ESCAPE)))
    folder = page.parent.parent
    save_downloads_in(browser, folder)
    (PROJECT / ".ci" / "output").mkdir(parents=True, exist_ok=True)
    browser.save_screenshot(str(PROJECT / ".ci" / "output" / "report-corrected.png"))
    browser.find_element(By.ID, "export").click()
    WebDriverWait(browser, 60).until(lambda _: (folder / "marks.json").exists())
    browser.execute_script("localStorage.clear()")
    return folder / "marks.json"


def test_what_a_reviewer_marks_is_what_is_exported_and_asked_again(
    browser: webdriver.Chrome, tmp_path: Path
) -> None:
    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint))
        project.write_input(coco24_rows(30))
        assert project.generate().returncode == 0
        chosen = [
            (line, next(i for i, e in enumerate(line["expressions"]) if e["instances"]))
            for line in with_phrases(project.lines())[: REJECTED + CORRECTED]
        ]
        assert len(chosen) == REJECTED + CORRECTED
        expected: dict[str, Any] = exported(project)
        lines = project.lines()
        marks = mark_in_the_page(browser, project.results / "report.html", chosen)
        assert len(json.loads(marks.read_text())["marks"]) == REJECTED + CORRECTED

        assert command(project, "review", f"marks={marks}") == 0
        for number, (line, place) in enumerate(chosen):
            name = line["expressions"][place]["expression_id"]
            if number < REJECTED:
                del expected[name]
            else:
                w, h = line["width"], line["height"]
                drawn = [w * 0.35, h * 0.35, w * 0.65, h * 0.65]
                expected[name].append([pytest.approx(edge, abs=1) for edge in drawn])
        assert exported(project) == expected
        assert project.lines() == lines, "results are what they were"

        since = len(endpoint.requests)
        again = project.generate("redo=rejected")
        assert again.returncode == 0, again.stderr
        assert sorted(step for step, _ in sample_calls(endpoint, since)) == ["1"] * REJECTED
        after = {line["sample_id"]: line["expressions"] for line in project.lines()}
        touched = {line["sample_id"]: place for line, place in chosen[:REJECTED]}
        for line in lines:
            for place, expression in enumerate(line["expressions"]):
                if touched.get(line["sample_id"]) != place:
                    assert after[line["sample_id"]][place] == expression
