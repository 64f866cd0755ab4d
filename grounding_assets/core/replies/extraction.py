"""A step-0 reply as a cleaned caption and quoted phrases.

`core.spans.alignment` finds where the phrases stand in the caption.
"""

from collections.abc import Iterator

from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.replies.answer import answer_text, excerpt, is_closing, json_parts
from grounding_assets.core.replies.json_values import JsonArray, JsonObject, JsonValue
from grounding_assets.core.replies.keys import is_aside, normal, role_of, says_cut
from grounding_assets.core.replies.parsed import ParsedExtraction
from grounding_assets.core.replies.reasoning import begins_as_reasoning
from grounding_assets.core.spans.alignment import Phrase
from grounding_assets.core.spans.folding import trimmed

MAX_PHRASES = 500
"""A reply with more phrases comes from a model that repeats itself."""

_CAPTION = "cleaned_caption"
_LISTS = {"expressions", "phrases", "referring_expressions"}
_TEXTS = {"text", "expression", "phrase", "label"}
_SPANS = {"char_span", "span"}


def parse_extraction(reply: str, *, ended_for_length: bool = False) -> ParsedExtraction:
    """Reads a cleaned caption and its phrases; of several such objects the last counts.

    A phrase may be a string, or an object with `text`, `noun_chunk` and, in TAO's older form, `char_span`,
    whose start is kept as a hint.

    Args:
        reply: the text of the answer as the model wrote it, reasoning and all.
        ended_for_length: whether the endpoint says that it cut the reply. Such a reply counts only where
            nothing but its own end follows the object.

    Raises:
        SampleFailure: `truncated`, if the text ends inside the object or its reasoning, or says that it is cut; `unparsable`
            if there is no caption, no list, nothing readable in a list that is not empty, or text
            that could not be read between the parts, so that the caption itself is in doubt.

    >>> parse_extraction('{"cleaned_caption": "A car.", "expressions": [{"text": "A car"}]}').phrases
    (Phrase(text='A car', noun_chunk=None, claimed_start=None),)
    """
    answer, cut_in_reasoning = answer_text(reply)
    parts = json_parts(answer)
    found = [member for value in parts.values for member in _with_caption(value)]
    last_is_cut = bool(parts.values) and not parts.values[-1].closed
    unfinished = (ended_for_length or begins_as_reasoning(answer)) and not is_closing(parts.tail)
    says_so = bool(found) and any(says_cut(*pair) for pair in found[-1].pairs)
    if cut_in_reasoning or last_is_cut or unfinished or says_so:
        raise SampleFailure(Reason.TRUNCATED, "The reply breaks off; raise the token limit.")
    if not found:
        raise SampleFailure(
            Reason.UNPARSABLE,
            f"The reply holds no JSON object with a {_CAPTION}; it begins {excerpt(answer)}",
        )

    owner = found[-1]
    if not owner.sound:
        raise SampleFailure(
            Reason.UNPARSABLE,
            f"The reply holds text outside the strings of its JSON, so {_CAPTION} is in doubt; "
            f"it begins {excerpt(answer)}",
        )
    phrases, unreadable = _phrases(owner, answer)
    return ParsedExtraction(_captions(owner)[-1], phrases, unreadable=unreadable, repairs=parts.repairs)


def _phrases(owner: JsonObject, answer: str) -> tuple[tuple[Phrase, ...], int]:
    """The phrases of an object, and how many elements of its lists are there without a text."""
    lists = [value for key, value in owner.pairs if normal(key) in _LISTS and isinstance(value, JsonArray)]
    elements = [element for value in lists for element in value.elements]
    phrases = tuple(phrase for element in elements if (phrase := _phrase(element)))
    if not all(value.sound for value in lists) or any(map(_stands_for_more, elements)):
        raise SampleFailure(Reason.UNPARSABLE, "The reply's list of expressions leaves something out.")
    if len(phrases) > MAX_PHRASES:
        raise SampleFailure(
            Reason.UNPARSABLE, f"The reply holds {len(phrases)} phrases: the model repeats itself."
        )
    if not phrases and (elements or not lists):
        raise SampleFailure(
            Reason.UNPARSABLE,
            f"The reply holds {len(elements)} expressions, none of them with a text; "
            f"it begins {excerpt(answer)}",
        )
    return phrases, len(elements) - len(phrases)


def _with_caption(value: JsonValue) -> Iterator[JsonObject]:
    if isinstance(value, JsonArray):
        for element in value.elements:
            yield from _with_caption(element)
    elif isinstance(value, JsonObject):
        if _captions(value):
            yield value
        for key, member in value.pairs:
            if role_of(key, member) != "no_answer" and not is_aside(key):
                yield from _with_caption(member)


def _captions(value: JsonObject) -> list[str]:
    texts = [text for key, text in value.pairs if normal(key) == _CAPTION and isinstance(text, str)]
    return [text for text in map(trimmed, texts) if text]


def _stands_for_more(element: JsonValue) -> bool:
    """Whether an element stands in place of others: `"..."`, `{"...": "..."}`, `[2 more]`."""
    if isinstance(element, JsonArray):
        return not element.sound
    text = element.pairs[0][0] if isinstance(element, JsonObject) and element.pairs else element
    return isinstance(text, str) and bool(text.strip()) and not any(map(str.isalnum, text))


def _phrase(element: JsonValue) -> Phrase | None:
    if isinstance(element, str):
        return Phrase(element) if trimmed(element) else None
    if not isinstance(element, JsonObject):
        return None
    members = {normal(key): value for key, value in element.pairs}
    texts = [value for key, value in members.items() if key in _TEXTS and isinstance(value, str)]
    chunk = members.get("noun_chunk")
    spans = [value for key, value in members.items() if key in _SPANS and isinstance(value, JsonArray)]
    starts = [value.elements[0] for value in spans if value.elements]
    if not texts or not trimmed(texts[0]):
        return None
    return Phrase(
        texts[0],
        chunk if isinstance(chunk, str) and trimmed(chunk) else None,
        starts[0] if starts and isinstance(starts[0], int) and not isinstance(starts[0], bool) else None,
    )
