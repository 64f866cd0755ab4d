"""What an endpoint says about waiting, in every form, and in forms that mean nothing."""

from datetime import UTC, datetime

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from resources.vlm.headers import retry_after_seconds

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "17"}, 17.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "-5"}, 0.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "17"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "17"}, 17.0),
        ({"retry-after": "Tue, 24 Nov 2026 12:01:30 GMT"}, 90.0),
        ({"retry-after": "Tuesday, 24-Nov-26 12:01:30 GMT"}, 90.0),
        ({"retry-after": "Tue, 24 Nov 2026 13:01:30 +0100"}, 90.0),
        ({"retry-after": "Tue, 24 Nov 2026 12:01:30 -0000"}, 90.0),
        ({"retry-after": "Tue, 24 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": "Tue, 24 Nov 99999999999999 12:01:30 GMT"}, None),
        ({"retry-after": "Tue, 99 Nov 2026 12:01:30 GMT"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers, now=NOW) == seconds


def test_without_a_given_time_a_date_counts_from_now() -> None:
    assert retry_after_seconds({"retry-after": "Tue, 24 Nov 2015 12:00:00 GMT"}) == 0.0
    assert (retry_after_seconds({"retry-after": "Mon, 24 Nov 3025 12:00:00 GMT"}) or 0) > 1e9


@pytest.mark.parametrize("kind", [httpx2.Headers, CIMultiDict])
def test_the_headers_of_both_http_libraries_are_read(kind: type) -> None:
    assert retry_after_seconds(kind({"Retry-After": "3"})) == 3.0


@given(
    st.text(max_size=30)
    | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,12} \d{1,2}:\d{1,2}:\d{1,4} ([+-]\d{4}|GMT)")
)
def test_no_header_does_any_harm(text: str) -> None:
    seconds = retry_after_seconds({"retry-after": text, "retry-after-ms": text}, now=NOW)
    assert seconds is None or 0 <= seconds < float("inf")
