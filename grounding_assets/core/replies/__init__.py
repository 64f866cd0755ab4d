"""From the text of a reply to typed results: one parser for all model families.

`parse_extraction` reads step 0, `parse_grounding` step 1, `match_entries` says which expression an entry
speaks of; `read_obedient` does both at once for a reply that is what was asked for. Pixels
(`core.boxes.coordinates`) and offsets (`core.spans.alignment`) come afterwards; requests and prompts live elsewhere.
Imports `boxes`, `spans` and `errors`.
"""

from grounding_assets.core.replies.declared import declared_forms
from grounding_assets.core.replies.disclaimers import refuse_disclaimed
from grounding_assets.core.replies.extraction import parse_extraction
from grounding_assets.core.replies.grounding import parse_grounding
from grounding_assets.core.replies.matching import (
    MatchedExpression,
    MatchResult,
    match_entries,
    may_be_the_only_one,
)
from grounding_assets.core.replies.native import token_of_another_frame
from grounding_assets.core.replies.obedient import read_obedient
from grounding_assets.core.replies.parsed import ParsedExtraction, ParsedGrounding, ReplyEntry, Statement
from grounding_assets.core.replies.wording import content, denies, leaves_out

__all__ = [
    "MatchResult",
    "MatchedExpression",
    "ParsedExtraction",
    "ParsedGrounding",
    "ReplyEntry",
    "Statement",
    "content",
    "declared_forms",
    "denies",
    "leaves_out",
    "match_entries",
    "may_be_the_only_one",
    "parse_extraction",
    "parse_grounding",
    "read_obedient",
    "refuse_disclaimed",
    "token_of_another_frame",
]
