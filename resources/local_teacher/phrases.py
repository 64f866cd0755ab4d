"""Noun phrases of a cleaned caption, and what a phrase refers to: a COCO class and how many of it.

TextBlob tags the words; the phrase grammar here runs over the tags (why not TextBlob's own chunks: see
docs/decisions). Attributes, positions and relations are part of a phrase's text but do not choose its boxes.
Words themselves stand in `lexicon.py`.
"""

import re
import threading
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from textblob.en import lexicon as english
from textblob.en import parse

from grounding_assets.core.records import Expression
from resources.local_teacher.lexicon import (
    ABBREVIATIONS,
    ABSTRACT,
    ACTOR_CLASSES,
    CAPTION_VERBS,
    COUNTS,
    DEPICTIONS,
    FORMS,
    GROUPS,
    LONGEST_FORM,
    QUANTITIES,
    Number,
    find_noun,
)

MAX_SENTENCE_TOKENS = 200
"""Longer sentences are cut there, so that work grows with the caption's length and not its square."""
MIN_ENGLISH_SHARE = 0.6
"""A caption of which a smaller share of words is known English is not searched for phrases."""

_WORD = r"[\w\u0300-\u036f]+"
_TOKEN = re.compile(
    rf"(?:[a-z]\.){{2,}}|\b(?:{ABBREVIATIONS})\.(?= ?\w)|{_WORD}?(?=n['’]t\b)|n['’]t\b|['’](?:s|m|d|re|ve|ll)\b|{_WORD}(?:-{_WORD})*|[^\w\s]",
    re.IGNORECASE,
)
"""A word keeps its combining accents; contractions are cut as the tagger knows them (`does` + `n't`)."""


_TAG_LETTERS = {
    "DT": "D", "PRP$": "D", "PDT": "Q", "CD": "C", "JJ": "J", "JJR": "J", "JJS": "J", "RB": "R", "RBR": "R", "RBS": "R",
    "VBG": "G", "VBN": "P", "VBD": "P", "NN": "N", "NNS": "N", "NNP": "N", "NNPS": "N", "POS": "S", ",": ",",
}  # fmt: skip
"""Penn tags to one letter each, so that a phrase is a regular expression over a sentence; others become `.`."""
_LOOSE_DETERMINERS = {"all", "both", "each", "every", "some", "any", "no", "many", "several", "few", "half"}
_DEFINITE = {"the", "this", "that"}
_SINGULAR_DETERMINERS = {"a", "an", "one", "another", "each", "every", "this", "that"}

_ADJECTIVES = r"(?:R*J(?:,?&?R*J)*)"
_PHRASE = re.compile(
    # A participle is an attribute only right after a determiner or its adjectives: "a smiling man", but
    # "a man riding horses" and "both riding horses" hold a verb.
    rf"(?:Q?D+C*{_ADJECTIVES}?(?:R*[GP])?{_ADJECTIVES}?|[QC]+P?{_ADJECTIVES}?|{_ADJECTIVES})?N+(?:J+N+)*(?:SC*{_ADJECTIVES}?N+)*"
)


class Token(NamedTuple):
    """One word or punctuation mark, or one known noun of several words."""

    word: str
    """Lower case; words of a known noun joined by one space."""
    start: int
    end: int
    """`[start, end)` in code points of the caption."""
    tag: str = ""
    """Penn tag, as TextBlob gave it."""
    letter: str = "."
    """Its part of speech after correction, see `_TAG_LETTERS`."""


class Reference(NamedTuple):
    """What an expression asks the detector for."""

    class_name: str | None
    """A COCO class, or None outside the vocabulary."""
    limit: int | None
    """At most how many boxes: 1 for a singular, k for a numeral, None for all there are."""


def is_english(caption: str) -> bool:
    """Whether enough of the caption's words are English for the tags to mean something; False without words."""
    words = [word for word in _words(caption) if word[0].isalpha()]
    with _tagger_lock:
        known = sum(word in FORMS or (english.get(word) or "FW") != "FW" for word in words)
    return known > 0 and known >= MIN_ENGLISH_SHARE * len(words)


