"""What an endpoint says about waiting, in whichever form it says it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after_seconds(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Seconds to wait by `retry-after-ms` or `Retry-After` (seconds or an HTTP date, RFC 9110 10.2.3)."""
    milliseconds = headers.get("retry-after-ms")
    text = headers.get("retry-after")
    if milliseconds is not None:
        text, scale = milliseconds, 0.001
    elif text is not None:
        scale = 1.0
    else:
        return None
    try:
        return max(0.0, float(text) * scale)
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
