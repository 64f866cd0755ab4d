"""Lines of `annotations.jsonl`, checked and typed: what exports and evaluation read.

Not here: writing such lines (`records`, `rollup`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from grounding_assets.core.dataset.tao_records import in_our_form, is_tao_record, lacks_our_form
from grounding_assets.core.errors import InputError
from grounding_assets.core.records import Expression
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import expression_from_record


@dataclass(frozen=True, slots=True)
class AnnotatedSample:
    """One line. Its spans match their text, and its boxes lie inside the image."""

    record: Mapping[str, Any]
    """The line as it stands, with the fields that are not typed here."""
    image_id: str
    image_path: str
    caption: str
    cleaned_caption: str
    image_size: tuple[int, int]
    """(width, height) in pixels."""
    expressions: tuple[Expression, ...]
    """In the order of `record["expressions"]`."""
    grounded: bool
    """Whether step 1 has run; without it, an expression without boxes says nothing about the image."""
    vouched: frozenset[int] = frozenset()
    """Positions of the expressions whose boxes a reviewer found right, or made so."""
    unjudged: tuple[Expression, ...] = ()
    """Expressions that were left out. Their words still stand in the caption, but say nothing about the image."""

    @property
    def provenance(self) -> Mapping[str, Mapping[str, Any]]:
        """By step, `step_0` and `step_1`; empty if a line does not say."""
        steps = self.record.get("provenance")
        if not isinstance(steps, Mapping):
            return {}
        return {str(name): step for name, step in steps.items() if isinstance(step, Mapping)}

    def unjudged_if_kept(self, positions: Set[int]) -> tuple[Expression, ...]:
        """What is `unjudged` once only the expressions at these positions stay."""
        return self.unjudged + tuple(one for e, one in enumerate(self.expressions) if e not in positions)

    def keeping(self, kept: Sequence[tuple[int, Sequence[int]]]) -> "AnnotatedSample":
        """The same sample with some expressions, each with some instances, both given by position.

        The other expressions are `unjudged` from then on.
        """
        rows = self.record["expressions"]
        return replace(
            self,
            record={
                **self.record,
                "expressions": [
                    {**rows[e], "instances": [rows[e]["instances"][i] for i in instances]}
                    for e, instances in kept
                ],
            },
            expressions=tuple(
                replace(
                    self.expressions[e],
                    instances=tuple(self.expressions[e].instances[i] for i in instances),
                )
                for e, instances in kept
            ),
            vouched=frozenset(place for place, (e, _) in enumerate(kept) if e in self.vouched),
            unjudged=self.unjudged_if_kept({e for e, _ in kept}),
        )


def is_grounded(record: Mapping[str, Any]) -> bool:
    """Whether step 1 has run, so that an expression without a box means something."""
    steps = record.get("pipeline_steps")
    return steps is None or Step.GROUNDING.record_name in steps


def read_samples(records: Iterable[Mapping[str, Any]], origin: str) -> Iterator[AnnotatedSample]:
    """Checks one line after another.

    Args:
        origin: where the lines come from, for messages.

    Raises:
        InputError: a line breaks the record format; names the line (from 1) and what is wrong.
    """
    for number, record in enumerate(records, 1):
        try:
            sample = _read_sample(record)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            what = f"no field {error}" if isinstance(error, KeyError) else str(error)
            raise InputError(f"{origin}, line {number} is not an annotation record: {what}.") from None
        yield sample


def _read_sample(record: Mapping[str, Any]) -> AnnotatedSample:
    if not isinstance(record, Mapping):
        raise TypeError("not a JSON object")
    if is_tao_record(record) and lacks_our_form(record):
        record = in_our_form(record)
    texts = {name: _text(record, name) for name in ("image_path", "caption", "cleaned_caption")}
    width, height = (_size(record, name) for name in ("width", "height"))
    expressions = tuple(expression_from_record(row) for row in record["expressions"])
    for index, expression in enumerate(expressions):
        _check_span(expression, texts["cleaned_caption"], index)
        _check_instances(expression, (width, height), index)
    return AnnotatedSample(
        record=record,
        image_id=str(record["image_id"]),
        image_path=texts["image_path"],
        caption=texts["caption"],
        cleaned_caption=texts["cleaned_caption"],
        image_size=(width, height),
        expressions=expressions,
        grounded=is_grounded(record),
    )


def _text(record: Mapping[str, Any], name: str) -> str:
    text = record[name]
    if not isinstance(text, str):
        raise TypeError(f"{name} is not a string")
    text.encode("utf-8")
    return text


def _size(record: Mapping[str, Any], name: str) -> int:
    pixels = record[name]
    if not isinstance(pixels, int) or not 1 <= pixels < 2**31:
        raise TypeError(f"{name} is not a positive number of pixels")
    return pixels


def _check_span(expression: Expression, cleaned_caption: str, index: int) -> None:
    start, end = expression.char_span
    if not 0 <= start < end or cleaned_caption[start:end] != expression.text:
        raise ValueError(f"the char_span of expression {index} does not give its text")
    if not expression.text.strip():
        raise ValueError(f"expression {index} is blank")
    if not isinstance(expression.noun_chunk, str):
        raise TypeError(f"the noun_chunk of expression {index} is not a string")
    expression.noun_chunk.encode("utf-8")


def _check_instances(expression: Expression, image_size: tuple[int, int], index: int) -> None:
    width, height = image_size
    for instance in expression.instances:
        x1, y1, x2, y2 = instance.bbox
        if not (0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height):
            raise ValueError(f"a bbox of expression {index} is empty or not inside the image")
        if not 0 <= instance.score <= 1:
            raise ValueError(f"a score of expression {index} is not between 0 and 1")
