"""The simulated model: answers a question about a seen image with human boxes, as well or badly as told.

Everything is a function of the seed and the content, never of order or time, so that a run can be repeated
and two runs compared. Not here: endpoints, faults, wire formats.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tests.endpoints.contract import Question, named_things
from tests.endpoints.families import FAMILIES, Answer, Family, write_json, write_native
from tests.endpoints.frames import Server, untouched
from tests.endpoints.manner import Finish, Manner
from tests.endpoints.photos import Phrase, Seen
from tests.endpoints.shapes import Box, boxes_called
from tests.endpoints.wire import Ask, Generated, roll

CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How good the model is and how it talks. The default is perfect boxes and nothing around the reply."""

    noise: float = 0.0
    """Each edge moves by up to this fraction of the image's side, uniformly."""
    jitter: float = 0.0
    """Each box moves by exactly this fraction of its own side along both axes (away from the image's edge)."""
    drop: float = 0.0
    """Share of boxes left out."""
    swap: float = 0.0
    """Share of expressions that get another phrase's boxes, or a far corner where there is no other."""
    out_of_range: bool = False
    """Coordinates run beyond the family's frame."""
    scores: bool = False
    thinking: bool | None = None
    """Reasons before it answers; None leaves it to the family. A request may switch it off."""
    thinking_in: Literal["content", "reasoning", "reasoning_content"] = "content"
    fences: bool | None = None
    """Markdown fence around free-form JSON; None leaves it to the family."""
    prose: bool = False
    """A sentence before and after the JSON."""
    by_id: bool = False
    """Special-token forms refer to expressions by id instead of by their text."""
    wrong_verdicts: float = 0.0
    """Share of step 2's questions that are answered with the opposite of what the picture shows."""
    constant_box: Box | None = None
    """Answers every expression with this box, whatever the image shows, unless it is plain shapes."""
    seed: int = 0


