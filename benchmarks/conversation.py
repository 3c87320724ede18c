"""Talk to measure with: chat messages of about 100 characters in sessions of 20, and questions about them.

Words are drawn from a list in order of frequency with Zipf's weights, 1 / (rank + 2.7) (Mandelbrot, 1953). The head
is English function and everyday words, the tail 10,000 compounds of its nouns, so that common words stand in most
messages and most words are rare, as in real talk.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from random import Random

import msgspec

from mnemolog.producers import Message

SESSION = 20
#: A message has this many words; with spaces and the full stop that is about 100 characters.
_LENGTHS = range(10, 20)
_TAIL = 10_000
#: The first words of the head carry grammar; nobody asks about them.
_GRAMMAR = 100
_FIRST_AT = 1_577_836_800_000
_TURN_MS = 40_000
_SESSION_MS = 1_800_000


def _words(text: str) -> list[str]:
    return text.split()


_HEAD = _words("""
the i to and a you it that of is in was for my on but we have me with this so be just not at like are do what if or
all your they can about there when one out get up from really no know how think then would more some time want good
had as go an because did now will our been he she her his them see make still could than any were too very much here
work day back right going who make well only into things year new way need last home also over got first feel after
something people even love week next take other where said off before maybe two little school thing best lot sure
house let come long told family ever never always night great today weekend morning friend old sorry money tomorrow
yesterday trip again bought moved started finished called found lost painted planned cooked visited booked learned
played fixed wrote read sold happy tired nervous proud quiet loud early late cheap expensive broken careful
""")
_NOUNS = _words("""
garden kitchen book paper water river road market office doctor dog cat horse bird fish apple bread cheese coffee tea
sugar salt rain snow sun moon star wind storm beach lake forest mountain field farm bridge train car bike bus boat
plane ticket hotel room door window table chair lamp clock phone letter music song guitar piano drum dance film game
ball team race medal school class lesson test teacher student friend neighbour sister brother mother father baby
child birthday wedding party cake gift card photo picture paint colour wood stone glass metal gold silver coat shoe
hat shirt dress bag box key money bank bill price shop store project plan meeting report deadline code server screen
story poem news map country city village island museum church castle tower park tree flower leaf seed fruit soup
""")
_NAMES = _words("Ada Ben Carla Dmitri Elif Farid Grace Hana Ivo Jun Kofi Lena Marta Nils Olga Priya Rosa Sven Tara")
_QUESTIONS = (
    "What did {name} say about the {one} and the {two}?",
    "When did {name} first talk about the {one}?",
    "Who mentioned {one} together with {two}?",
    "How does {name} feel about the {one} these days?",
    "Why did we change our minds about the {one}?",
    "{one} {two} {name}",
    "Do you remember which {one} {name} wanted for the {two}?",
    "Where is the {one} that {name} told me about last year?",
)


class Vocabulary:
    """Draws words by Zipf's weights. The same seed draws the same words."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        compounds = [first + second for first in _NOUNS for second in _NOUNS if first != second]
        self._random.shuffle(compounds)
        words = [*_HEAD, *_NOUNS, *compounds[:_TAIL]]
        weights = [1 / (rank + 2.7) for rank in range(len(words))]
        self._words = words, list(accumulate(weights))
        common = slice(_GRAMMAR, len(_HEAD) + len(_NOUNS))
        self._common = words[common], list(accumulate(weights[common]))
        rare = slice(len(_HEAD), None)
        self._rare = words[rare], list(accumulate(weights[rare]))

    def sentence(self) -> str:
        """A message of some 100 characters."""
        words, weights = self._words
        drawn = self._random.choices(words, cum_weights=weights, k=self._random.choice(_LENGTHS))
        return " ".join(drawn).capitalize() + "."

    def question(self) -> str:
        """A question in natural language about a common word, a rarer one, and a person."""
        topics = [self._random.choices(words, cum_weights=weights)[0] for words, weights in (self._common, self._rare)]
        self._random.shuffle(topics)
        return self._random.choice(_QUESTIONS).format(name=self.name(), one=topics[0], two=topics[1])

    def name(self) -> str:
        """Somebody's name."""
        return self._random.choice(_NAMES)


class Turn(msgspec.Struct, frozen=True):
    """Where a message stands: its session, its turn in it, and when it was said (UTC milliseconds)."""

    session: str
    number: int
    occurred_at: int


def turn(index: int, prefix: str) -> Turn:
    """The place of the message with this index: sessions of SESSION turns, half an hour apart."""
    session, number = divmod(index, SESSION)
    return Turn(f"{prefix}-{session}", number, _FIRST_AT + session * _SESSION_MS + number * _TURN_MS)


def messages(count: int, seed: int, prefix: str = "session", mark: str = "") -> Iterator[Message]:
    """Messages in order of time. With a `mark`, each ends with a word of its own: the mark and the message's index."""
    vocabulary = Vocabulary(seed)
    for index in range(count):
        at = turn(index, prefix)
        content = vocabulary.sentence()
        if at.number == 0:
            speaker = vocabulary.name()
        yield Message(
            role="assistant" if at.number % 2 else "user",
            content=f"{content} {mark}{index}" if mark else content,
            session=at.session,
            speaker=None if at.number % 2 else speaker,
            occurred_at=at.occurred_at,
        )


def questions(count: int, seed: int) -> list[str]:
    """Questions in natural language, all drawn from the words of `messages`."""
    vocabulary = Vocabulary(seed)
    return [vocabulary.question() for _ in range(count)]
