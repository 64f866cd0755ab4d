"""Finding, sorting, judging by keyboard, and carrying marks away, in a real browser."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from grounding_assets.core.report.rows import row_of_failure, row_of_record
from tests.report.browser import bring_into_view, needs_chromium, save_downloads_in
from tests.report.generated import record, records
from tests.report.showcase import (
    FAILED,
    FILTERED,
    PHRASES,
    showcase_failures,
    showcase_records,
    write,
    write_showcase,
)

pytestmark = needs_chromium
EVERYTHING = {*PHRASES, *FAILED}


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return write_showcase(tmp_path)


@pytest.fixture
def page(browser: webdriver.Chrome, report: Path) -> Iterator[webdriver.Chrome]:
    browser.get(report.as_uri())
    yield browser
    browser.execute_script("localStorage.clear()")


def shown(page: webdriver.Chrome) -> list[str]:
    return page.execute_script(
        "return [...document.querySelectorAll('#samples .sample-id')].map((id) => id.textContent)"
    )


def current(page: webdriver.Chrome) -> str:
    return page.find_element(By.CSS_SELECTOR, "article[aria-current] .sample-id").text


def press(page: webdriver.Chrome, *keys: str) -> None:
    for key in keys:
        page.switch_to.active_element.send_keys(key)


def marked(page: webdriver.Chrome) -> str:
    return page.find_element(By.ID, "tally").text


def exported(page: webdriver.Chrome, folder: Path) -> dict:
    save_downloads_in(page, folder)
    page.find_element(By.ID, "export").click()
    WebDriverWait(page, 10).until(lambda _: (folder / "marks.json").exists())
    return json.loads((folder / "marks.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", FILTERED)
def test_each_filter_finds_its_samples(page: webdriver.Chrome, name: str) -> None:
    chip = page.find_element(By.CSS_SELECTOR, f'[data-filter="{name}"]')
    assert chip.find_element(By.CSS_SELECTOR, ".count").text == str(len(FILTERED[name]))
    chip.click()
    assert set(shown(page)) == FILTERED[name]
    assert chip.get_attribute("aria-pressed") == "true"
    chip.click()
    assert set(shown(page)) == EVERYTHING


def test_several_filters_find_samples_with_any(page: webdriver.Chrome) -> None:
    for name in ("failed", "many_boxes"):
        page.find_element(By.CSS_SELECTOR, f'[data-filter="{name}"]').click()
    assert set(shown(page)) == FILTERED["failed"] | FILTERED["many_boxes"]
    assert page.find_element(By.ID, "position").text == f"1–3 of 3 (of {len(EVERYTHING)})"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("RED CAR", {"plain"}),
        ("سيارة", {"arabic"}),
        ("rate_limited", {"stopped"}),
        ("message <b>of</b> fell", {"fell"}),
        ("coinciding", {"coinciding"}),
        ("no such words", set()),
    ],
)
def test_text_finds_captions_ids_and_reasons(page: webdriver.Chrome, text: str, found: set[str]) -> None:
    page.find_element(By.ID, "find").send_keys(text)
    WebDriverWait(page, 5).until(lambda _: set(shown(page)) == found)
    assert page.find_element(By.ID, "empty").is_displayed() == (not found)


def test_clearing_brings_everything_back(page: webdriver.Chrome) -> None:
    page.find_element(By.CSS_SELECTOR, '[data-filter="failed"]').click()
    page.find_element(By.ID, "find").send_keys("nothing of that kind")
    WebDriverWait(page, 5).until(lambda _: page.find_element(By.ID, "clear").is_displayed())
    page.find_element(By.ID, "clear").click()
    assert set(shown(page)) == EVERYTHING
    assert page.find_element(By.ID, "find").get_attribute("value") == ""


def test_sorts_by_input_or_by_doubt(page: webdriver.Chrome) -> None:
    assert shown(page) == [*PHRASES, *FAILED]
    Select(page.find_element(By.ID, "sort")).select_by_value("doubt")
    rows = [row_of_record(r) for r in showcase_records()] + [row_of_failure(f) for f in showcase_failures()]
    assert shown(page) == [row["id"] for row in sorted(rows, key=lambda row: -row["doubt"])]
    assert shown(page)[:2] == list(FAILED)


def test_keys_walk_and_mark(page: webdriver.Chrome) -> None:
    names = list(PHRASES)
    assert current(page) == names[0]
    press(page, "j", "j", Keys.ARROW_RIGHT)
    assert current(page) == names[3]
    press(page, "k", Keys.ARROW_LEFT)
    assert current(page) == names[1]
    press(page, "k", "k", "k")
    assert current(page) == names[0]
    press(page, "a", "r")
    assert current(page) == names[2]
    assert marked(page) == "1 accepted, 1 rejected"
    press(page, "k", "u")
    assert marked(page) == "1 accepted, 0 rejected"
    card = page.find_element(By.CSS_SELECTOR, "article")
    assert "marked accepted" in str(card.get_attribute("aria-label"))
    assert (
        card.find_element(By.CSS_SELECTOR, '[data-verdict="accept"]').get_attribute("aria-pressed") == "true"
    )


def test_keys_open_help_layout_and_provenance(page: webdriver.Chrome) -> None:
    press(page, "?")
    assert page.find_element(By.ID, "help").is_displayed()
    press(page, "j", Keys.ESCAPE)
    assert not page.find_element(By.ID, "help").is_displayed()
    assert current(page) == "plain"
    press(page, "j", "p")
    assert page.find_element(By.CSS_SELECTOR, "article[aria-current] .provenance").get_attribute("open")
    press(page, "g")
    assert page.find_element(By.TAG_NAME, "body").get_attribute("data-view") == "grid"


def test_typing_is_not_judging(page: webdriver.Chrome) -> None:
    press(page, "/")
    press(page, "a", "r", "j")
    assert page.find_element(By.ID, "find").get_attribute("value") == "arj"
    assert marked(page) == "0 accepted, 0 rejected"


def test_single_keys_can_be_switched_off(page: webdriver.Chrome) -> None:
    press(page, "?")
    switch = page.find_element(By.ID, "shortcuts")
    WebDriverWait(page, 10).until(lambda _: switch.is_displayed())
    switch.click()
    press(page, Keys.ESCAPE)
    press(page, "a")
    assert marked(page) == "0 accepted, 0 rejected"
    press(page, Keys.ARROW_RIGHT)
    assert current(page) == list(PHRASES)[1]


def test_a_failed_sample_has_nothing_to_mark(page: webdriver.Chrome) -> None:
    page.find_element(By.CSS_SELECTOR, '[data-filter="failed"]').click()
    press(page, "a")
    assert marked(page) == "0 accepted, 0 rejected"
    assert page.find_elements(By.CSS_SELECTOR, "article [data-verdict]") == []


def test_marks_are_exported(page: webdriver.Chrome, tmp_path: Path) -> None:
    press(page, "a", "r")
    button = page.find_element(By.CSS_SELECTOR, 'article[aria-label^="Sample huge"] [data-verdict="reject"]')
    bring_into_view(page, button)
    button.click()
    whole = exported(page, tmp_path)
    assert whole["report"] == 'Showcase of <b>"trouble"</b>'
    assert [(mark["sample_id"], mark["verdict"]) for mark in whole["marks"]] == [
        ("plain", "accept"),
        ("script", "reject"),
        ("huge", "reject"),
    ]


def test_marks_outlive_the_page_but_not_the_result(page: webdriver.Chrome, report: Path) -> None:
    press(page, "a", "a")
    page.refresh()
    assert marked(page) == "2 accepted, 0 rejected"
    Select(page.find_element(By.ID, "marked")).select_by_value("accept")
    assert shown(page) == list(PHRASES)[:2]
    changed = showcase_records()
    changed[0]["expressions"][0]["instances"][0]["bbox"] = [1, 2, 30, 40]
    write_showcase(report.parent, records=changed)
    page.refresh()
    assert marked(page) == "1 accepted, 0 rejected"


def test_a_thousand_samples_are_all_within_reach(browser: webdriver.Chrome, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    write(out, records(1000))
    browser.get(out.as_uri())
    assert browser.find_element(By.ID, "position").text == "1–24 of 1,000"
    met = list(shown(browser))
    while browser.find_element(By.ID, "page-after").is_enabled():
        browser.execute_script("document.getElementById('page-after').click()")
        met += shown(browser)
    assert met == [f"{position:06d}" for position in range(1000)]
    browser.find_element(By.ID, "find").send_keys("000777")
    WebDriverWait(browser, 5).until(lambda _: shown(browser) == ["000777"])
    assert record(777)["caption"] in browser.find_element(By.ID, "samples").text


def test_walking_turns_the_page(browser: webdriver.Chrome, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    write(out, records(30))
    browser.get(out.as_uri())
    press(browser, *"j" * 24)
    assert (current(browser), shown(browser)[0]) == ("000024", "000024")
    press(browser, "k")
    assert (current(browser), shown(browser)[0]) == ("000023", "000000")
