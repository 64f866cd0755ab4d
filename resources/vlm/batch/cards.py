"""Calibration cards in a job: how boxes are written is measured before the first sample is asked about, as by ordinary calls.

For batches by file, where nobody answers an ordinary call. The cards are a first small round of their own, since what they
tell decides in which size pictures are sent.
"""

from grounding_assets.core.annotation.asking import Asker, Deferred, asking
from grounding_assets.core.batch.journal import Journal
from grounding_assets.core.spec.settings import Spec
from grounding_assets.core.steps import Step
from resources.vlm.measurements import Measurements
from resources.vlm.measuring import Consequence, is_measured
from resources.vlm.resource import (
    endpoint_of,
    family_of_spec,
    make_sure_of_boxes,
    server_settings,
)
from resources.vlm.teacher import VlmTeacher

CARDS = "calibration/cards"
"""Whom requests about cards are made for; no id of a sample has a slash."""


async def boxes_by_batch(
    spec: Spec,
    teacher: VlmTeacher,
    measurements: Measurements,
    journal: Journal,
) -> Consequence | None:
    """What follows once boxes are known to be read as the model writes them; None while cards wait in a job.

    Raises:
        RunStopped: the boxes would be read wrong, see `measuring.check_conventions`.
    """
    if CARDS in journal.held():
        return None
    try:
        with asking(Asker(CARDS, Step.GROUNDING)):
            return await make_sure_of_boxes(spec, teacher, measurements)
    except Deferred:
        return None
    finally:
        known = measurements.find(*endpoint_of(spec))
        if known is not None and is_measured(known, family_of_spec(spec), server_settings(spec)):
            journal.used(CARDS, Step.GROUNDING)
