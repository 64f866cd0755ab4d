"""Flickr30k Entities: bracketed sentences and XML boxes, as its own tools and MDETR's converter read them.

Layout: `Sentences/<id>.txt`, `Annotations/<id>.xml`, and `<split>.txt` with the ids. Sources:
`flickr30k_entities_utils.py` of the data set's authors, MDETR's `scripts/pre-training/flickr_combined.py`.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Any

from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.exports.captions import is_absent
from grounding_assets.core.exports.image_numbers import ImageNumbers
from grounding_assets.core.exports.writer import ExportJob, Writer
from grounding_assets.core.records import Expression

BLANK = "samples with a blank caption"
"""What both formats of whole sentences leave out, so that they number sentences alike."""
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BRACKETS = str.maketrans({"[": "-LSB-", "]": "-RSB-"})
"""Penn Treebank's escapes; the sentences' parser would take brackets of the caption for its own."""


class Flickr30kWriter(Writer):
    """One sentence a sample, in order.

    What the format cannot hold: overlapping expressions (as many as possible are kept), white space other
    than single blanks, square brackets, scores. Each expression is an entity of its own.
    """

    def __init__(self, job: ExportJob):
        super().__init__(job)
        self._groups = self.image_groups()
        self._sentences, self._annotations = job.folder / "Sentences", job.folder / "Annotations"
        self._sentences.mkdir()
        self._annotations.mkdir()
        self._lists = self.each_split(".txt", lambda path: path.open("w", encoding="ascii"))
        self._numbers = ImageNumbers()
        self._entities = 0

    def add(self, sample: AnnotatedSample, split: str) -> bool:
        if not sample.cleaned_caption.strip():
            self.report.left_out[BLANK] += 1
            return False
        apart = without_overlaps(sample.expressions)
        overlapping = len(sample.expressions) - len(apart)
        self.report.left_out["expressions that overlap another"] += overlapping
        phrases = [
            [*e.char_span, is_absent(e), [list(instance.bbox) for instance in e.instances]] for e in apart
        ]
        entry = sample.image_path, sample.image_size, sample.cleaned_caption, phrases
        self._groups.add(sample.image_path, split, entry)
        return True

    def finish(self) -> None:
        for split, samples in self._groups:
            self._write_image(split, samples)

    def _write_image(self, split: str, samples: list[Any]) -> None:
        image_path, image_size, _, _ = samples[0]
        number = self._numbers.assign(image_path)
        annotation = _annotation(image_path, image_size)
        sentences = []
        for _, _, caption, phrases in samples:
            spans = []
            for start, end, absent, boxes in phrases:
                self._entities += 1
                spans.append((start, end, self._entities))
                _append_objects(annotation, self._entities, absent, boxes)
            sentences.append(bracketed(caption, spans) + "\n")
            boxes = sum(len(boxes) for *_, boxes in phrases)
            self.report.wrote(split, image_path, expressions=len(phrases), boxes=boxes)
        (self._sentences / f"{number}.txt").write_text("".join(sentences), encoding="utf-8")
        ET.ElementTree(annotation).write(self._annotations / f"{number}.xml", encoding="utf-8")
        self._lists[split].write(f"{number}\n")


def without_overlaps(expressions: Sequence[Expression]) -> list[Expression]:
    """The largest set of expressions of which no two overlap, in reading order.

    Taking always the one that ends first is optimal (interval scheduling); of two that end together, the
    shorter.
    """
    kept: list[Expression] = []
    for expression in sorted(expressions, key=lambda e: (e.char_span[1], -e.char_span[0])):
        if not kept or expression.char_span[0] >= kept[-1].char_span[1]:
            kept.append(expression)
    return kept


def bracketed(caption: str, phrases: Sequence[tuple[int, int, int]]) -> str:
    """The caption with `[/EN#<entity>/other …]` around each phrase, tokens separated by single blanks.

    Args:
        phrases: (start, end, entity), in reading order, not overlapping.
    """
    words: list[str] = []
    reached = 0
    for start, end, entity in phrases:
        words += _words(caption[reached:start])
        words += [f"[/EN#{entity}/other", *_words(caption[start:end])]
        words[-1] += "]"
        reached = end
    words += _words(caption[reached:])
    return " ".join(words)


def _words(text: str) -> list[str]:
    return text.translate(_BRACKETS).split()


def _annotation(image_path: str, image_size: Sequence[int]) -> ET.Element:
    annotation = ET.Element("annotation")
    _child(annotation, "filename", _NOT_XML.sub("\ufffd", image_path))
    size = ET.SubElement(annotation, "size")
    for name, pixels in zip(("width", "height", "depth"), (*image_size, 3), strict=True):
        _child(size, name, pixels)
    return annotation


def _append_objects(
    annotation: ET.Element, entity: int, absent: bool, boxes: Sequence[Sequence[int]]
) -> None:
    """One object a box, or one that says that there is none; nothing if nobody looked."""
    for bbox in boxes:
        box_object = ET.SubElement(annotation, "object")
        _child(box_object, "name", entity)
        bndbox = ET.SubElement(box_object, "bndbox")
        for name, edge in zip(("xmin", "ymin", "xmax", "ymax"), bbox, strict=True):
            # the data set counts pixels from 1: its reader takes 1 off every edge
            _child(bndbox, name, edge + 1)
    if absent:
        box_object = ET.SubElement(annotation, "object")
        _child(box_object, "name", entity)
        _child(box_object, "scene", 0)
        _child(box_object, "nobndbox", 1)


def _child(parent: ET.Element, name: str, value: object) -> None:
    ET.SubElement(parent, name).text = str(value)
