"""Caption cleaning by rule: step 0's first half for the embedded teacher.

It drops what speaks about the picture instead of what is in it, and tidies white space. It does not correct
spelling, translate or rephrase, and the same caption always gives the same result.
"""

import re

_ARTICLE = r"(?:an?|the|this|that|these|some|one)"
_PICTURE = r"(?:photo(?:graph)?|picture|pic|image|shot|view|snapshot|close[- ]?up)s?"
_MANNER = (
    r"(?:close[- ]?up|up[- ]close|black and white|black & white|colou?r(?:ed|ful)?|old|vintage|aerial|blurry|blurred"
    r"|nice|beautiful|good|great|overhead|side|front|wide|wide[- ]angle|low[- ]angle|high[- ]angle|digital|stock)"
)
_A_PICTURE = rf"(?:{_ARTICLE} )?(?:{_MANNER},? ){{0,3}}{_PICTURE}"
_SEES = r"(?:can |could )?(?:also )?(?:see|notice|observe)|(?:are|am) (?:looking at|seeing)"
_SHOWS = r"(?:shows?|showing|depicts?|depicting|features?|featuring|displays?|displaying|contains?|containing|captures?)"

_OPENING = re.compile(
    "|".join(
        (
            rf"in {_A_PICTURE},? ",
            rf"(?:(?:this|that|it|here) (?:is|was)|these are|here are|it's|that's|here's) (?={_ARTICLE}\b|(?:two|three)\b)",
            # "A picture of an animal is on a pole" speaks of the picture, "a picture of a dog that is on …" does not
            rf"{_A_PICTURE} (?:of|{_SHOWS}) (?![^.!?]*(?<!that )(?<!who )(?<!which )\b(?:is|are|hangs?) (?:on|in|at|above|over|by) )",
            r"there(?: (?:is|are|was|were)|'s) (?:also )?(?!(?:no|not|none|nothing|nobody|never)\b)",
            rf"(?:i|we|you|one) (?:{_SEES}) ",
        )
    ).replace("'", "['’]"),
    re.IGNORECASE,
)
"""What may stand before the words that describe; every alternative ends with the space before those words."""

_SENTENCE_START = re.compile(r"(?:^|(?<=[.!?] ))(?=\w)")
_SPACED_PUNCTUATION = re.compile(r" (?=[,.;:!?](?: |$))")
_DOUBLED_ARTICLE = re.compile(r"\b(an?|the)(?: \1)+\b", re.IGNORECASE)
_UNWRITABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff]+")
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")


def clean_caption(caption: str) -> str:
    """The caption as one line of plain description; may be empty.

    Control characters go, runs of white space become one space, lone surrogates become U+FFFD, openings such
    as "there is" or "a photo of" are dropped, and the caption and what followed an opening begin with a capital.
    """
    text = _LONE_SURROGATE.sub("\ufffd", _UNWRITABLE.sub("", caption))
    text = _SPACED_PUNCTUATION.sub("", " ".join(text.split()))
    text = _DOUBLED_ARTICLE.sub(r"\1", text)
    parts: list[str] = []
    copied = 0
    for sentence in _SENTENCE_START.finditer(text):
        parts.append(text[copied : sentence.start()])
        start = sentence.start()
        while opening := _OPENING.match(text, start):
            start = opening.end()
        first = text[start : start + 1]
        begins = start == 0 or start > sentence.start()
        parts.append(first.upper() if begins and len(first.upper()) == 1 else first)
        copied = start + 1
    parts.append(text[copied:])
    return "".join(parts)
