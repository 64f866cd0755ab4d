"""Exports read by the programs that load them for training, each in its own code; nothing is trained.

    python bench/loaders.py EXPORTS --images IMAGE_ROOT --sources CHECKOUTS

EXPORTS has a folder for each format (`results_dir/exports`, with `embed_images=true`). The programs are no dependencies
of the project: run this in an environment of its own (or two, with `--only`), with torch, torchvision, transformers, datasets,
pycocotools, mmdet 3.3.0, mmengine, mmcv-lite 2.1.0, ms-swift, llamafactory, supervision and datumaro, and with checkouts of MDETR,
Open-GroundingDino and Qwen3-VL under CHECKOUTS by these names. Each loader runs in a process of its own, since two of
the checkouts have packages of one name; one that cannot be imported is named with the reason.
"""

import argparse
import importlib
import importlib.machinery
import json
import shutil
import subprocess
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

SPLIT = "train"


def use(name: str) -> Any:
    """A module of the environment or of a checkout, which type checkers need not know."""
    return importlib.import_module(name)


def without_operators() -> None:
    """Lets packages be imported without compiled operators and sound, of which loaders of images need none."""
    library = use("torch").library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    for name in ("mmcv._ext", "torchaudio"):
        stand_in = types.ModuleType(name)
        stand_in.__file__, stand_in.__spec__ = "none.py", importlib.machinery.ModuleSpec(name, None)
        stand_in.__dict__["__getattr__"] = lambda name: print
        sys.modules[name] = stand_in
    use("torchvision")


def words_tokenizer(texts: list[str]) -> Any:
    """A fast tokenizer of whole words: of a tokenizer the loaders want `char_to_token`."""
    tokenizers, transformers = use("tokenizers"), use("transformers")
    words = {word for text in texts for word in text.replace(".", " . ").split()}
    vocabulary = {word: n for n, word in enumerate(["[UNK]", *sorted(words)])}
    model = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    model.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=model, unk_token="[UNK]")


def mmdetection(exports: Path, images: Path, sources: Path) -> str:
    without_operators()
    use("mmdet.datasets")
    registry = use("mmdet.registry").DATASETS
    told = []
    for fmt, extra in (("odvg", {}), ("odvg_detection", {"label_map_file": "label_map.json"})):
        built = registry.build(
            {
                "type": "ODVGDataset",
                "data_root": f"{exports / fmt}/",
                "ann_file": f"{SPLIT}.jsonl",
                "data_prefix": {"img": f"{images}/"},
                "return_classes": True,
                "pipeline": [],
                **extra,
            }
        )
        boxes = sum(len(built.get_data_info(n)["instances"]) for n in range(len(built)))
        told.append(f"{fmt}: {len(built)} entries, {boxes} boxes")
    return "; ".join(told)


def mmdetection_flickr30k(exports: Path, images: Path, sources: Path) -> str:
    """A prediction of exactly the boxes of the file scores recall 1."""
    without_operators()
    torch = use("torch")
    use("mmdet.datasets")
    built = use("mmdet.registry").DATASETS.build(
        {
            "type": "Flickr30kDataset",
            "ann_file": str(exports / "mdetr" / f"{SPLIT}.json"),
            "data_prefix": {"img": f"{images}/"},
            "return_classes": True,
            "pipeline": [],
        }
    )
    metric = use("mmdet.evaluation.metrics.flickr30k_metric").Flickr30kMetric()
    for n in range(len(built)):
        entry = built.get_data_info(n)
        boxes = torch.tensor([one["bbox"] for one in entry["instances"]], dtype=torch.float32).reshape(-1, 4)
        labels = torch.tensor(entry["phrase_ids"])
        found = {"bboxes": boxes, "labels": labels}
        truth = {"bboxes": boxes.numpy()}
        metric.process(
            {},
            [
                {
                    "pred_instances": found,
                    "gt_instances": truth,
                    "phrase_ids": entry["phrase_ids"],
                    "phrases": entry["phrases"],
                }
            ],
        )
    recall = metric.compute_metrics(metric.results)
    assert recall["-1"]["all"] == 1.0, recall
    return f"{len(built)} captions, recall of the file's own boxes {recall['-1']['all']}"


