"""The 24 photos as COCO annotation files and as gold. `python -m tests.evaluation.coco24 gold.jsonl` writes it.

Image paths are those of the corpus (`images/000000403385.jpg`), so `data.image_root` is its `coco24` folder.
"""

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grounding_assets.core.evaluation.gold.gold_record import gold_expression, gold_record
from tests.corpus import coco24_gold


def write_coco_files(folder: Path) -> tuple[Path, Path]:
    """`instances` and `captions` in the form in which COCO is published."""
    rows = coco24_gold()
    names = sorted({instance["category"] for row in rows for instance in row["instances"]})
    images = [
        {"id": row["image_id"], "file_name": row["file"], "width": row["width"], "height": row["height"]}
        for row in rows
    ]
    annotations = [
        {
            "id": instance["ann_id"],
            "image_id": row["image_id"],
            "category_id": names.index(instance["category"]) + 1,
            "bbox": instance["bbox_xywh"],
            "area": instance["area"],
            "iscrowd": instance["iscrowd"],
            "segmentation": [[0.5, 1.5, 2.5, 3.5, 4.5, 5.5]],
        }
        for row in rows
        for instance in row["instances"]
    ]
    captions = [
        {"id": 5 * k + n, "image_id": row["image_id"], "caption": caption}
        for k, row in enumerate(rows)
        for n, caption in enumerate(row["captions"])
    ]
    categories = [{"id": k + 1, "name": name, "supercategory": "x"} for k, name in enumerate(names)]
    instances_file, captions_file = folder / "instances.json", folder / "captions.json"
    common = {"info": {"year": 2017, "nested": [1, {"a": "]"}]}, "licenses": [], "images": images}
    instances_file.write_text(json.dumps(common | {"annotations": annotations, "categories": categories}))
    captions_file.write_text(json.dumps(common | {"annotations": captions}))
    return instances_file, captions_file


def derived_gold(absent_per_photo: int = 2) -> Iterator[dict[str, Any]]:
    """The corpus's derived phrases, and a made-up caption a photo of categories that it does not show."""
    rows = coco24_gold()
    names = sorted({instance["category"] for row in rows for instance in row["instances"]})
    for row in rows:
        size = (row["width"], row["height"])
        for number, caption in enumerate(row["captions"]):
            phrases = [p for p in row["derived_phrases"] if p["caption_index"] == number]
            expressions = [
                gold_expression(
                    caption,
                    (p["char_span"][0], p["char_span"][1]),
                    [(round(a), round(b), round(c), round(d)) for a, b, c, d in p["boxes"]],
                    noun_chunk=p["text"].split()[-1],
                )
                for p in phrases
            ]
            if expressions:
                yield gold_record(row["file"], caption, size, expressions, "coco24")
        shown = {instance["category"] for instance in row["instances"]}
        lacking = [name for name in names if name not in shown]
        chosen = random.Random(row["image_id"]).sample(lacking, absent_per_photo)
        caption = " and ".join(f"the {name}" for name in chosen)
        spans = [(caption.index(f"the {name}"), name) for name in chosen]
        expressions = [
            gold_expression(caption, (s, s + 4 + len(name)), [], noun_chunk=name) for s, name in spans
        ]
        yield gold_record(row["file"], caption, size, expressions, "coco24")


if __name__ == "__main__":
    with Path(sys.argv[1]).open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in derived_gold())
