"""Words that the embedded teacher knows: nouns for each COCO-80 class, and the closed word lists of its grammar.

Word lists and look-ups only; how words form phrases is told in `phrases.py`. A noun stands here only if it
names nothing but its class in a photo's caption: `bag`, `board`, `plant`, `glass`, `van` and `computer` are
left out, because COCO spreads them over several classes or has none for most of what they name.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

_NOUNS = {
    "person": """person, human, human being, individual, man, woman, boy, girl, guy, lady, gentleman, child, kid, baby,
        infant, toddler, teenager, teen, youth, youngster, adult, someone, somebody, mother, mom, father, dad, parent,
        son, daughter, brother, sister, grandmother, grandfather, husband, wife, friend, bride, groom, athlete, player,
        teammate, opponent, batter, catcher, umpire, referee, goalie, outfielder, baseman, skier, snowboarder,
        skateboarder, skate boarder, snow boarder, skater, surfer, swimmer, biker, bicyclist, cyclist, motorcyclist,
        rider, jockey, equestrian, hiker, climber, runner, jogger, dancer, gymnast, golfer, pedestrian, passerby,
        passenger, tourist, traveler, visitor, spectator, onlooker, bystander, shopper, customer, worker, employee,
        businessman, businesswoman, vendor, salesman, waiter, waitress, bartender, barista, chef, farmer, gardener,
        fisherman, cowboy, shepherd, student, teacher, doctor, nurse, dentist, scientist, mechanic, carpenter, fireman,
        firefighter, policeman, policewoman, police officer, officer, cop, soldier, sailor, admiral, astronaut, driver,
        musician, guitarist, singer, artist, photographer, cameraman, clown, actor, actress, priest, monk, nun,
        baseball player, tennis player, baseball pitcher, crew member""",
    "bicycle": "bicycle, bike",
    "car": "car, automobile, taxi, taxicab, cab, sedan, suv, limousine, limo, hatchback, minivan",
    "motorcycle": "motorcycle, motorbike, motor bike, motor cycle, dirt bike, moped, scooter",
    "airplane": "airplane, aeroplane, plane, aircraft, jet, airliner, jetliner, biplane, seaplane",
    "bus": "bus, minibus, double decker, double-decker",
    "train": "train, locomotive, train engine, steam engine",
    "truck": "truck, lorry, pickup, firetruck, tractor trailer",
    "boat": """boat, ship, sailboat, rowboat, motorboat, speedboat, tugboat, houseboat, canoe, kayak, dinghy, gondola,
        ferry, yacht, barge""",
    "traffic light": "traffic light, traffic signal, stoplight, stop light",
    "fire hydrant": "fire hydrant, hydrant, fireplug",
    "stop sign": "stop sign, stopsign",
    "parking meter": "parking meter",
    "bench": "bench",
    "bird": """bird, pigeon, dove, seagull, gull, duck, duckling, mallard, goose, swan, parrot, parakeet, cockatoo, macaw,
        canary, finch, sparrow, owl, eagle, hawk, falcon, vulture, raven, heron, egret, stork, pelican, flamingo,
        ostrich, penguin, peacock, hummingbird, woodpecker, toucan, rooster, hen, kingfisher, magpie, puffin""",
    "cat": "cat, kitten, kitty, tabby",
    "dog": """dog, puppy, hound, poodle, labrador, terrier, retriever, bulldog, dachshund, beagle, collie, german shepherd,
        chihuahua, corgi, pug, spaniel, dalmatian, sheepdog, rottweiler""",
    "horse": "horse, pony, foal, mare, stallion, racehorse",
    "sheep": "sheep, lamb, ewe",
    "cow": "cow, bull, calf, ox, heifer",
    "elephant": "elephant",
    "bear": "bear, bear cub, grizzly",
    "zebra": "zebra",
    "giraffe": "giraffe",
    "backpack": "backpack, back pack, rucksack, knapsack, book bag",
    "umbrella": "umbrella, parasol",
    "handbag": "handbag, hand bag, purse, shoulder bag, tote bag",
    "tie": "tie, necktie, bowtie",
    "suitcase": "suitcase, suit case",
    "frisbee": "frisbee, frisbee disc, flying disc",
    "skis": "ski, pair of skis",
    "snowboard": "snowboard, snow board",
    "sports ball": "ball, baseball, basketball, football, volleyball",
    "kite": "kite",
    "baseball bat": "bat",
    "baseball glove": "baseball glove, baseball mitt, catchers mitt",
    "skateboard": "skateboard, skate board, longboard",
    "surfboard": "surfboard, surf board",
    "tennis racket": "racket, racquet",
    "bottle": "bottle",
    "wine glass": "wine glass, wineglass, glass of wine, champagne glass, goblet",
    "cup": "cup, mug, teacup",
    "fork": "fork",
    "knife": "knife",
    "spoon": "spoon, teaspoon",
    "bowl": "bowl",
    "banana": "banana",
    "apple": "apple",
    "sandwich": "sandwich, burger, hamburger, cheeseburger",
    "orange": "orange, clementine",
    "broccoli": "broccoli",
    "carrot": "carrot",
    "hot dog": "hot dog, hotdog",
    "pizza": "pizza, pizza pie",
    "donut": "donut, doughnut",
    "cake": "cake, cupcake, cheesecake",
    "chair": "chair, armchair",
    "couch": "couch, sofa, loveseat, love seat",
    "potted plant": "potted plant, houseplant, house plant",
    "bed": "bed",
    "dining table": "table",
    "toilet": "toilet, urinal",
    "tv": "tv, t.v., t.v. screen, television, tv set, television set, flat screen, tv screen, television screen, monitor, computer screen",
    "laptop": "laptop, laptop computer, notebook computer",
    "mouse": "mouse",
    "remote": "remote, remote control, wii controller, wiimote, game controller",
    "keyboard": "keyboard",
    "cell phone": "cell phone, cellphone, smartphone, mobile phone, iphone, phone",
    "microwave": "microwave, microwave oven",
    "oven": "oven, stove",
    "toaster": "toaster",
    "sink": "sink, washbasin",
    "refrigerator": "refrigerator, fridge",
    "book": "book, textbook, paperback, cookbook",
    "clock": "clock, clock face",
    "vase": "vase",
    "scissors": "scissors, pair of scissors",
    "teddy bear": "teddy bear, teddy, stuffed bear, stuffed animal",
    "hair drier": "hair drier, hair dryer, hairdryer, blow dryer",
    "toothbrush": "toothbrush, tooth brush",
}
"""COCO class to singular nouns, without attributes that leave the class the same (`mountain bike` is a bike)."""

_NAMESAKES = """pool table, billiard table, ping pong table, toilet paper, flower bed, truck bed, railroad tie, train car,
    cable car, toy car, toy train, toy truck, model train, model airplane, paper airplane, rocking horse, sea horse,
    koala bear, panda bear, gummy bear, toaster oven, oven mitt, crab cake, rice cake, ice cream sandwich, pay phone,
    vampire bat, fruit bat, keyboard player, meat ball, disco ball, bus stop, bus ride, car wash, car park, car show, car race,
    bike lane, bike rack, bike ride, boat dock, boat ride, train ride, horse race, horse show, horse ride, dog show,
    dog park, hot dog stand, bird bath"""
"""Nouns that end like one of the above and are something else."""

_PLURALS = {
    "person": "people", "passerby": "passersby", "child": "children", "mouse": "mice", "goose": "geese", "ox": "oxen",
    "calf": "calves", "knife": "knives", "wife": "wives", "sheep": "sheep", "aircraft": "aircraft", "broccoli": "broccoli",
    "scissors": "scissors", "pair of scissors": "pairs of scissors", "pair of skis": "pairs of skis", "glass of wine": "glasses of wine",
}  # fmt: skip

_COLLECTIVES = {
    "person": "people, folks, crowd, family, couple, audience, police",
    "cow": "cattle",
    "suitcase": "luggage, baggage",
}
"""Forms that name several objects at once."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


