"""What an endpoint says about waiting, in whichever form it says it."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from resources.vlm.untyped import as_dict, dicts_in


def retry_after_seconds(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Seconds to wait by `retry-after-ms` or `Retry-After` (seconds or an HTTP date, RFC 9110 10.2.3)."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        seconds = _number(headers.get(name, ""))
        if seconds is not None:
            return max(0.0, seconds * scale)
    try:
        moment = parsedate_to_datetime(headers.get("retry-after", ""))
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def retry_info_seconds(document: Any) -> float | None:
    """The delay of a `google.rpc.RetryInfo` in an error body, such as "17s"."""
    # some gateways put the error into a list
    document = document[0] if isinstance(document, list) and document else document
    error = as_dict(document).get("error", document)
    for row in dicts_in(as_dict(error).get("details")):
        delay = row.get("retryDelay")
        seconds = _number(delay[:-1]) if isinstance(delay, str) and delay.endswith("s") else None
        if seconds is not None:
            return max(0.0, seconds)
    return None
