"""Marks taken over: each is checked against the result as it stands, and put beside what was said before."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from grounding_assets.core.dataset.annotated import AnnotatedSample, read_samples
from grounding_assets.core.errors import InputError
from grounding_assets.core.records import PixelBox
from grounding_assets.core.review.judged import phrase_keys, result_digest, sample_id_of
from grounding_assets.core.review.marks import MarkedBox, MarksFile, SampleMark
from grounding_assets.core.review.reviews import Reviews, image_sha256
from grounding_assets.core.review.said import JudgedPhrase, JudgedSample, Word


@dataclass
class Taken:
    """What became of the marks of a file; a sample's mark and each of its expressions' count singly."""

    new: int = 0
    """Marks that say something for the first time, or something else than before."""
    known: int = 0
    """Marks that say what is known already."""
    stale: list[str] = field(default_factory=list)
    """Samples whose result is another one by now: their marks are left out."""
    unknown: list[str] = field(default_factory=list)
    """Samples that have no result."""
    overruled: list[str] = field(default_factory=list)
    """Where two marks disagree, in words; the one that was exported later counts."""

    def later(self, said: Word, before: Word | None, what: str) -> Word | None:
        """The one of the two that counts."""
        if before is None:
            if said.says == "unmarked":
                return None
            self.new += 1
            return said
        if (before.verdict, before.boxes) == (said.verdict, said.boxes):
            self.known += 1
            return before
        later, earlier = (said, before) if said.at >= before.at else (before, said)
        self.new += later is said
        self.overruled.append(f"{what}: {earlier.says} by {earlier.by}, later {later.says} by {later.by}")
        return later


def take_marks(
    marks: MarksFile, records: Iterable[Mapping[str, Any]], reviews: Reviews, origin: str
) -> Taken:
    """Puts the marks into `reviews`, those whose result is still what was looked at.

    Args:
        records: lines of `annotations.jsonl`, which `origin` names.

    Raises:
        InputError: a record or a mark is broken; nothing is to be kept then.
    """
    taken = Taken()
    waiting: dict[str, list[SampleMark]] = {}
    for mark in marks.marks:
        waiting.setdefault(mark.sample_id, []).append(mark)
    for sample in read_samples(records, origin):
        # a file that was put together of several may mark a sample more than once
        for mark in waiting.pop(sample_id_of(sample.record), ()):
            if result_digest(sample.record) != mark.result:
                taken.stale.append(mark.sample_id)
                continue
            before = reviews.of(mark.sample_id, sample.cleaned_caption)
            reviews.put(_judged(sample, mark, before, marks, taken))
    taken.unknown += waiting
    return taken


def _judged(
    sample: AnnotatedSample, mark: SampleMark, before: JudgedSample | None, marks: MarksFile, taken: Taken
) -> JudgedSample:
    name = mark.sample_id
    current = before if before is not None and before.result == mark.result else None
    said_before = current.word if current else None
    if "verdict" in mark.model_fields_set:
        said = Word(verdict=mark.verdict, by=marks.reviewer, at=marks.exported_at)
        said_before = taken.later(said, said_before, name)
    phrases = _phrases(sample, before)
    for phrase_mark in mark.expressions:
        if phrase_mark.index >= len(phrases):
            raise InputError(
                f"The marks of sample {name} name expression {phrase_mark.index}, and it has {len(phrases)}: "
                "the file is damaged."
            )
        now = JudgedPhrase(row=dict(sample.record["expressions"][phrase_mark.index]))
        old = phrases[phrase_mark.index]
        said = Word(
            verdict=phrase_mark.verdict,
            boxes=None
            if phrase_mark.boxes is None
            else tuple(_pixel_box(box, sample.image_size, name) for box in phrase_mark.boxes),
            by=marks.reviewer,
            at=marks.exported_at,
        )
        said_of_these = old.word if old.boxes == now.boxes else None
        word = taken.later(said, said_of_these, f"{name}, '{now.row['text']}'")
        phrases[phrase_mark.index] = JudgedPhrase(row=now.row, word=word)
    return JudgedSample(
        sample_id=name,
        result=mark.result,
        image_path=sample.image_path,
        image_sha256=image_sha256(sample.record),
        caption=sample.caption,
        cleaned_caption=sample.cleaned_caption,
        image_size=sample.image_size,
        word=said_before,
        phrases=phrases,
    )


def _phrases(sample: AnnotatedSample, before: JudgedSample | None) -> list[JudgedPhrase]:
    """The sample's, each with what was said of it before."""
    rows = sample.record["expressions"]
    known = before.by_key() if before else {}
    return [
        _carried(JudgedPhrase(row=dict(row)), known.get(key), before)
        for key, row in zip(phrase_keys(row["char_span"] for row in rows), rows, strict=True)
    ]


def _carried(fresh: JudgedPhrase, old: JudgedPhrase | None, before: JudgedSample | None) -> JudgedPhrase:
    """What was said of boxes that a reviewer vouches for, or of these very boxes, still holds."""
    if old is None or old.word is None or before is None:
        return fresh
    if old.boxes == fresh.boxes:
        return JudgedPhrase(row=fresh.row, word=old.word)
    return old if before.vouches_for(old) else fresh


def _pixel_box(box: MarkedBox, image_size: tuple[int, int], sample_id: str) -> PixelBox:
    """In whole pixels, cut at the image's edges."""
    (x1, y1, x2, y2), (width, height) = box, image_size
    cut = (max(0, round(x1)), max(0, round(y1)), min(width, round(x2)), min(height, round(y2)))
    if cut[0] >= cut[2] or cut[1] >= cut[3]:
        raise InputError(
            f"The marks of sample {sample_id} hold a box that is empty or outside its image: {list(box)}."
        )
    return cut