COUNTS = {
    "a": 1, "an": 1, "one": 1, "another": 1, "each": 1, "every": 1, "two": 2, "both": 2, "couple": 2, "pair": 2, "three": 3,
    "trio": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
    "dozen": 12,
}  # fmt: skip
"""How many things a word announces."""

GROUPS = _words(
    """group groups bunch bunches couple pair pairs crowd herd herds flock flocks number lot lots row rows line pile piles
    stack stacks set sets dozen dozens variety collection series assortment array pack team family trio handful cluster
    swarm fleet most"""
)
PORTIONS = _words("piece pieces slice slices half kind kinds type types sort sorts")
QUANTITIES = GROUPS | PORTIONS
"""Nouns that only measure the one after `of`: in `a herd of sheep` the sheep are what is seen."""

ABSTRACT = QUANTITIES | _words(
    """photo photos photograph photographs picture pictures image images shot view scene close-up background foreground
    top bottom front back rear side sides left right middle center centre edge end corner part parts section area place
    spot way distance direction angle position day days night time times morning afternoon evening season weather air
    style manner action motion activity conversation use display game games match competition trick tricks
    turn fun love color colors colour colours thing things something anything nothing everything it stuff object
    objects other others rest work life attention"""
)
"""Nouns that pick out nothing that a box could be drawn around."""

