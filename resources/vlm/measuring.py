"""Asking an endpoint about calibration cards before any sample is paid for, and what follows from its answers."""

import hashlib
import re
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from grounding_assets.core import prompts
from grounding_assets.core.annotation.asking import Deferred
from grounding_assets.core.boxes.calibration import (
    PICTURE_NOT_SEEN,
    CardReply,
    Finding,
    agree,
    judge,
    size_seen,
)
from grounding_assets.core.boxes.cards import Card, calibration_card
from grounding_assets.core.boxes.coordinates import CONVENTIONS
from grounding_assets.core.errors import Reason, RunStopped, SampleFailure
from grounding_assets.core.files import to_json
from grounding_assets.core.images.image_policy import ImagePolicy
from grounding_assets.core.images.prepared_image import PreparedImage
from grounding_assets.core.records import Expression
from grounding_assets.core.replies import parse_grounding
from resources.vlm.families import BY_NAME, FAMILIES, Family
from resources.vlm.measurements import TIME_FORMAT, Measurement, Measurements
from resources.vlm.sizes import card_sizes, measuring_policy, narrowed, proven, small_card_size
from resources.vlm.teacher import VlmTeacher

_METHOD = 3
"""Counted up when cards or judging change, so that what was measured before is measured again."""
_MAX_ROUNDS = 5
_BOUNDS = ("max_side_px", "max_short_side_px", "max_pixels", "min_pixels", "multiple_of")
_FOUR_NUMBERS = re.compile(r"-?\d+(?:\.\d+)?(?:\D{1,16}?-?\d+(?:\.\d+)?){3}")


def asked_as(family: Family, settings: Mapping[str, Any]) -> str:
    """Digest of what decides how a model answers about boxes; `settings` are those of the server that do."""
    image = {name: getattr(family.image, name) for name in (*_BOUNDS, "max_bytes")}
    asked = (
        _METHOD,
        family.name,
        family.convention,
        family.coordinate_contract((1, 1)),
        family.native,
        image,
    )
    return hashlib.sha256(to_json([*asked, prompts.version("ground"), dict(settings)])).hexdigest()[:16]


async def measure(
    teacher: VlmTeacher, backend: str, base_url: str, model: str, settings: Mapping[str, Any]
) -> Measurement:
    """Asks about cards the way a run would; smaller ones while the server is seen to resize them.

    Raises:
        RunStopped: the endpoint cannot be used at all.
        SampleFailure: the endpoint gave no reply.
        Deferred: cards wait in a batch.
    """
    begun, begun_ns = time.monotonic(), time.time_ns()
    calls_before = teacher.caller.stats.calls
    family = teacher.family
    expected = family.convention if family.is_sure else None
    try:
        finding, policy, cards = await _settled(teacher, measuring_policy(family), expected)
    except Deferred:
        if CONVENTIONS[family.convention].grid is None:
            # what is asked next if the size is kept, in the same job
            await ask_about(teacher, calibration_card(small_card_size(measuring_policy(family))))
        raise
    sizes = None
    if finding.convention and finding.seen and finding.size_is_kept:
        smallest = await _smallest(teacher, policy, finding.convention)
        bounds = proven(policy, [card.size for card in cards], smallest)
        sizes = {name: getattr(bounds, name) for name in _BOUNDS}
    calls = max(1, teacher.caller.stats.calls - calls_before)
    return Measurement(
        backend=backend,
        base_url=base_url,
        model=model,
        family=family.name,
        asked_as=asked_as(family, settings),
        convention=finding.convention,
        reason=finding.reason,
        boxes_came=finding.boxes_came,
        iou={name: round(iou, 4) for name, iou in finding.iou.items()},
        seen=tuple((*card.size, *card.seen_size) for card in finding.seen),
        sizes=sizes,
        seconds_per_call=round((time.monotonic() - begun) / calls, 3),
        structured_output=teacher.caller.structured_output,
        manners=teacher.caller.manners,
        measured_at=time.strftime(TIME_FORMAT, time.gmtime()),
        confirmed_ns=begun_ns,
    )


async def _settled(
    teacher: VlmTeacher, policy: ImagePolicy, expected: str | None
) -> tuple[Finding, ImagePolicy, Sequence[Card]]:
    """The finding on cards of a size that the server keeps, or the last one if none is found."""
    rounds = 0
    while True:
        rounds += 1
        cards = [calibration_card(size) for size in card_sizes(policy)]
        finding = judge(await _ask_each(teacher, cards), expected)
        narrower = None if finding.size_is_kept or rounds == _MAX_ROUNDS else narrowed(policy, finding.seen)
        if narrower is None:
            return finding, policy, cards
        policy = narrower


async def _smallest(teacher: VlmTeacher, policy: ImagePolicy, convention: str) -> tuple[int, int] | None:
    """The size of a small card that the server keeps; some enlarge small pictures, so it is tried twice."""
    for _ in range(2):
        card = calibration_card(small_card_size(policy))
        seen = size_seen(await ask_about(teacher, card), convention)
        if seen is None:
            return None
        if seen.is_as_sent:
            return card.size
        width, height = seen.seen_size
        if width * height >= policy.max_pixels:
            return None
        policy = replace(policy, min_pixels=width * height)
    return None


async def _ask_each(teacher: VlmTeacher, cards: Sequence[Card]) -> list[CardReply]:
    """One after the other; if one waits in a batch, the others are put into it as well."""
    replies: list[CardReply] = []
    deferred: Deferred | None = None
    for card in cards:
        try:
            replies.append(await ask_about(teacher, card))
        except Deferred as waits:
            deferred = waits
    if deferred is not None:
        raise deferred
    return replies


