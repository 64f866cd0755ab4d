"""Pages of the Dagster UI as a user sees them: by the words on buttons, never by the structure beneath."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.corpus import PROJECT
from tests.ui.dagster_dev import DagsterDev, wait_for

T = TypeVar("T")
OUTPUT = PROJECT / ".ci" / "output"
_PARTITION_FILTER, _SWITCH = "[placeholder='Filter partitions']", "label[class*='formatSwitch']"
_TRIANGLE = "button[class*='disclosureTriangle']"
_FOLLOWS_WITHIN_S = 10
_AT_REST = """return document.getAnimations()
  .every((a) => a.playState === "finished" || a.effect.getComputedTiming().endTime === Infinity)"""
_REDRAWN = (
    TimeoutException,
    StaleElementReferenceException,
    ElementClickInterceptedException,
    ElementNotInteractableException,
)


class DagsterPages:
    """A browser on one `dagster dev`."""

    def __init__(self, browser: Chrome, dev: DagsterDev):
        self.browser, self.dev = browser, dev
        # the page asks every newcomer for an e-mail address
        dev.query("mutation { setNuxSeen }")

    def open(self, path: str, *words: str) -> None:
        """Opens a page and waits until it shows the words."""
        self.browser.get(self.dev.url + path)
        self.see(*words)

    def see(self, *words: str, within_s: float = 30.0) -> str:
        """Waits until the page shows all the words; its text."""

        def shown() -> str:
            text = self.browser.find_element(By.TAG_NAME, "body").text
            return text if all(word in text for word in words) else ""

        return self._until(shown, f"{words} on {self.browser.current_url}", within_s)

    def shoot(self, name: str, folder: Path = OUTPUT) -> Path:
        """Keeps a picture of the page, once it has come to rest, for people to look at."""
        WebDriverWait(self.browser, 5).until(lambda b: b.execute_script(_AT_REST))
        folder.mkdir(parents=True, exist_ok=True)
        picture = folder / f"ui-{name}.png"
        self.browser.save_screenshot(str(picture))
        return picture

    def click(self, words: str, *, held: str = "", then: Callable[[], object] = lambda: True) -> None:
        """Clicks what is called, or else begins with, the words, once it can be clicked and stands still.

        A click that comes while the page is being drawn again is lost; where nothing that is true `then`
        follows, it is repeated.
        """
        place = None

        def clicked() -> bool:
            nonlocal place
            before = place
            found, place = self._clickable(words)
            if found is None or place != before:
                return False
            actions = ActionChains(self.browser)
            actions = actions.key_down(held).click(found).key_up(held) if held else actions.click(found)
            actions.perform()
            WebDriverWait(self.browser, _FOLLOWS_WITHIN_S).until(lambda _: then())
            return True

        self._until(clicked, f"a click on '{words}'")

    def click_and_confirm(self, words: str, question: str, *, held: str = "") -> None:
        """Clicks what makes the page ask a question, and answers it."""

        def asks() -> bool:
            return question in self.browser.find_element(By.TAG_NAME, "body").text

        self.click(words, held=held, then=asks)
        self.click("Confirm", then=lambda: not asks())

    def toggle(self) -> None:
        """Switches on the only switch of the page."""

        def toggled() -> bool:
            switches = self.browser.find_elements(By.CSS_SELECTOR, _SWITCH)
            if len(switches) == 1:
                switches[0].click()
            return len(switches) == 1

        self._until(toggled, "a switch")

    def disclose(self) -> None:
        """Opens the only row of a table that can be opened."""

        def opened() -> bool:
            triangles = self.browser.find_elements(By.CSS_SELECTOR, _TRIANGLE)
            if len(triangles) == 1:
                triangles[0].click()
            return len(triangles) == 1

        self._until(opened, "a row to open")

    def width_of_picture(self, alternative_text: str) -> int:
        """In pixels of the picture itself; 0 while it is not shown."""
        return self.browser.execute_script(
            "return [...document.images].find((i) => i.alt === arguments[0])?.naturalWidth ?? 0",
            alternative_text,
        )

    def tick(self, *assets: str) -> None:
        """Ticks assets in the catalog."""
        self.open("/assets", *(f"{self.dev.data_set} / {asset}" for asset in assets))
        for asset in assets:
            css = f"[data-testid='checkbox-{self.dev.data_set}/{asset}']"
            box = self.browser.find_element(By.CSS_SELECTOR, css)
            self.browser.execute_script("arguments[0].click()", box)
        self.see("Materialize selected" + (f" ({len(assets)})" if len(assets) > 1 else ""))

    def choose_partitions(self, typed: str, entry: str) -> None:
        """In the launch dialog, narrows the list of partitions down and ticks an entry of it."""
        self.see("Failed and missing", "Select a partition", "Launch backfill")
        self.click(
            "Select a partition", then=lambda: self.browser.find_elements(By.CSS_SELECTOR, _PARTITION_FILTER)
        )
        field = self.browser.find_element(By.CSS_SELECTOR, _PARTITION_FILTER)
        field.send_keys(typed)
        self.click(entry)
        field.send_keys(Keys.ESCAPE)

    def write_config(self, yaml: str) -> None:
        """Replaces the text in the Launchpad."""
        self._until(
            lambda: self.browser.execute_script("return !!document.querySelector('.CodeMirror')?.CodeMirror"),
            "the Launchpad's editor",
        )
        self.browser.execute_script(
            "document.querySelector('.CodeMirror').CodeMirror.setValue(arguments[0])", yaml
        )

    def _clickable(self, words: str) -> tuple[WebElement | None, Any]:
        """The last such element that nothing covers or disables, and where it is."""
        return self.browser.execute_script(
            """const own = (e) => [...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data).join("").trim();
               const onTop = (e) => {
                 const { left, top, width, height } = e.getBoundingClientRect();
                 const hit = document.elementFromPoint(left + width / 2, top + height / 2);
                 return hit && (hit.contains(e) || e.contains(hit));
               };
               const usable = (e) => e.checkVisibility() && !e.closest(":disabled, [aria-disabled=true]") && onTop(e);
               const named = [...document.querySelectorAll("body *")].reverse()
                 .filter((e) => own(e).startsWith(arguments[0]) && usable(e));
               const found = named.find((e) => own(e) === arguments[0]) ?? named[0] ?? null;
               return [found, found && JSON.stringify(found.getBoundingClientRect())];""",
            words,
        )

    def _until(self, condition: Callable[[], T], what: str, within_s: float = 30.0) -> T:
        def tried() -> T | None:
            try:
                return condition()
            except _REDRAWN:
                return None

        try:
            found = wait_for(tried, what, within_s)
        except AssertionError:
            self.shoot("failed")
            raise
        assert found is not None
        return found
