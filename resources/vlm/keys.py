"""API keys on their way into a header, and kept out of whatever comes back: endpoints echo what they were sent."""

import json

from grounding_assets.core.errors import SpecError

_SHORTEST_SECRET = 8


def header_key(key: str, setting: str) -> str:
    """The key without the line break that files and variables often add to it.

    Raises:
        SpecError: no header can hold it; the message names the setting and not the key.
    """
    key = key.strip()
    if not (key.isascii() and key.isprintable()):
        raise SpecError(f"The API key holds characters that no key has: set {setting} to the key alone.")
    return key


class Scrubber:
    """Puts `[key]` in a key's place: as it is, and as it stands in JSON or in JSON within JSON.

    A key of less than 8 characters is a placeholder such as EMPTY, which may well be a word of a caption.
    """

    def __init__(self, key: str):
        once = json.dumps(key)[1:-1]
        forms = {key, once, json.dumps(once)[1:-1]}
        # the most escaped first: a plainer form may be part of it
        self._forms = sorted(forms, key=len, reverse=True) if len(key) >= _SHORTEST_SECRET else []

    def __call__(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, "[key]")
        return text
