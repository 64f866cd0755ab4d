"""Both steps in one call: step 0's question asks for boxes as well, and step 1 reads them from the same reply.

Step 1 is `core.annotation.joint_reply`'s: it needs no call. A reply that fails any check is split into the two ordinary
calls.
"""

from dataclasses import replace
from typing import Any

from grounding_assets.core import prompts
from grounding_assets.core.annotation.calls import Finish
from grounding_assets.core.annotation.extraction_reply import read_cleaned
from grounding_assets.core.annotation.joint_reply import JOINT, JOINT_SPLIT, read_joint
from grounding_assets.core.boxes.coordinates import CONVENTIONS
from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.images.prepared_image import PreparedImage
from grounding_assets.core.records import Extraction
from resources.vlm.schemas import joint_schema
from resources.vlm.teacher import VlmTeacher
from resources.vlm.trace import Trace

_TELLING = 20
"""So many samples tell whether joint calls are of use."""


class JointTeacher(VlmTeacher):
    """A teacher whose step 0 asks for the boxes, too; see `VlmTeacher` for all else."""

    _asked = _split = 0

    async def extract(self, image: PreparedImage, caption: str) -> Extraction:
        """Step 0, with step 1's answer in its reply if the provenance says `joint`."""
        if not caption.strip():
            # there is nothing to quote from before the image is described
            return await super().extract(image, caption)
        trace = Trace("joint", image)
        schema = joint_schema(self.family.box_key) if self.family.structure == "schema" else None
        instructions = self._box_instructions("joint", image)
        reply = await self._call(
            self._request(image, instructions, prompts.caption_text(caption), schema), trace
        )
        self._asked += 1
        try:
            extraction = self._read(reply, caption, trace)
        except SampleFailure as failure:
            self._split += 1
            self._tell_if_of_no_use()
            trace.prompt = "extract"
            extraction = await self._extract(image, caption, trace)
            provenance = {**extraction.provenance, JOINT_SPLIT: str(failure)}
            return replace(extraction, provenance=provenance)
        self.results_with_boxes += 1
        return extraction

    def _read(self, reply: Any, caption: str, trace: Trace) -> Extraction:
        """Raises SampleFailure for a reply that is not usable as a whole."""
        if reply.finish is not Finish.COMPLETE:
            said = reply.detail or reply.finish
            raise SampleFailure(Reason.UNPARSABLE, f"The reply was cut or refused ({said}).")
        parsed = read_cleaned(reply.text, caption, ended_for_length=False)
        convention, image = CONVENTIONS[self.family.convention], trace.image
        spanned = read_joint(reply.text, parsed, convention, image.sent_size, image.image_size).spanned
        provenance = self._provenance(trace) | {
            JOINT: True,
            "spans_repaired": spanned.repaired,
            "expressions_dropped": [],
        }
        return Extraction(parsed.cleaned_caption, spanned.expressions, provenance, tuple(trace.replies))

    def _tell_if_of_no_use(self) -> None:
        # a split costs a third call, so at every second one nothing is saved
        if self._asked == _TELLING and 2 * self._split >= self._asked:
            self.caller.notice(
                f"Of {self._asked} joint replies {self._split} could not be used and were split into two calls, so nothing is "
                "saved: set image_grounding.workflow.joint=false."
            )
