"""From settings to a teacher."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from grounding_assets.core.annotation.teacher import Teacher
from grounding_assets.core.budget.account import Account
from grounding_assets.core.errors import SpecError
from grounding_assets.core.spec.settings import Spec
from grounding_assets.core.steps import Step
from resources.credentials import Credentials
from resources.vlm.families import Family, family_called
from resources.vlm.measurements import Measurements

if TYPE_CHECKING:
    from grounding_assets.core.batch.service import BatchService
    from resources.vlm.client import EndpointClient
    from resources.vlm.measuring import Consequence

VLM_SECTION = "image_grounding.vlm"
"""The section of the spec whose model annotates; `vlm_verifier` is the other one, for messages."""
HOSTED_NIM_IMAGE_BYTES = 134_900
"""NVIDIA's hosted endpoints take inline images of under 180,000 base64 characters."""


def check_teacher(spec: Spec, credentials: Credentials, section: str = VLM_SECTION) -> None:
    """Raises SpecError if no teacher can be made of the settings, which stand in `section` of the spec."""
    vlm = spec.vlm
    if vlm.batch.is_on and (vlm.backend == "local" or (vlm.backend == "gemini" and vlm.batch.mode == "file")):
        raise SpecError(
            f"{section}.batch.mode={vlm.batch.mode} does not go with backend {vlm.backend}: set it to off."
        )
    if vlm.backend == "gemini" and not credentials.gemini:
        keyless = "local" if section == VLM_SECTION else "same"
        raise SpecError(
            f"No key for Gemini: set GOOGLE_API_KEY or {section}.gemini.api_key, or try without a key: "
            f"{section}.backend={keyless}."
        )
    if vlm.backend == "openai":
        if not vlm.openai.model_name:
            raise SpecError(
                f"No model is named: set {section}.openai.model_name as the endpoint lists it "
                f"(GET {vlm.openai.base_url or 'https://api.openai.com/v1'}/models)."
            )
        if vlm.batch.mode == "file":
            if not (vlm.measure or family_of_spec(spec).is_sure):
                raise SpecError(
                    f"Nothing tells how {vlm.openai.model_name} writes boxes: set {section}.family, or {section}.measure=true."
                )
        elif not vlm.openai.base_url and not credentials.openai:
            raise SpecError(
                f"No endpoint: set {section}.openai.base_url (such as http://localhost:8000/v1), or "
                "OPENAI_API_KEY for OpenAI's own."
            )
    if spec.workflow.asks_jointly and section == VLM_SECTION:
        _refuse_joint(spec)
    if vlm.backend != "local":
        refusal = family_of_spec(spec).why_not(spec.workflow.run_steps, section)
        if refusal:
            raise SpecError(f"{model_name(spec)}: {refusal}")


def _refuse_joint(spec: Spec) -> None:
    family = family_of_spec(spec)
    if spec.vlm.backend == "local" or family.native:
        answers = (
            "calls no model"
            if spec.vlm.backend == "local"
            else "writes boxes in a form of its own, without a caption"
        )
        asked = "The embedded teacher" if spec.vlm.backend == "local" else f"Family {family.name}"
        raise SpecError(f"{asked} {answers}: set image_grounding.workflow.joint=false.")


def teacher_notice(spec: Spec) -> str:
    if spec.vlm.backend != "local":
        return ""
    from resources.local_teacher.teacher import DEMONSTRATION_NOTICE

    return DEMONSTRATION_NOTICE


def model_name(spec: Spec) -> str:
    vlm = spec.vlm
    return {"gemini": vlm.gemini.model, "openai": vlm.openai.model_name, "local": "local"}[vlm.backend]


def family_of_spec(spec: Spec) -> Family:
    """The configured family, else the one that the model's name tells; its images fit the endpoint."""
    named = "gemini" if (spec.vlm.backend, spec.vlm.family) == ("gemini", "auto") else spec.vlm.family
    family = family_called(named, model_name(spec))
    if spec.vlm.backend != "openai":
        return family
    limit = spec.vlm.openai.max_image_bytes
    host = urlsplit(spec.vlm.openai.base_url).hostname or ""
    if not limit and (host == "nvidia.com" or host.endswith(".nvidia.com")):
        limit = HOSTED_NIM_IMAGE_BYTES
    image = replace(family.image, max_bytes=limit) if limit else family.image
    if most := spec.vlm.openai.max_image_pixels:
        image = replace(image, max_pixels=min(image.max_pixels, most))
    return replace(family, image=image)


def base_url(spec: Spec) -> str:
    vlm = spec.vlm
    return {"gemini": vlm.gemini.base_url, "openai": vlm.openai.base_url, "local": ""}[vlm.backend]


def endpoint_of(spec: Spec) -> tuple[str, str, str]:
    """Backend, address and model: by which is kept what was seen of it."""
    return spec.vlm.backend, base_url(spec), model_name(spec)


def model_identity(spec: Spec) -> dict[str, Any]:
    """The settings of a model service that shape its replies."""
    gemini, openai = spec.vlm.gemini, spec.vlm.openai
    of_backend = {
        "gemini": {
            "temperature": gemini.temperature,
            "max_tokens": gemini.max_output_tokens,
            "media_resolution": gemini.media_resolution,
        },
        "openai": {
            "temperature": openai.temperature,
            "max_tokens": openai.max_tokens,
            # results of before this setting have no such entry
            **({"max_image_pixels": openai.max_image_pixels} if openai.max_image_pixels else {}),
        },
    }
    named = {"backend": spec.vlm.backend, "model": model_name(spec), "family": family_of_spec(spec).name}
    return {**named, **of_backend[spec.vlm.backend]}


