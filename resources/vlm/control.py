"""Making sure, while a run goes on and when it ends, that boxes are still written as they were measured.

A name tells nothing of what stands behind it: another model may be served there since, one of several copies may be
another one, or a cache may answer that goes by the text alone.
"""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from grounding_assets.core.boxes.calibration import Finding, agree, judge
from grounding_assets.core.boxes.cards import control_card
from grounding_assets.core.budget.account import BudgetReached
from grounding_assets.core.errors import BoxesInDoubt, Reason, RunStopped, SampleFailure
from grounding_assets.core.files import stopping_if_unwritable
from resources.vlm.measurements import NOTICED_WITHIN_S, Measurement, Measurements
from resources.vlm.measuring import ask_about
from resources.vlm.sizes import card_sizes, measuring_policy
from resources.vlm.teacher import VlmTeacher

_MOST_CARDS = 5
"""Asked while the first ones leave it open: a model that is right may spoil a reply now and then."""
_OTHERWISE = 3
"""So many replies that are plainly in other coordinates, or fit nothing, are no slip."""
_CARDS_OF_A_MIXTURE = 8
"""So many cards in a row that one of two copies answers are hardly all answered by the same one."""
UNCONFIRMED = ".boxes_unconfirmed"
"""In the results folder while boxes are made, until a card has told that they are right."""
Verdict = Literal["right", "otherwise", "astray", "silent"]
"""`astray`: boxes that fit nothing; `silent`: no box."""


class BoxControl:
    """Asks about cards that nobody was asked about before, by the prompt of step 1."""

    def __init__(
        self,
        teacher: VlmTeacher,
        measurements: Measurements,
        measured: Measurement,
        results_dir: Path,
        *,
        every_s: float = NOTICED_WITHIN_S,
        chance: random.Random | None = None,
    ):
        """`measured` must have a convention."""
        self._teacher, self._measurements, self._measured = teacher, measurements, measured
        self._every_s = every_s
        self._mark = results_dir / UNCONFIRMED
        self._chance = chance or random.Random()
        self._right_until_ns = measured.confirmed_ns
        self._confirmed = teacher.results_with_boxes

    @property
    def lacks_confirmation(self) -> bool:
        """Whether boxes came since the last right card."""
        return self._teacher.results_with_boxes > self._confirmed

    @property
    def is_due(self) -> bool:
        """Whether the last confirmation is as old as none is to be while a run goes on."""
        return time.time_ns() - self._right_until_ns >= self._every_s * 1e9

    @contextmanager
    def boxes_are_made(self) -> Iterator[None]:
        """Within the block; however it ends, it is known afterwards whether they were confirmed."""
        earlier = self._mark.exists()
        with stopping_if_unwritable(self._mark):
            self._mark.touch()
        try:
            yield
        finally:
            if not (earlier or self.lacks_confirmation):
                self._mark.unlink(missing_ok=True)

    async def watch(self) -> None:
        """Confirms now and then until it is cancelled.

        Raises:
            RunStopped: as `confirm`; the teacher was stopped by it.
        """
        while True:
            await asyncio.sleep(self._every_s)
            if not self.lacks_confirmation:
                continue
            try:
                await self.confirm()
            except BudgetReached:
                # the samples' own calls meet the same cap
                return
            except RunStopped as stop:
                self._teacher.stop(stop)
                raise
            except SampleFailure:
                # said at the end, if the last card is not answered either
                continue

    async def confirm(self) -> None:
        """Asks about a card, and more if it leaves a doubt.

        Raises:
            BoxesInDoubt: boxes are written otherwise now; what was stored since the last right card is in doubt.
            SampleFailure: nothing could be told.
            RunStopped: no call is possible.
        """
        begun_ns, made = time.time_ns(), self._teacher.results_with_boxes
        verdicts: list[Verdict] = []
        words = ""
        while len(verdicts) < _MOST_CARDS and verdicts.count("otherwise") < _OTHERWISE:
            card = control_card(self._card_size(), self._chance)
            finding = judge([await ask_about(self._teacher, card)], self._measured.convention)
            verdicts.append(self._verdict(finding))
            if verdicts == ["right"]:
                break
            words = words if verdicts[-1] == "right" else _words(finding)
        right = "right" in verdicts
        if verdicts.count("otherwise") >= _OTHERWISE or (
            verdicts.count("astray") >= _OTHERWISE and not right
        ):
            since_ns = self._right_until_ns
            if right:
                # one of several copies is another model: right cards vouch for the others only
                since_ns -= round(_CARDS_OF_A_MIXTURE * self._every_s * 1e9)
            self._measurements.doubt(self._measured, since_ns)
            raise BoxesInDoubt(self._measured.model, words, since_ns)
        if not right:
            raise SampleFailure(Reason.UNPARSABLE, f"{self._measured.model}: {words}.")
        if not self._measurements.confirm(self._measured, begun_ns):
            raise BoxesInDoubt(
                self._measured.model, "another run has had boxes in other coordinates", self._right_until_ns
            )
        self._right_until_ns, self._confirmed = begun_ns, made
        if not self.lacks_confirmation:
            self._mark.unlink(missing_ok=True)

    def _verdict(self, finding: Finding) -> Verdict:
        if finding.convention is None:
            return "astray" if finding.boxes_came else "silent"
        assert self._measured.convention is not None
        agrees = agree(finding.convention, self._measured.convention) and finding.size_is_kept
        return "right" if agrees else "otherwise"

    def _card_size(self) -> tuple[int, int]:
        """Of a card that was measured, so that the text is the same as well."""
        if self._measured.seen:
            width, height, *_ = self._measured.seen[0]
            return width, height
        return card_sizes(measuring_policy(self._teacher.family))[0]


def _words(finding: Finding) -> str:
    return f"it answers in {finding.convention} ({finding.reason})" if finding.convention else finding.reason
