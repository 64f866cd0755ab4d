"""How a model names what it found: as asked, with an index, by id, or in words of its own.

A translation or a paraphrase is what no reader can attribute without guessing: such a reply has to fail.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count

from tests.endpoints.families import Answer

_WORDS = (
    ("toilet", "commode", "马桶", "Toilette"),
    ("sink", "washbasin", "水槽", "Waschbecken"),
    ("man", "gentleman", "男人", "Mann"),
    ("men", "gentlemen", "男人", "Männer"),
    ("woman", "lady", "女人", "Frau"),
    ("girl", "young lady", "女孩", "Mädchen"),
    ("boy", "lad", "男孩", "Junge"),
    ("child", "youngster", "孩子", "Kind"),
    ("person", "human", "人", "Mensch"),
    ("people", "humans", "人们", "Menschen"),
    ("motorcycle", "motorbike", "摩托车", "Motorrad"),
    ("bike", "cycle", "自行车", "Fahrrad"),
    ("bikes", "cycles", "自行车", "Fahrräder"),
    ("cat", "feline", "猫", "Katze"),
    ("dog", "canine", "狗", "Hund"),
    ("bird", "fowl", "鸟", "Vogel"),
    ("birds", "fowls", "鸟", "Vögel"),
    ("horses", "equines", "马", "Pferde"),
    ("banana", "yellow fruit", "香蕉", "Banane"),
    ("pizzas", "flatbreads", "披萨", "Pizzen"),
    ("laptop", "portable computer", "笔记本电脑", "Klapprechner"),
    ("keyboards", "input devices", "键盘", "Tastaturen"),
    ("microwave", "oven appliance", "微波炉", "Mikrowelle"),
    ("elephant", "pachyderm", "大象", "Elefant"),
    ("plane", "aircraft", "飞机", "Flugzeug"),
    ("airplane", "aircraft", "飞机", "Flugzeug"),
    ("jet", "aircraft", "飞机", "Düsenflugzeug"),
    ("bed", "sleeping place", "床", "Bett"),
    ("cars", "automobiles", "汽车", "Wagen"),
    ("sign", "plate", "标志", "Schild"),
    ("light", "signal", "灯", "Ampel"),
    ("hydrant", "water outlet", "消防栓", "Wasseranschluss"),
    ("red", "crimson", "红色", "rot"),
    ("blue", "azure", "蓝色", "blau"),
    ("green", "emerald", "绿色", "grün"),
    ("yellow", "golden", "黄色", "gelb"),
    ("orange", "tangerine", "橙色", "orangefarben"),
    ("purple", "violet", "紫色", "lila"),
    ("rectangle", "box shape", "矩形", "Rechteck"),
    ("square", "box shape", "正方形", "Quadrat"),
    ("circle", "round shape", "圆形", "Kreis"),
    ("ellipse", "oval shape", "椭圆", "Oval"),
    ("triangle", "three-cornered shape", "三角形", "Dreieck"),
)
_LANGUAGES = {"paraphrased": 1, "chinese": 2, "german": 3}
_OTHER = {"paraphrased": "item", "chinese": "物体", "german": "Ding"}

LABELS: Mapping[str, str] = {
    "text": "the expression as asked",
    "indexed": "an index behind the expression, counting its boxes: `two dogs (1)`",
    "numbered": "a running number behind it: `dog 3`",
    "lower": "lower case, without an article",
    "id_before": "the id before the expression: `e0: the red car`",
    "id": "the id instead of the expression",
    "paraphrased": "other words for the same thing",
    "chinese": "a translation",
    "german": "a translation",
    "category": "the last word alone, in the singular",
}
"""What `labels` can be."""


def relabelled(answers: Sequence[Answer], labels: str) -> list[Answer]:
    """The same answers under other names; an index makes an answer for each box."""
    if labels in ("indexed", "numbered"):
        running = count(1)
        return [
            replace(
                answer,
                text=f"{answer.text} ({i})" if labels == "indexed" else f"{answer.text} {next(running)}",
                boxes=[box],
            )
            for answer in answers
            for i, box in enumerate(answer.boxes, start=1)
        ]
    return [replace(answer, text=_named(answer, labels)) for answer in answers]


def _named(answer: Answer, labels: str) -> str:
    match labels:
        case "text":
            return answer.text
        case "id":
            return answer.expression_id
        case "id_before":
            return f"{answer.expression_id}: {answer.text}"
        case "lower":
            return re.sub(r"^(?:an?|the|some) ", "", answer.text.lower())
        case "category":
            return re.sub(r"(?<=[^s])s$", "", answer.text.lower().split()[-1])
        case _ if labels in _LANGUAGES:
            return _in_other_words(answer.text, labels)
        case _:
            raise ValueError(f"no such labels: {labels!r}; one of {', '.join(LABELS)}")


def _in_other_words(text: str, labels: str) -> str:
    known = {words[0]: words[_LANGUAGES[labels]] for words in _WORDS}
    found = [known[word] for word in re.findall(r"[a-z]+", text.lower()) if word in known]
    return ("" if labels == "chinese" else " ").join(found) or _OTHER[labels]
