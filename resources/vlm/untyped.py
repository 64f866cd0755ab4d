"""Parts of an endpoint's document, which may be anything."""

from typing import Any


def as_dict(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def dicts_in(values: Any) -> list[dict[str, Any]]:
    """The objects of a list; none if it is no list."""
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def first_of(values: Any) -> dict[str, Any] | None:
    """The first entry of a list, if it is an object."""
    return values[0] if isinstance(values, list) and values and isinstance(values[0], dict) else None
