"""The browser that the tests of this folder share."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from selenium import webdriver


@pytest.fixture(scope="session")
def browser() -> "Iterator[webdriver.Chrome]":
    # few tests of this folder need it, and importing it takes as long as many of them
    from tests.report.browser import opened_browser

    with opened_browser() as chromium:
        yield chromium
