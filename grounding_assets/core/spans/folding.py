"""Text as it compares: one spelling for what looks alike, with the way back to the original offsets.

Folding joins compatibility forms (NFKC), case, runs of white space, quotation marks and dashes, and
drops characters that have no width. It works on extended grapheme clusters (Unicode UAX #29), so that
a base letter and its marks, a Hangul syllable or an emoji sequence are never taken apart. What to do with
a match, and whether it is good enough, is decided by `spans` and `replies.matching`.
"""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import regex

from grounding_assets.core.records import Span

_QUOTES = dict.fromkeys(map(ord, "\"'`´‘’‚‛“”„‟′″‹›«»＂＇"), "'")
_DASHES = dict.fromkeys(map(ord, "-‐‑‒–—―−"), "-")
_SAME = _QUOTES | _DASHES
_CLUSTER = regex.compile(r"\X")
_NOT_ONE_BY_ONE = regex.compile(r"[\s\x1c-\x1f]{2}|\r")
"""In ASCII: characters that fold together with their neighbours."""
_PLAIN = _SAME | dict.fromkeys(map(ord, "\t\n\v\f\x1c\x1d\x1e\x1f"), " ")
_VISIBLE_FORMAT = regex.compile(r"[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000e0020-\U000e007f]")
"""Format characters that are drawn: Arabic number signs, and the tags that tell one flag from another."""
_ARTICLE = regex.compile(r"^(?:an?|the)\s+(?=\S)", regex.IGNORECASE)
_EDGE = " .,;:!?'"


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text; character i of `text` came from `original[starts[i]:ends[i]]`."""

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def span(self, start: int, end: int) -> Span | None:
        """The original offsets of `text[start:end]`; None if it begins or ends inside a cluster."""
        if not 0 <= start < end <= len(self.text):
            return None
        begins = start == 0 or self.starts[start] != self.starts[start - 1]
        finishes = end == len(self.text) or self.starts[end] != self.starts[end - 1]
        return (self.starts[start], self.ends[end - 1]) if begins and finishes else None


def fold(text: str) -> Folded:
    """Folds a text of any script; linear in its length.

    >>> fold("The  “Straße”").text
    "the 'strasse'"
    """
    if text.isascii() and not _NOT_ONE_BY_ONE.search(text):
        # most captions, at a tenth of the time
        return Folded(text.lower().translate(_PLAIN), tuple(range(len(text))), tuple(range(1, len(text) + 1)))
    folded: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for match in _CLUSTER.finditer(text):
        characters = _fold_cluster(match.group())
        if characters == " " and folded and folded[-1] == " ":
            ends[-1] = match.end()
            continue
        folded.extend(characters)
        starts.extend([match.start()] * len(characters))
        ends.extend([match.end()] * len(characters))
    return Folded("".join(folded), tuple(starts), tuple(ends))


@lru_cache(maxsize=4096)
def _fold_cluster(cluster: str) -> str:
    if cluster.isspace():
        return " "
    visible = "".join(c for c in cluster.translate(_SAME) if not is_zero_width(c))
    compatible = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible).casefold())
    if compatible[:1].isspace():
        # NFKC takes some spacing accents for a space with a mark, which would make an edge of them.
        compatible = unicodedata.normalize("NFC", visible.casefold())
    return compatible.translate(_SAME)


def is_zero_width(character: str) -> bool:
    """True for joiners, direction marks, byte order marks, soft hyphens and variation selectors."""
    if "\ufe00" <= character <= "\ufe0f":
        return True
    return unicodedata.category(character) == "Cf" and not _VISIBLE_FORMAT.match(character)


def trimmed(text: str) -> str:
    """Without the white space and the invisible clusters at both ends; no cluster is cut.

    >>> trimmed(" a cat\\u200b\\n")
    'a cat'
    """
    if text.isascii():
        return text.strip()
    folded = fold(text)
    inner = folded.text.strip()
    if not inner:
        return ""
    first = folded.text.index(inner)
    return text[folded.starts[first] : folded.ends[first + len(inner) - 1]]


def cluster_edges(text: str) -> frozenset[int]:
    """Offsets at which a grapheme cluster begins or ends, 0 and `len(text)` among them."""
    if text.isascii() and "\r" not in text:
        # every character is a cluster of its own: most captions, at a hundredth of the time
        return frozenset(range(len(text) + 1))
    return frozenset(match.end() for match in _CLUSTER.finditer(text)) | {0}


def without_article(text: str) -> str:
    """The text without a leading English article; a text that is nothing else stays."""
    return _ARTICLE.sub("", text)


def bare(text: str) -> str:
    """The folded text without white space and punctuation at its edges."""
    return fold(text).text.strip(_EDGE)


def comparison_key(text: str) -> str:
    """Equal for two texts that differ in folding, edge punctuation or a leading English article alone.

    >>> comparison_key("A Red  Car.") == comparison_key("the red car")
    True
    """
    return without_article(bare(text)).strip(_EDGE)
