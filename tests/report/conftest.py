"""The browser that the tests of this folder share."""

from collections.abc import Iterator

import pytest
from selenium import webdriver

from tests.report.browser import opened_browser


@pytest.fixture(scope="session")
def browser() -> Iterator[webdriver.Chrome]:
    with opened_browser() as chromium:
        yield chromium
