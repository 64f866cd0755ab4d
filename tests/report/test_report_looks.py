"""What can be measured of the looks: contrast in both themes, narrow screens, alternative texts."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from random import Random

import pytest
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from grounding_assets.core.report.palette import INK, PALETTE
from tests.report.browser import bring_into_view, needs_chromium
from tests.report.generated import annotated, expression
from tests.report.showcase import write, write_showcase

AA_TEXT = 4.5
_COLOURS = """
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const rgba = (colour) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
};
const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a)];
const behind = (element) => {
  if (!element) return [255, 255, 255];
  return over(rgba(getComputedStyle(element).backgroundColor), behind(element.parentElement));
};
const luminance = (colour) => {
  const [r, g, b] = colour.map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
"""
CONTRASTS = (
    _COLOURS
    + """
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const found = {};
while (texts.nextNode()) {
  const element = texts.currentNode.parentElement;
  if (!texts.currentNode.data.trim() || element.closest("script, style, noscript, svg, option, :disabled, [hidden]")) continue;
  if (!element.checkVisibility({ opacityProperty: true }) || element.closest(".unseen, .tag:not(.lit)")) continue;
  const ground = behind(element);
  const key = `${element.tagName}.${element.className}`;
  const value = ratio(luminance(over(rgba(getComputedStyle(element).color), ground)), luminance(ground));
  found[key] = Math.min(found[key] ?? 99, value);
}
return found;
"""
)
PLOT_CONTRASTS = (
    _COLOURS
    + """
const [svg, chosen, property] = arguments;
return [...svg.querySelectorAll(chosen)].map((element) => {
  const ground = behind(svg);
  return ratio(luminance(over(rgba(getComputedStyle(element)[property]), ground)), luminance(ground));
});
"""
)
APART = """
const frame = arguments[0].getBoundingClientRect();
const labels = [...arguments[0].querySelectorAll("text")].map((label) => [label.textContent, label.getBoundingClientRect()]);
const outside = ({ left, right, top, bottom }) =>
  left < frame.left - 1 || right > frame.right + 1 || top < frame.top - 1 || bottom > frame.bottom + 1;
const touching = (a, b) => a.left < b.right && b.left < a.right && a.top + 2 < b.bottom && b.top + 2 < a.bottom;
return labels.flatMap(([text, box], at) => [
  ...(outside(box) ? [text] : []),
  ...labels.slice(at + 1).filter(([, other]) => touching(box, other)).map(([other]) => `${text} ${other}`),
]);
"""

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_showcase(tmp_path_factory.mktemp("looks"), measured=True)


@pytest.fixture
def page(browser: webdriver.Chrome, report: Path) -> Iterator[webdriver.Chrome]:
    size = browser.get_window_size()
    browser.get(report.as_uri())
    yield browser
    browser.execute_script("localStorage.clear()")
    browser.set_window_size(size["width"], size["height"])


def at_rest(page: webdriver.Chrome) -> None:
    """Ends transitions, so that colours are those that stay."""
    page.execute_script("document.getAnimations().forEach((animation) => animation.finish())")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_has_enough_contrast(page: webdriver.Chrome, theme: str) -> None:
    Select(page.find_element(By.ID, "theme")).select_by_value(theme)
    for pressed in (
        '[data-filter="no_box"]',
        '[data-filter="failed"]',
        '[data-verdict="accept"]',
        ".provenance summary",
    ):
        bring_into_view(page, page.find_element(By.CSS_SELECTOR, pressed))
        page.find_element(By.CSS_SELECTOR, pressed).click()
    piece = page.find_element(By.CSS_SELECTOR, ".piece")
    bring_into_view(page, piece)
    ActionChains(page).move_to_element(piece).perform()
    at_rest(page)
    contrasts = page.execute_script(CONTRASTS)
    assert len(contrasts) > 20
    assert "SPAN.piece lit" in contrasts
    assert {name: value for name, value in contrasts.items() if value < AA_TEXT} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_hue_can_be_read(browser: webdriver.Chrome, tmp_path: Path, theme: str) -> None:
    words = [f"word{number}" for number in range(len(PALETTE))]
    caption = " ".join(words)
    phrases = [
        expression("s", index, word, caption.index(word), [[10, 10, 99, 99]], Random(0))
        for index, word in enumerate(words)
    ]
    write(tmp_path / "report.html", [annotated("s", caption, phrases)])
    browser.get((tmp_path / "report.html").as_uri())
    Select(browser.find_element(By.ID, "theme")).select_by_value(theme)
    at_rest(browser)
    contrasts = browser.execute_script(CONTRASTS)
    assert min(contrasts["SPAN.piece"], contrasts["SPAN.swatch"]) >= AA_TEXT
    browser.execute_script("localStorage.clear()")


def test_hues_are_told_apart_from_their_ink() -> None:
    def luminance(colour: str) -> float:
        channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    for hue in PALETTE:
        assert (luminance(hue) + 0.05) / (luminance(INK) + 0.05) >= 7


@pytest.mark.parametrize(("width", "view"), list(product((360, 800, 1920), ("reading", "grid"))))
def test_nothing_sticks_out_sideways(page: webdriver.Chrome, width: int, view: str) -> None:
    page.set_window_size(500, 900)
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    page.execute_script(f"document.querySelector('[value={view}]').click()")
    overflow = page.execute_script("return document.documentElement.scrollWidth - innerWidth")
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert overflow <= 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_was_measured_can_be_read(page: webdriver.Chrome, theme: str) -> None:
    Select(page.find_element(By.ID, "theme")).select_by_value(theme)
    figures = page.find_element(By.ID, "gold-figures").text.splitlines()
    assert "R@1, IoU 0.5 72.7 % 57.4 to 86.1" in figures
    for plot in ("calibration", "by-slice"):
        svg = page.find_element(By.CSS_SELECTOR, f"#{plot} svg")
        labels = svg.find_elements(By.TAG_NAME, "text")
        assert page.execute_script(APART, svg) == [], "labels that touch each other or stick out"
        assert len(labels) > 10
        # of text and of what is drawn: at least 4.5 and 3
        assert min(page.execute_script(PLOT_CONTRASTS, svg, "text", "fill")) >= AA_TEXT
        assert (
            min(page.execute_script(PLOT_CONTRASTS, svg, "circle, .whisker, .gap, .diagonal", "stroke")) >= 3
        )


def test_controls_and_pictures_have_names(page: webdriver.Chrome) -> None:
    nameless = page.execute_script(
        """return [...document.querySelectorAll("button, input, select, img, svg[role=img], g[role=img], dialog")]
             .filter((element) => !(element.textContent.trim() || element.getAttribute("aria-label")
               || element.alt || element.labels?.length || element.getAttribute("aria-labelledby")))
             .map((element) => element.outerHTML.slice(0, 80))"""
    )
    assert nameless == []


def test_motion_stops_where_it_is_not_wanted(page: webdriver.Chrome) -> None:
    piece = page.find_element(By.CSS_SELECTOR, ".piece")
    assert piece.value_of_css_property("transition-duration") != "0s"
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    )
    assert piece.value_of_css_property("transition-duration") == "0s"
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_theme_follows_the_system_until_chosen(page: webdriver.Chrome) -> None:
    def ground() -> str:
        return page.find_element(By.TAG_NAME, "body").value_of_css_property("background-color")

    light = ground()
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    )
    dark = ground()
    Select(page.find_element(By.ID, "theme")).select_by_value("light")
    chosen = ground()
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert light != dark
    assert chosen == light
