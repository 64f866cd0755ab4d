"""Names in plain words: what stands before a box, on its line or above it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from grounding_assets.core.spans.folding import fold


def word_set(text: str) -> frozenset[str]:
    """The words of a text that lists them."""
    return frozenset(text.split())


_FILLERS = word_set(
    "the a an is are was were at of for in to and or it its this that there here i can see found find located "
    "box boxes bounding bbox bboxes coordinate coordinates location locations position answer final result results "
    "output object objects image picture photo label labels name detected detection as follows following given by "
    "with shown in be"
)
"""Words that say nothing of what a box shows."""
_NUMERAL_TEXT = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
)
_NUMERALS = {word: str(number) for number, word in enumerate(_NUMERAL_TEXT.split())}
_LIST_MARK = re.compile(
    r"^[\s>#*_•·+,;.|&-]*(?:\(?[0-9]{1,3}\s*[.):]\s*)?[\s*_`]*(?:(?:and|or)\b)?[\s*_`|]*$"
)
_BEFORE_NAME = re.compile(r"^[\s>#*_•·+,;.-]*(?:\(?[0-9]{1,3}[.)]\s+)?[\s*_`]*")
_BEHIND_NAME = re.compile(r"[\s*_`]*[\s:：=(\[–—-]*[\s*_`]*$")
_LEFT_OUT = re.compile(
    r"\.\.\.|…|\b(?:omitted|remaining|truncated|skipped|the rest|and so on|etc|and more|for brevity|same pattern|"
    r"(?:[0-9]+|some|many|the) (?:more|others?)|more (?:objects|expressions|entries|items|boxes)|others)\b|^\W*more\W*$",
    re.IGNORECASE | re.MULTILINE,
)
_ASIDE = re.compile(
    r"\b(?:wrong|incorrect|bad|rejected|discarded|previous(?:ly)?|old|older|earlier|compar\w+|alternative(?:ly)?|example|"
    r"draft|baseline|instead of|rather than|not|for instance|e\.g|would|each entry|one entry|schema|placeholder|"
    r"(?:next|second|other|another) (?:image|photo|picture)|(?:image|photo|picture) ?#?[2-9])\b|~~\s*$",
    re.IGNORECASE,
)
_CORRECTS = re.compile(
    r"\b(?:correct(?:ed|ion|ing)?|final(?:ly)?|better|fixed|revised|updated|improved|should be)\b",
    re.IGNORECASE,
)

_DENIES = re.compile(
    r"\b(?:no(?! other\b| more\b)|not(?! fully\b| entirely\b)|none|nothing|neither|\w+n't)\b", re.IGNORECASE
)
_IN_A_CASE = re.compile(
    r"\W*(?:(?:however|but|otherwise|and|or|also)\b\W*)?(?:if|when|in case)\b", re.IGNORECASE
)
_SENTENCE_ENDS = re.compile(r"[.!?]\s|\n(?=.*\S)")
_ADDS = re.compile(r"\b(?:another|also|additional(?:ly)?|as well|besides)\b", re.IGNORECASE)
_GOES_ON = re.compile(
    r"\bno(?:[\s*]*(?:[,.;:!\n—–]|\Z)|\s+-)|\bnot (?:quite|all|yet)\b|(?<!\bno )\bmore\b(?! than\b)",
    re.IGNORECASE,
)
_TAKES_BACK = re.compile(
    rf"{_CORRECTS.pattern}|\b(?:wait|actually|second thoughts?|mistaken?|sorry|oops|instead|re-?check\w*|again|adjust\w*|"
    r"apolog\w+|however|refin\w+|more (?:precise|accurate)\w*|closer)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Heading:
    """What the words between two pieces of an answer make of the next one."""

    name: str = ""
    """Empty if the words name nothing."""
    on_line: bool = False
    """The name stands on the line of what follows, not above it."""
    has_words: bool = False
    breaks_line: bool = False
    is_prose: bool = False
    """There is more than the name."""


def heading_of(words: str) -> Heading:
    """The heading that the words before a box are.

    >>> heading_of("Found:\\n- **the red car**: ").name
    'the red car'
    """
    lines = words.split("\n")
    telling = [line for line in lines if not _LIST_MARK.match(line)]
    if not telling:
        return Heading(breaks_line=len(lines) > 1)
    named = [line for line in telling if says_what(line)]
    name = _cleaned(named[-1]) if named else ""
    on_line = (named or telling)[-1] is lines[-1]
    return Heading(name, on_line, True, len(lines) > 1, len(telling) > 1)


def leaves_out(words: str) -> bool:
    """Whether words say that something was left out.

    >>> leaves_out("(remaining expressions omitted)"), leaves_out("There is no tree.")
    (True, False)
    """
    return _LEFT_OUT.search(words) is not None


def puts_aside(words: str) -> bool:
    """Whether the sentence that leads to an answer says that it is not the one.

    >>> puts_aside("For comparison, the old model said "), puts_aside("The old one was wrong. Better: ")
    (True, False)
    """
    sentence = _SENTENCE_ENDS.split(words)[-1]
    is_aside = _ASIDE.search(sentence) or _IN_A_CASE.match(sentence)
    return bool(is_aside) and not _CORRECTS.search(sentence)


def takes_back(words: str) -> bool:
    """Whether words say that what follows corrects what was said before.

    >>> takes_back("Wait, the car is further left:"), takes_back("The tree:")
    (True, False)
    """
    if _ADDS.search(words) or _IN_A_CASE.match(_SENTENCE_ENDS.split(words)[-1]):
        return False
    return _TAKES_BACK.search(words) is not None


def goes_on(words: str) -> bool:
    """Whether words say that what follows adds to what was said before, or corrects it.

    >>> goes_on("No, one more:"), goes_on("Sorry, it is here:"), goes_on("Here is the dog:")
    (True, True, False)
    """
    return takes_back(words) or any(says.search(words) for says in (_ADDS, _GOES_ON))


def denies(words: str) -> bool:
    """Whether words deny something: then a box beside them may be of what the thing is not.

    >>> denies("that is the blue car; there is no red one"), denies("It is at")
    (True, False)
    """
    return _DENIES.search(words) is not None


def content(text: str) -> tuple[str, ...]:
    """The words of a text in order, without those that say nothing, numbers as digits.

    >>> content("The two dogs are at")
    ('2', 'dogs')
    """
    return tuple(with_digits([word for word in _words(text) if word not in _FILLERS]))


def says_what(text: str) -> bool:
    """Whether a text can name anything: fillers and numbers alone cannot."""
    return any(not word.isdigit() for word in content(text))


def with_digits(words: Sequence[str]) -> list[str]:
    """The words with small numbers as digits."""
    return [_NUMERALS.get(word, word) for word in words]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", fold(text).text)


def _cleaned(line: str) -> str:
    if "|" in line:
        # a row of a table: which cell is the name is not known
        return line.strip()
    return _BEHIND_NAME.sub("", _BEFORE_NAME.sub("", line)).strip()
