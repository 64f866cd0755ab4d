"""COCO files as gold: what is linked is right, and big files are read piece by piece."""

import json
import tracemalloc

import pytest

from grounding_assets.core.errors import InputError
from grounding_assets.core.evaluation import JudgeOptions, evaluate
from grounding_assets.core.evaluation.gold import coco_gold
from grounding_assets.core.json_arrays import elements
from tests.corpus import coco24_gold, needs_corpus
from tests.evaluation.coco24 import derived_gold, write_coco_files


@needs_corpus("coco24")
def test_phrases_of_real_captions_get_the_boxes_that_the_corpus_gives_them(tmp_path):
    derived = {
        (row["file"], " ".join(row["captions"][p["caption_index"]].split()), p["char_span"][1]): p
        for row in coco24_gold()
        for p in row["derived_phrases"]
    }
    agree = further = 0
    for record in coco_gold(*write_coco_files(tmp_path)):
        for expression in record["expressions"]:
            span = expression["char_span"]
            assert record["cleaned_caption"][slice(*span)] == expression["text"]
            known = derived.get((record["image_path"], record["caption"], span[1]))
            if known is None:
                further += 1
                continue
            boxes = [instance["bbox"] for instance in expression["instances"]]
            assert len(boxes) == len(known["boxes"])
            for box, other in zip(sorted(boxes), sorted(known["boxes"]), strict=True):
                assert all(abs(a - b) <= 1 for a, b in zip(box, other, strict=True))
            agree += 1
    assert agree >= 100 and further <= 15


def files(tmp_path, captions, boxes, *, crowd=()):
    """One photo of 100 x 100 with boxes by category."""
    names = ["person", "dog", "banana", "sheep", "hot dog", "bus", "cup"]
    instances, captions_file = tmp_path / "i.json", tmp_path / "c.json"
    annotations = [
        {"image_id": 7, "category_id": names.index(name), "bbox": box, "iscrowd": int(name in crowd)}
        for name, box in boxes
    ]
    image = {"id": 7, "file_name": "7.jpg", "width": 100, "height": 100}
    categories = [{"id": k, "name": name} for k, name in enumerate(names)]
    instances.write_text(
        json.dumps({"images": [image], "annotations": annotations, "categories": categories})
    )
    captions_file.write_text(
        json.dumps({"annotations": [{"image_id": 7, "caption": caption} for caption in captions]})
    )
    return instances, captions_file


A, B, C = [0, 0, 10, 10], [20, 20.4, 10, 10], [50, 50, 60.2, 9]


@pytest.mark.parametrize(
    ("caption", "boxes", "found"),
    [
        ("A dog sits.", [("dog", A)], {"A dog": [[0, 0, 10, 10]]}),
        ("Dogs in a park", [("dog", A), ("dog", B)], {"Dogs": [[0, 0, 10, 10], [20, 20, 30, 30]]}),
        ("two dogs.", [("dog", A), ("dog", B)], {"two dogs": [[0, 0, 10, 10], [20, 20, 30, 30]]}),
        ("two dogs.", [("dog", A), ("dog", B), ("dog", C)], {}),
        ("a dog", [("dog", A), ("dog", B)], {}),
        ("dogs", [("dog", A)], {}),
        ("the dog", [("dog", C)], {"the dog": [[50, 50, 100, 59]]}),
        ("a banana tree", [("banana", A)], {}),
        ("a hot dog on a plate", [("hot dog", A), ("dog", B)], {"a hot dog": [[0, 0, 10, 10]]}),
        ("A MAN and a woman", [("person", A)], {"A MAN": [[0, 0, 10, 10]], "a woman": [[0, 0, 10, 10]]}),
        ("some people are", [("person", A), ("person", B)], {"some people": [[0, 0, 10, 10], [20, 20, 30, 30]]}),
        ("two men", [("person", A), ("person", B)], {}),
        ("a sheep", [("sheep", A)], {"a sheep": [[0, 0, 10, 10]]}),
        ("sheep near buses", [("sheep", A), ("sheep", B)], {"sheep": [[0, 0, 10, 10], [20, 20, 30, 30]]}),
        ("a dog's bus stop", [("bus", A)], {}),
        ("a cup bus", [("cup", A), ("bus", B)], {}),
        ("dogmatic doghouse", [("dog", A)], {}),
    ],
)  # fmt: skip
def test_only_safe_links_are_made(tmp_path, caption, boxes, found):
    records = list(coco_gold(*files(tmp_path, [caption], boxes)))
    linked = {e["text"]: [i["bbox"] for i in e["instances"]] for r in records for e in r["expressions"]}
    assert linked == found