def find_expressions(caption: str) -> tuple[Expression, ...]:
    """The referring expressions of a cleaned caption, in reading order, without overlaps.

    Each satisfies `caption[start:end] == text`. Pronouns, negated phrases ("no toilets") and nouns that pick out
    nothing visible ("the background", "a photo") are left out; a caption that is not English gives none.
    """
    if not is_english(caption):
        return ()
    return tuple(
        Expression(
            text=caption[phrase[0].start : phrase[-1].end],
            char_span=(phrase[0].start, phrase[-1].end),
            noun_chunk=_head(caption, phrase),
        )
        for sentence in _sentences(caption)
        for phrase in _phrases(_tagged(sentence))
        if _is_visible(phrase)
    )


def read_reference(text: str, noun_chunk: str) -> Reference:
    """What an expression, from whatever source, refers to: its class by `noun_chunk`, its number by `text`."""
    head = _words(noun_chunk)
    noun = find_noun(head)
    if noun is None or noun.class_name is None:
        return Reference(None, None)
    if noun.number is Number.SINGULAR:
        return Reference(noun.class_name, 1)
    words = _words(text)
    leading = words[: words.index(head[-1]) + 1] if head[-1] in words else words
    count = next((count for word in reversed(leading) if (count := _count(word)) is not None), None)
    if noun.number is Number.PLURAL or not GROUPS.isdisjoint(leading):
        return Reference(noun.class_name, None if count == 1 else count)
    if count is None and not _DEFINITE.isdisjoint(leading):
        return Reference(noun.class_name, 1)
    return Reference(noun.class_name, count)


def _words(text: str) -> list[str]:
    return [match.group().lower().replace("’", "'") for match in _TOKEN.finditer(text)]


def _count(word: str) -> int | None:
    if word.isascii() and word.isdigit() and len(word) <= 3:
        return max(int(word), 1)
    return COUNTS.get(word)


def _sentences(caption: str) -> Iterator[list[Token]]:
    sentence: list[Token] = []
    for token in _tokens(caption):
        sentence.append(token)
        if token.word in ".!?;:" or len(sentence) == MAX_SENTENCE_TOKENS:
            yield sentence
            sentence = []
    if sentence:
        yield sentence


def _tokens(caption: str) -> Iterator[Token]:
    """Words and marks of the caption, known nouns of several words joined to one token."""
    pending: list[Token] = []
    for match in _TOKEN.finditer(caption):
        pending.append(Token(match.group().lower().replace("’", "'"), match.start(), match.end()))
        if len(pending) == LONGEST_FORM:
            yield _take_longest_form(pending)
    while pending:
        yield _take_longest_form(pending)


def _take_longest_form(pending: list[Token]) -> Token:
    """Removes the longest known noun at the front of `pending`, or one token, and returns it."""
    for length in range(len(pending), 1, -1):
        form = " ".join(token.word for token in pending[:length])
        if form in FORMS:
            break
    else:
        length, form = 1, pending[0].word
    taken = Token(form, pending[0].start, pending[length - 1].end)
    del pending[:length]
    return taken


_tagger_lock = threading.Lock()
"""TextBlob loads its word list at first use and does not guard that against a second thread."""


def _tagged(sentence: list[Token]) -> list[Token]:
    """The tokens with their part of speech, with the tagger's usual errors on captions corrected."""
    with _tagger_lock:
        rows: Any = parse(
            " ".join(_as_one_word(token.word) for token in sentence),
            tokenize=False,
            chunks=False,
            collapse=False,
        )
    tags: list[str] = [row[1] for row in rows[0]]
    letters = [_letter(token.word, tag) for token, tag in zip(sentence, tags, strict=True)]
    for i, token in enumerate(sentence[1:]):
        if token.word == "to" and letters[i] == "J":
            letters[i] = "."  # "next to", "close to": it describes no noun that follows
    for i, (token, tag) in enumerate(zip(sentence, tags, strict=True)):
        before = letters[i - 1] if i else "."
        after = letters[i + 1] if i + 1 < len(letters) else "."
        if token.word in FORMS and (
            (tag in ("VB", "VBP", "VBZ") and before in "DCJN&") or (tag == "JJ" and after not in "JN&")
        ):
            letters[i] = "N"
        elif letters[i] == "N" and (
            (before == "N" and (token.word in CAPTION_VERBS or (after == "D" and token.word not in FORMS)))
            or (token.word.endswith("ing") and tags[i - 1 : i] and tags[i - 1].startswith("VB"))
            or (before == "N" and _is_doing(token.word, sentence[i - 1].word))
        ):
            letters[i] = "."
    return [
        token._replace(tag=tag, letter=letter)
        for token, tag, letter in zip(sentence, tags, letters, strict=True)
    ]


