"""Questions and answers that teach a vision-language model to ground: three tasks, in two ways to write boxes."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.exports.captions import is_absent
from grounding_assets.core.exports.chat_model import ChatModel
from grounding_assets.core.exports.flickr30k import without_overlaps
from grounding_assets.core.records import Expression, PixelBox, Span
from grounding_assets.core.spec.export_settings import ExportTask

_MARKUP = re.compile(
    r"<\|.*?\|>|</?(image|video|audio|bbox|ref-object|cot-process|start-image|ref|box|think)>"
)


@dataclass(frozen=True, slots=True)
class Phrase:
    """What is asked about: a text and the boxes that it refers to, none if the image does not show it."""

    text: str
    boxes: tuple[PixelBox, ...]


@dataclass(frozen=True, slots=True)
class Conversation:
    """One question about an image and its answer."""

    question: str
    answer: str
    objects: dict[str, Any]
    """What placeholders in the texts stand for."""
    phrases: Sequence[Phrase]


class Notation(Protocol):
    """Writes the phrases and boxes of one conversation, from its beginning to its end."""

    form: str
    """What a question for boxes adds."""
    objects: dict[str, Any]
    """What placeholders stand for."""

    def quoted(self, phrases: Sequence[Phrase]) -> str:
        """The texts, as part of a sentence."""
        ...

    def alone(self, phrase: Phrase) -> str:
        """The text as a whole answer."""
        ...

    def boxes(self, phrase: Phrase) -> str:
        """The boxes as part of a question."""
        ...

    def located(self, phrases: Sequence[Phrase]) -> str:
        """The texts with their boxes."""
        ...

    def described(self, caption: str, phrases: Sequence[tuple[Span, Phrase]]) -> str:
        """The caption with the boxes of its phrases, which stand in order and do not overlap."""
        ...


class JsonNotation:
    """Boxes as JSON in the target model's own numbers; a caption stands before them."""

    form = " Report the boxes in JSON format."

    def __init__(self, model: ChatModel, image_size: tuple[int, int], seen_size: tuple[int, int]):
        self._model, self._image_size, self._seen_size = model, image_size, seen_size
        self.objects: dict[str, Any] = {}

    def quoted(self, phrases: Sequence[Phrase]) -> str:
        return ", ".join(f'"{phrase.text}"' for phrase in phrases)

    def alone(self, phrase: Phrase) -> str:
        return phrase.text

    def boxes(self, phrase: Phrase) -> str:
        return _json([{self._model.box_key: self._written(bbox)} for bbox in phrase.boxes])

    def located(self, phrases: Sequence[Phrase]) -> str:
        return _json(
            [
                {self._model.box_key: self._written(bbox), "label": phrase.text}
                for phrase in phrases
                for bbox in phrase.boxes
            ]
        )

    def described(self, caption: str, phrases: Sequence[tuple[Span, Phrase]]) -> str:
        return f"{caption}\n{self.located([phrase for _, phrase in phrases])}"

    def _written(self, bbox: PixelBox) -> list[float]:
        return self._model.written(bbox, self._image_size, self._seen_size)


class PlaceholderNotation:
    """`<ref-object>` and `<bbox>`, which ms-swift fills in order, in the form of the model that it trains."""

    form = ""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {"ref": [], "bbox": []}

    def quoted(self, phrases: Sequence[Phrase]) -> str:
        return ", ".join(self.alone(phrase) for phrase in phrases)

    def alone(self, phrase: Phrase) -> str:
        self.objects["ref"].append(phrase.text)
        return "<ref-object>"

    def boxes(self, phrase: Phrase) -> str:
        self.objects["bbox"] += map(list, phrase.boxes)
        return "<bbox>" * len(phrase.boxes)

    def located(self, phrases: Sequence[Phrase]) -> str:
        return "\n".join(self.alone(phrase) + self.boxes(phrase) for phrase in phrases)

    def described(self, caption: str, phrases: Sequence[tuple[Span, Phrase]]) -> str:
        text, reached = "", 0
        for (start, end), phrase in phrases:
            text += caption[reached:start] + self.alone(phrase) + self.boxes(phrase)
            reached = end
        return text + caption[reached:]


def conversations(
    sample: AnnotatedSample, task: ExportTask, notation: Callable[[], Notation], *, refusals: bool
) -> Iterator[Conversation]:
    """What is asked about one sample; nothing if it has nothing to ask for."""
    boxed = [expression for expression in sample.expressions if expression.instances]
    match task:
        case "grounding":
            yield from _grounding(sample, _by_text(boxed), notation, refusals=refusals)
        case "detailed":
            yield from _detailed(sample, notation)
        case "referring":
            for phrase in _by_text(boxed):
                written = notation()
                question = f"Give an expression that refers to what is at {written.boxes(phrase)}."
                yield Conversation(question, written.alone(phrase), written.objects, [phrase])


def holds_markup(sample: AnnotatedSample) -> bool:
    """Whether its text has a word that a trainer or a tokenizer takes for more than text, such as `<image>`."""
    return bool(_MARKUP.search(sample.cleaned_caption))


def is_contradicted(sample: AnnotatedSample) -> bool:
    """Whether the caption mentions what the image does not show, so that it describes another picture in part."""
    return any(is_absent(expression) for expression in sample.expressions)


def _grounding(
    sample: AnnotatedSample, phrases: list[Phrase], notation: Callable[[], Notation], *, refusals: bool
) -> Iterator[Conversation]:
    asked = [phrases] if phrases else []
    if refusals:
        located = {phrase.text.casefold() for phrase in phrases}
        absent = _by_text([one for one in sample.expressions if is_absent(one)])
        asked += [[phrase] for phrase in absent if phrase.text.casefold() not in located]
    for some in asked:
        written = notation()
        question = f"Locate every instance of {written.quoted(some)} in the image.{written.form}"
        answer = (
            written.located(some) if some is phrases else f"The image does not show {written.quoted(some)}."
        )
        yield Conversation(question, answer, written.objects, some)


def _detailed(sample: AnnotatedSample, notation: Callable[[], Notation]) -> Iterator[Conversation]:
    boxed = without_overlaps([expression for expression in sample.expressions if expression.instances])
    phrases = [(expression.char_span, _phrase(expression)) for expression in boxed]
    if not phrases or is_contradicted(sample):
        return
    written = notation()
    question = f"Describe the image and locate what the description mentions.{written.form}"
    answer = written.described(sample.cleaned_caption, phrases)
    yield Conversation(question, answer, written.objects, [phrase for _, phrase in phrases])


def _by_text(expressions: Sequence[Expression]) -> list[Phrase]:
    """Each text once, with the boxes of all expressions that say it."""
    boxes: dict[str, dict[PixelBox, None]] = {}
    for expression in expressions:
        phrase = _phrase(expression)
        boxes.setdefault(phrase.text, {}).update(dict.fromkeys(phrase.boxes))
    return [Phrase(text, tuple(found)) for text, found in boxes.items()]


def _phrase(expression: Expression) -> Phrase:
    text = " ".join(expression.text.split())
    return Phrase(text, tuple(instance.bbox for instance in expression.instances))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
