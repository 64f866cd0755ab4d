"""A verifier made of a client and a model family: one call a question, answers read strictly."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from grounding_assets.core import prompts
from grounding_assets.core.annotation.calls import Finish, ModelReply, ModelRequest
from grounding_assets.core.annotation.teacher import Teacher
from grounding_assets.core.annotation.verifier import Answer
from grounding_assets.core.budget.account import Account
from grounding_assets.core.errors import Reason, SampleFailure, SpecError
from grounding_assets.core.images.crops import Photo, photo_and_crop, photo_with_boxes, read_photo
from grounding_assets.core.images.locations import ImageLocation
from grounding_assets.core.images.prepared_image import PreparedImage
from grounding_assets.core.records import PixelBox
from grounding_assets.core.replies.verdict import Verdict, parse_verdict
from grounding_assets.core.spec.settings import Spec
from grounding_assets.core.steps import Step
from resources.credentials import Credentials
from resources.vlm.attempts import CallOutcome
from resources.vlm.caller import Caller
from resources.vlm.families import Family
from resources.vlm.resource import build_teacher, check_teacher, model_identity
from resources.vlm.sampling import Sampling
from resources.vlm.teacher import VlmTeacher

VERIFIER_SECTION = "image_grounding.vlm_verifier"
VERDICT_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"answer": {"type": "string", "enum": [str(verdict) for verdict in Verdict]}},
    "required": ["answer"],
    "additionalProperties": False,
}


def verifier_spec(spec: Spec) -> Spec:
    """The spec with `vlm` as step 2 uses it: `vlm_verifier`, or the same as the other steps."""
    settings = spec.image_grounding
    if settings.vlm_verifier.backend == "same":
        return spec
    asked = settings.model_copy(
        update={
            "vlm": settings.vlm_verifier.as_vlm(),
            "workflow": settings.workflow.model_copy(update={"steps": (Step.VERIFICATION.value,)}),
        }
    )
    return spec.model_copy(update={"image_grounding": asked})


def check_verifier(spec: Spec, credentials: Credentials) -> None:
    """Raises SpecError if step 2 is asked for and no verifier can be made of the settings."""
    if Step.VERIFICATION not in spec.workflow.run_steps:
        return
    if spec.image_grounding.vlm_verifier.backend != "same":
        check_teacher(verifier_spec(spec), credentials.of_verifier(), VERIFIER_SECTION)
    elif spec.vlm.backend == "local":
        raise SpecError(
            'Step "2" needs a model that answers questions, and the embedded teacher is none: set '
            'image_grounding.vlm_verifier.backend to gemini or openai, or leave "2" out of workflow.steps.'
        )


def verifier_settings(spec: Spec) -> dict[str, Any]:
    """The `settings` of step 2's provenance."""
    version = f"{prompts.version('verify_box')} {prompts.version('verify_expression')}"
    return {**model_identity(verifier_spec(spec)), "prompt_version": version}


def build_verifier(
    spec: Spec, credentials: Credentials, teacher: Teacher[Any], account: Account | None
) -> "VlmVerifier":
    """The verifier that the spec asks for; create it inside the event loop that uses it.

    The same model is asked through the teacher's own caller, so that pacing, and what was learned about the
    endpoint, are shared. `account` is asked before every call of a model of its own.
    """
    check_verifier(spec, credentials)
    same = spec.image_grounding.vlm_verifier.backend == "same"
    asked = teacher
    if not same:
        asked = build_teacher(
            verifier_spec(spec),
            credentials.of_verifier(),
            account=account,
            notice=teacher.caller.notice if isinstance(teacher, VlmTeacher) else None,
            section=VERIFIER_SECTION,
        )
    assert isinstance(asked, VlmTeacher)
    settings = verifier_settings(spec)
    return VlmVerifier(
        asked.caller,
        asked.family,
        sampling=Sampling(settings["temperature"], settings["max_tokens"]),
        settings=settings,
        closes_caller=not same,
    )


class VlmVerifier:
    """See `core.annotation.verifier.Verifier`."""

    def __init__(
        self,
        caller: Caller,
        family: Family,
        *,
        sampling: Sampling,
        settings: Mapping[str, Any],
        closes_caller: bool,
    ):
        """`settings` are those of `verifier_settings`. `closes_caller` is False if the caller is the
        teacher's, which closes it.
        """
        self._caller, self._family, self._sampling = caller, family, sampling
        self._closes_caller = closes_caller
        named = ("backend", "model", "family", "prompt_version")
        self._provenance = {name: settings[name] for name in named} | {"settings": dict(settings)}

    @property
    def provenance(self) -> Mapping[str, Any]:
        return self._provenance

    def prepare(self, image_file: ImageLocation) -> Photo:
        return read_photo(image_file)

    async def aclose(self) -> None:
        if self._closes_caller:
            await self._caller.aclose()

    async def verify_box(self, image: Photo, caption: str, expression: str, box: PixelBox) -> Answer:
        question = prompts.box_question(caption, expression, image.colour)
        return await self._ask("verify_box", question, photo_and_crop, image, box)

    async def verify_expression(
        self, image: Photo, caption: str, expression: str, boxes: Sequence[PixelBox]
    ) -> Answer:
        question = prompts.expression_question(caption, expression, image.colour, len(boxes))
        return await self._ask("verify_expression", question, photo_with_boxes, image, boxes)

    async def _ask(
        self, prompt: str, question: str, draw: Callable[..., PreparedImage], image: Photo, what: Any
    ) -> Answer:
        try:
            picture = await asyncio.to_thread(draw, image, what, self._family.image)
        except SampleFailure as failure:
            return Answer(None, failure.reason, str(failure))
        instructions = prompts.render(prompt)
        if self._family.instructions_in_text:
            instructions, question = "", f"{instructions}\n\n{question}"
        request = ModelRequest(
            instructions,
            picture,
            question,
            VERDICT_SCHEMA if self._family.structure == "schema" else None,
            self._sampling.max_tokens,
            self._sampling.temperature,
            self._family.extra,
        )
        try:
            outcome = await self._caller.call(request)
        except SampleFailure as failure:
            if failure.in_doubt:
                raise
            return Answer(None, failure.reason, str(failure), attempts=failure.attempts)
        return _answer(outcome)


def _read(reply: ModelReply) -> Verdict:
    if reply.finish is Finish.REFUSED:
        raise SampleFailure(
            Reason.REFUSED, f"The endpoint refused this question ({reply.detail or 'no reason given'})."
        )
    if reply.finish is Finish.LENGTH:
        raise SampleFailure(Reason.TRUNCATED, "The reply was cut at max_tokens; raise it.")
    return parse_verdict(reply.text)


def _answer(outcome: CallOutcome) -> Answer:
    reply = outcome.reply
    verdict, reason, message = None, None, ""
    try:
        verdict = _read(reply)
    except SampleFailure as failure:
        reason, message = failure.reason, str(failure)
    return Answer(
        verdict,
        reason,
        message,
        (reply.text,),
        calls=1,
        attempts=outcome.attempts,
        tokens_in=reply.tokens_in,
        tokens_out=reply.tokens_out,
        seconds=outcome.seconds,
    )