def open_groundingdino(exports: Path, images: Path, sources: Path) -> str:
    without_operators()
    sys.path.insert(0, str(sources / "Open-GroundingDino"))
    loader = use("datasets.odvg").ODVGDataset
    told = []
    for fmt, label_map in (("odvg", None), ("odvg_detection", exports / "odvg_detection" / "label_map.json")):
        built = loader(str(images), str(exports / fmt / f"{SPLIT}.jsonl"), label_map and str(label_map))
        targets = [built[n][1] for n in range(len(built))]
        told.append(f"{fmt}: {len(built)} entries, {sum(len(one['boxes']) for one in targets)} boxes")
    return "; ".join(told)


def mdetr(exports: Path, images: Path, sources: Path) -> str:
    """The data set, and the Flickr evaluator on a prediction of exactly the boxes of the file."""
    without_operators()
    sys.path.insert(0, str(sources / "mdetr"))
    file = exports / "mdetr" / f"{SPLIT}.json"
    captions = [image["caption"] for image in json.loads(file.read_text())["images"]]
    tokenizer = words_tokenizer(captions)
    built = use("datasets.coco").ModulatedDetection(str(images), str(file), None, False, True, tokenizer)
    evaluator = use("datasets.flickr_eval").Flickr30kEntitiesRecallEvaluator(
        str(exports / "flickr30k_entities"), subset=SPLIT, verbose=False
    )
    predictions = []
    for n in range(len(built)):
        _, target = built[n]
        assert target["positive_map"].sum() > 0 or not len(target["boxes"])
        image, sentence = str(target["original_img_id"]), target["sentence_id"]
        phrases = evaluator.imgid2sentences[image][sentence] or []
        assert target["nb_eval"] == len(phrases)
        boxes = [evaluator.imgid2boxes[image][phrase["phrase_id"]] for phrase in phrases]
        predictions.append({"image_id": image, "sentence_id": sentence, "boxes": boxes})
    recall = evaluator.evaluate(predictions)[-1]["all"]
    assert recall == 1.0, recall
    return f"{len(built)} captions, recall of the file's own boxes {recall}"


def hf_datasets(exports: Path, images: Path, sources: Path) -> str:
    datasets = use("datasets")
    table = datasets.load_dataset("parquet", data_files=str(exports / "parquet" / f"{SPLIT}.parquet"))[
        "train"
    ]
    first = table.cast_column("image", datasets.Image())[0]
    assert first["image"].size == (first["width"], first["height"])
    return f"{len(table)} rows, the first image is {first['image'].size}"


def supervision(exports: Path, images: Path, sources: Path) -> str:
    built = use("supervision").DetectionDataset.from_coco(
        str(images), str(exports / "coco" / f"{SPLIT}.json")
    )
    boxes = sum(len(detections) for detections in built.annotations.values())
    return f"{len(built)} images, {boxes} boxes, classes {built.classes}"


def datumaro(exports: Path, images: Path, sources: Path) -> str:
    """Laid out as COCO's own files are, which it goes by."""
    with tempfile.TemporaryDirectory() as folder:
        annotations = Path(folder) / "annotations"
        annotations.mkdir()
        (Path(folder) / "images").symlink_to(images)
        shutil.copy(exports / "coco" / f"{SPLIT}.json", annotations / f"instances_{SPLIT}.json")
        built = use("datumaro").Dataset.import_from(folder, "coco_instances")
        names = [label.name for label in built.categories()[use("datumaro").AnnotationType.label]]
        boxes = [annotation for item in built for annotation in item.annotations]
        first = {names[annotation.label] for annotation in boxes}
    assert first == set(names), (first, names)
    return f"{len(built)} images, {len(boxes)} boxes, labels {names}"


def transformers(exports: Path, images: Path, sources: Path) -> str:
    """DETR's processor on each image with its COCO annotations."""
    without_operators()
    image_module = use("PIL.Image")
    processor = use("transformers").DetrImageProcessor()
    document = json.loads((exports / "coco" / f"{SPLIT}.json").read_text())
    boxes = 0
    for image in document["images"]:
        own = [one for one in document["annotations"] if one["image_id"] == image["id"]]
        pixels = image_module.open(images / image["file_name"]).convert("RGB")
        encoded = processor(
            pixels, annotations={"image_id": image["id"], "annotations": own}, return_tensors="pt"
        )
        boxes += len(encoded["labels"][0]["boxes"])
    assert boxes == len(document["annotations"])
    return f"{len(document['images'])} images, {boxes} boxes"


