"""A teacher made of a client, a model family and the reply parser."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from grounding_assets.core import prompts
from grounding_assets.core.annotation.asking import Deferred
from grounding_assets.core.annotation.calls import Finish, ModelRequest
from grounding_assets.core.annotation.extraction_reply import read_cleaned
from grounding_assets.core.annotation.grounding_reply import (
    MAX_EXPRESSIONS_PER_CALL,
    grounded_expressions,
    read_part,
    reading_provenance,
)
from grounding_assets.core.boxes.coordinates import CONVENTIONS, RawBox, resolve_boxes
from grounding_assets.core.errors import Reason, RunStopped, SampleFailure
from grounding_assets.core.images.image_policy import ImagePolicy
from grounding_assets.core.images.locations import ImageLocation
from grounding_assets.core.images.prepared_image import PreparedImage, prepare_image
from grounding_assets.core.records import Expression, Extraction, Grounding
from grounding_assets.core.replies import MatchResult, ParsedExtraction
from grounding_assets.core.spans.alignment import to_expressions
from resources.vlm.caller import Caller
from resources.vlm.families import Family
from resources.vlm.sampling import Sampling, settings_of_step
from resources.vlm.schemas import EXTRACTION_SCHEMA, grounding_schema
from resources.vlm.trace import Trace

ReadT = TypeVar("ReadT")


class _Truncated(Exception):
    """The reply was cut, even with twice the tokens."""


class VlmTeacher:
    """See `core.annotation.teacher.Teacher`."""

    def __init__(
        self,
        caller: Caller,
        family: Family,
        *,
        sampling: Sampling,
        identity: Mapping[str, Any],
    ):
        """`identity` holds backend, model, and whatever else of the settings shapes a reply."""
        self.caller = caller
        self.family = family
        self._sampling = sampling
        self.identity = identity
        self.results_with_boxes = 0
        """What was made of replies so far, cards aside."""

    @property
    def in_flight_limit(self) -> int | None:
        return max(1, int(self.caller.pacer.limit))

    def answer_in(self, convention: str, image: ImagePolicy) -> None:
        """Reads boxes in this convention, and sends pictures in these sizes, from now on: what was measured
        goes before what is assumed.
        """
        self.family = replace(self.family, convention=convention, image=image)

    def stop(self, reason: RunStopped) -> None:
        """Sends nothing more, see `RetryingCaller.stop`."""
        self.caller.stop(reason)

    async def aclose(self) -> None:
        await self.caller.aclose()

    def prepare(self, image_file: ImageLocation) -> PreparedImage:
        return prepare_image(image_file, self.family.image)

    async def extract(self, image: PreparedImage, caption: str) -> Extraction:
        # without a caption, which the input allows if it says so, the image is described first
        return await self._extract(image, caption, Trace("extract" if caption.strip() else "describe", image))

    async def _extract(self, image: PreparedImage, caption: str, trace: Trace) -> Extraction:
        schema = EXTRACTION_SCHEMA if self.family.structure == "schema" else None
        instructions, text = prompts.render(trace.prompt), prompts.caption_text(caption)

        def read(reply: str, ended_for_length: bool) -> ParsedExtraction:
            return read_cleaned(reply, caption, ended_for_length=ended_for_length)

        try:
            parsed = await self._ask(image, instructions, text, schema, read, trace)
        except _Truncated:
            raise self._failed(
                Reason.TRUNCATED, "The reply was cut at max_tokens twice; raise it.", trace
            ) from None
        spanned = to_expressions(parsed.cleaned_caption, parsed.phrases)
        provenance = self._provenance(trace) | {
            "spans_repaired": spanned.repaired,
            "expressions_dropped": list(spanned.dropped),
        }
        return Extraction(parsed.cleaned_caption, spanned.expressions, provenance, tuple(trace.replies))

    async def ground(
        self, image: PreparedImage, cleaned_caption: str, expressions: Sequence[Expression]
    ) -> Grounding:
        trace = Trace("ground", image)
        starts = range(0, len(expressions), MAX_EXPRESSIONS_PER_CALL)
        parts = await self._ground_parts(
            image,
            cleaned_caption,
            [(expressions[start : start + MAX_EXPRESSIONS_PER_CALL], start) for start in starts],
            trace,
        )
        matched = [one for part in parts for one in part.per_expression]
        convention = CONVENTIONS[self.family.convention]
        try:
            resolved = resolve_boxes(matched, convention, image.sent_size, image.image_size)
        except SampleFailure as failure:
            raise self._failed(failure.reason, str(failure), trace) from None
        provenance = self._provenance(trace) | {
            "answered_by": trace.answered_by,
            "boxes": resolved.counts.to_record(),
            **reading_provenance(parts),
        }
        grounded = grounded_expressions(expressions, resolved.instances, [one.mentioned for one in matched])
        self.results_with_boxes += bool(expressions)
        return Grounding(grounded, provenance, tuple(trace.replies))

    async def raw_boxes(
        self, image: PreparedImage, caption: str, expressions: Sequence[Expression]
    ) -> tuple[tuple[tuple[RawBox, ...], ...], int]:
        """The boxes of each expression as the model writes them, not decoded, and how many more came that belong
        to none; for calibration.
        """
        trace = Trace("ground", image)
        parts = await self._ground_part(image, caption, expressions, 0, trace, only_measures=True)
        boxes = tuple(one.boxes for part in parts for one in part.per_expression)
        return boxes, sum(part.unmatched_boxes for part in parts)

    async def _ground_parts(
        self,
        image: PreparedImage,
        caption: str,
        parts: Sequence[tuple[Sequence[Expression], int]],
        trace: Trace,
        *,
        only_measures: bool = False,
    ) -> list[MatchResult]:
        """One after the other; if one waits in a batch, the others are put into it as well."""
        matched: list[MatchResult] = []
        deferred: Deferred | None = None
        for part, start in parts:
            try:
                matched += await self._ground_part(
                    image, caption, part, start, trace, only_measures=only_measures
                )
            except Deferred as waits:
                deferred = waits
        if deferred is not None:
            raise deferred
        return matched

    async def _ground_part(
        self,
        image: PreparedImage,
        caption: str,
        part: Sequence[Expression],
        start: int,
        trace: Trace,
        *,
        only_measures: bool = False,
    ) -> list[MatchResult]:
        """One call for these expressions, `start` being the first one's position; halves where the reply
        does not fit.
        """
        named = [(f"e{i}", expression) for i, expression in enumerate(part)]
        schema = grounding_schema(self.family.box_key) if self.family.structure == "schema" else None
        instructions = self._box_instructions("ground", image)
        text = prompts.expressions_text(caption, named)

        def read(reply: str, ended_for_length: bool) -> MatchResult:
            measured = {"ended_for_length": ended_for_length, "only_measures": only_measures}
            return read_part(reply, part, CONVENTIONS[self.family.convention], **measured)

        try:
            matched = await self._ask(image, instructions, text, schema, read, trace)
        except _Truncated:
            if len(part) == 1:
                raise self._failed(
                    Reason.TRUNCATED,
                    f"The reply for '{part[0].text}' alone was cut at max_tokens; raise it.",
                    trace,
                ) from None
            middle = len(part) // 2
            halves = (part[:middle], start), (part[middle:], start + middle)
            return await self._ground_parts(image, caption, halves, trace, only_measures=only_measures)
        trace.answered_by.append([start, len(part), len(trace.replies) - 1])
        return [matched]

    def _box_instructions(self, prompt: str, image: PreparedImage) -> str:
        return prompts.render(
            prompt,
            contract=self.family.coordinate_contract(image.sent_size),
            box_key=self.family.box_key,
            box_form=self.family.box_form,
            native=self.family.native,
        )

    def _request(
        self, image: PreparedImage, instructions: str, text: str, schema: Mapping[str, Any] | None
    ) -> ModelRequest:
        if self.family.instructions_in_text:
            instructions, text = "", f"{instructions}\n\n{text}"
        sampling = self._sampling.max_tokens, self._sampling.temperature
        return ModelRequest(instructions, image, text, schema, *sampling, self.family.extra)

    async def _ask(
        self,
        image: PreparedImage,
        instructions: str,
        text: str,
        schema: Mapping[str, Any] | None,
        read: Callable[[str, bool], ReadT],
        trace: Trace,
    ) -> ReadT:
        """Calls until a reply can be read: once more with twice the tokens, once more at another temperature.

        Raises:
            SampleFailure: refused, unparsable, or the endpoint's trouble.
            _Truncated: cut twice.
        """
        request = self._request(image, instructions, text, schema)
        longer = other_temperature = False
        while True:
            reply = await self._call(request, trace)
            if reply.finish is Finish.REFUSED:
                message = f"The endpoint refused this sample ({reply.detail or 'no reason given'})."
                raise self._failed(Reason.REFUSED, message, trace)
            try:
                return read(reply.text, reply.finish is Finish.LENGTH)
            except SampleFailure as failure:
                problem, said = failure, reply.remark or str(failure)
            cut = reply.finish is Finish.LENGTH or problem.reason is Reason.TRUNCATED
            # some servers say "stop" at the limit, too; what breaks off far below it was spoiled, not cut
            cut = cut and (
                reply.finish is Finish.LENGTH or not 0 < reply.tokens_out < 0.9 * request.max_tokens
            )
            if cut:
                if longer:
                    raise _Truncated
                longer, request = True, replace(request, max_tokens=request.max_tokens * 2)
            elif not other_temperature:
                # the same reply would come again at temperature 0
                other = 0.0 if request.temperature >= 0.5 else request.temperature + 0.5
                other_temperature, request = True, replace(request, temperature=other)
            else:
                raise self._failed(
                    Reason.UNPARSABLE, f"{said} Tried at two temperatures.", trace
                ) from problem

    async def _call(self, request: ModelRequest, trace: Trace) -> Any:
        try:
            outcome = await self.caller.call(request)
        except SampleFailure as failure:
            trace.attempts += failure.attempts
            raise self._failed(failure.reason, str(failure), trace, failure.in_doubt) from None
        trace.calls += 1
        trace.by_batch += bool(outcome.batch)
        trace.attempts += outcome.attempts
        trace.seconds += outcome.seconds
        trace.tokens_in += outcome.reply.tokens_in
        trace.tokens_out += outcome.reply.tokens_out
        if outcome.reply.finish is Finish.LENGTH:
            trace.cut.append(len(trace.replies))
        trace.replies.append(outcome.reply.text)
        return outcome.reply

    def _failed(self, reason: Reason, message: str, trace: Trace, in_doubt: bool = False) -> SampleFailure:
        provenance = self._provenance(trace) | {"image_size": list(trace.image.image_size)}
        found: dict[str, Any] = {
            "replies": trace.replies,
            "attempts": trace.attempts,
            "provenance": provenance,
        }
        return SampleFailure(reason, message, in_doubt=in_doubt, **found)

    def _provenance(self, trace: Trace) -> dict[str, Any]:
        image, version = trace.image, prompts.version(trace.prompt)
        convention = {"convention": self.family.convention} if trace.prompt in ("ground", "joint") else {}
        return {
            "backend": self.identity["backend"],
            "model": self.identity["model"],
            "family": self.family.name,
            **convention,
            "prompt_version": version,
            "sent_size": list(image.sent_size),
            "sent_as_is": image.as_is,
            "image_sha256": image.sha256,
            # a step has one mark for its settings, whichever of its prompts was sent
            "settings": settings_of_step(self.identity, "ground" if trace.prompt == "ground" else "extract"),
            **trace.provenance(),
        }
