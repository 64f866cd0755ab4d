"""Cuts reasoning out of a reply, so that nothing after this module can take a box out of it.

A tag is either known to hold an answer, known to be layout, or it holds reasoning: makers invent names for
their thinking blocks faster than a list of them could grow. A block that is not closed reaches to the end
of the text, and a closing tag without its opening one ends reasoning that began before the text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from grounding_assets.core.replies.wording import word_set

_THOUGHT = r"think(?:ing)?|thoughts?|reasoning|analysis|scratchpad|思考(?:过程)?|推理|分析"
_TAG = re.compile(
    r"<!--.*?(?P<comment_end>-->|\Z)"
    r"|<(?P<close_1>/?)(?P<name_1>[^\W\d_][\w:.=-]*)(?:\s[^<>]{0,300}?)?(?P<void>/?)>"
    r"|<(?P<close_2>/?)\|(?P<close_3>/?)(?P<name_2>[A-Za-z][\w:-]*)\|>"
    r"|<\|(?P<name_3>[A-Za-z]\w*)>(?P<channel_1>\s*\w+)?"
    r"|<(?P<name_4>[A-Za-z]\w*)\|>"
    r"|\[(?P<close_5>/?)(?P<name_5>[A-Z][A-Z_]{2,})\]"
    r"|◁(?P<close_6>/?)(?P<name_6>\w+)▷"
    rf"|(?:\[|【|&lt;|<(?=/?\s)|\{{)(?P<close_7>\s*/?\s*)(?P<name_7>(?i:{_THOUGHT}))\s*(?:\]|】|&gt;|>|\}})"
    rf"|\\(?P<edge_8>begin|end)\{{(?P<name_8>(?i:{_THOUGHT}))\}}"
    r"|<｜(?:(?P<name_9>[Uu]ser)|[^<>｜]{1,60})｜>",
    re.DOTALL,
)
"""`<think>`, `<|begin_of_thought|>`, `<|channel>thought … <channel|>`, `[THINK]`, `◁think▷`, `\\begin{thinking}`, comments."""
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)[^<]*(?:<\|message\|>)?")
"""Of gpt-oss and its kin: what stands in any channel but `final` is reasoning."""
_FENCED = re.compile(rf"^[ \t]*(`{{3,}}|~{{3,}})(?:{_THOUGHT})\b.*?(?:^[ \t]*\1|\Z)", re.I | re.M | re.S)
"""A code fence that is marked as thinking."""
_BARE_CHANNEL = re.compile(r"analysis(?=[A-Z{])(?:.*(?P<final>assistantfinal)|.*)", re.DOTALL)
"""The same where the server took the marks away and left the names of the channels."""
_JSON_STRING = re.compile(r"(?<=[\[{,:])(\s*)\"((?:[^\"\\\n]|\\.)*+)\"(?=\s*[,:\]}])")

NEXT_TURN = "\ufdd0"
"""Stands where a mark opens the turn of somebody else; `answer` takes this character out of what came."""


_BOX_TAGS = word_set(
    "ref box bbox boxes phrase object det object_ref_start object_ref_end box_start box_end point points"
)
"""Read by `native`."""
_HOLDERS = word_set("box bbox object det")
"""Those of them that hold boxes: what else stands between them cannot be read, and is no reasoning."""
_ANSWER_TAGS = word_set("answer final final_answer output result results response reply solution json")
_CALL_TAGS = word_set("tool_call tool_calls tool_use function_call function_calls")
"""What a model asks of a tool, such as a part of the image to zoom into, is no answer either."""
_LAYOUT_TAGS = word_set(
    "a b i u em strong p br hr div span ul ol li h1 h2 h3 h4 h5 h6 table thead tbody tr td th html head body "
    "pre code img image s pad eos bos unk im_start im_end endoftext end_of_text begin_of_text eot eot_id eom_id "
    "end return start message turn assistant user human inst system start_header_id end_header_id header_start header_end "
    "delimiter_of_multi_objects od region_proposal dense_region_caption caption_to_phrase_grounding open_vocabulary_detection grounding"
)
_MEANS = {
    **dict.fromkeys(
        ("im_start", "start_header_id", "header_start", "message", "start", "turn", "human"), "\n"
    ),
    **dict.fromkeys(("inst", "user", "endoftext"), NEXT_TURN),
}
"""What a layout tag that opens leaves behind; a blank if it is not here."""
_TOKEN = re.compile(r"(?:loc_?|[xy]_|seg_?|patch_index_)[0-9]+")
_EDGE = re.compile(
    r"(?P<edge>begin|start|end)_(?:of_)?(?!header)(?P<name>\w+)|(?P<name_before>\w+)_(?P<edge_behind>begin|start|end)"
)
_NUMBERED = {"unused94": ("thought", False), "unused95": ("thought", True)}
"""MedGemma's marks of thinking: (name, whether it closes)."""
_TURN_EDGE = re.compile(
    r"(?:begin|start|end)_of_(?:turn|utterance|message|text|sentence|conversation|document|response)"
)
_HEADING = re.compile(rf"\W*(?:{_THOUGHT})(?: process)?\W*?[:：\n]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Tag:
    name: str
    start: int
    end: int
    closes: bool
    alone: bool
    """Neither opens nor closes anything."""


def without_reasoning(text: str) -> tuple[str, bool]:
    """The text without its reasoning and layout tags, and whether it ends inside reasoning.

    >>> without_reasoning("<plan>[1, 2, 3, 4]?</plan><answer>[5, 6, 7, 8]</answer>")
    (' [5, 6, 7, 8] ', False)
    >>> without_reasoning("<musing>[1, 2, 3, 4]?")
    ('', True)
    """
    text, only_channels = _final_channel(_FENCED.sub(" ", text))
    if only_channels:
        return text, True
    kept: list[str] = []
    position = 0
    block: str | None = None
    holder: str | None = None
    for tag in _tags(text):
        if block is not None:
            if tag.closes and tag.name == block:
                position, block = tag.end, None
        elif tag.name in _BOX_TAGS or _TOKEN.fullmatch(tag.name):
            if tag.name in _HOLDERS:
                holder = None if tag.closes else tag.name
        elif holder:
            continue
        elif tag.alone or tag.name.partition("=")[0] in _ANSWER_TAGS | _LAYOUT_TAGS:
            kept += [text[position : tag.start], " " if tag.closes else _MEANS.get(tag.name, " ")]
            position = tag.end
        elif tag.closes:
            kept, position = [], tag.end
        else:
            kept.append(text[position : tag.start])
            block = tag.name
    kept.append(text[position:] if block is None else "")
    return "".join(kept), block is not None and block not in _CALL_TAGS


def begins_as_reasoning(text: str) -> bool:
    """Whether a heading in plain words calls the beginning of a text reasoning; where that ends, no mark says.

    >>> begins_as_reasoning("## Thinking\\nThe car …"), begins_as_reasoning("I think that …")
    (True, False)
    """
    return _HEADING.match(text) is not None


def _final_channel(text: str) -> tuple[str, bool]:
    """The text of the final channel, or the whole text if there are no channels."""
    if bare := _BARE_CHANNEL.match(text):
        return text[bare.end() :], not bare.group("final")
    channels = list(_CHANNEL.finditer(text))
    final = [channel.end() for channel in channels if channel.group(1) == "final"]
    if final:
        return text[final[-1] :], False
    return (text[: channels[0].start()], True) if channels else (text, False)


def _tags(text: str) -> Iterator[_Tag]:
    if not any(mark in text for mark in "<[◁【&"):
        return
    for found in _TAG.finditer(_masked(text)):
        part = found.groupdict()
        if part["comment_end"] is not None:
            # a comment that is not closed hides the rest
            yield _Tag("!--", found.start(), found.end(), closes=False, alone=True)
            continue
        name = next((part[f"name_{i}"] for i in range(1, 10) if part[f"name_{i}"]), "s").lower()
        closes = bool(part["name_4"] or any("/" in (part[f"close_{i}"] or "") for i in (1, 2, 3, 5, 6, 7)))
        closes |= part["edge_8"] == "end"
        if _TURN_EDGE.fullmatch(name):
            name = "message"
        elif name in _NUMBERED:
            name, closes = _NUMBERED[name]
        elif (edge := _EDGE.fullmatch(name)) and name not in _LAYOUT_TAGS | _BOX_TAGS:
            closes = "end" in (edge.group("edge"), edge.group("edge_behind"))
            name = edge.group("name") or edge.group("name_before")
            if name == "box":
                name = "answer"
        alone = bool(part["void"]) or (part["channel_1"] or "").strip() == "final"
        end = found.end() if alone or not part["channel_1"] else found.start("channel_1")
        yield _Tag(name, found.start(), end, closes, alone)


def _masked(text: str) -> str:
    """The text with what stands in JSON strings blotted out: a tag there is part of a name."""
    return _JSON_STRING.sub(lambda found: f'{found.group(1)}"{"_" * len(found.group(2))}"', text)