def _is_doing(word: str, noun: str) -> bool:
    """Whether a word that the tagger takes for a noun says what the one before it does: "a man skiing" is a man."""
    known = FORMS.get(noun)
    return (
        known is not None
        and known.class_name in ACTOR_CLASSES
        and word.endswith("ing")
        and word not in FORMS
        and len(word) > 5
    )


def _as_one_word(word: str) -> str:
    """What the tagger is shown: for a known noun of several words a plain noun of the same number."""
    if " " not in word and "." not in word:
        return word
    if word not in FORMS:
        return word
    return "dogs" if FORMS[word].number is Number.PLURAL else "dog"


def _letter(word: str, tag: str) -> str:
    if word in ("and", "or", "&"):
        return "&"
    if word in _LOOSE_DETERMINERS:
        return "Q"
    letter = _TAG_LETTERS.get(tag, ".")
    return letter if letter in ",S" or any(map(str.isalnum, word)) else "."


def _phrases(sentence: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Maximal noun phrases; `X of Y` is one where X only measures Y, or shows it."""
    spans = [match.span() for match in _PHRASE.finditer("".join(token.letter for token in sentence))]
    spans = [(start, _without_verb(sentence[start:end]) + start) for start, end in spans]
    while spans:
        start, end = spans.pop(0)
        while (
            spans
            and spans[0][0] == end + 1
            and sentence[end].word == "of"
            and (sentence[end - 1].word in QUANTITIES or _is_thing_that_shows(sentence, start, spans[0][1]))
        ):
            end = spans.pop(0)[1]
        yield sentence[start:end]


def _is_thing_that_shows(sentence: Sequence[Token], start: int, end: int) -> bool:
    """Whether `sentence[start:end]`, "X of Y", is a thing of its own such as a statue, and not the whole photo.

    A sentence that begins with a photo means the photo itself, unless a verb says where that one is.
    """
    shows = next((token.word for token in sentence[start:end] if token.word in DEPICTIONS), "")
    verb_follows = end < len(sentence) and sentence[end].tag in ("VBZ", "VBP")
    return bool(shows) and (shows not in ABSTRACT or start > 0 or verb_follows)


def _thing(phrase: Sequence[Token]) -> Sequence[Token]:
    """The phrase up to its head: "a statue" of "a statue of a dog"."""
    for i in range(len(phrase) - 1):
        if phrase[i].word in DEPICTIONS and phrase[i + 1].word == "of":
            return phrase[: i + 1]
    return phrase


def _without_verb(phrase: Sequence[Token]) -> int:
    """Length of the phrase without a last word that cannot be its noun: "a man skis" names no skis."""
    noun = FORMS.get(phrase[-1].word)
    plural = phrase[-1].tag == "NNS" if noun is None else noun.number is Number.PLURAL
    contradicts = plural and phrase[0].word in _SINGULAR_DETERMINERS and phrase[-2].letter == "N"
    return len(phrase) - contradicts


def _is_visible(phrase: Sequence[Token]) -> bool:
    head = phrase[-1].word
    names_something = _thing(phrase) is not phrase or head in FORMS or head not in ABSTRACT
    return names_something and phrase[0].word != "no"


def _head(caption: str, phrase: Sequence[Token]) -> str:
    """The last nouns of the phrase, or of the thing that shows something, without what describes them."""
    phrase = _thing(phrase)
    first = len(phrase) - 1
    while first > 0 and phrase[first - 1].letter == "N":
        first -= 1
    return caption[phrase[first].start : phrase[-1].end]
