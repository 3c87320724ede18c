"""How much of the evidence of known questions recall finds, how long it takes, and what each of its parts is worth.

A folder with N.events.jsonl, N.questions.jsonl and, for --observations, N.observations.jsonl, one conversation each
(LoCoMo), or with a folder `locomo` of them; --memdaily is a file with one case a line. --ablate leaves out one arm of
the ranking at a time, chooses the weights anew without the conversation that they are measured on, and asks each space
the questions of the next one, to which it has no answer.

usage: recall_quality.py DIR [--observations] [--ablate] [--memdaily FILE] [--json]
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest import mock

import msgspec
import numpy as np
from reweighting import Weighed, left_out
from spaces import Fact, Message, build

from mnemolog.projections.connection import open_reader
from mnemolog.projections.indexes.embedder import WordLlamaEmbedder
from mnemolog.projections.recall import MIN_SCORE, recall
from mnemolog.projections.search import near_words, ranking
from mnemolog.schema import times
from mnemolog.workers.rules.scenes import scene_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mnemolog.projections.indexes.embedder import Embedder
    from mnemolog.projections.recall import Result

LATER = times.MAX_MS
LIMIT = 50
KS = (5, 10, 50)
#: Facts have not faded by then.
SOON_AFTER = 30 * times.DAY

Question = tuple[str, str, set[str]]


class Answer(msgspec.Struct, frozen=True):
    """What one question got: the distinct event ids in order, those that hold its answer, and the time it took."""

    category: str
    found: list[str]
    evidence: set[str]
    took_ms: float

    def recall_at(self, k: int) -> float:
        return len(self.evidence & set(self.found[:k])) / len(self.evidence)


class Conversation(msgspec.Struct, frozen=True):
    """A space and what is asked of it."""

    name: str
    path: Path
    questions: list[Question]
    now: int


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def ask(path: Path, questions: Iterable[Question], embedder: Embedder, now: int = LATER) -> Iterator[Answer]:
    """Answers of (category, query, evidence), each with up to 50 results."""
    con = open_reader(path)
    for category, query, evidence in questions:
        start = time.perf_counter()
        results = recall(con, query, embedder=embedder, now=now, limit=LIMIT)
        took_ms = (time.perf_counter() - start) * 1000
        yield Answer(category, cited(results), evidence, took_ms)
    con.close()


def cited(results: Iterable[Result]) -> list[str]:
    return list(dict.fromkeys(event_id for result in results for event_id in result.event_ids))


def conversations(folder: Path, scratch: Path, embedder: Embedder, *, observations: bool) -> list[Conversation]:
    found = []
    for events in sorted(folder.glob("*.events.jsonl")):
        name = events.name.partition(".")[0]
        messages = [turn(seq, row) for seq, row in enumerate(lines(events))]
        seen = lines(folder / f"{name}.observations.jsonl") if observations else []
        path = scratch / f"{name}.db"
        build(path, messages, embedder, [fact(row) for row in seen if "content" in row])
        asked = lines(folder / f"{name}.questions.jsonl")
        questions = [(str(row["category"]), row["query"], set(row["evidence"])) for row in asked]
        found.append(Conversation(name, path, questions, max(m.occurred_at for m in messages) + SOON_AFTER))
    return found


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


def fact(row: dict[str, Any]) -> Fact:
    scene = scene_of("", "", row["content"], row["speaker"], ())
    return Fact(content=row["content"], subject=row["speaker"], scene=scene, evidence=tuple(row["evidence"]))


def memdaily(file: Path, scratch: Path, embedder: Embedder) -> Iterator[Answer]:
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


def everything(asked: Iterable[Conversation], embedder: Embedder) -> list[Answer]:
    return [answer for one in asked for answer in ask(one.path, one.questions, embedder, one.now)]


def figures(answers: list[Answer], ks: tuple[int, ...] = KS) -> dict[str, Any]:
    """Shares of the evidence among the first k, of all and by category, and milliseconds."""
    by_category = defaultdict(list)
    for answer in answers:
        by_category[answer.category].append(answer)
    took = np.percentile([answer.took_ms for answer in answers], [50, 95])
    return {
        "questions": len(answers),
        "recall": {
            name: {f"R@{k}": round(float(np.mean([answer.recall_at(k) for answer in some])), 4) for k in ks}
            for name, some in {"all": answers, **dict(sorted(by_category.items()))}.items()
        },
        "took_ms": {"p50": round(float(took[0]), 1), "p95": round(float(took[1]), 1)},
    }


@contextmanager
def without(part: str) -> Iterator[None]:
    """Ranking without one of its parts."""
    if part == "near words":
        patched = mock.patch.object(near_words, "_WEIGHT", 0.0)
    else:
        patched = mock.patch.dict(ranking.WEIGHTS, {part: 0.0})
    with patched:
        yield


def ablated(asked: list[Conversation], embedder: Embedder) -> dict[str, Any]:
    """What is found without each part."""
    made = {}
    for part in [*(name for name, weight in ranking.WEIGHTS.items() if weight), "near words"]:
        with without(part):
            made[part] = figures(everything(asked, embedder))["recall"]
    return made


def refused(asked: list[Conversation], embedder: Embedder) -> dict[str, float]:
    """Shares of empty answers, to the questions of a space's own and to those of the next one."""
    empty: dict[str, list[bool]] = {"own": [], "other": []}
    for place, one in enumerate(asked):
        con = open_reader(one.path)
        for name, source in (("own", one), ("other", asked[(place + 1) % len(asked)])):
            for _, query, _ in source.questions:
                empty[name].append(not recall(con, query, embedder=embedder, now=one.now, limit=1))
        con.close()
    return {name: round(float(np.mean(some)), 4) for name, some in empty.items()}