class SimulatedModel:
    """Answers in one family's form, or, with a `manner`, in that whatever was asked for."""

    def __init__(
        self,
        family: Family,
        behaviour: Behaviour | None = None,
        manner: Manner | None = None,
        server: Server = untouched,
    ):
        self.family = family
        self.behaviour = behaviour or Behaviour()
        self.manner = manner
        self.server = server

    def answer(self, question: Question, seen: Seen | None, ask: Ask, *, astray: bool = False) -> Generated:
        """The whole reply; `astray` sends the coordinates out of range. Nothing is cut here."""
        if ask.content.lost_text:
            return self._generated("The picture shows a scene with several things in it.", "", seen, ask)
        finish: Finish = "stop"
        natural = self.manner is not None and question.step == "1"
        if question.step == "0":
            text = json.dumps(self._extraction(question, seen), ensure_ascii=False)
        elif question.step == "01":
            text = self._joint(question, seen, astray or self.behaviour.out_of_range, ask.schema)
        elif question.step == "1":
            answers = self._answers(question, seen, astray or self.behaviour.out_of_range, ask.schema)
            if self.manner is not None:
                text, finish = self._in_its_manner(self.manner, answers, seen)
            else:
                text = self._grounding(answers, ask.schema)
        else:
            text = "OK" if ask.schema is None else "{}"
        if ask.schema is None and question.step and not natural:
            text = self._decorated(text, plain=question.step in ("0", "01") or self.family.native == "json")
        thinks = self.family.thinks if self.behaviour.thinking is None else self.behaviour.thinking
        # A server that constrains the text from its first token leaves no room for inline reasoning.
        inline_barred = ask.schema is not None and not natural and self.behaviour.thinking_in == "content"
        thinking = (
            self._thoughts(question, seen) if thinks and not ask.thinking_off and not inline_barred else ""
        )
        return self._generated(text, thinking, seen, ask, finish)

    def swapped(self, name: str, caption: str, text: str) -> bool:
        """Whether this expression of this image gets wrong boxes."""
        return roll(self.behaviour.seed, "swap", name, caption, text) < self.behaviour.swap

    def dropped(self, name: str, caption: str, text: str, index: int) -> bool:
        """Whether this box of this expression is left out."""
        return roll(self.behaviour.seed, "drop", name, caption, text, index) < self.behaviour.drop

    def _extraction(self, question: Question, seen: Seen | None) -> dict[str, Any]:
        # asked to describe, it says what somebody else said of the photo
        said = question.caption or next(iter(seen.photo.captions if seen and seen.photo else ()), "A cup.")
        cleaned = " ".join(said.split())
        phrases = seen.photo.phrases(cleaned) if seen and seen.photo else None
        if phrases is None:
            phrases = [Phrase(text, text.split()[-1], ()) for text in named_things(cleaned)]
        return {
            "cleaned_caption": cleaned,
            "expressions": [{"text": phrase.text, "noun_chunk": phrase.noun_chunk} for phrase in phrases],
        }

    def _joint(
        self, question: Question, seen: Seen | None, astray: bool, schema: Mapping[str, Any] | None
    ) -> str:
        """The boxes of its own expressions, as it would give them if it were asked for those."""
        said = self._extraction(question, seen)
        named = tuple((f"e{i}", one["text"]) for i, one in enumerate(said["expressions"]))
        asked = Question("1", said["cleaned_caption"], named)
        key = (_box_key(schema) if schema else None) or self.family.key
        boxes = json.loads(write_json(self._answers(asked, seen, astray, schema), key))["expressions"]
        rows = [{"id": row["id"], **one, **row} for one, row in zip(said["expressions"], boxes, strict=True)]
        return json.dumps({**said, "expressions": rows}, ensure_ascii=False)

    def _answers(
        self, question: Question, seen: Seen | None, astray: bool, schema: Mapping[str, Any] | None
    ) -> list[Answer]:
        """One answer for each expression, its boxes in the family's numbers."""
        scored = _names_score(schema) if schema else self.behaviour.scores
        answers = []
        for expression_id, text in question.expressions:
            boxes = self._boxes(question.caption, text, seen) if seen else []
            if astray:
                boxes = [(x1 + 0.4, y1 + 0.4, x2 + 1.2, y2 + 1.2) for x1, y1, x2, y2 in boxes]
            written = [self._written(box, seen, (text, i)) for i, box in enumerate(boxes)] if seen else []
            scores = None
            if scored:
                scores = [
                    round(0.5 + roll(self.behaviour.seed, "score", text, i) / 2, 2) for i in range(len(boxes))
                ]
            answers.append(Answer(expression_id, text, written, scores))
        return answers

    def _written(self, box: Box, seen: Seen, key: tuple[str, int]) -> list[float]:
        in_fractions = self.manner is not None and self.manner.in_fractions(seen.name, key)
        family = FAMILIES["fractions"] if in_fractions else self.family
        return family.coordinates(box, self.server(seen.size))

    def _boxes(self, caption: str, text: str, seen: Seen) -> list[Box]:
        behaviour = self.behaviour
        if self.family.name == "empty":
            return []
        if self.family.name == "random":
            return [_random_box(behaviour.seed, seen.name, text)]
        if behaviour.constant_box and not seen.shapes:
            return [behaviour.constant_box]
        boxes = list(_true_boxes(seen, caption, text))
        if boxes and self.swapped(seen.name, caption, text):
            boxes = _wrong_boxes(seen, caption, boxes)
        return [
            self._distorted(box, (seen.name, caption, text, i))
            for i, box in enumerate(boxes)
            if not self.dropped(seen.name, caption, text, i)
        ]

    def _distorted(self, box: Box, key: tuple[object, ...]) -> Box:
        behaviour = self.behaviour
        if not behaviour.jitter and not behaviour.noise:
            return box
        x1, x2 = _moved(box[0], box[2], behaviour.jitter, roll(behaviour.seed, "jitter x", *key))
        y1, y2 = _moved(box[1], box[3], behaviour.jitter, roll(behaviour.seed, "jitter y", *key))
        edges = [
            min(1.0, max(0.0, edge + behaviour.noise * (2 * roll(behaviour.seed, "noise", i, *key) - 1)))
            for i, edge in enumerate((x1, y1, x2, y2))
        ]
        (x1, x2), (y1, y2) = sorted(edges[0::2]), sorted(edges[1::2])
        return x1, y1, x2, y2

    def _in_its_manner(
        self, manner: Manner, answers: Sequence[Answer], seen: Seen | None
    ) -> tuple[str, Finish]:
        photo = seen is not None and seen.photo is not None
        return manner.write(answers, self.family.key, seen.name if seen else "", photo=photo)

    def _grounding(self, answers: Sequence[Answer], schema: Mapping[str, Any] | None) -> str:
        if schema is None:
            return write_native(self.family, answers, by_id=self.behaviour.by_id)
        return write_json(answers, _box_key(schema) or self.family.key)

    def _decorated(self, text: str, *, plain: bool) -> str:
        fences = self.family.fences if self.behaviour.fences is None else self.behaviour.fences
        if fences and plain:
            text = f"```json\n{text}\n```"
        if self.behaviour.prose:
            text = f"Here is what I found in the picture:\n\n{text}\n\nLet me know if {{more}} is needed."
        return text

    def _thoughts(self, question: Question, seen: Seen | None) -> str:
        """Reasoning that holds boxes of its own, in plain pixels: nobody may take them for the answer."""
        width, height = seen.size if seen else (100, 100)
        decoys = [
            {"bbox_2d": [1, 1, width // 3, height // 3], "label": text} for _, text in question.expressions
        ]
        return (
            f"The caption says: {question.caption}. A first guess: {json.dumps(decoys)}. Let me look again."
        )

    def _generated(
        self, text: str, thinking: str, seen: Seen | None, ask: Ask, finish: Finish = "stop"
    ) -> Generated:
        pixels = seen.size[0] * seen.size[1] if seen else 0
        return Generated(
            text,
            thinking,
            finish,
            prompt_tokens=sum(map(len, ask.content.texts)) // CHARACTERS_PER_TOKEN
            + min(1280, pixels // 784)
            + 1,
            completion_tokens=-(-len(text) // CHARACTERS_PER_TOKEN),
            thinking_tokens=-(-len(thinking) // CHARACTERS_PER_TOKEN),
        )


def _true_boxes(seen: Seen, caption: str, text: str) -> Sequence[Box]:
    if seen.photo:
        return seen.photo.boxes(caption, text)
    return boxes_called(text, seen.shapes)


def _wrong_boxes(seen: Seen, caption: str, right: Sequence[Box]) -> list[Box]:
    phrases = (seen.photo.phrases(caption) or ()) if seen.photo else ()
    for phrase in phrases:
        if phrase.boxes and not set(phrase.boxes) & set(right):
            return list(phrase.boxes)
    return [_far_corner(box) for box in right]


def _far_corner(box: Box) -> Box:
    width, height = box[2] - box[0], box[3] - box[1]
    x = 1 - width if box[0] < 1 - box[2] else 0.0
    y = 1 - height if box[1] < 1 - box[3] else 0.0
    return x, y, x + width, y + height


def _moved(low: float, high: float, fraction: float, chance: float) -> tuple[float, float]:
    step = (high - low) * fraction * (1 if chance < 0.5 else -1)
    if high + step > 1 or low + step < 0:
        step = -step
    return low + step, high + step


def _random_box(seed: int, *key: object) -> Box:
    x, y, w, h = (roll(seed, "random", i, *key) for i in range(4))
    width, height = 0.05 + 0.5 * w, 0.05 + 0.5 * h
    return x * (1 - width), y * (1 - height), x * (1 - width) + width, y * (1 - height) + height


def _properties(schema: Any) -> list[tuple[str, Any]]:
    """Every (name, subschema) under any `properties` of a JSON schema, however deep."""
    if isinstance(schema, list):
        return [pair for part in schema for pair in _properties(part)]
    if not isinstance(schema, Mapping):
        return []
    own = list(schema.get("properties", {}).items())
    return own + [pair for part in schema.values() for pair in _properties(part)]


def _box_key(schema: Mapping[str, Any]) -> str | None:
    """The name that a schema gives to one box: a property with "box" in its name that holds numbers."""
    for name, part in _properties(schema):
        if "box" in name and isinstance(part, Mapping) and _holds_numbers(part):
            return name
    return None


def _holds_numbers(schema: Mapping[str, Any]) -> bool:
    members = schema.get("prefixItems", [schema.get("items")])
    return all(isinstance(m, Mapping) and m.get("type") in ("number", "integer") for m in members)


def _names_score(schema: Mapping[str, Any]) -> bool:
    return any(name == "score" for name, _ in _properties(schema))
