"""What reviewers said of one sample, as it is kept: with the result that they looked at, and who said it when."""

from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from grounding_assets.core.records import Expression, PixelBox
from grounding_assets.core.review.judged import phrase_keys
from grounding_assets.core.review.marks import Verdict


class Word(BaseModel):
    """One mark."""

    model_config = ConfigDict(frozen=True)

    verdict: Verdict | None = None
    boxes: tuple[PixelBox, ...] | None = None
    """The boxes as corrected; empty: the image does not show it; None: not corrected. Of phrases only."""
    by: str
    at: AwareDatetime
    """When the marks were exported."""

    @property
    def says(self) -> str:
        """In words, for lists."""
        corrected = "" if self.boxes is None else f"corrected to {len(self.boxes)} boxes"
        return (
            " and ".join(filter(None, (f"{self.verdict}ed" if self.verdict else "", corrected))) or "unmarked"
        )


class JudgedPhrase(BaseModel):
    """One expression of a judged sample."""

    model_config = ConfigDict(frozen=True)

    row: dict[str, Any]
    """As it stood in the record."""
    word: Word | None = None

    @property
    def is_rejected(self) -> bool:
        """Whether it is not to be used, corrected or not."""
        return self.word is not None and self.word.verdict == "reject"

    @property
    def boxes(self) -> list[PixelBox]:
        """Of the result that was judged."""
        return [tuple(int(edge) for edge in instance["bbox"]) for instance in self.row["instances"]]  # type: ignore[misc]

    def is_rejected_in(self, expression: Expression) -> bool:
        """Whether it was rejected with the very boxes that the expression has."""
        boxes: list[PixelBox] = [instance.bbox for instance in expression.instances]
        return self.is_rejected and self.boxes == boxes


class JudgedSample(BaseModel):
    """One line of `reviews.jsonl`."""

    sample_id: str
    result: str
    """Digest of the result that was judged."""
    image_path: str
    image_sha256: str = ""
    """Of the image's file; empty if the record does not say."""
    caption: str
    cleaned_caption: str
    image_size: tuple[int, int]
    """(width, height) in pixels."""
    word: Word | None = None
    phrases: list[JudgedPhrase] = Field(default_factory=list)
    """All of the result, judged or not."""

    @property
    def verdict(self) -> Verdict | None:
        return self.word.verdict if self.word else None

    def by_key(self) -> dict[tuple[int, int, int], JudgedPhrase]:
        """Its phrases, see `phrase_keys`."""
        keys = phrase_keys(phrase.row["char_span"] for phrase in self.phrases)
        return dict(zip(keys, self.phrases, strict=True))

    def vouches_for(self, phrase: JudgedPhrase) -> bool:
        """Whether a reviewer found the phrase's boxes right, or made them so."""
        if phrase.word is None or (phrase.word.verdict is None and phrase.word.boxes is None):
            return self.verdict == "accept"
        return not phrase.is_rejected
