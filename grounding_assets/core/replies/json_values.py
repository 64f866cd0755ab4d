"""JSON values as a model wrote them; `lenient_json` finds them."""

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(slots=True)
class JsonObject:
    """An object with all of its pairs in order, duplicate keys included."""

    pairs: "list[tuple[str, JsonValue]]" = field(default_factory=list)
    closed: bool = True
    """False if the text ended first."""
    sound: bool = True
    """False if something directly inside could not be read; it is left out."""


@dataclass(slots=True)
class JsonArray:
    """An array or a tuple; the flags are those of `JsonObject`."""

    elements: "list[JsonValue]" = field(default_factory=list)
    closed: bool = True
    sound: bool = True


JsonValue: TypeAlias = JsonObject | JsonArray | str | int | float | bool | None
