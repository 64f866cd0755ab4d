"""The report in a real browser: what is drawn where, what lights up, and that nothing in a caption runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.report.browser import bring_into_view, needs_chromium
from tests.report.showcase import ARABIC, EMOJI, FAILED, PHRASES, SCRIPT, write_showcase

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_showcase(tmp_path_factory.mktemp("report"))


@pytest.fixture
def page(browser: webdriver.Chrome, report: Path) -> Iterator[webdriver.Chrome]:
    browser.get_log("browser")
    browser.get(report.as_uri())
    yield browser
    complaints = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert complaints == []


def card_of(page: webdriver.Chrome, name: str) -> WebElement:
    return page.find_element(By.CSS_SELECTOR, f'article[aria-label^="Sample {name}"]')


def point_at(page: webdriver.Chrome, element: WebElement) -> None:
    bring_into_view(page, element)
    ActionChains(page).move_to_element(element).perform()


def lit(card: WebElement) -> dict[str, list[str]]:
    """Expressions that are lit, as they are named in caption, list and photo."""
    return {
        part: [
            str(element.get_attribute("data-expression"))
            for element in card.find_elements(By.CSS_SELECTOR, selector)
        ]
        for part, selector in (
            ("caption", ".piece.lit"),
            ("list", ".expression.lit"),
            ("photo", ".box.lit"),
        )
    }


def test_asks_for_nothing_but_itself(page: webdriver.Chrome) -> None:
    asked = page.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [address for address in asked if not address.startswith("data:image/jpeg;base64,")] == []
    assert len(page.find_elements(By.CSS_SELECTOR, "#samples article")) == len(PHRASES) + len(FAILED)


@pytest.mark.parametrize("name", PHRASES)
def test_highlighted_text_is_the_expressions_text(page: webdriver.Chrome, name: str) -> None:
    card = card_of(page, name)
    caption, phrases = PHRASES[name]
    assert card.find_element(By.CSS_SELECTOR, ".caption").get_attribute("textContent") == caption
    highlighted = page.execute_script(
        """return arguments[1].map((_, index) =>
             [...arguments[0].querySelectorAll(".piece")]
               .filter((piece) => piece.dataset.covering.split(" ").includes(String(index)))
               .map((piece) => piece.textContent).join(""))""",
        card,
        phrases,
    )
    assert highlighted == [text for text, _ in phrases]


def test_markup_in_a_caption_is_text(page: webdriver.Chrome) -> None:
    assert page.title == 'Showcase of <b>"trouble"</b>'
    assert card_of(page, "script").find_element(By.CSS_SELECTOR, ".caption").text.startswith(SCRIPT[:40])
    assert page.find_elements(By.CSS_SELECTOR, "article script, article b b, img[src=x]") == []
    assert "Message <b>of</b> fell." in card_of(page, "fell").text


def test_page_policy_refuses_scripts_and_markup(page: webdriver.Chrome) -> None:
    refusals = page.execute_script(
        """const refused = [];
           document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
           const script = document.createElement("script");
           try { script.text = "window.ran = true"; document.body.append(script); } catch (error) { refused.push(error.name); }
           try { document.body.innerHTML += ""; } catch (error) { refused.push(error.name); }
           return [refused, window.ran === undefined]"""
    )
    assert refusals == [["TypeError", "TypeError"], True]
    page.get_log("browser")


def test_captions_take_their_own_direction(page: webdriver.Chrome) -> None:
    directions = [
        card_of(page, name).find_element(By.CSS_SELECTOR, ".caption").value_of_css_property("direction")
        for name in ("arabic", "plain")
    ]
    assert directions == ["rtl", "ltr"]
    assert ARABIC in card_of(page, "arabic").text


def test_pointing_at_the_caption_lights_the_box(page: webdriver.Chrome) -> None:
    card = card_of(page, "plain")
    point_at(page, card.find_element(By.CSS_SELECTOR, '.piece[data-expression="1"]'))
    assert lit(card) == {"caption": ["1"], "list": ["1"], "photo": ["1"]}
    point_at(page, card.find_element(By.CSS_SELECTOR, ".doubt"))
    assert lit(card) == {"caption": [], "list": [], "photo": []}


def test_pointing_at_a_box_lights_the_caption(page: webdriver.Chrome) -> None:
    card = card_of(page, "plain")
    point_at(page, card.find_element(By.CSS_SELECTOR, '.box[data-expression="0"]'))
    assert lit(card) == {"caption": ["0"], "list": ["0"], "photo": ["0"]}


def test_pointing_at_one_of_many_boxes_lights_it_alone(page: webdriver.Chrome) -> None:
    card = card_of(page, "many")
    boxes = card.find_elements(By.CSS_SELECTOR, ".box")
    point_at(page, boxes[-1])
    number = boxes[-1].get_attribute("data-box")
    lit_boxes = [box.get_attribute("data-box") for box in card.find_elements(By.CSS_SELECTOR, ".box.lit")]
    assert lit_boxes == [number]
    assert len(card.find_elements(By.CSS_SELECTOR, ".box.sibling")) == 11
    assert lit(card)["caption"] == ["0"]


def test_nested_expressions_light_from_the_inside_out(page: webdriver.Chrome) -> None:
    card = card_of(page, "emoji")
    outer, inner = card.find_elements(By.CSS_SELECTOR, ".piece")[:2]
    assert (outer.text.strip(), inner.text) == ("A man in", "a red hat 🎩")
    point_at(page, inner)
    assert lit(card)["photo"] == ["1"]
    point_at(page, outer)
    assert lit(card)["photo"] == ["0"]
    assert [piece.text.strip() for piece in card.find_elements(By.CSS_SELECTOR, ".piece.lit")] == [
        "A man in",
        "a red hat 🎩",
    ]
    assert EMOJI.startswith("👨‍👩‍👧")


def test_coinciding_expressions_light_together(page: webdriver.Chrome) -> None:
    card = card_of(page, "coinciding")
    point_at(page, card.find_element(By.CSS_SELECTOR, ".piece"))
    assert sorted(lit(card)["photo"]) == ["0", "1"]


def test_focus_lights_as_pointing_does(page: webdriver.Chrome) -> None:
    card = card_of(page, "plain")
    page.execute_script("arguments[0].focus()", card)
    seen = []
    # its box, its place in the list, and the three buttons beside that
    for _ in range(2 * 5):
        page.switch_to.active_element.send_keys(Keys.TAB)
        seen.append(lit(card)["photo"])
    assert sorted(map(tuple, seen)) == [("0",)] * 5 + [("1",)] * 5
    outline = page.switch_to.active_element.value_of_css_property("outline-style")
    assert outline != "none"


@pytest.mark.parametrize("name", ["plain", "turned", "huge"])
def test_boxes_lie_over_the_photo(page: webdriver.Chrome, name: str) -> None:
    card = card_of(page, name)
    photo = page.execute_script(
        "arguments[0].scrollIntoView(); return arguments[0].querySelector('img').decode().then(() => "
        "{ const {x, y, width, height} = arguments[0].querySelector('img').getBoundingClientRect();"
        " const image = arguments[0].querySelector('img');"
        " return {x, y, width, height, ratio: image.naturalWidth / image.naturalHeight} })",
        card,
    )
    (original_width, original_height) = (120, 200) if name == "turned" else (640, 480)
    assert photo["ratio"] == pytest.approx(original_width / original_height, rel=0.02)
    assert photo["width"] / photo["height"] == pytest.approx(photo["ratio"], rel=0.02)
    x1, y1, x2, y2 = PHRASES[name][1][0][1][0]
    drawn = page.execute_script(
        "const {x, y, right, bottom} = arguments[0].querySelector('.box[data-expression=\"0\"] .line').getBoundingClientRect();"
        "return [x, y, right, bottom]",
        card,
    )
    across, down = photo["width"] / original_width, photo["height"] / original_height
    expected = [
        photo["x"] + x1 * across,
        photo["y"] + y1 * down,
        photo["x"] + x2 * across,
        photo["y"] + y2 * down,
    ]
    assert drawn == pytest.approx(expected, abs=2.5)


def test_a_photo_that_is_not_there_says_why(page: webdriver.Chrome) -> None:
    card = card_of(page, "lost")
    assert "No image at" in card.find_element(By.CSS_SELECTOR, ".photo.missing").text
    assert len(card.find_elements(By.CSS_SELECTOR, ".box")) == 1


def test_scores_reasons_and_provenance_are_told(page: webdriver.Chrome) -> None:
    assert "0.88" in card_of(page, "plain").find_element(By.CSS_SELECTOR, ".scores").text
    assert "0.90 default" in card_of(page, "huge").find_element(By.CSS_SELECTOR, ".scores").text
    assert "no box: none seen" in card_of(page, "arabic").text
    assert "Coordinates in step 1, after 2 attempts" in card_of(page, "fell").text
    provenance = card_of(page, "plain").find_element(By.CSS_SELECTOR, ".provenance")
    bring_into_view(page, provenance)
    provenance.find_element(By.CSS_SELECTOR, "summary").click()
    WebDriverWait(page, 5).until(lambda _: "<i>m</i>" in provenance.text)
    assert page.find_element(By.CSS_SELECTOR, "img").get_attribute("alt") == f"Photo: {PHRASES['plain'][0]}"
