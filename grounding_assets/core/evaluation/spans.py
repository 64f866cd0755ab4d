"""Which predicted expression stands for which gold expression: overlap of their spans, or the same head noun there."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import islice
from typing import NamedTuple

from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.evaluation.heads import head_span
from grounding_assets.core.records import Span

_WORD = re.compile(r"\w+")
MAX_ALIGNED_WORDS = 2000
"""Captions that differ are aligned over so many words at most; spans behind them find no partner."""


def span_iou(a: Span, b: Span) -> float:
    """Characters in both over characters in either, 0.0 to 1.0."""
    shared = min(a[1], b[1]) - max(a[0], b[0])
    return max(0, shared) / (max(a[1], b[1]) - min(a[0], b[0])) if shared > 0 else 0.0


class Partner(NamedTuple):
    """The predicted expression that stands for a gold one."""

    position: int
    """Among the predicted expressions."""
    is_strict: bool
    """Whether their spans overlap enough; if not, their head noun is the same word of the caption."""


def pair_expressions(
    gold: AnnotatedSample, result: AnnotatedSample, min_iou: float, *, by_head: bool = True
) -> list[Partner | None]:
    """The partner of each gold expression, one-to-one; None if there is none.

    Pairs are made in the order of descending overlap, the earlier first among equals, down to `min_iou`
    (1.0: the same span only). What is left pairs `by_head`: "people" and "a group of people" mean the same if
    both have their head noun at the same place. If the cleaned captions differ, predicted spans are first carried over.
    """
    partners = _by_overlap(
        gold, carry_spans(result, [e.char_span for e in result.expressions], gold.cleaned_caption), min_iou
    )
    if not by_head:
        return partners
    taken = {partner.position for partner in partners if partner}
    heads = carry_spans(result, [head_span(e) for e in result.expressions], gold.cleaned_caption)
    free: dict[Span | None, list[int]] = {}
    for p, head in enumerate(heads):
        if p not in taken:
            free.setdefault(head, []).append(p)
    for g, expression in enumerate(gold.expressions):
        same = free.get(head_span(expression))
        if partners[g] is None and same:
            partners[g] = Partner(same.pop(0), is_strict=False)
    return partners


def _by_overlap(
    gold: AnnotatedSample, carried: Sequence[Span | None], min_iou: float
) -> list[Partner | None]:
    starts = sorted((e.char_span[0], e.char_span[1], g) for g, e in enumerate(gold.expressions))
    overlaps = []
    for p, span in enumerate(carried):
        if span is None:
            continue
        # spans of an IoU of at least t are at most 1/t times as long as each other
        longest = (span[1] - span[0]) / min_iou
        for start, end, g in starts[bisect_left(starts, (int(span[0] - longest),)) :]:
            if start >= span[1]:
                break
            if (iou := span_iou(span, (start, end))) >= min_iou:
                overlaps.append((-iou, g, p))
    partners: list[Partner | None] = [None] * len(gold.expressions)
    taken: set[int] = set()
    for _, g, p in sorted(overlaps):
        if partners[g] is None and p not in taken:
            partners[g] = Partner(p, is_strict=True)
            taken.add(p)
    return partners


def carry_spans(result: AnnotatedSample, own_spans: Sequence[Span], caption: str) -> list[Span | None]:
    """Spans of a result's caption in code points of another caption, the same if the captions are the same.

    Words are aligned by `difflib` without regard to case; a span becomes that from its first to its last
    word that has a counterpart, or None if no word has.
    """
    own = result.cleaned_caption
    if own == caption:
        return list(own_spans)
    words, others = (
        [word.span() for word in islice(_WORD.finditer(text), MAX_ALIGNED_WORDS)] for text in (own, caption)
    )
    counterpart = _aligned(
        [own[s:e].casefold() for s, e in words], [caption[s:e].casefold() for s, e in others]
    )
    ends = [end for _, end in words]
    spans: list[Span | None] = []
    for span in own_spans:
        found = []
        for position in range(bisect_left(ends, span[0] + 1), len(words)):
            if words[position][0] >= span[1]:
                break
            if position in counterpart:
                found.append(others[counterpart[position]])
        spans.append((found[0][0], found[-1][1]) if found else None)
    return spans


def _aligned(words: Sequence[str], others: Sequence[str]) -> dict[int, int]:
    """Positions of `words` to positions of `others`, ascending in both."""
    blocks = SequenceMatcher(None, words, others, autojunk=len(words) > 200).get_matching_blocks()
    return {block.a + k: block.b + k for block in blocks for k in range(block.size)}
