"""The simulated model verifies: reads the drawn boxes from the picture's pixels and judges them by the gold.

It finds the photo and the box as a viewer would, from the picture alone; the question names the colour and the
expression. Truth: a box is right where it overlaps a gold box of the expression with an IoU of 0.5 or more; a box
is missing where fewer are drawn than there are gold boxes.
"""

import io
import json
from hashlib import sha256

import numpy as np
from PIL import Image

from grounding_assets.core.boxes.geometry import iou_xyxy
from grounding_assets.core.images.crops import COLOURS, LINE_PX
from tests.endpoints.contract import Question
from tests.endpoints.model import CHARACTERS_PER_TOKEN, Behaviour
from tests.endpoints.photos import Photo, PhotoAlbum
from tests.endpoints.shapes import Box
from tests.endpoints.wire import Ask, Generated, roll

MIN_IOU = 0.5
_NEAR = 110
"""Distance in RGB up to which a pixel counts as drawn: JPEG halves the resolution of colour."""


class SimulatedVerifier:
    """Answers step 2's questions, wrongly as often as it is told to."""

    def __init__(self, album: PhotoAlbum, behaviour: Behaviour):
        self._album, self._behaviour = album, behaviour

    def answer(self, question: Question, ask: Ask) -> Generated:
        """`unsure` where it does not know the photo or finds no box."""
        image = ask.content.image or b""
        with Image.open(io.BytesIO(image)) as opened:
            picture = opened.convert("RGB")
        truth = self._truth(question, picture)
        verdict = "unsure"
        if truth is not None:
            digest = sha256(image).hexdigest()
            mistaken = (
                roll(self._behaviour.seed, "verdict", question, digest) < self._behaviour.wrong_verdicts
            )
            verdict = "yes" if truth != mistaken else "no"
        text = json.dumps({"answer": verdict})
        return Generated(
            text,
            prompt_tokens=sum(map(len, ask.content.texts)) // CHARACTERS_PER_TOKEN
            + picture.width * picture.height // 784,
            completion_tokens=-(-len(text) // CHARACTERS_PER_TOKEN),
        )

    def _truth(self, question: Question, picture: Image.Image) -> bool | None:
        text = question.expressions[0][1]
        if question.boxes_drawn is not None:
            photo, _ = self._album.nearest(picture)
            return None if photo is None else len(photo.boxes(question.caption, text)) > question.boxes_drawn
        photo, panel = self._first_panel(picture)
        drawn = drawn_box(panel, question.box_colour)
        if photo is None or drawn is None:
            return None
        gold = photo.boxes(question.caption, text)
        return bool(gold) and float(iou_xyxy([drawn], list(gold)).max()) >= MIN_IOU

    def _first_panel(self, picture: Image.Image) -> tuple[Photo | None, Image.Image]:
        """The left or the upper half, whichever looks like a known photo."""
        width, height = picture.size
        halves = [picture.crop((0, 0, width // 2 - 2, height)), picture.crop((0, 0, width, height // 2 - 2))]
        seen = [(*self._album.nearest(half), half) for half in halves]
        photo, _, panel = min(seen, key=lambda found: found[1])
        return photo, panel


def drawn_box(panel: Image.Image, colour: str) -> Box | None:
    """The box within the outline in this colour, in fractions of the panel; None where there is none."""
    pixels = np.asarray(panel, dtype=np.int32)
    near = ((pixels - np.array(COLOURS[colour])) ** 2).sum(axis=2) < _NEAR**2
    # a line of 3 px crosses every row and column of its box at least four times
    xs, ys = np.flatnonzero(near.sum(axis=0) >= 4), np.flatnonzero(near.sum(axis=1) >= 4)
    if not xs.size or not ys.size:
        return None
    width, height = panel.size
    # an outline at the panel's edge lies on the box, elsewhere around it
    left, top = (int(edge) + (LINE_PX if edge > 1 else 0) for edge in (xs[0], ys[0]))
    right = int(xs[-1]) + 1 - (LINE_PX if xs[-1] < width - 2 else 0)
    bottom = int(ys[-1]) + 1 - (LINE_PX if ys[-1] < height - 2 else 0)
    return left / width, top / height, max(right, left + 1) / width, max(bottom, top + 1) / height
