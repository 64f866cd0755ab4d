"""Making sure, while a run goes on and when it ends, that boxes are still written as they were measured.

A name tells nothing of what stands behind it: another model may be served there since, one of several copies may be
another one, or a cache may answer that goes by the text alone.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from grounding_assets.core.boxes.calibration import Finding, agree, judge
from grounding_assets.core.boxes.cards import control_card
from grounding_assets.core.errors import BoxesInDoubt, RunStopped, SampleFailure
from resources.vlm.measurements import Measurement, Measurements
from resources.vlm.measuring import ask_about
from resources.vlm.sizes import card_sizes, measuring_policy
from resources.vlm.teacher import VlmTeacher

EVERY_S = 600.0
"""What another model may answer until it is noticed, in seconds."""
_MOST_CARDS = 5
"""Asked while the first ones leave it open: a model that is right may spoil a reply now and then."""
_OTHERWISE = 2
"""So many replies that are plainly in other coordinates are no slip."""


class BoxControl:
    """Asks about cards that nobody was asked about before, in the form that samples are asked in."""

    def __init__(
        self,
        teacher: VlmTeacher,
        measurements: Measurements,
        measured: Measurement,
        *,
        every_s: float = EVERY_S,
        chance: random.Random | None = None,
    ):
        """`measured` must have a convention."""
        self._teacher, self._measurements, self._measured = teacher, measurements, measured
        self._every_s = every_s
        self._chance = chance or random.Random()
        self._calls = teacher.caller.stats.calls

    @property
    def is_due(self) -> bool:
        """Whether the last confirmation is as old as none is to be while a run goes on."""
        return time.time_ns() - self._measured.confirmed_ns >= self._every_s * 1e9

    async def watch(self, notice: Callable[[str], None]) -> None:
        """Confirms now and then until it is cancelled; stops the teacher if the boxes are in doubt."""
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.confirm(notice)
            except BoxesInDoubt as stop:
                self._teacher.stop(stop)
                return
            except RunStopped:
                # the samples' own calls are stopped by the same
                return

    async def confirm(self, notice: Callable[[str], None], *, after_calls: bool = True) -> None:
        """Asks about a card, and more if it leaves a doubt; `after_calls`: only if anything was asked meanwhile.

        Raises:
            BoxesInDoubt: boxes are written otherwise now. What was measured is to be forgotten once what it made is set aside.
            RunStopped: no call is possible.
        """
        if after_calls and self._teacher.caller.stats.calls == self._calls:
            return
        begun_ns = time.time_ns()
        try:
            doubt = await self._doubt()
        except SampleFailure as failure:
            notice(f"Whether boxes are still written as measured could not be told: {failure}")
            return
        finally:
            self._calls = self._teacher.caller.stats.calls
        if doubt:
            raise BoxesInDoubt(self._measured.model, doubt, self._measured.confirmed_ns)
        self._measured = replace(self._measured, confirmed_ns=begun_ns)
        self._measurements.keep(self._measured)

    async def _doubt(self) -> str:
        """What is wrong with the boxes; "" if nothing is."""
        right, otherwise, last = 0, 0, ""
        for _ in range(_MOST_CARDS):
            card = control_card(self._card_size(), self._chance)
            finding = judge([await ask_about(self._teacher, card)], self._measured.convention)
            verdict = self._verdict(finding)
            right += verdict == "right"
            otherwise += verdict == "otherwise"
            if verdict == "right" and not otherwise:
                return ""
            last = last if verdict == "right" else _words(finding)
            if otherwise == _OTHERWISE:
                break
        return "" if right and otherwise < _OTHERWISE else last

    def _verdict(self, finding: Finding) -> Literal["right", "otherwise", "unclear"]:
        if finding.convention is None:
            return "unclear"
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
