"""Packed dictionaries behave as dictionaries, alone and where several share one numbering."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from grounding_assets.core.store.compact_dict import Numbering, PackedEntries

KEYS = st.sampled_from("abcdefgh")
RECORDS = st.binary(max_size=6)
WHICH = st.integers(0, 1)


class TwoOverOneNumbering(RuleBasedStateMachine):
    """Two dictionaries beside two of Python's own; records of 4 bytes are the usual ones."""

    def __init__(self) -> None:
        super().__init__()
        numbering = Numbering()
        self.packed = [
            PackedEntries[bytes](bytes, bytes, usual_bytes=4, numbering=numbering) for _ in range(2)
        ]
        self.plain: list[dict[str, bytes]] = [{}, {}]

    @rule(which=WHICH, key=KEYS, record=RECORDS)
    def put(self, which: int, key: str, record: bytes) -> None:
        self.packed[which][key] = self.plain[which][key] = record

    @rule(which=WHICH, key=KEYS)
    def remove(self, which: int, key: str) -> None:
        assert self.packed[which].pop(key, None) == self.plain[which].pop(key, None)

    @invariant()
    def both_hold_the_same(self) -> None:
        for packed, plain in zip(self.packed, self.plain, strict=True):
            assert dict(packed.items()) == plain and len(packed) == len(plain)
            assert all((key in packed) == (key in plain) for key in "abcdefghi")


TestTwoOverOneNumbering = TwoOverOneNumbering.TestCase


def test_order_is_that_of_the_numbering_and_what_is_absent_is_said_so() -> None:
    entries = PackedEntries[bytes](bytes, bytes, usual_bytes=1)
    for key in "cab":
        entries[key] = key.encode()
    assert list(entries) == ["c", "a", "b"]
    assert entries.packed("d") is None
    for key in "cd":
        entries.pop("c", None)
        with pytest.raises(KeyError):
            del entries[key]
        with pytest.raises(KeyError):
            _ = entries[key]
