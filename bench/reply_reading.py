"""CPU of reading one step-1 reply: the short path beside the long one, on the same replies in the same run.

    python -m bench.reply_reading [replies]

The replies are the JSON that was asked for, with 1 to 25 expressions; the best of three rounds counts.
"""

import json
import random
import sys
import time
from collections.abc import Callable

from grounding_assets.core.replies import match_entries, parse_grounding, read_obedient

ROUNDS = 3
Asked = list[tuple[str, str]]


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print("| expressions | long path, ms | short path, ms |\n|---|---|---|")
    for expressions in (1, 4, 10, 25):
        asked = [(f"e{i}", f"a thing number {i}") for i in range(expressions)]
        replies = [obedient_reply(asked, seed) for seed in range(count)]
        for reply in replies[:50]:
            assert read_obedient(reply, asked) == match_entries(parse_grounding(reply), asked)
        long = best_ms(lambda reply, asked=asked: match_entries(parse_grounding(reply), asked), replies)
        short = best_ms(lambda reply, asked=asked: read_obedient(reply, asked), replies)
        print(f"| {expressions} | {long:.3f} | {short:.3f} |")


def obedient_reply(asked: Asked, seed: int) -> str:
    """A reply with one to three boxes for each expression."""
    chance = random.Random(seed)
    entries = [
        {
            "id": name,
            "boxes": [
                {"bbox_2d": [chance.randrange(1000) for _ in range(4)], "score": 0.9}
                for _ in range(chance.randint(1, 3))
            ],
        }
        for name, _ in asked
    ]
    return json.dumps({"expressions": entries})


def best_ms(read: Callable[[str], object], replies: list[str]) -> float:
    """CPU milliseconds a reply."""
    spent: list[float] = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        for reply in replies:
            read(reply)
        spent.append((time.process_time() - begun) / len(replies) * 1000)
    return min(spent)


if __name__ == "__main__":
    main()
