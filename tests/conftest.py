"""Which tests are slow: those that drive browsers, terminals and killed processes."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# a shared or small machine is no reason to fail; what a test must not exceed, it asserts itself
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

SLOW = (
    "batch/",
    "ui/",
    "endurance/",
    "init/",
    "verification/",
    "money/",
    "wheel/",
    "vlm/test_server_caps.py",
    "report/test_report_judging.py",
    "report/test_report_browser.py",
    "report/test_report_correcting.py",
    "report/test_round_trip.py",
    "report/test_report_looks.py",
    "doors/test_evaluate.py",
    "doors/test_dg.py",
    "doors/test_export.py",
    "doors/test_reparse.py",
    "doors/test_review.py",
)
"""Paths below tests/. `make test` leaves them out, `make test-slow` runs just them, and CI runs both."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for test in items:
        if test.path.relative_to(here).as_posix().startswith(SLOW):
            test.add_marker(pytest.mark.slow)
