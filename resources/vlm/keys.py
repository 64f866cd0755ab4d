"""API keys on their way into a header, and kept out of whatever comes back: endpoints echo what they were sent."""

import json
import re

from grounding_assets.core.errors import SpecError

_SHORTEST_SECRET = 8
_SHOWN_OF_MASKED = 4
_SHORTEST_MASKED = 20
"""Characters at the end of a key that makers show of it: `sk-01234****wxyz`, `sk-...wxyz`."""


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
    """Puts `[key]` in a key's place: as it is, as it stands in JSON or in JSON within JSON, and masked but for its ends.

    A key of less than 8 characters is a placeholder such as EMPTY, which may well be a word of a caption; the end of
    one of less than 20 may be.
    """

    def __init__(self, key: str):
        once = json.dumps(key)[1:-1]
        forms = {key, once, json.dumps(once)[1:-1]}
        # the most escaped first: a plainer form may be part of it
        self._forms = sorted(forms, key=len, reverse=True) if len(key) >= _SHORTEST_SECRET else []
        end = re.escape(key[-_SHOWN_OF_MASKED:])
        # each run of asterisks is gone through from its beginning only, however long a body of them is
        masked = rf"[\w-]{{0,20}}(?:(?<!\*)\*{{2,}}+|\.{{3}}|…){end}"
        self._masked = re.compile(masked) if len(key) >= _SHORTEST_MASKED else None

    def __call__(self, text: str) -> str:
        if not self._forms:
            return text
        for form in self._forms:
            text = text.replace(form, "[key]")
        return self._masked.sub("[key]", text) if self._masked else text
