"""Expressions and references: planted spans, named cases, and what holds for any text."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.local_teacher.captions import clean_caption
from resources.local_teacher.detector import CLASS_NAMES
from resources.local_teacher.lexicon import ABSTRACT, FORMS, Number, find_noun
from resources.local_teacher.phrases import Reference, find_expressions, is_english, read_reference
from tests.corpus import CORPUS, needs_corpus

PROJECT = Path(__file__).resolve().parents[2]

# Expressions are planted between brackets; what follows is each one's noun chunk.
PLANTED = {
    "subject and object": ("[A man] rides [a red bicycle].", ["man", "bicycle"]),
    "verb that looks like a plural": (
        "[The woman] rides [her bike] down [the street].",
        ["woman", "bike", "street"],
    ),
    "skis as a verb": ("[A man] skis down [a hill].", ["man", "hill"]),
    "smiling as an attribute": ("[A smiling man] holds [a parked car].", ["man", "car"]),
    "riding as a verb": ("[Two people] riding [horses].", ["people", "horses"]),
    "adjectives with and": ("[A red and green bucket] by [a big, white seagull].", ["bucket", "seagull"]),
    "nouns with and": (
        "[A toilet] and [sink] in [a basement bathroom].",
        ["toilet", "sink", "basement bathroom"],
    ),
    "no separator": ("[A stop sign] [some red flowers] and [a tree].", ["stop sign", "flowers", "tree"]),
    "noun, adjective, noun": ("[A baby grand piano] in [the room].", ["piano", "room"]),
    "noun of several words": ("[A fire hydrant] near [a cell phone].", ["fire hydrant", "cell phone"]),
    "next to": ("[An orange] next to [3 apples].", ["orange", "apples"]),
    "group of": ("[A group of people] at [a table].", ["people", "table"]),
    "pair of scissors": ("[A pair of scissors] on [a book].", ["pair of scissors", "book"]),
    "slice of": ("[A slice of pizza] on [a plate].", ["pizza", "plate"]),
    "bowl of stays apart": ("[A bowl] of [fruit].", ["bowl", "fruit"]),
    "possessor": ("[A man's hat] and [the dog's tail].", ["hat", "tail"]),
    "top of is abstract": ("[A cat] on top of [a car].", ["cat", "car"]),
    "background is abstract": ("[A bike] with [horses] in the background.", ["bike", "horses"]),
    "pronouns": ("[A lamp] beside it, and she looks at him.", ["lamp"]),
    "negated": ("[A bathroom] with no toilets.", ["bathroom"]),
    "capitals": ("[TWO PEOPLE] ON [A BENCH]", ["PEOPLE", "BENCH"]),
    "emoji before": ("🙂👨‍👩‍👧 [A dog] and [a cat].", ["dog", "cat"]),
    "letters that grow in lower case": (
        "[İİİ] sees [a dog] and [a cat] on [the sofa] by [the door].",
        ["İİİ", "dog", "cat", "sofa", "door"],
    ),
    "combining marks": ("[Cafe\u0301] with [a dog] and [the cat].", ["Cafe\u0301", "dog", "cat"]),
    "same words twice": ("[A dog] and [a dog].", ["dog", "dog"]),
    "slash and markup": ("[A dog]/[a cat] <{}> %s [the house].", ["dog", "cat", "house"]),
}

# Slips of taggers on captions: verbs that look like nouns, participles, abbreviations, and things that show others.
SLIPS = {
    "verb sprays": ("[A man] sprays [a truck] with [a hose].", ["man", "truck", "hose"]),
    "verb boats": ("[A woman] boats across [the lake].", ["woman", "lake"]),
    "verb kites": ("[A girl] flies [a kite] over [the beach].", ["girl", "kite", "beach"]),
    "verb parks": ("[A driver] parks [the bus].", ["driver", "bus"]),
    "verb trains": ("[A coach] trains [two dogs].", ["coach", "dogs"]),
    "verb benches as noun": ("[Two benches] face [the water].", ["benches", "water"]),
    "verb rows": ("[A man] rows [a boat].", ["man", "boat"]),
    "verb waves": ("[A child] waves at [the train].", ["child", "train"]),
    "verb dresses": ("[A lady] dresses [a doll].", ["lady", "doll"]),
    "skis as a noun": ("[A man] on [skis].", ["man", "skis"]),
    "man skiing": ("[A man] skiing down [a slope].", ["man", "slope"]),
    "dog running": ("[A dog] running on [the grass].", ["dog", "grass"]),
    "cat licking": ("[A cat] licking [its paw].", ["cat", "paw"]),
    "giraffe bending": ("[A giraffe] bending over [a fence].", ["giraffe", "fence"]),
    "people surfing": ("[Two people] surfing.", ["people"]),
    "woman shopping": ("[A woman] shopping at [a market].", ["woman", "market"]),
    "kids swimming": ("[Some kids] swimming in [a pool].", ["kids", "pool"]),
    "elephant bathing": ("[An elephant] bathing in [a river].", ["elephant", "river"]),
    "player serving": ("[A tennis player] serving [a ball].", ["tennis player", "ball"]),
    "boy snowboarding": ("[A boy] snowboarding.", ["boy"]),
    "horse racing past": ("[A horse] racing past [a crowd].", ["horse", "crowd"]),
    "building stays": ("[A tall building] behind [a man].", ["building", "man"]),
    "wedding ring": ("[A woman] with [a wedding ring].", ["woman", "wedding ring"]),
    "painting stays": ("[A painting] hangs above [a bed].", ["painting", "bed"]),
    "mt. bike": ("[A mt. bike] against [a wall].", ["mt. bike", "wall"]),
    "St. Bernard": ("[A St. Bernard] with [a ball].", ["St. Bernard", "ball"]),
    "U.S. flag": ("[A U.S. flag] on [a boat].", ["U.S. flag", "boat"]),
    "t.v. screen": ("[A t.v. screen] on [the wall].", ["t.v. screen", "wall"]),
    "t.v. ends": ("[A man] watching [a t.v.] in [a room].", ["man", "t.v.", "room"]),
    "Dr. Smith": ("[Dr. Smith] holds [a cup].", ["Dr. Smith", "cup"]),
    "vs.": ("[A man] vs. [a bull].", ["man", "bull"]),
    "tennis player": ("[A male tennis player] hits [a ball].", ["tennis player", "ball"]),
    "baseball pitcher": ("[A baseball pitcher] throws [a ball].", ["baseball pitcher", "ball"]),
    "soccer goalkeeper": ("[A soccer goalkeeper] jumps.", ["soccer goalkeeper"]),
    "ice skater": ("[An ice skater] spins.", ["ice skater"]),
    "animal picture on a pole": ("[A picture of an animal] is on [a pole].", ["picture", "pole"]),
    "statue of a dog": ("[A statue of a dog] by [the door].", ["statue", "door"]),
    "photo of a dog on a wall": ("[A photo of a dog] hangs on [a wall].", ["photo", "wall"]),
    "painting of a horse": ("[A painting of a horse] above [a couch].", ["painting", "couch"]),
    "photo of the whole": ("An amazing photo of [a dog].", ["dog"]),
    "photo in a hand": ("[A man] holds [a photo of a dog].", ["man", "photo"]),
}


@pytest.mark.parametrize(("planted", "chunks"), [*PLANTED.values(), *SLIPS.values()], ids=[*PLANTED, *SLIPS])
def test_planted_spans(planted: str, chunks: list[str]) -> None:
    caption, spans = "", []
    for character in planted:
        if character == "[":
            spans.append(len(caption))
        elif character == "]":
            spans[-1] = (spans[-1], len(caption))
        else:
            caption += character
    found = find_expressions(caption)
    assert [expression.char_span for expression in found] == spans
    assert [expression.text for expression in found] == [caption[start:end] for start, end in spans]
    assert [expression.noun_chunk for expression in found] == chunks


FOREIGN = {
    "French": "Un homme fait du vélo dans la rue avec un chien noir",
    "German": "Ein Mann fährt mit dem Fahrrad auf der Straße neben einem Hund",
    "Spanish": "Un perro en la calle con una banana",
    "Dutch": "Een man fietst op straat met een zwarte hond in de regen",
    "Indonesian": "Seorang pria mengendarai sepeda di jalan",
    "Russian": "Мужчина едет на велосипеде",
    "Chinese": "一个男人在街上骑自行车",
    "Hindi": "एक आदमी साइकिल चला रहा है",
    "Arabic": "رجل يركب دراجة في الشارع",
    "digits and marks": "42 !!! ... ?",
}


@pytest.mark.parametrize("caption", FOREIGN.values(), ids=FOREIGN.keys())
def test_other_languages_give_no_expressions(caption: str) -> None:
    assert not is_english(caption)
    assert find_expressions(caption) == ()


REFERENCES = {
    "singular": ("a red car", "car", Reference("car", 1)),
    "plural": ("cars", "cars", Reference("car", None)),
    "numeral": ("two large brown dogs", "dogs", Reference("dog", 2)),
    "digits": ("3 apples", "apples", Reference("apple", 3)),
    "pair of": ("a pair of monitors", "monitors", Reference("tv", 2)),
    "pair of scissors": ("a pair of scissors", "pair of scissors", Reference("scissors", 1)),
    "couple alone": ("a couple", "couple", Reference("person", 2)),
    "group of": ("a group of people", "people", Reference("person", None)),
    "group of three": ("a group of three people", "people", Reference("person", 3)),
    "invariant, one": ("a sheep", "sheep", Reference("sheep", 1)),
    "invariant, the": ("the sheep", "sheep", Reference("sheep", 1)),
    "invariant, bare": ("sheep", "sheep", Reference("sheep", None)),
    "invariant, herd": ("a herd of sheep", "sheep", Reference("sheep", None)),
    "numeral after the head": ("the dog with two balls", "dog", Reference("dog", 1)),
    "irregular": ("several women", "women", Reference("person", None)),
    "compound": ("a tabby house cat", "house cat", Reference("cat", 1)),
    "chunk with attributes": ("the small dog", "The Small Dog", Reference("dog", 1)),
    "chunk not in the text": ("two of them", "dogs", Reference("dog", 2)),
    "hot dog is no dog": ("a hot dog", "hot dog", Reference("hot dog", 1)),
    "teddy bear is no bear": ("teddy bears", "teddy bears", Reference("teddy bear", None)),
    "banana tree": ("a banana tree", "banana tree", Reference(None, None)),
    "pool table": ("a pool table", "pool table", Reference(None, None)),
    "bus stop": ("a bus stop", "bus stop", Reference(None, None)),
    "unknown": ("an orange suit", "suit", Reference(None, None)),
    "ambiguous": ("a bag", "bag", Reference(None, None)),
    "other language": ("ein Hund", "Hund", Reference(None, None)),
    "empty": ("", "", Reference(None, None)),
    "only the text empty": ("", "sheep", Reference("sheep", None)),
}


@pytest.mark.parametrize(("text", "noun_chunk", "reference"), REFERENCES.values(), ids=REFERENCES.keys())
def test_reference(text: str, noun_chunk: str, reference: Reference) -> None:
    assert read_reference(text, noun_chunk) == reference


any_text = st.text(st.characters(exclude_categories=()))
words = st.sampled_from(
    sorted(FORMS)[::9]
    + sorted(ABSTRACT)[::9]
    + ["a", "the", "two", "of", "and", "is", "'s", "’s", "n't", ",", ".", "-", "/", "_", "é"]
)


@given(any_text | st.lists(words).map(" ".join) | st.lists(words | any_text).map("".join))
def test_spans_hold_for_any_text(caption: str) -> None:
    cleaned = clean_caption(caption)
    end_before = 0
    for expression in find_expressions(cleaned):
        start, end = expression.char_span
        assert end_before <= start < end <= len(cleaned)
        assert cleaned[start:end] == expression.text == expression.text.strip()
        assert expression.noun_chunk
        assert expression.text.endswith(expression.noun_chunk)
        read_reference(expression.text, expression.noun_chunk)
        end_before = end


@given(any_text, any_text)
def test_reference_of_any_text(text: str, noun_chunk: str) -> None:
    class_name, limit = read_reference(text, noun_chunk)
    assert class_name is None or class_name in CLASS_NAMES
    assert limit is None or limit >= 1


@needs_corpus("captions")
def test_spans_hold_for_real_captions_with_trouble() -> None:
    lines = (CORPUS / "captions" / "nasty.jsonl").read_text(encoding="utf-8").splitlines()
    captions = [clean_caption(json.loads(line)["caption"]) for line in lines]
    found = [(caption, expression) for caption in captions for expression in find_expressions(caption)]
    assert len(found) > 2 * len(captions)
    for caption, expression in found:
        start, end = expression.char_span
        assert caption[start:end] == expression.text


def test_every_class_has_nouns_and_no_noun_has_two_classes() -> None:
    assert {noun.class_name for noun in FORMS.values()} == {*CLASS_NAMES, None}
    for class_name in CLASS_NAMES:
        noun = find_noun(class_name.split(" "))
        assert noun is not None
        assert noun.class_name == class_name
    assert FORMS["men"] == ("person", Number.PLURAL)
    assert FORMS["skis"] == ("skis", Number.PLURAL)


def test_long_sentence_is_searched_to_its_end() -> None:
    caption = ", ".join(["a dog"] * 1000)
    assert len(find_expressions(caption)) == 1000


OFFLINE = """
import sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise RuntimeError(f"network: {event} {arguments}")

