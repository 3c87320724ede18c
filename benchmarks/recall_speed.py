"""How long recall takes over spaces of many messages, what a process that asks needs, and what its search misses.

The messages are made up: words follow Zipf's law as in talk, in sessions of 20 turns of two speakers about a topic.
The questions are asked by a process that does nothing else; `overlap` is the share of the 50 nodes nearest by all
floats among the 50 that are nearest by their signs and among the first 500.

usage: recall_speed.py [--nodes N …] [--questions N]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import apsw
import msgspec
import numpy as np
from spaces import Message, build

from mnemolog.projections.connection import open_reader
from mnemolog.projections.indexes import vectors
from mnemolog.projections.indexes.embedder import WordLlamaEmbedder
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
#: Of so many questions the nearest so many nodes are compared, so many nodes at a time.
COMPARED = 20
NEAREST = 50
BLOCK = 10_000


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


class Measured(msgspec.Struct, frozen=True):
    """p50 and p95 of one recall on a warm process and the first one, in milliseconds; its memory in megabytes."""

    p50_ms: float
    p95_ms: float
    first_ms: float
    memory_mb: float
    overlap: float
    overlap_of_500: float


def measure(nodes: int, questions: int) -> Measured:
    """Builds a space and has another process ask it."""
    talk = Talk()
    messages = talk.messages(nodes)
    asked = [talk.question(messages) for _ in range(WARM_UP + questions)]
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "space.db"
        build(path, messages, WordLlamaEmbedder())
        command = [sys.executable, __file__, "--reader", str(path)]
        done = subprocess.run(command, input=msgspec.json.encode(asked), stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout, type=Measured)


def read(path: Path, asked: list[str]) -> Measured:
    """Asks a space all questions."""
    embedder = WordLlamaEmbedder()
    con = open_reader(path)
    took = []
    for query in asked:
        start = time.perf_counter()
        recall(con, query, embedder=embedder, now=times.MAX_MS)
        took.append((time.perf_counter() - start) * 1000)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    p50, p95 = np.percentile(took[WARM_UP:], [50, 95])
    shares = overlaps(con, embedder.embed(asked[:COMPARED]))
    con.close()
    return Measured(float(p50), float(p95), took[0], memory, *shares)


def overlaps(con: apsw.Connection, queries: np.ndarray) -> tuple[float, float]:
    """Shares of the nearest by floats among as many, and among ten times as many, nearest by signs."""
    index = vectors.index_in_use(con)
    nearest = [vectors.nearest(con, index, query).first(10 * NEAREST) for query in queries]
    scores, numbers = np.zeros((len(queries), 0), np.float32), np.zeros(0, np.int64)
    last: int = con.execute("SELECT max(number) FROM nodes").get
    for start in range(1, last + 1, BLOCK):
        block = np.arange(start, min(start + BLOCK, last + 1))
        near = queries @ vectors.fetch(con, index, block.tolist()).T
        scores, numbers = np.concatenate([scores, near], axis=1), np.concatenate([numbers, block])
    exact = [set(numbers[np.argpartition(-row, NEAREST)[:NEAREST]].tolist()) for row in scores]
    few = [len(own & set(found[:NEAREST])) / NEAREST for own, found in zip(exact, nearest, strict=True)]
    many = [len(own & set(found)) / NEAREST for own, found in zip(exact, nearest, strict=True)]
    return float(np.mean(few)), float(np.mean(many))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--reader", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.reader:
        asked = msgspec.json.decode(sys.stdin.buffer.read(), type=list[str])
        sys.stdout.buffer.write(msgspec.json.encode(read(options.reader, asked)))
        return
    for nodes in options.nodes:
        found = measure(nodes, options.questions)
        print(
            f"recall over {nodes:,} nodes: p50 {found.p50_ms:.1f} ms, p95 {found.p95_ms:.1f} ms ({options.questions}"
            f" questions), the first {found.first_ms:.0f} ms; {found.memory_mb:.0f} MB; overlap {found.overlap:.2f},"
            f" of 500 {found.overlap_of_500:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
