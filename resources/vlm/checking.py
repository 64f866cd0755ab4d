"""Asking an endpoint about the calibration cards before any sample is paid for."""

import hashlib
import time
from base64 import b64encode

from grounding_assets.core.boxes.calibration import Card, CardReply, Verdict, agree, calibration_cards, judge
from grounding_assets.core.errors import RunStopped, SampleFailure
from grounding_assets.core.images.prepared_image import PreparedImage
from grounding_assets.core.records import Expression
from resources.vlm.families import FAMILIES, UNKNOWN
from resources.vlm.measurements import Measurement, Measurements
from resources.vlm.teacher import VlmTeacher


async def measure(teacher: VlmTeacher, backend: str, base_url: str, model: str) -> Measurement:
    """Asks about each card the way a run would.

    Raises:
        RunStopped: the endpoint cannot be used at all.
        SampleFailure: no reply that can be read.
    """
    begun = time.monotonic()
    calls_before = teacher.caller.stats.calls
    replies = [await _ask(teacher, card) for card in calibration_cards()]
    seconds = time.monotonic() - begun
    verdict: Verdict = judge(
        replies, expected=None if teacher.family.name == "unknown" else teacher.family.convention
    )
    calls = max(1, teacher.caller.stats.calls - calls_before)
    return Measurement(
        backend=backend,
        base_url=base_url,
        model=model,
        family=teacher.family.name,
        convention=verdict.convention,
        reason=verdict.reason,
        iou={name: round(iou, 4) for name, iou in verdict.iou.items()},
        seconds_per_call=round(seconds / calls, 3),
        structured_output=teacher.caller.structured_output,
        manners=teacher.caller.manners,
        measured_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )


async def _ask(teacher: VlmTeacher, card: Card) -> CardReply:
    image = PreparedImage(
        b64encode(card.png),
        "image/png",
        card.size,
        card.size,
        hashlib.sha256(card.png).hexdigest(),
        as_is=True,
    )
    expressions = []
    for shape in card.shapes:
        start = card.caption.index(shape.phrase)
        span = (start, start + len(shape.phrase))
        expressions.append(Expression(shape.phrase, span, shape.phrase.removeprefix("the ")))
    return CardReply(card, await teacher.raw_boxes(image, card.caption, expressions))


async def check_conventions(
    teacher: VlmTeacher, measurements: Measurements, backend: str, base_url: str, model: str
) -> str:
    """Makes sure, before the first sample, that boxes will be read as the model writes them.

    Returns:
        A line for the user where something could not be made sure of, otherwise "".

    Raises:
        RunStopped: the measurement contradicts the family, or an unknown model could not be measured.
    """
    family = teacher.family
    known = measurements.find(backend, base_url, model)
    if known is None:
        try:
            known = await measure(teacher, backend, base_url, model)
        except SampleFailure as failure:
            return _unmeasured(family.name, model, f"its reply to a calibration card failed: {failure}")
        measurements.keep(known)
    if known.convention is None:
        return _unmeasured(family.name, model, known.reason)
    if family.name == UNKNOWN.name:
        teacher.answer_in(known.convention)
        return f"{model} is of no known family; measured: it answers in {known.convention} ({known.reason})."
    if not agree(known.convention, family.convention):
        fitting = [f.name for f in FAMILIES if f.convention == known.convention and not f.refusal]
        raise RunStopped(
            f"{model} answers in {known.convention} ({known.reason}), but family {family.name} is read as "
            f"{family.convention}: every box would be wrong. Set image_grounding.vlm.family to one of "
            f"{', '.join(fitting) or 'the fitting family'}, or to unknown to go by the measurement."
        )
    return ""


def _unmeasured(family: str, model: str, why: str) -> str:
    if family == UNKNOWN.name:
        raise RunStopped(
            f"{model} is of no known family, and its coordinates could not be measured: {why}. Set "
            "image_grounding.vlm.family, and look at ten results before trusting it."
        )
    return f"The coordinates of {model} could not be measured ({why}); going on as family {family}."
