"""The embedded object detector: RGB pixels in, scored COCO-80 boxes out.

Opening image files, choosing among the boxes and everything about language
belong elsewhere. Where the model comes from is told in NOTICE.
"""

import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from PIL import Image

from grounding_assets.core.boxes.geometry import iou_xyxy
from grounding_assets.core.errors import RunStopped

MODEL_NAME = "ssdlite_mobilenet_v2_coco_fp16"
MODEL_FILE = Path(__file__).with_name(f"{MODEL_NAME}.onnx")
INPUT_SIZE = 300
"""Width and height in pixels that the model takes; the picture is squeezed to it, aspect ratio and all."""

_COCO_NAMES = """person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,
parking meter,bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,
frisbee,skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,
wine glass,cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,
couch,potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,
refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush"""
CLASS_NAMES = tuple(name.strip() for name in _COCO_NAMES.split(","))
"""The 80 classes of COCO's object annotations, in the order of their category ids."""

_UNUSED_CATEGORY_IDS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
_SCORE_COLUMNS = np.array([i - 1 for i in range(1, 91) if i not in _UNUSED_CATEGORY_IDS])
"""COCO numbers its 80 classes from 1 to 90, with gaps; the model has a score column for each number."""

SCORE_FLOOR = 0.05
"""Candidates below this score are dropped before suppression, which bounds its work."""
SAME_CLASS_IOU = 0.5
"""Of two boxes of one class that overlap by more than this IoU, the lower-scored one goes."""
CROSS_CLASS_IOU = 0.75
CROSS_CLASS_RATIO = 2.0
"""A box goes if one of another class covers the same place (IoU) with more than this many times its score."""
MAX_DETECTIONS = 100


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What was seen in one picture, best score first."""

    boxes_norm: np.ndarray
    """(n, 4) float32, `x1, y1, x2, y2` as fractions of width and height, each 0 to 1."""
    scores: np.ndarray
    """(n,) float32, `SCORE_FLOOR` to 1."""
    class_ids: np.ndarray
    """(n,) int, index into `CLASS_NAMES`."""

    def of_class(self, class_name: str) -> "Detections":
        """Those of one COCO class, order kept."""
        return self._at(np.flatnonzero(self.class_ids == CLASS_NAMES.index(class_name)))

    def _at(self, rows: np.ndarray) -> "Detections":
        return Detections(self.boxes_norm[rows], self.scores[rows], self.class_ids[rows])


def suppress(candidates: Detections) -> Detections:
    """Non-maximum suppression, greedy from the best score down, within a class and then across classes."""
    kept: list[int] = []
    boxes, scores, class_ids = candidates.boxes_norm, candidates.scores, candidates.class_ids
    for i in np.argsort(-scores, kind="stable"):
        overlaps = iou_xyxy(boxes[i], boxes[kept])[0]
        same_class = class_ids[kept] == class_ids[i]
        repeated = same_class & (overlaps > SAME_CLASS_IOU)
        outvoted = ~same_class & (overlaps > CROSS_CLASS_IOU) & (scores[kept] > CROSS_CLASS_RATIO * scores[i])
        if not (repeated | outvoted).any():
            kept.append(int(i))
            if len(kept) == MAX_DETECTIONS:
                break
    return candidates._at(np.array(kept, dtype=np.intp))


def _squeezed(pixels: np.ndarray) -> np.ndarray:
    """The picture as the square that the model takes, without smoothing, as in its training."""
    image, square = Image.fromarray(pixels), (INPUT_SIZE, INPUT_SIZE)
    whole = (0, 0, *image.size)
    return np.asarray(image.transform(square, Image.Transform.EXTENT, whole, Image.Resampling.BILINEAR))


class Detector:
    """SSDLite MobileNet v2 in onnxruntime; loads its model at the first call, once, and may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._session: ort.InferenceSession | None = None

    def detect(self, pixels: np.ndarray) -> Detections:
        """Boxes of one picture.

        `pixels`: (height, width, 3) uint8 RGB. Raises `RunStopped` if the model file is missing.
        """
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
            raise ValueError(f"expected (height, width, 3) uint8, got {pixels.shape} {pixels.dtype}")
        session = self._loaded()
        square = _squeezed(pixels)[None].astype(np.float32)
        outputs = session.run(None, {session.get_inputs()[0].name: square})
        boxes_yxyx, scores = (np.asarray(output)[0] for output in outputs)
        boxes_yxyx, scores = boxes_yxyx[:, 0], scores[:, _SCORE_COLUMNS]
        anchors, class_ids = np.nonzero(scores > SCORE_FLOOR)
        boxes_norm = boxes_yxyx[anchors][:, [1, 0, 3, 2]].clip(0.0, 1.0)
        return suppress(Detections(boxes_norm, scores[anchors, class_ids], class_ids))

    def _loaded(self) -> ort.InferenceSession:
        with self._lock:
            if self._session is None:
                if not MODEL_FILE.is_file():
                    raise RunStopped(
                        f"The embedded teacher's model {MODEL_FILE} is missing. Install the project again."
                    )
                options = ort.SessionOptions()
                # Samples are annotated side by side, each call on a thread of its own: a pool per call
                # would only make them wait for each other.
                options.intra_op_num_threads = 1
                options.log_severity_level = 3
                self._session = ort.InferenceSession(MODEL_FILE, options, providers=["CPUExecutionProvider"])
            return self._session
