"""How a model writes that does not obey: its forms, its labels, and what goes wrong inside its answers.

Everything is seeded by the picture, so that the same sample goes wrong on every attempt. Not here: the forms
(`forms.py`), the boxes (`model.py`), the named models (`disobedient.py`).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tests.endpoints.families import Answer
from tests.endpoints.forms import FORMS, write
from tests.endpoints.labels import LABELS, relabelled
from tests.endpoints.wire import roll

FLAWS: Mapping[str, str] = {
    "cut_stop": "ends inside a box, finish reason stop",
    "cut_length": "ends anywhere, finish reason length",
    "unclosed_reasoning": "a draft behind a reasoning tag that never closes, finish reason length",
    "closed_reasoning": "a draft in a reasoning block under an uncommon tag, then the answer",
    "draft_cut": "a draft in prose, then cut: finish reason length",
    "draft_then_answer": "a draft in prose, then the answer",
    "shifted_ids": "ids count from one more than they should",
    "duplicate_ids": "the last entry has the id of the first",
    "unequal_lists": "parallel lists, the last box missing",
    "ids_against_labels": "ids are shifted by one, labels are right",
    "sloppy_ids": "ids as `E0`, `0`, ` e0 ` or `expression_0`",
    "corrected": "every box of the first expression wrong, then a correction of that expression alone",
    "overshoot": "edges at a grid's end are written a little beyond it, as Qwen3.5 does now and then",
    "repeated": "the whole answer twice",
    "prose": "a sentence before and after",
    "only_prose": "no box at all, but a description",
}
"""What can go wrong inside an answer."""
_OPEN = ("<seed:think>", "<analysis>", "<think time=3>", "<|channel>thought\n", "<thought>", "<reasoning>")
_PAIRED = (
    ("<seed:think>", "</seed:think>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<think time=3>", "</think>"),
    ("<|channel>thought\n", "<channel|>"),
)
_INSIDE_A_BOX = re.compile(r"(?<=\d)[,;> ]+(?=[<_xy]*\d)")
_DRAFT_BOX = (3, 5, 77, 99)

Finish = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Manner:
    """How boxes are written, whatever was asked for. Step 0 is answered as asked."""

    forms: tuple[str, ...] = ("contract",)
    """Names of `FORMS`; with several, the picture decides which."""
    labels: str = "text"
    """One of `LABELS`."""
    flaw: str = ""
    """One of `FLAWS`, or none. Hits photos alone, so that measuring with other pictures does not show it."""
    flaw_rate: float = 1.0
    """Share of the photos that it hits."""
    fractions: Literal["", "picture", "box"] = ""
    """A third of the pictures, or of the boxes, comes as fractions of the image."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in (
            (self.labels, LABELS),
            (self.flaw or "prose", FLAWS),
            *((f, FORMS) for f in self.forms),
        ):
            if name not in known:
                raise ValueError(f"{name!r} is none of {', '.join(known)}")

    def in_fractions(self, picture: str, box: object) -> bool:
        """Whether this box of this picture is written in fractions."""
        key = (picture, box) if self.fractions == "box" else (picture,)
        return bool(self.fractions) and roll(self.seed, "fractions", *key) < 1 / 3

    def write(self, answers: Sequence[Answer], key: str, picture: str, *, photo: bool) -> tuple[str, Finish]:
        """The reply's text and how it ended."""
        form = self.forms[int(roll(self.seed, "form", picture) * len(self.forms))]
        named = relabelled(answers, self.labels)
        if not photo or not self.flaw or roll(self.seed, "flaw", picture) >= self.flaw_rate:
            return write(form, named, key), "stop"
        return self._flawed(form, named, key, picture)

    def _flawed(self, form: str, answers: Sequence[Answer], key: str, picture: str) -> tuple[str, Finish]:
        chance = roll(self.seed, "place", picture)
        answer = write(form, answers, key)
        draft = write(form, [replace(a, boxes=[_DRAFT_BOX for _ in a.boxes]) for a in answers], key)
        match self.flaw:
            case "cut_stop":
                places = [match.end() for match in _INSIDE_A_BOX.finditer(answer)]
                return (answer[: places[int(chance * len(places))]] if places else answer), "stop"
            case "cut_length":
                return answer[: max(1, int(chance * (len(answer) - 1)))], "length"
            case "unclosed_reasoning":
                return f"{_OPEN[int(chance * len(_OPEN))]}\nA first guess:\n{draft}\nBut then", "length"
            case "closed_reasoning":
                opening, closing = _PAIRED[int(chance * len(_PAIRED))]
                return f"{opening}\nA first guess:\n{draft}\n{closing}\n\n{answer}", "stop"
            case "draft_cut":
                return f"I look at the picture. A first draft would be\n{draft}\nbut the edges", "length"
            case "draft_then_answer":
                return (
                    f"A first draft would be\n{draft}\nLooking again, the final answer is\n{answer}",
                    "stop",
                )
            case "corrected":
                wrong = [replace(a, boxes=[_DRAFT_BOX for _ in a.boxes]) for a in answers[:1]]
                spoken = write(form, [*wrong, *answers[1:]], key)
                return f"{spoken}\n\nCorrection:\n{write(form, answers[:1], key)}", "stop"
            case "overshoot":
                beyond = [
                    [1003 if edge == 1000 else edge for edge in box] for a in answers for box in a.boxes
                ]
                boxes = iter(beyond)
                return write(
                    form, [replace(a, boxes=[next(boxes) for _ in a.boxes]) for a in answers], key
                ), "stop"
            case "repeated":
                return f"{answer}\n\n{answer}", "stop"
            case "prose":
                return (
                    f"Sure! This is what I found:\n\n{answer}\n\nLet me know if {{more}} is needed.",
                    "stop",
                )
            case "only_prose":
                return "The picture shows several things, some of them on the left.", "stop"
            case "unequal_lists":
                return _unequal(answers), "stop"
            case _:
                return write(form, _with_other_ids(answers, self.flaw, chance), key), "stop"


def _with_other_ids(answers: Sequence[Answer], flaw: str, chance: float) -> list[Answer]:
    ids = [answer.expression_id for answer in answers]
    match flaw:
        case "shifted_ids" | "ids_against_labels":
            ids = [re.sub(r"\d+", lambda number: str(int(number.group()) + 1), name) for name in ids]
        case "duplicate_ids":
            ids = [*ids[:-1], ids[0]]
        case "sloppy_ids":
            spellings = ("E{}", "{}", " e{} ", "expression_{}", "e0{}")
            spelling = spellings[int(chance * len(spellings))]
            ids = [spelling.format(re.sub(r"\D", "", name)) for name in ids]
    return [replace(answer, expression_id=name) for answer, name in zip(answers, ids, strict=True)]


def _unequal(answers: Sequence[Answer]) -> str:
    boxes = [box for answer in answers for box in answer.boxes]
    labels = [answer.text for answer in answers for _ in answer.boxes]
    return json.dumps({"bboxes": boxes[:-1], "labels": labels}, ensure_ascii=False)
