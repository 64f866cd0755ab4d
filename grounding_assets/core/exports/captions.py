"""The text that a grounding model is trained on: what it mentions and no box shows is a negative.

Such loaders (ODVG's, MDETR's, GLIP's) teach a model that the words without a box are not in the image. That holds of
an expression that the teacher looked for and did not see. It does not hold of one that was left out by a filter or a
reviewer, or that the teacher did not answer.
"""

from dataclasses import dataclass

from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.records import Expression, GroundingStatus, Span

SEPARATOR = " . "
"""Between the phrases of a list, as Grounding DINO's prompts have it."""


@dataclass(frozen=True, slots=True)
class TrainingCaption:
    """A text whose words without a box are negatives."""

    text: str
    boxed: tuple[tuple[Expression, Span], ...]
    """The expressions with boxes, each with its place in the text."""
    is_list: bool
    """Whether it is not the cleaned caption but a list of its phrases."""


def training_caption(sample: AnnotatedSample) -> TrainingCaption:
    """The cleaned caption without leading white space; a list of its judged phrases if it has words of unjudged ones.

    Leading white space goes since mmdetection strips a caption before it applies the spans.
    """
    boxed = [one for one in sample.expressions if one.instances]
    shown = {place for one in boxed for place in range(*one.char_span)}
    unjudged = [*sample.unjudged, *(one for one in sample.expressions if is_unanswered(one))]
    words = (place for one in unjudged for place in range(*one.char_span))
    if any(place not in shown and not sample.cleaned_caption[place].isspace() for place in words):
        return _phrase_list(sample)
    text = sample.cleaned_caption.lstrip()
    cut = len(sample.cleaned_caption) - len(text)
    spans = ((max(0, one.char_span[0] - cut), one.char_span[1] - cut) for one in boxed)
    return TrainingCaption(text, tuple(zip(boxed, spans, strict=True)), is_list=False)


def is_absent(expression: Expression) -> bool:
    """Whether the teacher looked for it and saw none, rather than not looking."""
    return not expression.instances and expression.grounding_status in (None, GroundingStatus.NONE_SEEN)


def is_unanswered(expression: Expression) -> bool:
    """Whether it has no box and nobody says that there is none."""
    return not expression.instances and not is_absent(expression)


def _phrase_list(sample: AnnotatedSample) -> TrainingCaption:
    """Each phrase once, those that the image does not show among them."""
    text, places, boxed = "", dict[str, Span](), []
    for expression in sample.expressions:
        if is_unanswered(expression):
            continue
        phrase = " ".join(expression.text.split())
        if phrase not in places:
            places[phrase] = len(text), len(text) + len(phrase)
            text += phrase + SEPARATOR
        if expression.instances:
            boxed.append((expression, places[phrase]))
    return TrainingCaption(text.rstrip(), tuple(boxed), is_list=True)
