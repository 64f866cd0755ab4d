"""Marks on phrases and corrected boxes, by mouse and by keyboard, in a real browser."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from grounding_assets.core.review.judged import result_digest
from grounding_assets.core.review.marks import read_marks
from grounding_assets.core.review.reviews import Reviews
from grounding_assets.core.review.taking import take_marks
from tests.report.browser import bring_into_view, needs_chromium, save_downloads_in
from tests.report.showcase import LARGE, OTHER, showcase_records, write, write_photos, write_showcase

pytestmark = needs_chromium
TITLE = 'Showcase of <b>"trouble"</b>'


@pytest.fixture
def page(browser: webdriver.Chrome, tmp_path: Path) -> Iterator[webdriver.Chrome]:
    browser.get_log("browser")
    browser.get(write_showcase(tmp_path).as_uri())
    yield browser
    browser.execute_script("localStorage.clear()")
    assert [e["message"] for e in browser.get_log("browser") if e["level"] == "SEVERE"] == []


def first_card(page: webdriver.Chrome) -> WebElement:
    """Of the sample `plain`: "A red car" with one box, "a tree" with one."""
    return page.find_element(By.CSS_SELECTOR, "article")


def press(page: webdriver.Chrome, *keys: str) -> None:
    for key in keys:
        page.switch_to.active_element.send_keys(key)


def exported(page: webdriver.Chrome, folder: Path) -> dict[str, Any]:
    save_downloads_in(page, folder)
    page.find_element(By.ID, "export").click()
    WebDriverWait(page, 60).until(lambda _: (folder / "marks.json").exists())
    return json.loads((folder / "marks.json").read_text(encoding="utf-8"))


def begin_correcting(page: webdriver.Chrome, phrase: int = 0) -> WebElement:
    """Opens a phrase's boxes; returns the photo, all of it in view."""
    page.set_window_size(1400, 1000)
    card = first_card(page)
    page.execute_script("arguments[0].querySelectorAll('[data-correct]')[arguments[1]].click()", card, phrase)
    photo = card.find_element(By.CSS_SELECTOR, ".photo")
    bring_into_view(page, photo)
    return photo


def drag(page: webdriver.Chrome, photo: WebElement, start: tuple[int, int], end: tuple[int, int]) -> None:
    """From and to places in pixels of the upright original."""
    scale = photo.rect["width"] / page.execute_script("return arguments[0].imageSize[0]", photo)
    middle = photo.rect["width"] / 2, photo.rect["height"] / 2
    x, y = start[0] * scale - middle[0], start[1] * scale - middle[1]
    shift = (end[0] - start[0]) * scale, (end[1] - start[1]) * scale
    ActionChains(page).move_to_element_with_offset(photo, round(x), round(y)).click_and_hold().move_by_offset(
        round(shift[0]), round(shift[1])
    ).release().perform()


def corrected(page: webdriver.Chrome, folder: Path, phrase: int = 0) -> list[list[int]]:
    (mark,) = exported(page, folder)["marks"]
    (said,) = mark["expressions"]
    assert said["index"] == phrase and mark["sample_id"] == "plain" and "verdict" not in mark
    return said["boxes"]


X1, Y1, X2, Y2 = LARGE
DRAGS = {
    "drawn": ((420, 300), (520, 380), [LARGE, [420, 300, 520, 380]]),
    "drawn from the lower right": ((520, 380), (420, 300), [LARGE, [420, 300, 520, 380]]),
    "moved": ((150, 200), (190, 230), [[X1 + 40, Y1 + 30, X2 + 40, Y2 + 30]]),
    "moved, and kept inside": ((150, 200), (0, 0), [[0, 0, X2 - X1, Y2 - Y1]]),
    "a corner pulled": ((X2, Y2), (X2 - 60, Y2 - 80), [[X1, Y1, X2 - 60, Y2 - 80]]),
    "a corner pulled past the other": ((X2, Y2), (X1 - 20, Y1 - 30), [[X1 - 20, Y1 - 30, X1, Y1]]),
}


@pytest.mark.parametrize("name", DRAGS)
def test_a_box_is_corrected_by_the_mouse(page: webdriver.Chrome, tmp_path: Path, name: str) -> None:
    start, end, expected = DRAGS[name]
    drag(page, begin_correcting(page), start, end)
    boxes = corrected(page, tmp_path)
    assert len(boxes) == len(expected)
    for box, right in zip(boxes, expected, strict=True):
        assert box == pytest.approx(right, abs=3)


def test_a_slip_changes_nothing(page: webdriver.Chrome) -> None:
    photo = begin_correcting(page)
    drag(page, photo, (420, 300), (421, 301))
    assert not page.find_element(By.ID, "export").is_enabled()


