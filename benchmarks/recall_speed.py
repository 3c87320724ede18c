"""How long recall takes over spaces of many messages.

The messages are made up: words follow Zipf's law as in talk, in sessions of 20 turns of two speakers about a topic.
usage: recall_speed.py [--nodes N …] [--questions N]
"""

from __future__ import annotations

import argparse
import time
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from spaces import Message, build

from mnemolog.projections.connection import open_reader
from mnemolog.projections.embedder import WordLlamaEmbedder
from mnemolog.projections.recall import recall
from mnemolog.schema import times

SYLLABLES = [
    a + b
    for a, b in product(
        ["b", "c", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "ch", "st", "tr"],
        ["a", "e", "i", "o", "u", "ar", "en", "on"],
    )
]
GLUE = [
    "the",
    "a",
    "and",
    "I",
    "you",
    "it",
    "to",
    "of",
    "in",
    "that",
    "is",
    "was",
    "for",
    "on",
    "with",
    "my",
    "we",
    "so",
    "but",
    "have",
    "be",
    "they",
    "at",
    "this",
    "not",
    "had",
]
VOCABULARY = 50_000
TURNS = 20
SPEAKERS = ("Ada", "Ben")
WARM_UP = 20


class Talk:
    """Made-up talk, the same for the same seed."""

    def __init__(self, seed: int = 7) -> None:
        self.random = np.random.default_rng(seed)
        # Mandelbrot's form of Zipf's law: the commonest word of content stands in about one message in fifteen.
        weights = 1 / (np.arange(VOCABULARY) + 20)
        self.weights = weights / weights.sum()
        self.words = [self._word(rank) for rank in range(VOCABULARY)]

    def _word(self, rank: int) -> str:
        count = 2 if rank < len(SYLLABLES) ** 2 // 2 else 3
        return "".join(self.random.choice(SYLLABLES, count))

    def messages(self, count: int) -> list[Message]:
        made: list[Message] = []
        while len(made) < count:
            topic = self.random.integers(0, VOCABULARY, 12)
            made += [self._turn(len(made) + turn, topic) for turn in range(min(TURNS, count - len(made)))]
        return made

    def _turn(self, number: int, topic: np.ndarray) -> Message:
        content = self.random.choice(VOCABULARY, self.random.poisson(9) + 1, p=self.weights)
        ranks = [*content, *self.random.choice(topic, 2)]
        words = [self.words[rank] for rank in ranks] + list(self.random.choice(GLUE, len(ranks)))
        self.random.shuffle(words)
        return Message(
            event_id=f"e{number}",
            session=f"s{number // TURNS}",
            speaker=SPEAKERS[number % 2],
            content=" ".join(words) + ("?" if number % 7 == 0 else "."),
            occurred_at=number * times.MINUTE,
            seq=number,
        )

    def question(self, messages: list[Message]) -> str:
        """Ask for three to six words of one message, as people ask."""
        message = messages[self.random.integers(len(messages))]
        words = message.content.rstrip("?.").split()
        asked = " ".join(self.random.choice(words, min(len(words), self.random.integers(4, 10)), replace=False))
        return f"{self.random.choice(['What did', 'When did', 'Why did'])} {message.speaker} {asked}?"


def measure(nodes: int, questions: int) -> tuple[float, float]:
    """p50 and p95 of one recall on a warm process, in milliseconds."""
    talk = Talk()
    embedder = WordLlamaEmbedder()
    messages = talk.messages(nodes)
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "space.db"
        build(path, messages, embedder)
        con = open_reader(path)
        took = []
        for _ in range(WARM_UP + questions):
            query = talk.question(messages)
            start = time.perf_counter()
            recall(con, query, embedder=embedder, now=times.MAX_MS)
            took.append((time.perf_counter() - start) * 1000)
        con.close()
    p50, p95 = np.percentile(took[WARM_UP:], [50, 95])
    return float(p50), float(p95)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--questions", type=int, default=300)
    options = parser.parse_args()
    for nodes in options.nodes:
        p50, p95 = measure(nodes, options.questions)
        print(f"recall over {nodes:,} nodes: p50 {p50:.1f} ms, p95 {p95:.1f} ms ({options.questions} questions)")


if __name__ == "__main__":
    main()