def ms_swift(exports: Path, images: Path, sources: Path) -> str:
    """The preprocessor, and the template's own filling of placeholders with the boxes of a grid of 1000."""
    without_operators()
    datasets, image_module = use("datasets"), use("PIL.Image")
    rows = datasets.load_dataset("json", data_files=str(exports / "ms_swift" / f"{SPLIT}.jsonl"))["train"]
    processed = use("swift.dataset.preprocessor.core").AutoPreprocessor()(rows)
    base, inputs = use("swift.template.base"), use("swift.template.template_inputs")
    template = base.Template.__new__(base.Template)
    template.norm_bbox, template.template_backend, template.task_type = "norm1000", "swift", "causal_lm"
    filled = 0
    for row in processed:
        standard = inputs.StdTemplateInputs(
            messages=row["messages"], images=row["images"], objects=row["objects"]
        )
        standard.images = [image_module.open(images / image["path"]) for image in row["images"]]
        template._get_height_width(standard)
        template.normalize_bbox(standard)
        assert all(0 <= edge <= 1000 for box in standard.objects["bbox"] for edge in box)
        text = "".join(message["content"] for message in row["messages"])
        assert text.count("<bbox>") == len(standard.objects["bbox"])
        assert text.count("<ref-object>") == len(standard.objects["ref"])
        filled += len(standard.objects["bbox"])
    return f"{len(processed)} conversations, {filled} boxes"


def qwen_vl(exports: Path, images: Path, sources: Path) -> str:
    """`_build_messages` of Qwen's data processor, cut out of its file: the rest wants a GPU's packages."""
    source = (sources / "Qwen3-VL/qwen-vl-finetune/qwenvl/data/data_processor.py").read_text()
    start, end = source.index("def _make_abs_paths"), source.index("def update_processor_pixels")
    build, after = source.index("def _build_messages"), source.index("def preprocess_qwen_visual")
    space: dict[str, Any] = {}
    header = "import re\nfrom pathlib import Path\nfrom typing import Any, Dict, List\n"
    exec(compile(header + source[start:end] + source[build:after], "data_processor.py", "exec"), space)
    lines = (exports / "qwen_vl" / f"{SPLIT}.jsonl").read_text().splitlines()
    for line in lines:
        question, answer = space["_build_messages"](json.loads(line), images)
        assert Path(question["content"][0]["image"]).is_file() and answer["content"][0]["text"]
    return f"{len(lines)} conversations"


def llama_factory(exports: Path, images: Path, sources: Path) -> str:
    """The data set as `dataset_info.json` describes it, through the parser and the converter."""
    without_operators()
    datasets, parser = use("datasets"), use("llamafactory.data.parser")
    folder = exports / "llama_factory"
    [described] = parser.get_dataset_list([f"grounding_{SPLIT}"], str(folder))
    rows = datasets.load_dataset("json", data_files=str(folder / described.dataset_name))["train"]
    arguments = argparse.Namespace(media_dir=str(images))
    convert = use("llamafactory.data.converter").get_dataset_converter(
        described.formatting, described, arguments
    )
    converted = [convert(row) for row in rows]
    assert all(Path(one["_images"][0]).is_file() and one["_prompt"] and one["_response"] for one in converted)
    return f"{len(converted)} conversations"


GROUNDING = (mmdetection, mmdetection_flickr30k, open_groundingdino, mdetr)
DETECTION = (hf_datasets, supervision, datumaro, transformers)
CONVERSATIONS = (ms_swift, qwen_vl, llama_factory)
LOADERS = {loader.__name__: loader for loader in (*GROUNDING, *DETECTION, *CONVERSATIONS)}


def main() -> int:
    parser = argparse.ArgumentParser(description="Reads exports with the programs that train on them.")
    parser.add_argument("exports", type=Path)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--sources", type=Path, required=True)
    parser.add_argument("--only", choices=LOADERS)
    options = parser.parse_args()
    paths = options.exports.resolve(), options.images.resolve(), options.sources.resolve()
    if options.only:
        print(LOADERS[options.only](*paths))
        return 0
    failed = 0
    for name in LOADERS:
        done = subprocess.run(
            [sys.executable, __file__, *sys.argv[1:], "--only", name], capture_output=True, text=True
        )
        failed += done.returncode != 0
        lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
        print(
            f"{name}: {'read' if done.returncode == 0 else 'FAILED'}: {lines[-1] if lines else ''}",
            flush=True,
        )
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
