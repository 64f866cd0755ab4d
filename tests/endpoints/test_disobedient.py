"""The models that do not obey write what the makers' documents show, and see what their servers pass on."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.corpus import PROJECT, needs_corpus
from tests.endpoints.__main__ import endpoint_from
from tests.endpoints.clients import SQUARE, content, drawn, once, varying
from tests.endpoints.disobedient import MODELS
from tests.endpoints.families import FAMILIES, Answer
from tests.endpoints.forms import FORMS, write
from tests.endpoints.frames import server_resize
from tests.endpoints.labels import relabelled
from tests.endpoints.manner import FLAWS, Manner
from tests.endpoints.server import SimulatedEndpoint, running

DOG, CATS, NOTHING, WALL = (
    Answer("e0", "the dog", [[12, 42, 512, 612]]),
    Answer("e1", "two cats", [[1, 2, 30, 40], [5, 6, 70, 80]]),
    Answer("e2", "a kite", []),
    Answer("e3", "a wall", [[0, 0, 1000, 1000]]),
)
# Each spelled by hand after the document that `FORMS` names.
SPELLED = {
    "json_list": '```json\n[\n\t{"bbox_2d": [12, 42, 512, 612], "label": "the dog"},\n'
    '\t{"bbox_2d": [1, 2, 30, 40], "label": "two cats"},\n\t{"bbox_2d": [5, 6, 70, 80], "label": "two cats"}\n]\n```',
    "no_brackets": '{"x_min": 12, "y_min": 42, "x_max": 512, "y_max": 612, "label": "the dog"},\n'
    '{"x_min": 1, "y_min": 2, "x_max": 30, "y_max": 40, "label": "two cats"},\n'
    '{"x_min": 5, "y_min": 6, "x_max": 70, "y_max": 80, "label": "two cats"}',
    "nova": '```json\n[{"the dog": [12, 42, 512, 612]}, {"two cats": [1, 2, 30, 40]}, {"two cats": [5, 6, 70, 80]}]\n```',
    "bbox_in_string": '{"expressions": [{"id": "e0", "boxes": ["<bbox>12 42 512 612</bbox>"]}, '
    '{"id": "e1", "boxes": ["<bbox>1 2 30 40</bbox>", "<bbox>5 6 70 80</bbox>"]}, {"id": "e2", "boxes": []}]}',
    "ernie": "the dog: [[12, 42, 512, 612]]\ntwo cats: [[1, 2, 30, 40], [5, 6, 70, 80]]",
    "internvl": "<ref>the dog</ref><box>[[12, 42, 512, 612]]</box>\n"
    "<ref>two cats</ref><box>[[1, 2, 30, 40], [5, 6, 70, 80]]</box>",
    "minicpm": "<ref>the dog</ref><box>12 42 512 612</box>\n"
    "<ref>two cats</ref><box>1 2 30 40</box><box>5 6 70 80</box>",
    "seed": "the dog: <bbox>12 42 512 612</bbox>\ntwo cats: <bbox>1 2 30 40</bbox> <bbox>5 6 70 80</bbox>",
    "rex_omni": "<|object_ref_start|>the dog<|object_ref_end|><|box_start|><12><42><512><612><|box_end|>, "
    "<|object_ref_start|>two cats<|object_ref_end|><|box_start|><1><2><30><40>,<5><6><70><80><|box_end|>, "
    "<|object_ref_start|>a kite<|object_ref_end|><|box_start|>None<|box_end|><|im_end|>",
    "locate": "<ref>the dog</ref><box><12><42><512><612></box><ref>two cats</ref>"
    "<box><1><2><30><40></box><box><5><6><70><80></box><ref>a kite</ref><box>none</box>",
    "youtu": "<ref>the dog</ref><box><x_12><y_42><x_512><y_612></box>"
    "<ref>two cats</ref><box><x_1><y_2><x_30><y_40></box><box><x_5><y_6><x_70><y_80></box>",
    "hunyuan": "the dog(12,42),(512,612)two cats(1,2),(30,40)two cats(5,6),(70,80)",
    "qwen_tokens": "<|object_ref_start|>the dog<|object_ref_end|><|box_start|>(12,42),(512,612)<|box_end|>\n"
    "<|object_ref_start|>two cats<|object_ref_end|><|box_start|>(1,2),(30,40)<|box_end|>"
    "<|box_start|>(5,6),(70,80)<|box_end|>",
    "glm": "the dog: <|begin_of_box|>[[12,42,512,612]]<|end_of_box|>\n"
    "two cats: <|begin_of_box|>[[1,2,30,40],[5,6,70,80]]<|end_of_box|>",
    "glm_nameless": "<|begin_of_box|>[[12,42,512,612],[1,2,30,40],[5,6,70,80]]<|end_of_box|>",
    "cogvlm": "the dog [[012,042,512,612]]\ntwo cats [[001,002,030,040;005,006,070,080]]",
    "molmo2": '<boxes coords="1 1 12 42 512 612">the dog</boxes>\n'
    '<boxes coords="1 1 1 2 30 40 2 5 6 70 80">two cats</boxes>',
    "paligemma": "<loc0012><loc0042><loc0512><loc0612> the dog ; <loc0001><loc0002><loc0030><loc0040> two cats ; "
    "<loc0005><loc0006><loc0070><loc0080> two cats",
    "florence": "</s><s>the dog<loc_12><loc_42><loc_512><loc_612>"
    "two cats<loc_1><loc_2><loc_30><loc_40><loc_5><loc_6><loc_70><loc_80></s>",
}  # fmt: skip


@pytest.mark.parametrize("form", SPELLED)
def test_a_form_is_spelled_as_its_maker_spells_it(form: str) -> None:
    assert write(form, [DOG, CATS, NOTHING], "bbox_2d") == SPELLED[form]


@pytest.mark.parametrize("form", FORMS)
def test_a_form_says_something_where_nothing_is_there(form: str) -> None:
    assert write(form, [NOTHING], "bbox_2d").strip()


@pytest.mark.parametrize(
    ("server", "size", "passed", "edges"),
    [
        ("", (640, 480), (640, 480), (0, 0, 640, 480)),
        ("qwen28:401408", (1344, 896), (756, 504), (0, 0, 756, 504)),
        ("qwen32:401408", (1344, 896), (768, 512), (0, 0, 768, 512)),
        ("pixels:1000000", (2000, 2000), (1000, 1000), (0, 0, 1000, 1000)),
        ("pixels:1000000", (640, 480), (640, 480), (0, 0, 640, 480)),
        ("longest:1024", (2048, 512), (1024, 256), (0, 0, 1024, 256)),
        ("shortest:500", (2000, 1000), (1000, 500), (0, 0, 1000, 500)),
        ("scale:0.9", (640, 480), (576, 432), (0, 0, 576, 432)),
        ("tiles:448", (1200, 800), (1344, 896), (0, 0, 1344, 896)),
        ("square:1120", (640, 480), (1120, 1120), (0, 0, 1120, 840)),
        ("letterbox:1120", (640, 480), (1120, 1120), (0, 140, 1120, 980)),
        ("longest:2048+shortest:768", (4096, 2048), (1536, 768), (0, 0, 1536, 768)),
        ("letterbox:1120+scale:0.5", (640, 480), (560, 560), (0, 70, 560, 490)),
    ],
)
def test_what_a_server_passes_on(server: str, size: Any, passed: Any, edges: Any) -> None:
    seen = server_resize(server)(size)
    assert seen.size == passed and seen.edges == pytest.approx(edges)


@pytest.mark.parametrize("server", ["shrinks:3", "longest", "longest:wide"])
def test_a_server_that_nobody_knows_is_refused(server: str) -> None:
    with pytest.raises(ValueError, match=r"no such server|could not convert"):
        server_resize(server)


def test_a_box_is_written_in_the_picture_that_reaches_the_model() -> None:
    padded = server_resize("letterbox:1120")((640, 480))
    assert FAMILIES["pixels"].coordinates((0.5, 0, 1, 1), padded) == [560, 140, 1120, 980]
    assert FAMILIES["qwen3_vl"].coordinates((0.5, 0, 1, 1), padded) == [500, 125, 1000, 875]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ("indexed", ["the dog (1)", "two cats (1)", "two cats (2)"]),
        ("numbered", ["the dog 1", "two cats 2", "two cats 3"]),
        ("lower", ["dog", "two cats"]),
        ("id_before", ["e0: the dog", "e1: two cats"]),
        ("category", ["dog", "cat"]),
        ("german", ["Hund", "Ding"]),
    ],
)
def test_labels(labels: str, names: list[str]) -> None:
    assert [answer.text for answer in relabelled([DOG, CATS], labels)] == names


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_flaw_hits_photos_alone_and_always_the_same_ones(flaw: str) -> None:
    manner, answers = Manner(("ids_alone",), flaw=flaw), [DOG, CATS, WALL]
    plain = Manner(("ids_alone",)).write(answers, "bbox", "p", photo=True)
    hit = manner.write(answers, "bbox", "p", photo=True)
    assert hit == manner.write(answers, "bbox", "p", photo=True)
    assert hit != plain
    assert manner.write(answers, "bbox", "p", photo=False) == plain


@pytest.mark.parametrize("name", MODELS)
def test_every_model_of_the_table_answers_a_card_and_says_where_its_form_is_from(name: str) -> None:
    model = MODELS[name]
    with running(SimulatedEndpoint("vllm", gold=(), **model.endpoint_options())) as endpoint:
        reply = content(once(endpoint, varying("shapes", ["the red box", "the blue box"])))
    assert model.served_as == endpoint.model and all(model.sources)
    assert any(character.isdigit() for character in reply)


def test_two_shapes_of_one_colour_are_told_apart_by_their_word() -> None:
    picture = drawn({"red": (100, 50, 500, 250)})
    question = varying("shapes", ["the red rectangle", "the red circle"])
    with running(SimulatedEndpoint("vllm", "pixels", gold=())) as endpoint:
        assert content(once(endpoint, question, picture)).count("[100, 50, 500, 250]") == 2
        assert content(once(endpoint, varying("shapes", ["the red box"]), SQUARE)).count(
            "[100, 50, 500, 250]"
        )


def test_the_command_line_prints_the_table_and_starts_a_row_of_it() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "tests.endpoints", "--list-cases"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert [row["name"] for row in json.loads(printed.stdout)] == list(MODELS)


@pytest.mark.parametrize(
    ("options", "written"),
    [
        ("--family glm_v --native", "<|begin_of_box|>[["),
        ("--family qwen3_vl --form ernie --labels id", "e0: [[74, 56, 372, 279]]"),
        ("--form tuples --unit percent --order yxyx", "(5.6, 7.4, 27.9, 37.2)"),
        ("--form csv --unit pixels --server longest:672", "the red box,50,25,250,125"),
        ("--case youtu", "<ref>the red box</ref><box><x_100><y_50><x_500><y_250></box>"),
    ],
)
@needs_corpus("coco24")
def test_the_command_line_puts_a_model_together(options: str, written: str) -> None:
    with running(endpoint_from(options.split())) as endpoint:
        assert written in content(once(endpoint, varying("shapes", ["the red box", "the blue box"])))


@pytest.mark.parametrize("options", ["--case nobody-knows", "--server turns:3", "--form limerick"])
def test_the_command_line_refuses_what_it_does_not_know(
    options: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        endpoint_from(options.split())
    assert ended.value.code == 2 and options.split()[1].split(":")[0] in capsys.readouterr().err
