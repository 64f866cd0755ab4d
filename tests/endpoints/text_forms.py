"""Native forms that are special tokens, tags or prose.

Each takes the answers, in the family's own numbers, and the family's key. Where it comes from stands in `forms.py`.
"""

import json
from collections.abc import Sequence

from tests.endpoints.families import Answer
from tests.endpoints.form_parts import Boxes, dumped, each, present, spaced, youtu_box
from tests.endpoints.json_forms import bare_list


def pairs(box: Sequence[float]) -> str:
    x1, y1, x2, y2 = box
    return f"({x1:g},{y1:g}),({x2:g},{y2:g})"


def tight(boxes: Boxes) -> str:
    """`[[1,2,3,4],[5,6,7,8]]`."""
    return json.dumps([list(box) for box in boxes], separators=(",", ":"))


def angled(box: Sequence[float]) -> str:
    return "".join(f"<{edge:g}>" for edge in box)


def ernie(answers: Sequence[Answer], key: str) -> str:
    return each(answers, lambda a: f"{a.text}: {dumped(a.boxes)}")


def markdown(answers: Sequence[Answer], key: str) -> str:
    lines = each(answers, lambda a: "\n".join(f"- **{a.text}**: {dumped(list(box))}" for box in a.boxes))
    return f"Here are the bounding boxes:\n\n{lines}"


def numbered(answers: Sequence[Answer], key: str) -> str:
    lines = [f"{i}. {a.text}: {dumped(a.boxes)}" for i, a in enumerate(present(answers), start=1)]
    return "\n".join(lines)


def table(answers: Sequence[Answer], key: str) -> str:
    rows = [
        f"| {a.text} | " + " | ".join(f"{edge:g}" for edge in box) + " |" for a in answers for box in a.boxes
    ]
    return "\n".join(["| Object | x1 | y1 | x2 | y2 |", "|---|---|---|---|---|", *rows])


def internvl(answers: Sequence[Answer], key: str) -> str:
    return each(answers, lambda a: f"<ref>{a.text}</ref><box>{dumped(a.boxes)}</box>")


def minicpm(answers: Sequence[Answer], key: str) -> str:
    return each(
        answers, lambda a: f"<ref>{a.text}</ref>" + "".join(f"<box>{spaced(b)}</box>" for b in a.boxes)
    )


def minicpm_nameless(answers: Sequence[Answer], key: str) -> str:
    return each(answers, lambda a: "".join(f"<box>{spaced(b)}</box>" for b in a.boxes))


def seed(answers: Sequence[Answer], key: str) -> str:
    return each(answers, lambda a: f"{a.text}: " + " ".join(f"<bbox>{spaced(b)}</bbox>" for b in a.boxes))


def seed_lines(answers: Sequence[Answer], key: str) -> str:
    return each(answers, lambda a: "\n".join(f"{a.text} <bbox>{spaced(b)}</bbox>" for b in a.boxes))


def rex_omni(answers: Sequence[Answer], key: str) -> str:
    def line(a: Answer) -> str:
        boxes = ",".join(map(angled, a.boxes)) or "None"
        return f"<|object_ref_start|>{a.text}<|object_ref_end|><|box_start|>{boxes}<|box_end|>"

    return ", ".join(map(line, answers)) + "<|im_end|>"


def locate(answers: Sequence[Answer], key: str) -> str:
    def line(a: Answer) -> str:
        boxes = "".join(f"<box>{angled(box)}</box>" for box in a.boxes) or "<box>none</box>"
        return f"<ref>{a.text}</ref>{boxes}"

    return "".join(map(line, answers))


def youtu(answers: Sequence[Answer], key: str) -> str:
    return each(answers, lambda a: f"<ref>{a.text}</ref>" + "".join(map(youtu_box, a.boxes)), "")


def deepseek(answers: Sequence[Answer], key: str) -> str:
    end = "<\uff5cend\u2581of\u2581sentence\uff5c>"
    return each(answers, lambda a: f"<|ref|>{a.text}<|/ref|><|det|>{dumped(a.boxes)}<|/det|>", "") + end


def hunyuan(answers: Sequence[Answer], key: str) -> str:
    return each(answers, lambda a: "".join(f"{a.text}{pairs(box)}" for box in a.boxes), "")


def qwen_tokens(answers: Sequence[Answer], key: str) -> str:
    def line(a: Answer) -> str:
        boxes = "".join(f"<|box_start|>{pairs(box)}<|box_end|>" for box in a.boxes)
        return f"<|object_ref_start|>{a.text}<|object_ref_end|>{boxes}"

    return each(answers, line)


def glm(answers: Sequence[Answer], key: str) -> str:
    return each(answers, lambda a: f"{a.text}: <|begin_of_box|>{tight(a.boxes)}<|end_of_box|>")


