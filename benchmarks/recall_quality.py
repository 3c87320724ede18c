"""How much of the evidence of known questions recall finds, and how long it takes.

LoCoMo: a folder with N.events.jsonl and N.questions.jsonl, one conversation a pair. MemDaily: a file with one case a
line. usage: recall_quality.py [--locomo DIR] [--memdaily FILE]
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from spaces import Message, build

from mnemolog.projections.connection import open_reader
from mnemolog.projections.embedder import WordLlamaEmbedder
from mnemolog.projections.recall import recall
from mnemolog.schema import times

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LATER = times.MAX_MS


class Answer(msgspec.Struct, frozen=True):
    """What one question got: the distinct event ids in order, those that hold its answer, and the time it took."""

    category: str
    found: list[str]
    evidence: set[str]
    took_ms: float

    def recall_at(self, k: int) -> float:
        return len(self.evidence & set(self.found[:k])) / len(self.evidence)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def ask(path: Path, questions: Iterable[tuple[str, str, set[str]]], embedder: WordLlamaEmbedder) -> Iterator[Answer]:
    """Answers of (category, query, evidence), each with up to 50 results."""
    con = open_reader(path)
    for category, query, evidence in questions:
        start = time.perf_counter()
        results = recall(con, query, embedder=embedder, now=LATER, limit=50)
        took_ms = (time.perf_counter() - start) * 1000
        found = list(dict.fromkeys(event_id for result in results for event_id in result.event_ids))
        yield Answer(category, found, evidence, took_ms)
    con.close()


def locomo(folder: Path, scratch: Path, embedder: WordLlamaEmbedder) -> Iterator[Answer]:
    for events in sorted(folder.glob("*.events.jsonl")):
        path = scratch / f"{events.name}.db"
        build(path, [turn(seq, row) for seq, row in enumerate(lines(events))], embedder)
        questions = lines(events.with_name(events.name.replace("events", "questions")))
        yield from ask(path, ((q["category"], q["query"], set(q["evidence"])) for q in questions), embedder)


def turn(seq: int, row: dict[str, Any]) -> Message:
    return Message(
        event_id=row["id"],
        session=row["session"],
        role=row["role"],
        speaker=row.get("speaker"),
        content=row["content"],
        occurred_at=times.parse(row["at"]),
        seq=seq,
    )


def memdaily(file: Path, scratch: Path, embedder: WordLlamaEmbedder) -> Iterator[Answer]:
    for number, case in enumerate(lines(file)):
        path = scratch / f"case{number}.db"
        texts = [("own", str(m["id"]), m["content"]) for m in case["messages"]]
        texts += [("others", f"other{seq}", content) for seq, content in enumerate(case["distractors"])]
        messages = [
            Message(event_id=event_id, session=session, content=content, occurred_at=seq * times.MINUTE, seq=seq)
            for seq, (session, event_id, content) in enumerate(texts)
        ]
        build(path, messages, embedder)
        yield from ask(path, [("all", case["query"], {str(e) for e in case["evidence"]})], embedder)


def report(name: str, answers: list[Answer], ks: tuple[int, ...]) -> None:
    by_category = defaultdict(list)
    for answer in answers:
        by_category[answer.category].append(answer)
    print(f"{name}: {len(answers)} questions")
    for category, some in {"all": answers, **dict(sorted(by_category.items()))}.items():
        figures = "  ".join(f"R@{k} {np.mean([answer.recall_at(k) for answer in some]):.3f}" for k in ks)
        print(f"  {category:12} {figures}")
    p50, p95 = np.percentile([answer.took_ms for answer in answers], [50, 95])
    print(f"  took_ms      p50 {p50:.1f}  p95 {p95:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--locomo", type=Path)
    parser.add_argument("--memdaily", type=Path)
    options = parser.parse_args()
    embedder = WordLlamaEmbedder()
    embedder.embed(["warm up"])
    with TemporaryDirectory() as scratch:
        if options.locomo:
            report("LoCoMo", list(locomo(options.locomo, Path(scratch), embedder)), (5, 10, 25, 50))
        if options.memdaily:
            report("MemDaily", list(memdaily(options.memdaily, Path(scratch), embedder)), (3, 5, 10))


if __name__ == "__main__":
    main()