def weighed(asked: list[Conversation], embedder: Embedder) -> dict[str, list[Weighed]]:
    """For each conversation what the arms said of all that its questions found."""
    made: dict[str, list[Weighed]] = {}
    for one in asked:
        con = open_reader(one.path)
        made[one.name] = [
            Weighed.of(recall(con, query, embedder=embedder, now=one.now, limit=400), evidence)
            for _, query, evidence in one.questions
        ]
        con.close()
    return made


def show(name: str, recalled: dict[str, dict[str, float]], *, by_category: bool = True) -> None:
    for category, shares in recalled.items():
        if category == "all" or by_category:
            told = "  ".join(f"{k} {share:.3f}" for k, share in shares.items())
            print(f"  {name if category == 'all' else category:14} {told}")


def measure(options: argparse.Namespace, scratch: Path, embedder: Embedder) -> dict[str, Any]:
    folder = options.folder / "locomo" if (options.folder / "locomo").is_dir() else options.folder
    asked = conversations(folder, scratch, embedder, observations=options.observations)
    found: dict[str, Any] = {"all arms": figures(everything(asked, embedder))}
    if options.ablate:
        found["without"] = ablated(asked, embedder)
        found["left out"] = left_out(weighed(asked, embedder), KS)
        found["empty"] = {"min_score": MIN_SCORE, **refused(asked, embedder)}
    if options.memdaily:
        found["memdaily"] = figures(list(memdaily(options.memdaily, scratch, embedder)), (3, 5, 10))
    return found


def report(found: dict[str, Any]) -> None:
    for name in [name for name in ("all arms", "memdaily") if name in found]:
        figure = found[name]
        print(f"{name}: {figure['questions']} questions")
        show("all", figure["recall"])
        print(f"  took_ms        p50 {figure['took_ms']['p50']}  p95 {figure['took_ms']['p95']}")
    if "without" in found:
        print("without one part:")
        for part, recalled in found["without"].items():
            show(part, recalled, by_category=False)
        print("weights chosen without the conversation that they are measured on:")
        for name, shares in found["left out"].items():
            show(name, {"all": shares})
        own, other = found["empty"]["own"], found["empty"]["other"]
        print(f"empty answers: {other:.1%} of questions about another conversation, {own:.1%} of its own")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--observations", action="store_true", help="with the observations as facts")
    parser.add_argument("--ablate", action="store_true", help="what each part of the ranking is worth")
    parser.add_argument("--memdaily", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    embedder = WordLlamaEmbedder()
    embedder.embed(["warm up"])
    with TemporaryDirectory() as scratch:
        found = measure(options, Path(scratch), embedder)
    if options.json:
        print(json.dumps(found))
    else:
        report(found)


if __name__ == "__main__":
    main()