CAPTION_VERBS = _words(
    """rides drives plays walks jumps looks waits stands sits surfs skis skates swings hits talks works sleeps rests flies
    runs holds wears poses smiles watches eats crosses turns travels moves shows reaches throws catches leans lies lays
    drinks grazes hangs floats sails stops parks passes pulls pushes kicks carries cuts feeds prepares uses
    snowboards skateboards sprays"""
)
"""Verb forms in -s that a tagger takes for plural nouns."""


DEPICTIONS = _words(
    """statue statues sculpture sculptures figurine figurines painting paintings drawing drawings sketch sketches mural
    murals portrait portraits poster posters picture pictures photo photos photograph photographs image images"""
)
"""Nouns that stay what is seen when `of` follows: in `a statue of a dog` there is no dog."""

ABBREVIATIONS = "st|mt|mr|mrs|ms|dr|sr|jr|vs"
"""Words whose point ends no sentence while a word follows, as a part of a pattern."""

ACTOR_CLASSES = frozenset(
    ["person", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"]
)
"""COCO's classes that can do something: a form in -ing behind one of them is a verb ("a woman shopping")."""


class Number(StrEnum):
    """Whether a noun form names one thing, several, or does not tell."""

    SINGULAR = "singular"
    PLURAL = "plural"
    EITHER = "either"


class Noun(NamedTuple):
    """One noun form that is known."""

    class_name: str | None
    """The COCO class, or None for a namesake of another kind."""
    number: Number


def _plural(term: str) -> str:
    *attributes, head = term.split(" ")
    if term in _PLURALS:
        head, attributes = _PLURALS[term], []
    elif head in _PLURALS:
        head = _PLURALS[head]
    elif head.endswith("man") and head != "human":
        head = f"{head[:-2]}en"
    elif head.endswith(("s", "x", "ch", "sh")):
        head += "es"
    elif head.endswith("y") and head[-2] not in "aeiou":
        head = f"{head[:-1]}ies"
    else:
        head += "s"
    return " ".join([*attributes, head])


def _terms(text: str) -> list[str]:
    return [" ".join(term.split()) for term in text.split(",")]


def _forms() -> dict[str, Noun]:
    forms: dict[str, Noun] = {}
    singulars = [(term, name) for name, text in _NOUNS.items() for term in _terms(text)]
    singulars += [(term, None) for term in _terms(_NAMESAKES)]
    for term, class_name in singulars:
        plural = _plural(term)
        invariant = plural == term
        forms[term] = Noun(class_name, Number.EITHER if invariant else Number.SINGULAR)
        if not invariant:
            forms[plural] = Noun(class_name, Number.PLURAL)
    for class_name, text in _COLLECTIVES.items():
        forms.update((term, Noun(class_name, Number.PLURAL)) for term in _terms(text))
    return forms


FORMS = _forms()
"""Every known noun form, lower case, words joined by one space."""
LONGEST_FORM = max(len(form.split(" ")) for form in FORMS)
"""Words in the longest known form."""


def find_noun(words: Sequence[str]) -> Noun | None:
    """The known noun that `words`, lower case and head last, end with; the longest form wins, None if unknown."""
    for length in range(min(LONGEST_FORM, len(words)), 0, -1):
        noun = FORMS.get(" ".join(words[-length:]))
        if noun is not None:
            return noun
    return None
