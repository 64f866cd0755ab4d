"""What became of a shard, kept in its folder as `shard.json` by the run that worked on it last."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import reduce
from typing import Any

from grounding_assets.core.dataset.audit import Audit, LineBalance
from grounding_assets.core.steps import Step

STATUS = "shard.json"
_OF_ONE_SHARD = {"steps", "sha256", "written_ns", "digest", "ended"}
"""Fields that say nothing of several."""


@dataclass(frozen=True)
class ShardStatus:
    """Counts of one shard, or of several added up."""

    steps: tuple[str, ...] = ()
    """What was asked for."""
    sha256: str = ""
    """Of the slice that the results are of; empty of several shards."""
    samples: int = 0
    done: int = 0
    """Samples of which nothing is left to do."""
    failed: int = 0
    """Samples whose last attempt failed; those that keep an earlier result are among them."""
    pending: int = 0
    """Samples that are neither."""
    repeated: int = 0
    """Lines whose sample an earlier line of the shard has named."""
    by_reason: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    """That the stored results and failures took; those that a kill cut off are in `calls.jsonl` alone."""
    settings: Counter[str] = field(default_factory=Counter)
    """Results of the steps, by the fingerprint of the settings that made them."""
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    """In the currency of the prices; 0 where they are not given."""
    first_failures: tuple[str, ...] = ()
    size: int = 0
    """Of the shard's `annotations.jsonl`, in bytes."""
    written_ns: int = 0
    """When that file was changed last, by the clock of its file system."""
    digest: str = ""
    """SHA-256 of that file: a copy of it was changed later, and is the same."""
    ended: float = 0.0
    """When the run ended, in seconds since 1970; 0 of several shards."""
    audit: Audit = field(default_factory=Audit)
    lines: LineBalance = field(default_factory=lambda: LineBalance(0, 0, 0, 0, 0, 0))

    @property
    def is_complete(self) -> bool:
        """Whether every sample has a result, and none is to be tried again."""
        return self.done == self.samples > 0

    def holds_for(self, steps: Sequence[Step], sha256: str) -> bool:
        """Whether the counts are of this slice and these steps."""
        return self.sha256 == sha256 and self.steps == tuple(map(str, steps))

    def figures(self) -> dict[str, float]:
        """Plain numbers, in the order in which a reader wants them."""
        return {
            "samples": self.samples,
            "done": self.done,
            "failed": self.failed,
            "pending": self.pending,
            **{f"failed_{reason}": count for reason, count in sorted(self.by_reason.items())},
            "calls": self.calls,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            **({"cost": round(self.cost, 4)} if self.cost else {}),
            **self.audit.figures(),
        }

    def to_dict(self) -> dict[str, Any]:
        # `asdict` would count the pairs of a Counter
        counters = {"by_reason": dict(self.by_reason), "settings": dict(self.settings)}
        return asdict(replace(self, by_reason=Counter(), settings=Counter())) | counters

    @classmethod
    def of_bytes(cls, content: bytes) -> "ShardStatus | None":
        """None if it was not written by this version: then the shard is looked at again."""
        try:
            row = json.loads(content)
            row["audit"], row["lines"] = Audit(**row["audit"]), LineBalance(**row["lines"])
            row["by_reason"], row["settings"] = Counter(row["by_reason"]), Counter(row["settings"])
            row["steps"], row["first_failures"] = tuple(row["steps"]), tuple(row["first_failures"])
            return cls(**row)
        except (ValueError, KeyError, TypeError):
            return None


def added_up(statuses: Iterable[ShardStatus]) -> ShardStatus:
    """The counts of several shards together."""
    return reduce(_sum, statuses, ShardStatus())


def _sum(total: ShardStatus, one: ShardStatus) -> ShardStatus:
    summed: dict[str, Any] = {
        each.name: getattr(total, each.name) + getattr(one, each.name)
        for each in fields(ShardStatus)
        if each.name not in _OF_ONE_SHARD
    }
    summed["first_failures"] = summed["first_failures"][:3]
    return ShardStatus(steps=one.steps, **summed)