def glm_sentence(answers: Sequence[Answer], key: str) -> str:
    def line(a: Answer) -> str:
        return f"The coordinates of {a.text} are <|begin_of_box|>{tight(a.boxes)}<|end_of_box|>."

    return "\n" + each(answers, line)


def glm_nameless(answers: Sequence[Answer], key: str) -> str:
    boxes = [box for a in answers for box in a.boxes]
    return f"<|begin_of_box|>{tight(boxes)}<|end_of_box|>"


def glm_json(answers: Sequence[Answer], key: str) -> str:
    return f"<|begin_of_box|>{bare_list(answers, key)}<|end_of_box|>"


def cogvlm(answers: Sequence[Answer], key: str) -> str:
    def line(a: Answer) -> str:
        return f"{a.text} [[{';'.join(','.join(f'{int(edge):03d}' for edge in box) for box in a.boxes)}]]"

    return each(answers, line)


def molmo2(answers: Sequence[Answer], key: str) -> str:
    def line(a: Answer) -> str:
        coords = " ".join(f"{i} {spaced(box)}" for i, box in enumerate(a.boxes, start=1))
        return f'<boxes coords="1 {coords}">{a.text}</boxes>'

    return each(answers, line)


def points(answers: Sequence[Answer], key: str) -> str:
    def line(a: Answer) -> str:
        at = " ".join(
            f'x{i}="{(x1 + x2) / 2:.1f}" y{i}="{(y1 + y2) / 2:.1f}"'
            for i, (x1, y1, x2, y2) in enumerate(a.boxes, start=1)
        )
        return f' <points {at} alt="{a.text}">{a.text}</points>'

    return each(answers, line)


def paligemma(answers: Sequence[Answer], key: str) -> str:
    boxes = [(box, a.text) for a in answers for box in a.boxes]
    return " ; ".join("".join(f"<loc{int(edge):04d}>" for edge in box) + f" {name}" for box, name in boxes)


def florence(answers: Sequence[Answer], key: str) -> str:
    boxes = each(
        answers, lambda a: a.text + "".join(f"<loc_{int(edge)}>" for box in a.boxes for edge in box), ""
    )
    return f"</s><s>{boxes}</s>"


def ui_tars(answers: Sequence[Answer], key: str) -> str:
    def line(a: Answer) -> str:
        x1, y1, x2, y2 = a.boxes[0]
        return f"Action: click(start_box='<|box_start|>({(x1 + x2) / 2:.0f},{(y1 + y2) / 2:.0f})<|box_end|>')"

    return "Thought: I look for what is asked.\n" + each(answers, line)


def sentences(answers: Sequence[Answer], key: str) -> str:
    return each(
        answers, lambda a: f"The bounding box of {a.text} is {' and '.join(map(dumped, a.boxes))}.", " "
    )


def nameless_list(answers: Sequence[Answer], key: str) -> str:
    return dumped([list(box) for a in answers for box in a.boxes])


def corner_prose(answers: Sequence[Answer], key: str) -> str:
    def line(a: Answer) -> str:
        corners = "; ".join(
            f"top-left ({x1:g}, {y1:g}), bottom-right ({x2:g}, {y2:g})" for x1, y1, x2, y2 in a.boxes
        )
        return f"* {a.text}: {corners}"

    return each(answers, line)


def declared_xywh_lines(answers: Sequence[Answer], key: str) -> str:
    return "format: xywh\n" + each(answers, lambda a: f"{a.text}: {dumped(a.boxes)}")


def csv(answers: Sequence[Answer], key: str) -> str:
    rows = [f"{a.text},{','.join(f'{edge:g}' for edge in box)}" for a in answers for box in a.boxes]
    return "\n".join(["label,x1,y1,x2,y2", *rows])


def yaml(answers: Sequence[Answer], key: str) -> str:
    rows = [f"- label: {a.text}\n  {key}: {dumped(list(box))}" for a in answers for box in a.boxes]
    return "```yaml\n" + "\n".join(rows) + "\n```"


def tuples(answers: Sequence[Answer], key: str) -> str:
    def line(a: Answer) -> str:
        return f"{a.text} - " + ", ".join(
            "(" + ", ".join(f"{edge:g}" for edge in box) + ")" for box in a.boxes
        )

    return each(answers, line)


def voc(answers: Sequence[Answer], key: str) -> str:
    def element(name: str, box: Sequence[float]) -> str:
        edges = "".join(
            f"<{edge}>{number:g}</{edge}>"
            for edge, number in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
        )
        return f"<object><name>{name}</name><bndbox>{edges}</bndbox></object>"

    return "\n".join(element(a.text, box) for a in answers for box in a.boxes)