sys.addaudithook(refuse)
from resources.local_teacher.phrases import find_expressions
print([expression.text for expression in find_expressions("A dog and two cats near a bench.")])
"""


def test_needs_neither_corpora_nor_network(tmp_path: Path) -> None:
    environment = {key: text for key, text in os.environ.items() if key not in ("NLTK_DATA", "XDG_DATA_HOME")}
    result = subprocess.run(
        [sys.executable, "-c", OFFLINE],
        cwd=PROJECT,
        env=environment | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stderr == ""
    assert result.stdout.strip() == "['A dog', 'two cats', 'a bench']"
    assert list(tmp_path.iterdir()) == []


HEADS = {
    "A man sprays water on a car.": ["man", "water", "car"],
    "A fire hydrant sprays water.": ["fire hydrant", "water"],
    "A man skiing down a hill.": ["man", "hill"],
    "A woman cooking in a kitchen.": ["woman", "kitchen"],
    "A t.v. screen on a desk.": ["t.v. screen", "desk"],
    "A U.S. flag on a pole.": ["U.S. flag", "pole"],
    "A baseball pitcher throws a ball.": ["baseball pitcher", "ball"],
}


@pytest.mark.parametrize(("caption", "heads"), HEADS.items(), ids=HEADS)
def test_verbs_participles_and_abbreviations(caption: str, heads: list[str]) -> None:
    assert [expression.noun_chunk for expression in find_expressions(caption)] == heads


def test_who_throws_the_ball_is_a_person() -> None:
    assert read_reference("A baseball pitcher", "baseball pitcher").class_name == "person"
    assert read_reference("A t.v. screen", "t.v. screen").class_name == "tv"