def test_a_crowd_makes_a_category_uncertain(tmp_path):
    boxes = [("person", A), ("person", B), ("dog", C)]
    paths = files(tmp_path, ["people and a dog"], boxes, crowd=("person",))
    [record] = coco_gold(*paths)
    assert [e["text"] for e in record["expressions"]] == ["a dog"]


def test_a_box_without_a_whole_pixel_is_not_called_absent(tmp_path):
    [record] = coco_gold(*files(tmp_path, ["a dog"], [("dog", [5.1, 5.1, 0.2, 7])]))
    assert record["expressions"][0]["instances"] == []
    assert record["expressions"][0]["grounding_status"] == "not_mentioned"


def test_categories_that_an_image_lacks_make_absent_expressions(tmp_path):
    paths = files(tmp_path, [], [("dog", A), ("person", B)])
    [record] = coco_gold(*paths, absent_per_image=3, image_prefix="val/")
    assert record["image_path"] == "val/7.jpg"
    names = [e["noun_chunk"] for e in record["expressions"]]
    assert len(set(names)) == 3 and not {"dog", "person"} & set(names)
    assert all(e["grounding_status"] == "none_seen" for e in record["expressions"])
    [again] = coco_gold(*paths, absent_per_image=3, image_prefix="val/")
    assert again == record
    [all_of_them] = coco_gold(*paths, absent_per_image=99, seed=1)
    assert len(all_of_them["expressions"]) == 5
    # gold judged against itself: everything is right, everything absent is rejected
    assert evaluate([record], [record], JudgeOptions("step_1")).overall["absent_rejected"].value == 1.0


@needs_corpus("coco24")
def test_the_corpus_as_gold_is_right_by_its_own_measure():
    gold = list(derived_gold())
    overall = evaluate(gold, gold, JudgeOptions("step_1")).overall
    assert overall["r1_50"].of == 121
    assert overall["absent_rejected"].of == 48
    assert {name: figure.value for name, figure in overall.items() if figure.of} == {
        "r1_50": 1.0,
        "r1_75": 1.0,
        "box_recall_50": 1.0,
        "box_recall_75": 1.0,
        "box_precision_50": 1.0,
        "any_box_f1": 1.0,
        "all_box_f1": 1.0,
        "mean_iou": 1.0,
        "absent_rejected": 1.0,
    }


@pytest.mark.parametrize(
    "document",
    [
        '{"a": [{"k": 1}, {"k": 2}]}',
        '  {\n"x" : {"a": [9]}, "y": -1.5e3 , "a" :[ {"k":1} ,\t{"k":2}\n] , "z": "]}"}  ',
        '\ufeff{"b": [], "a": [{"k": 1}, {"k": 2}], "c": [1, [2], "é"]}',
        '{"a": [{"k": 1, "pad": "' + "x" * 3_000_000 + '"}, {"k": 2}]}',
    ],
)
def test_arrays_are_found_however_they_are_written(tmp_path, document):
    path = tmp_path / "d.json"
    path.write_text(document, encoding="utf-8")
    assert [element["k"] for element in elements(path, "a")] == [1, 2]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "expected form"),
        ("[]", "'{' expected"),
        ('{"a": [{"k": 1}', "expected form"),
        ('{"a": [1]}', "something other than objects"),
        ('{"b": [{}]}', "no array 'a'"),
        ("{}", "no array 'a'"),
        ('{"a": {}}', "no array 'a'"),
        ("[" * 5000, "'{' expected"),
        ('{"a": ' + "[" * 100_000, "expected form"),
    ],
)
def test_documents_of_another_form_are_named(tmp_path, document, message):
    path = tmp_path / "d.json"
    path.write_text(document)
    with pytest.raises(InputError, match=message):
        list(elements(path, "a"))


def test_a_missing_file_and_foreign_rows_are_named(tmp_path):
    with pytest.raises(InputError, match=r"Cannot read .*none\.json"):
        list(elements(tmp_path / "none.json", "a"))
    instances, captions = files(tmp_path, ["a dog"], [("dog", A)])
    captions.write_text('{"annotations": [{"image_id": 7}]}')
    with pytest.raises(InputError, match="not a COCO annotation file: KeyError"):
        list(coco_gold(instances, captions))


def test_a_big_file_is_not_held_in_memory(tmp_path):
    path = tmp_path / "big.json"
    with path.open("w") as stream:
        stream.write('{"annotations": [')
        padding = "x" * 1000
        stream.writelines(f'{{"id": {n}, "pad": "{padding}"}},\n' for n in range(20_000))
        stream.write('{"id": -1}]}')
    tracemalloc.start()
    count = sum(1 for _ in elements(path, "annotations"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_001
    assert path.stat().st_size > 20_000_000 and peak < 8_000_000
