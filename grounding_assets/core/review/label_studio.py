"""Samples as tasks of Label Studio with the boxes as predictions, and its export as marks.

Label Studio's own forms: tasks with `data` and `predictions`, regions in percent of the image, labels and choices from
each task's data ("dynamic labels"), and the project's export as JSON, not JSON-MIN.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.errors import InputError
from grounding_assets.core.review.differences import changed_boxes
from grounding_assets.core.review.judged import result_digest, sample_id_of

LABELING_CONFIG = """<View>
  <Text name="caption" value="$caption"/>
  <Image name="photo" value="$image"/>
  <RectangleLabels name="phrase" toName="photo" value="$phrases"/>
  <Header value="The sample as a whole"/>
  <Choices name="verdict" toName="photo" choice="single"><Choice value="accept"/><Choice value="reject"/></Choices>
  <Header value="Phrases that are not to be used"/>
  <Choices name="rejected" toName="photo" choice="multiple" value="$phrases"/>
</View>
"""


def tasks(samples: Iterable[AnnotatedSample], data_set: str, image_prefix: str) -> Iterator[dict[str, Any]]:
    """One task a sample. `image_prefix` stands before each `image_path`, such as `/data/local-files/?d=`."""
    for sample in samples:
        names = _names([expression.text for expression in sample.expressions])
        regions = [
            _region(sample, names[e], f"e{e}b{b}", instance.bbox, instance.score)
            for e, expression in enumerate(sample.expressions)
            for b, instance in enumerate(expression.instances)
        ]
        step = sample.provenance.get("step_1", {})
        yield {
            "data": {
                "image": image_prefix + sample.image_path,
                "caption": sample.cleaned_caption,
                "phrases": [{"value": name} for name in names],
                "data_set": data_set,
                "sample_id": sample_id_of(sample.record),
                "result": result_digest(sample.record),
                "boxes": [[list(i.bbox) for i in e.instances] for e in sample.expressions],
            },
            "predictions": [{"model_version": str(step.get("model", "")), "result": regions}],
        }


def marks_of_tasks(exported: Sequence[Any], where: str) -> dict[str, Any]:
    """The tree of `marks.json`, of the last annotation of each task that has one.

    Raises:
        InputError: it is another form than a project's export as JSON, or of tasks that were not made here.
    """
    marks, times, people, names = [], [], set(), set()
    for task in exported:
        try:
            annotations = [a for a in task["annotations"] if not a.get("was_cancelled")]
            data = task["data"]
            names.add(str(data["data_set"]))
            if not annotations:
                continue
            last = max(annotations, key=lambda annotation: str(annotation.get("updated_at", "")))
            marks.append(_mark(data, last["result"]))
            times.append(str(last["updated_at"]))
            people.add(_person(last.get("completed_by")))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise InputError(
                f"{where} is no export of a Label Studio project that `auto_label review to=label_studio` filled "
                f"({type(error).__name__}: {error}): export it as JSON, not as JSON-MIN."
            ) from None
    if len(names) != 1 or not marks:
        raise InputError(
            f"{where} is no file of marks, and as an export of Label Studio it is about {len(names)} data sets with "
            f"{len(marks)} annotated tasks instead of one with some."
        )
    return {
        "report": names.pop(),
        "exported_at": max(times),
        "reviewer": ", ".join(sorted(people))[:80],
        "marks": marks,
    }


def _names(texts: Sequence[str]) -> list[str]:
    """Labels, which tell two phrases of the same words apart."""
    return [f"{number}. {text}" for number, text in enumerate(texts, 1)]


def _region(
    sample: AnnotatedSample, name: str, region_id: str, bbox: Sequence[int], score: float
) -> dict[str, Any]:
    (width, height), (x1, y1, x2, y2) = sample.image_size, bbox
    place = {
        "x": 100 * x1 / width,
        "y": 100 * y1 / height,
        "width": 100 * (x2 - x1) / width,
        "height": 100 * (y2 - y1) / height,
        "rotation": 0,
    }
    return {
        "id": region_id,
        "type": "rectanglelabels",
        "from_name": "phrase",
        "to_name": "photo",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "score": score,
        "value": place | {"rectanglelabels": [name]},
    }


def _mark(data: Mapping[str, Any], regions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    boxes: dict[int, list[list[float]]] = {index: [] for index in range(len(data["boxes"]))}
    verdict: str | None = None
    rejected: list[int] = []
    for region in regions:
        value = region["value"]
        if region["type"] == "rectanglelabels":
            if value.get("rotation"):
                raise ValueError("a box is rotated")
            boxes[_position(value["rectanglelabels"][0])].append(_pixels(region))
        elif region["from_name"] == "verdict":
            verdict = value["choices"][0]
        elif region["from_name"] == "rejected":
            rejected = [_position(name) for name in value["choices"]]
    expressions = [
        {"index": index, "verdict": "reject" if index in rejected else None, "boxes": changed}
        for index, drawn in boxes.items()
        if (changed := changed_boxes(data["boxes"][index], drawn)) is not None or index in rejected
    ]
    said = {} if verdict is None else {"verdict": verdict}
    return {"sample_id": data["sample_id"], "result": data["result"], **said, "expressions": expressions}


def _position(name: str) -> int:
    return int(name.split(".", 1)[0]) - 1


def _pixels(region: Mapping[str, Any]) -> list[float]:
    value, width, height = region["value"], region["original_width"], region["original_height"]
    x, y = value["x"] * width / 100, value["y"] * height / 100
    return [x, y, x + value["width"] * width / 100, y + value["height"] * height / 100]


def _person(completed_by: Any) -> str:
    return (
        str(completed_by.get("email") or completed_by.get("id"))
        if isinstance(completed_by, Mapping)
        else f"user {completed_by}"
    )
