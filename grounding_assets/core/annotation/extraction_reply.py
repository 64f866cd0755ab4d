"""Step 0's reading: a reply as a cleaned caption that is still the caption it was made of."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

import regex

from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.replies import ParsedExtraction, parse_extraction, refuse_disclaimed
from grounding_assets.core.spans.alignment import to_expressions
from grounding_assets.core.spans.folding import fold

MIN_KEPT = 0.3
"""Share of the words, by letters, that the caption and the cleaned caption have in common at least.

Cleaning takes away openings and mends spelling; it does not translate, and it does not write another
caption. Measured against the shorter of the two, so that a caption full of tags may shrink to what it shows.
"""
_MIN_LETTERS_ALIKE = 0.6
"""Enough without common words: letters in the same order, where words were glued or spaced out."""
_ALIKE = 0.75
"""Two words are one, spelled differently."""
_SHORT = 3
"""Words up to this length are left out if there are longer ones: most are articles and prepositions."""
_WITHOUT_BLANKS = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")
"""Scripts that put no blanks between words: each of their characters counts as a word."""


def read_cleaned(reply: str, caption: str, *, ended_for_length: bool) -> ParsedExtraction:
    """A step-0 reply, read as `parse_extraction` does.

    Args:
        ended_for_length: whether the endpoint says that it cut the reply.

    Raises:
        SampleFailure: as `parse_extraction`; `unparsable` if less than `MIN_KEPT` of the caption is left, if the
            cleaned caption holds none of its expressions, or if the model says that it did not look.
    """
    parsed = parse_extraction(reply, ended_for_length=ended_for_length)
    refuse_disclaimed(reply, quoted=caption, says_none=not parsed.phrases)
    kept = kept_share(caption, parsed.cleaned_caption)
    if kept < MIN_KEPT:
        raise SampleFailure(
            Reason.UNPARSABLE,
            f"The cleaned caption has {kept:.0%} of the caption's words, less than {MIN_KEPT:.0%}: the model "
            f"translated it or wrote another one; it begins {parsed.cleaned_caption[:60]!r}.",
        )
    _refuse_foreign(parsed)
    return parsed


def _refuse_foreign(parsed: ParsedExtraction) -> None:
    """Expressions that are all left out would look like a caption that names nothing."""
    texts = [phrase.text.strip() for phrase in parsed.phrases]
    if texts and not to_expressions(parsed.cleaned_caption, parsed.phrases).expressions:
        raise SampleFailure(
            Reason.UNPARSABLE,
            f"None of the {len(texts)} expressions stands in the cleaned caption; the first is {texts[0][:60]!r}.",
        )


def kept_share(caption: str, cleaned: str) -> float:
    """How much of the shorter text's words the other one has, by letters: 0.0 to 1.0.

    >>> kept_share("we can see a REd  car and an tree", "A red car and a tree.")
    1.0
    >>> kept_share("A man on a horse.", "A bowl of soup stands on a table.")
    0.0
    """
    before, after = _words(caption), _words(cleaned)
    if not before or not after:
        return 0.0 if before else 1.0
    share = max(_common(before, after), _common(after, before))
    if share < MIN_KEPT and _letters_alike(before, after) >= _MIN_LETTERS_ALIKE:
        return 1.0
    return share


def _words(text: str) -> list[str]:
    folded = fold(text).text
    if folded.isascii():
        words = re.findall(r"\w+", folded)
        return [word for word in words if len(word) > _SHORT] or words
    words = re.findall(r"\w+", _WITHOUT_BLANKS.sub(r" \g<0> ", folded))
    return [word for word in words if len(word) > _SHORT or _WITHOUT_BLANKS.match(word)] or words


def _common(of: Sequence[str], among: Sequence[str]) -> float:
    known = set(among)
    kept = sum(
        len(word) for word in of if word in known or any(_is_spelling_of(word, other) for other in known)
    )
    return kept / sum(map(len, of))


def _is_spelling_of(word: str, other: str) -> bool:
    if abs(len(word) - len(other)) > 2 or len(word) <= 1:
        return False
    return SequenceMatcher(None, word, other, autojunk=False).ratio() >= _ALIKE


def _letters_alike(before: Sequence[str], after: Sequence[str]) -> float:
    return SequenceMatcher(None, "".join(before)[:1000], "".join(after)[:1000], autojunk=False).ratio()