async def ask_about(teacher: VlmTeacher, card: Card) -> CardReply:
    """What the model says of a card; a reply that cannot be read has no boxes for its shapes."""
    digest = hashlib.sha256(card.png).hexdigest()
    image = PreparedImage(b64encode(card.png), "image/png", card.size, card.size, digest, as_is=True)
    expressions = []
    for shape in card.shapes:
        start = card.caption.index(shape.phrase)
        span = (start, start + len(shape.phrase))
        expressions.append(Expression(shape.phrase, span, shape.phrase.removeprefix("the ")))
    try:
        return CardReply(card, *await teacher.raw_boxes(image, card.caption, expressions))
    except SampleFailure as failure:
        if failure.reason is not Reason.UNPARSABLE:
            raise
        return CardReply(card, ((),) * len(card.shapes), _boxes_in(failure.replies))


def _boxes_in(replies: Sequence[str]) -> int:
    """How many boxes the last reply holds, whether or not it tells what they show."""
    if not replies:
        return 0
    try:
        return sum(len(entry.boxes) for entry in parse_grounding(replies[-1]).entries)
    except SampleFailure:
        return len(_FOUR_NUMBERS.findall(replies[-1]))


@dataclass(frozen=True, slots=True)
class Consequence:
    """What a run does after a measurement."""

    kind: Literal["goes on", "warns", "stops"]
    text: str


NOTHING_TO_TELL = Consequence("goes on", "")


def consequence(measured: Measurement) -> Consequence:
    """The one place that decides, for `doctor`, `endpoint_check` and runs."""
    model, unsure = measured.model, not BY_NAME[measured.family].is_sure
    if measured.convention is None and not measured.boxes_came:
        return _unmeasured(measured.family, model, measured.reason)
    if measured.convention is None:
        return Consequence("stops", _unexplained(measured))
    expected = BY_NAME[measured.family].convention
    if not unsure and not agree(measured.convention, expected):
        fitting = [f.name for f in FAMILIES if f.convention == measured.convention and not f.refusal]
        return Consequence(
            "stops",
            f"{model} answers in {measured.convention} ({measured.reason}), but family {measured.family} is read as "
            f"{expected}: every box would be wrong. Set image_grounding.vlm.family to one of "
            f"{', '.join(fitting) or 'the fitting family'}, or to unknown to go by the measurement.",
        )
    if CONVENTIONS[measured.convention].grid is None and measured.sizes is None:
        return Consequence(
            "stops",
            f"{model} answers in pixels, but not of the picture that was sent: {measured.reason}. No size was found that "
            "the server leaves alone, so every box would be displaced. Raise or switch off the server's limit on image sizes.",
        )
    sizes = _sizes(measured)
    if unsure:
        text = f"{model} is of no family whose boxes are known; measured: it answers in {measured.convention} ({measured.reason}){sizes}."
        return Consequence("goes on", text)
    return Consequence("goes on", f"Boxes are read right: {measured.convention}, {measured.reason}{sizes}.")


def _unexplained(measured: Measurement) -> str:
    if measured.reason == PICTURE_NOT_SEEN:
        return f"{measured.model}: {measured.reason}. Switch that cache off, or let pictures through, and run again."
    best = ", ".join(f"{name} {iou:.2f}" for name, iou in list(measured.iou.items())[:4])
    return (
        f"{measured.model} gave boxes for the calibration cards that cannot be read as family {measured.family}: "
        f"{measured.reason} (mean IoU: {best}). Run auto_label doctor; set image_grounding.vlm.family to the family "
        "that the model descends from, or use another model."
    )


def _sizes(measured: Measurement) -> str:
    if measured.sizes is None:
        return ""
    return f"; pictures are sent in up to {measured.sizes['max_pixels']:,} pixels, {measured.sizes['max_side_px']} a side"


def is_measured(known: Measurement, family: Family, settings: Mapping[str, Any]) -> bool:
    """Whether a measurement says something of a model that is asked like this."""
    return known.asked_as == asked_as(family, settings)


async def check_conventions(
    teacher: VlmTeacher,
    measurements: Measurements,
    backend: str,
    base_url: str,
    model: str,
    settings: Mapping[str, Any],
) -> Consequence:
    """Makes sure, before the first sample, that boxes will be read as the model writes them.

    Returns:
        What follows: its text is "" if there is nothing to tell; it never is `stops`.

    Raises:
        RunStopped: the boxes would be read wrong, or an unknown model could not be measured.
        Deferred: cards wait in a batch.
    """
    family = teacher.family
    known = measurements.find(backend, base_url, model)
    if known is None or not is_measured(known, family, settings):
        try:
            known = await measure(teacher, backend, base_url, model, settings)
        except SampleFailure as failure:
            return _going_on(_unmeasured(family.name, model, f"a calibration card failed: {failure}"))
        measurements.keep(known)
    follows = _going_on(consequence(known))
    if known.convention is None:
        return follows
    unsure = not family.is_sure
    image = replace(family.image, **known.sizes) if known.sizes else family.image
    teacher.answer_in(known.convention if unsure else family.convention, image)
    resized = bool(known.sizes) and image.max_pixels < 0.9 * family.image.max_pixels
    return follows if unsure or resized else NOTHING_TO_TELL


def _going_on(follows: Consequence) -> Consequence:
    if follows.kind == "stops":
        raise RunStopped(follows.text)
    return follows


def _unmeasured(family: str, model: str, why: str) -> Consequence:
    if not BY_NAME[family].is_sure:
        return Consequence(
            "stops",
            f"{model} is of no family whose boxes are known, and its coordinates could not be measured: {why}. Set "
            "image_grounding.vlm.family, and look at ten results before trusting it.",
        )
    text = f"The coordinates of {model} could not be measured ({why}); going on as family {family}."
    return Consequence("warns", text)
