"""Step 2 of one sample: which questions are asked about its boxes, and what the answers make of them.

Nothing is deleted: an answer is written beside the box, and a question without an answer leaves null.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from grounding_assets.core.annotation.verification_journal import VerificationJournal
from grounding_assets.core.annotation.verifier import Answer, ImageT, Verifier
from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.records import Expression, Instance, Verification
from grounding_assets.core.replies.verdict import Verdict
from grounding_assets.core.store.checkpoint import Checkpoint

MAX_QUESTIONS = 100
"""Of one sample, in reading order; what lies beyond stays null. One question is one call, retries apart."""

_FLAGS = {Verdict.YES: True, Verdict.NO: False, Verdict.UNSURE: None, None: None}


async def verify_sample(
    verifier: Verifier[ImageT],
    image: ImageT,
    grounding: Checkpoint,
    journal: VerificationJournal,
    may_go_on: Callable[[], bool],
) -> Verification | None:
    """Asks about each box of each expression, then about the expression as a whole, one after the other.

    Returns:
        The result, or None if it may not go on; the answers so far are in the journal.

    Raises:
        SampleFailure: the image is no longer the one that the boxes were made for.
        RunStopped: no question can be answered.
    """
    if image.image_size != grounding.image_size:
        raise SampleFailure(
            Reason.COORDINATES,
            f"The image has {image.image_size} pixels, but its boxes were made for {grounding.image_size}: "
            "run step 1 again with workflow.force_reprocess.",
        )
    questions = _Questions(journal, await asyncio.to_thread(journal.read), may_go_on)
    caption = grounding.cleaned_caption
    verified: list[Expression] = []
    for e, expression in enumerate(grounding.expressions):
        subject, text = f"{grounding.sample_id}/e{e}", expression.text
        instances: list[Instance] = []
        for b, instance in enumerate(expression.instances):
            verdict = await questions.put(
                f"{subject}/b{b}",
                lambda text=text, box=instance.bbox: verifier.verify_box(image, caption, text, box),
            )
            instances.append(replace(instance, verified=_FLAGS[verdict]))
        boxes = [instance.bbox for instance in instances]
        missing = _FLAGS[
            await questions.put(
                subject,
                lambda text=text, boxes=boxes: verifier.verify_expression(image, caption, text, boxes),
            )
        ]
        complete = None if missing is None else not missing
        verified.append(
            replace(expression, instances=tuple(instances), shows_verification=True, complete=complete)
        )
    if questions.broken_off:
        return None
    provenance = {**verifier.provenance, "image_sha256": image.sha256, **questions.provenance()}
    return Verification(tuple(verified), provenance, tuple(questions.replies))


class _Questions:
    """Puts a sample's questions within their limit, and counts what they came to and cost."""

    def __init__(
        self, journal: VerificationJournal, answered: Mapping[str, Answer], may_go_on: Callable[[], bool]
    ):
        self._journal, self._answered, self._may_go_on = journal, answered, may_go_on
        self.replies: list[str] = []
        self.broken_off = False
        self._put = 0
        self._answers = dict.fromkeys(map(str, Verdict), 0)
        self._failed: list[Mapping[str, str]] = []
        self._costs: list[Answer] = []

    async def put(self, subject: str, ask: Callable[[], Awaitable[Answer]]) -> Verdict | None:
        """The answer, from an earlier run or by asking; `subject` is the id of the box or the expression."""
        self._put += 1
        if self._put > MAX_QUESTIONS or self.broken_off:
            return None
        answer = self._answered.get(subject)
        if answer is None:
            if not self._may_go_on():
                self.broken_off = True
                return None
            answer = await ask()
            await asyncio.to_thread(self._journal.append, subject, answer)
        self._costs.append(answer)
        self.replies += answer.replies
        if answer.verdict is None:
            self._failed.append({"id": subject, "reason": str(answer.reason), "message": answer.message})
        else:
            self._answers[str(answer.verdict)] += 1
        return answer.verdict

    def provenance(self) -> dict[str, Any]:
        return {
            "answers": self._answers,
            "failed_checks": self._failed,
            "not_asked": max(0, self._put - MAX_QUESTIONS),
            "calls": sum(answer.calls for answer in self._costs),
            "attempts": sum(answer.attempts for answer in self._costs),
            "tokens_in": sum(answer.tokens_in for answer in self._costs),
            "tokens_out": sum(answer.tokens_out for answer in self._costs),
            "seconds": round(sum(answer.seconds for answer in self._costs), 3),
        }