KEYED = {
    "deleted": ([Keys.DELETE], []),
    "added, then moved right": (["n", Keys.ARROW_RIGHT], 2),
    "the model's again": (["n", "0"], None),
    "resized": ([Keys.SHIFT + Keys.ARROW_LEFT + Keys.NULL], 1),
}


@pytest.mark.parametrize("name", KEYED)
def test_a_box_is_corrected_by_keys_alone(page: webdriver.Chrome, tmp_path: Path, name: str) -> None:
    keys, expected = KEYED[name]
    press(page, "j", "k", "1", "e", *keys, Keys.ESCAPE)
    assert not page.find_elements(By.CSS_SELECTOR, ".correcting-bar")
    if expected is None:
        assert not page.find_element(By.ID, "export").is_enabled()
        return
    boxes = corrected(page, tmp_path)
    assert boxes == [] if expected == [] else len(boxes) == expected
    assert all(isinstance(edge, int) for box in boxes for edge in box)
    if name == "resized":
        assert boxes[0][:2] == LARGE[:2] and boxes[0][2] < LARGE[2]


def test_phrases_are_marked_by_keys_and_by_buttons(page: webdriver.Chrome, tmp_path: Path) -> None:
    press(page, "j", "k", "2", "x", "1", "y")
    card = first_card(page)
    assert [
        p.get_attribute("data-phrase-marked") for p in card.find_elements(By.CSS_SELECTOR, ".phrase")
    ] == [
        "accept",
        "reject",
    ]
    assert page.find_element(By.ID, "tally").text == "0 accepted, 0 rejected, 1 with marked phrases"
    page.find_element(By.ID, "reviewer").send_keys("anna", Keys.TAB)
    (mark,) = exported(page, tmp_path)["marks"]
    assert mark == {
        "sample_id": "plain",
        "result": result_digest(showcase_records()[0]),
        "expressions": [
            {"index": 0, "verdict": "accept", "boxes": None},
            {"index": 1, "verdict": "reject", "boxes": None},
        ],
    }
    page.execute_script("document.querySelector('[data-phrase-verdict=reject][aria-pressed=true]').click()")
    page.refresh()
    assert page.find_element(By.ID, "reviewer").get_attribute("value") == "anna"
    assert [p.get_attribute("data-phrase-marked") for p in page.find_elements(By.CSS_SELECTOR, ".phrase")][
        :2
    ] == ["accept", ""]


def test_a_correction_takes_a_rejection_back(page: webdriver.Chrome, tmp_path: Path) -> None:
    press(page, "j", "k", "1", "x", "e", "n", Keys.ESCAPE)
    (said,) = exported(page, tmp_path)["marks"][0]["expressions"]
    assert (said["verdict"], len(said["boxes"])) == (None, 2)


def test_marks_that_were_taken_over_are_shown_and_can_be_taken_back(
    browser: webdriver.Chrome, tmp_path: Path
) -> None:
    records, reviews = showcase_records(), Reviews()
    said = {"index": 0, "verdict": None, "boxes": [OTHER]}
    marks = [
        {
            "sample_id": "plain",
            "result": result_digest(records[0]),
            "verdict": "reject",
            "expressions": [said],
        }
    ]
    whole = {"report": TITLE, "exported_at": "2026-11-01T00:00:00Z", "marks": marks}
    (tmp_path / "old.json").write_text(json.dumps(whole))
    take_marks(read_marks(tmp_path / "old.json", TITLE), records, reviews, "records")
    write_photos(tmp_path)
    write(tmp_path / "report.html", records, reviews=reviews)
    browser.get((tmp_path / "report.html").as_uri())
    card = first_card(browser)
    assert card.get_attribute("data-marked") == "reject"
    assert card.find_element(By.CSS_SELECTOR, ".phrase .scores").text == "yours"
    assert not browser.find_element(By.ID, "export").is_enabled(), "nothing was said here yet"
    press(browser, "j", "k", "u")
    (mark,) = exported(browser, tmp_path)["marks"]
    assert mark["verdict"] is None and mark["expressions"][0]["boxes"] == [OTHER]
    browser.execute_script("localStorage.clear()")


def test_a_link_leads_to_a_sample(browser: webdriver.Chrome, tmp_path: Path) -> None:
    browser.get(write_showcase(tmp_path).as_uri() + "#huge")
    assert browser.find_element(By.CSS_SELECTOR, "article[aria-current] .sample-id").text == "huge"


def test_a_phone_shows_a_photo_at_once_and_scrolls_no_way_but_down(
    browser: webdriver.Chrome, tmp_path: Path
) -> None:
    browser.set_window_size(500, 900)
    try:
        browser.get(write_showcase(tmp_path).as_uri())
        top = first_card(browser).find_element(By.CSS_SELECTOR, ".photo").rect["y"]
        assert top < browser.execute_script("return innerHeight")
        width, window = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert width <= window
    finally:
        browser.set_window_size(1400, 1000)
