"""The words of the demo web: short articles that read like articles, the same on every machine."""

from __future__ import annotations

import random
from typing import NamedTuple


class Topic(NamedTuple):
    """What one section of the demo web writes about."""

    slug: str
    title: str
    things: tuple[str, ...]
    people: str
    place: str


TOPICS = (
    Topic("weaving", "Weaving", ("warp", "shuttle", "loom", "heddle", "twill", "linen"), "weavers", "the mill"),
    Topic("tides", "Tides", ("spring tide", "ebb", "harbour wall", "tide table", "estuary"), "pilots", "the quay"),
    Topic("stars", "Stars", ("double star", "eyepiece", "meridian", "nebula", "zenith"), "observers", "the dome"),
    Topic("bread", "Bread", ("sourdough", "crumb", "rye flour", "oven stone", "crust"), "bakers", "the bakehouse"),
    Topic("birds", "Birds", ("oystercatcher", "fledgling", "moult", "salt marsh", "knot"), "ringers", "the marsh"),
    Topic("maps", "Maps", ("contour", "theodolite", "legend", "survey mark"), "surveyors", "the drawing room"),
)

_OPENINGS = (
    "For a long time {people} held that the {a} mattered more than the {b}.",
    "Nobody at {place} remembers who first wrote down how the {a} and the {b} belong together.",
    "The {a} is easily overlooked, and yet {people} speak of little else in winter.",
    "A visitor to {place} will be shown the {a} before anything else.",
)
_SENTENCES = (
    "In number {n} of the notebooks the {a} is drawn beside the {b}, with the remark that neither can be judged alone.",
    "{n} {people} were asked, and most of them preferred the {a} to the {b} when the weather turned.",
    "Where the {a} fails, the {b} has usually failed some days before, although it is rarely noticed in time.",
    "The old way of keeping a {a} took {n} minutes each evening; the new way takes a minute and a half.",
    "It was at {place} that the {b} was first compared with the {a}, on a table that still stands there.",
    "What beginners take for a fault in the {a} is most often the {b} doing what it should.",
    "After {n} seasons the record shows a small but steady gain for those who trusted the {b}.",
    "Some {people} mark the {a} with chalk, others with thread; both habits are older than {place}.",
)
_CLOSINGS = (
    "More of this is told in the next number.",
    "The measurements are kept at {place} and may be seen on request.",
    "Letters about the {a} are welcome, as ever.",
)


def article(topic: Topic, number: int, sentences: int = 9) -> list[str]:
    """The paragraphs of one article; the same topic and number always give the same words."""
    choice = random.Random(f"{topic.slug}/{number}")
    texts = [choice.choice(_OPENINGS), *choice.sample(_SENTENCES * 2, sentences), choice.choice(_CLOSINGS)]
    filled = [_filled(text, topic, choice) for text in texts]
    return [" ".join(filled[start : start + 4]) for start in range(0, len(filled), 4)]


def headline(topic: Topic, number: int) -> str:
    """The title of an article."""
    a, b = random.Random(f"{topic.slug}#{number}").sample(topic.things, 2)
    return f"{topic.title} {number:02d}: of {a} and {b}"


def _filled(text: str, topic: Topic, choice: random.Random) -> str:
    a, b = choice.sample(topic.things, 2)
    sentence = text.format(a=a, b=b, n=choice.randrange(12, 400), people=topic.people, place=topic.place)
    return sentence[0].upper() + sentence[1:]
