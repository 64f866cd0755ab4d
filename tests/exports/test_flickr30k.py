"""Flickr30k Entities files read back as the data set's own tools do, with xml.etree and a token parser."""

import itertools
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings

from grounding_assets.core.exports import export
from grounding_assets.core.exports.flickr30k import without_overlaps
from grounding_assets.core.records import Expression
from grounding_assets.core.spec.export_settings import ExportSpec
from tests.exports.record_strategies import one_expression, one_record, record_lists


def read_sentences(path):
    """(sentence, [(first word, phrase, entity, types)]) a line, parsed token by token."""
    sentences = []
    for line in path.read_text(encoding="utf-8").split("\n"):
        if not line:
            continue
        words, phrases, open_phrase = [], [], None
        for token in line.split():
            if open_phrase is None and token[0] == "[":
                marker, entity, *types = token.split("/")
                assert marker == "["
                open_phrase = (len(words), entity[3:], types)
                continue
            if open_phrase is None or token[-1] != "]":
                words.append(token)
            else:
                words.append(token[:-1])
                first, entity, types = open_phrase
                phrases.append((first, " ".join(words[first:]), entity, types))
                open_phrase = None
        assert open_phrase is None
        sentences.append((" ".join(words), phrases))
    return sentences


def read_annotation(path):
    root = ET.parse(path).getroot()
    size = {child.tag: int(child.text or "") for child in root.iterfind("size/*")}
    boxes, nobox = {}, []
    for element in root.findall("object"):
        entity = element.findtext("name")
        if element.find("bndbox") is not None:
            edges = [int(element.findtext(f"bndbox/{edge}", "")) for edge in ("xmin", "ymin", "xmax", "ymax")]
            assert min(edges) > 0
            boxes.setdefault(entity, []).append([edge - 1 for edge in edges])
        elif int(element.findtext("nobndbox", "")) > 0:
            nobox.append(entity)
    return root.findtext("filename"), size, boxes, nobox


def as_tokens(text):
    return " ".join(text.replace("[", "-LSB-").replace("]", "-RSB-").split())


@settings(max_examples=80, deadline=None)
@given(rows=record_lists)
def test_phrases_and_boxes_come_back(rows, tmp_path_factory):
    out = tmp_path_factory.mktemp("flickr")
    report = export(rows, out, "flickr30k_entities")
    numbers = (out / "train.txt").read_text().split()
    assert len(set(map(int, numbers))) == len(numbers) == report.splits["train"].images
    found = []
    for number in numbers:
        path, size, boxes, nobox = read_annotation(out / "Annotations" / f"{number}.xml")
        for sentence, phrases in read_sentences(out / "Sentences" / f"{number}.txt"):
            found.append((path, size["width"], sentence, phrases, boxes, nobox))
    told = [row for row in rows if row["cleaned_caption"].strip()]
    assert len(found) == len(told)
    paths = list(dict.fromkeys(row["image_path"].removeprefix("./") for row in told))
    told.sort(key=lambda row: paths.index(row["image_path"].removeprefix("./")))
    for row, (path, _, sentence, phrases, boxes, nobox) in zip(told, found, strict=True):
        assert path.removeprefix("./") == row["image_path"].removeprefix("./")
        assert "".join(sentence.split()) == "".join(as_tokens(row["cleaned_caption"]).split())
        kept = {(as_tokens(e["text"]), tuple(map(tuple, boxes_of(e)))) for e in row["expressions"]}
        for first, phrase, entity, types in phrases:
            assert types == ["other"]
            assert sentence.split()[first : first + len(phrase.split())] == phrase.split()
            assert (phrase, tuple(map(tuple, boxes.get(entity, [])))) in kept
            assert not (entity in boxes and entity in nobox)


def boxes_of(expression):
    return [instance["bbox"] for instance in expression["instances"]]


def test_the_files_of_one_image(tmp_path):
    rows = [
        one_record(image_path="images/36979.jpg"),
        one_record(
            image_path="images/36979.jpg",
            cleaned_caption="No dog [here], but a tree.",
            expressions=[one_expression("dog [here]", 3, []), one_expression("a tree", 19, [[0, 1, 2, 3]])],
        ),
    ]
    export(rows, tmp_path, "flickr30k_entities", ExportSpec(fractions={"test": 1.0}))
    assert (tmp_path / "test.txt").read_text() == "36979\n"
    assert (tmp_path / "Sentences" / "36979.txt").read_text(encoding="utf-8").splitlines() == [
        "[/EN#1/other A red car] is parked beside [/EN#2/other a tree] .",
        "No [/EN#3/other dog -LSB-here-RSB-] , but [/EN#4/other a tree] .",
    ]
    path, size, boxes, nobox = read_annotation(tmp_path / "Annotations" / "36979.xml")
    assert path == "images/36979.jpg"
    assert size == {"width": 640, "height": 480, "depth": 3}
    assert boxes == {
        "1": [[10, 20, 300, 400]],
        "2": [[300, 0, 640, 470], [0, 0, 9, 9]],
        "4": [[0, 1, 2, 3]],
    }
    assert nobox == ["3"]


@pytest.mark.parametrize("status", ["not_mentioned", "out_of_vocabulary"])
def test_what_nobody_looked_for_is_not_called_absent(tmp_path, status):
    expression = one_expression("A red car", 0, []) | {"grounding_status": status}
    export([one_record(expressions=[expression])], tmp_path, "flickr30k_entities")
    [number] = (tmp_path / "train.txt").read_text().split()
    _, _, boxes, nobox = read_annotation(tmp_path / "Annotations" / f"{number}.xml")
    assert (boxes, nobox) == ({}, [])


def test_images_of_one_stem_get_different_numbers_that_others_do_not_move(tmp_path):
    paths = ["a/1.jpg", "b/1.jpg", "c/cat\x01<&.jpg", "d/01.jpg"]
    numbers = {}
    for name, order in (("one", paths), ("two", [*paths, "e/5.jpg"])):
        out = tmp_path / name
        export([one_record(image_path=path) for path in order], out, "flickr30k_entities")
        numbers[name] = (out / "train.txt").read_text().split()
    assert numbers["one"] == numbers["two"][:4]
    assert numbers["one"][0] == "1"
    assert len(set(numbers["two"])) == 5
    path, *_ = read_annotation(tmp_path / "one" / "Annotations" / f"{numbers['one'][2]}.xml")
    assert path == "c/cat\ufffd<&.jpg"


def test_of_overlapping_expressions_as_many_as_possible_are_kept():
    text = "a man in a red shirt"
    spans = [(0, 20), (0, 5), (9, 20), (2, 14), (15, 20)]
    expressions = [Expression(text[s:e], (s, e), "") for s, e in spans]
    kept = [e.char_span for e in without_overlaps(expressions)]

    def apart(chosen):
        return all(a[1] <= b[0] for a, b in itertools.pairwise(sorted(chosen)))

    most = max(n for n in range(6) for c in itertools.combinations(spans, n) if apart(c))
    assert apart(kept) and len(kept) == most == 2