def teacher_identity(spec: Spec) -> dict[str, Any]:
    """The same of the annotating steps, with the way in which they are asked if it is not the usual one."""
    from grounding_assets.core import prompts

    joint = {"joint": prompts.version("joint")} if spec.workflow.asks_jointly else {}
    return {**model_identity(spec), **joint}


def result_settings(spec: Spec, step: Step) -> dict[str, Any]:
    """The `settings` of the provenance that a step's results get with this spec; needs no teacher."""
    if step.asks_verifier:
        from resources.vlm.verifier import verifier_settings

        return verifier_settings(spec)
    if spec.vlm.backend == "local":
        return spec.vlm.local.in_use.model_dump()
    from resources.vlm.sampling import settings_of_step

    return settings_of_step(teacher_identity(spec), *step.prompts)


def build_teacher(
    spec: Spec,
    credentials: Credentials,
    learned: Mapping[str, Any] | None = None,
    account: Account | None = None,
    notice: Callable[[str], None] | None = None,
    section: str = VLM_SECTION,
) -> Teacher[Any]:
    """The teacher that the spec asks for; create it inside the event loop that uses it.

    `learned` is what an earlier client found out about the same endpoint; `account` is asked before every call;
    `notice` is told what the user should know, such as that the run waits; `section` of the spec is named in messages.
    """
    check_teacher(spec, credentials, section)
    vlm = spec.vlm
    if vlm.backend == "local":
        from resources.local_teacher.teacher import LocalTeacher

        return LocalTeacher(vlm.local)

    from resources.vlm.policy import RetryPolicy
    from resources.vlm.retry import RetryingCaller
    from resources.vlm.sampling import Sampling
    from resources.vlm.teacher import VlmTeacher

    kind = VlmTeacher
    if spec.workflow.asks_jointly and section == VLM_SECTION:
        from resources.vlm.joint import JointTeacher as kind
    identity = teacher_identity(spec)
    return kind(
        RetryingCaller(
            build_client(spec, credentials, learned, account, section),
            max_in_flight=spec.workflow.max_workers,
            policy=RetryPolicy(patience_s=spec.workflow.patience),
            account=account,
            notice=notice,
        ),
        family_of_spec(spec),
        sampling=Sampling(identity["temperature"], identity["max_tokens"]),
        identity=identity,
    )


def build_client(
    spec: Spec,
    credentials: Credentials,
    learned: Mapping[str, Any] | None = None,
    account: Account | None = None,
    section: str = VLM_SECTION,
) -> "EndpointClient":
    """The client of the spec's endpoint, `gemini` or `openai`; the arguments are those of `build_teacher`."""
    # each SDK takes over half a second to import: only the one that is asked for
    from resources.vlm.manners import Manners

    vlm = spec.vlm
    if vlm.backend == "gemini":
        from resources.vlm.gemini import GeminiClient

        return GeminiClient(
            model=vlm.gemini.model,
            api_key=credentials.gemini,
            media_resolution=vlm.gemini.media_resolution,
            timeout_s=vlm.gemini.timeout,
            base_url=vlm.gemini.base_url,
            manners=Manners.from_learned(learned or {}, vlm.gemini.structured_output),
            section=section,
            account=account,
        )
    from resources.vlm.openai_compatible import OpenAiClient

    return OpenAiClient(
        base_url=vlm.openai.base_url,
        model=vlm.openai.model_name,
        api_key=credentials.openai,
        timeout_s=vlm.openai.timeout,
        manners=Manners.from_learned(learned or {}, vlm.openai.structured_output),
        section=section,
        account=account,
    )


def build_batch_service(spec: Spec, credentials: Credentials, *, by_file: bool) -> "BatchService":
    """Who runs the batch jobs of the spec's endpoint. Raises SpecError if nobody does."""
    vlm = spec.vlm
    if by_file:
        from resources.vlm.batch.file_batches import FileBatches

        return FileBatches()
    if vlm.backend == "gemini":
        from resources.vlm.batch.gemini_batches import GeminiBatches

        return GeminiBatches(
            base_url=vlm.gemini.base_url,
            api_key=credentials.gemini,
            model=vlm.gemini.model,
            setting=f"{VLM_SECTION}.gemini",
        )
    if vlm.backend == "openai":
        from resources.vlm.batch.openai_batches import OpenAiBatches

        return OpenAiBatches(
            base_url=vlm.openai.base_url, api_key=credentials.openai, setting=f"{VLM_SECTION}.openai"
        )
    raise SpecError(f"The backend {vlm.backend} has no batch jobs: set {VLM_SECTION}.batch.mode=off.")


def server_settings(spec: Spec) -> dict[str, Any]:
    """The settings that decide in which size a server shows a picture to its model."""
    return {"media_resolution": spec.vlm.gemini.media_resolution} if spec.vlm.backend == "gemini" else {}


async def make_sure_of_boxes(spec: Spec, teacher: Teacher[Any], measurements: Measurements) -> "Consequence":
    """See `measuring.check_conventions`; the embedded teacher's boxes need no measuring."""
    from resources.vlm.measuring import NOTHING_TO_TELL, check_conventions

    if spec.vlm.backend == "local":
        return NOTHING_TO_TELL
    from resources.vlm.teacher import VlmTeacher

    assert isinstance(teacher, VlmTeacher)
    return await check_conventions(teacher, measurements, *endpoint_of(spec), server_settings(spec))
