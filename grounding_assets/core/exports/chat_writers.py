"""Conversations about images, as trainers of vision-language models read them: ms-swift, Qwen-VL, LLaMA-Factory.

Sources: ms-swift's documentation "Customization, custom dataset, grounding" and `swift/template/base.py`; Qwen3-VL's
`qwen-vl-finetune/README.md` and `qwenvl/data/data_processor.py`; LLaMA-Factory's `data/README.md` and
`src/llamafactory/data`. The card says which versions.
"""

import json
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.exports.chat_model import MAX_ASPECT_RATIO, TrainerResize
from grounding_assets.core.exports.conversations import (
    Conversation,
    JsonNotation,
    Notation,
    PlaceholderNotation,
    conversations,
    holds_markup,
)
from grounding_assets.core.exports.writer import LinesWriter

DATASET_INFO = "dataset_info.json"


class ChatWriter(LinesWriter):
    """`<split>.jsonl`, a line for each conversation."""

    def add(self, sample: AnnotatedSample, split: str) -> bool:
        if holds_markup(sample):
            self.report.left_out["samples whose caption holds a trainer's own markup, such as <image>"] += 1
            return False
        notation = self.notation(sample)
        if notation is None:
            self.report.left_out["samples whose image is too long and thin for the trainer"] += 1
            return False
        settings = self.settings
        asked = list(conversations(sample, settings.task, notation, refusals=settings.refusals))
        if not asked:
            self.report.left_out[f"samples that give nothing to ask for in the task {settings.task}"] += 1
            return False
        for conversation in asked:
            self.write_line(split, self.line(sample, conversation))
        self.report.notes["conversations, a line each"] += len(asked)
        phrases = [phrase for conversation in asked for phrase in conversation.phrases]
        boxes = sum(len(phrase.boxes) for phrase in phrases)
        self.report.wrote(split, sample.image_path, expressions=len(phrases), boxes=boxes)
        return True

    @abstractmethod
    def notation(self, sample: AnnotatedSample) -> Callable[[], Notation] | None:
        """Makes what writes one conversation; None if the trainer refuses the image."""

    @abstractmethod
    def line(self, sample: AnnotatedSample, conversation: Conversation) -> dict[str, Any]: ...


class MsSwiftWriter(ChatWriter):
    """Boxes in pixels of the upright original (`bbox_type` real): ms-swift makes each model's numbers of them."""

    def notation(self, sample: AnnotatedSample) -> Callable[[], Notation]:
        return PlaceholderNotation

    def line(self, sample: AnnotatedSample, conversation: Conversation) -> dict[str, Any]:
        return {**_messages(sample, conversation), "objects": conversation.objects}


class _JsonChatWriter(ChatWriter):
    """Boxes in the numbers of `target_model`."""

    trainer: ClassVar[TrainerResize]

    def notation(self, sample: AnnotatedSample) -> Callable[[], Notation] | None:
        model, size = self.report.chat_model, sample.image_size
        seen_size = size
        if model.writes_pixels:
            if max(size) > MAX_ASPECT_RATIO * min(size):
                return None
            most = self.settings.max_pixels or self.trainer.max_pixels
            trainer = TrainerResize(self.trainer.min_pixels, most, self.trainer.scales_first)
            seen_size = trainer.seen_size(size, model.multiple_of)
        return lambda: JsonNotation(model, size, seen_size)


class QwenVlWriter(_JsonChatWriter):
    """`image` and `conversations` of Qwen's own fine-tuning code."""

    trainer = TrainerResize(16 * 28 * 28, 576 * 28 * 28)

    def line(self, sample: AnnotatedSample, conversation: Conversation) -> dict[str, Any]:
        return {
            "image": sample.image_path,
            "conversations": [
                {"from": "human", "value": f"<image>\n{conversation.question}"},
                {"from": "gpt", "value": conversation.answer},
            ],
        }


class LlamaFactoryWriter(_JsonChatWriter):
    """sharegpt with `messages` and `images`, and `dataset_info.json` with a data set for each split."""

    trainer = TrainerResize(4 * 28 * 28, 768 * 768, scales_first=True)

    def line(self, sample: AnnotatedSample, conversation: Conversation) -> dict[str, Any]:
        return _messages(sample, conversation)

    def finish(self) -> None:
        described = {
            f"grounding_{split}": {
                "file_name": f"{split}.jsonl",
                "formatting": "sharegpt",
                "columns": {"messages": "messages", "images": "images"},
                "tags": {
                    "role_tag": "role",
                    "content_tag": "content",
                    "user_tag": "user",
                    "assistant_tag": "assistant",
                },
            }
            for split in self.report.splits
        }
        (self.job.folder / DATASET_INFO).write_text(json.dumps(described, indent=1), encoding="ascii")


def _messages(sample: AnnotatedSample, conversation: Conversation) -> dict[str, Any]:
    return {
        "messages": [
            {"role": "user", "content": f"<image>{conversation.question}"},
            {"role": "assistant", "content": conversation.answer},
        ],
        "images": [sample.image_path],
    }
