"""How much of the evidence of known questions a context holds, against filling the same budget with recalled messages.

A folder with N.events.jsonl, N.questions.jsonl and, for --observations, N.observations.jsonl, one conversation each.
Evidence counts as held when its message is told, or a fact that is told was taken from it; since a long message may be
told in part, the share of the answer's words that stand in the text is given as well. The other way takes the
first messages of recall, whole and in the same layout, for as long as there is room.

Spaces are built as the writer leaves them; with --imported the installed command makes them, its rules or a stand-in
for a model included, so that there are scenes and verdicts too.

usage: context_share.py DIR [--observations] [--imported] [--budget N] [--json]
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import apsw
import msgspec
import numpy as np
from drained import drain, model, write
from observations import Conversation, Observer, conversations
from recall_quality import turn
from spaces import Fact, build
from workbench import Workbench, workbench

from mnemolog.projections.connection import open_reader, read_transaction
from mnemolog.projections.context import DEFAULT_BUDGET, context
from mnemolog.projections.indexes.analysis import query_terms, terms
from mnemolog.projections.indexes.embedder import Embedder, WordLlamaEmbedder
from mnemolog.projections.lines.packing import pack
from mnemolog.projections.lines.rendering import Line, assemble, tell
from mnemolog.projections.recall import recall
from mnemolog.schema.times import DAY, parse
from mnemolog.workers.rules.scenes import scene_of

TOP = 60


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a question: shares of its evidence, and what the context has."""

    category: str
    held: float
    by_recall: float
    answer: float | None
    answer_by_recall: float | None
    tokens: int
    facts: int
    scenes: int
    messages: int
    cut: int
    took_ms: float


def ask(path: Path, conversation: Conversation, budget: int, embedder: Embedder) -> Iterator[Asked]:
    connection = open_reader(path)
    now = max(parse(event["at"]) for event in conversation.events) + DAY
    for row in conversation.questions:
        evidence = set(row["evidence"])
        start = time.perf_counter()
        found = context(connection, row["query"], embedder=embedder, now=now, budget=budget)
        took_ms = (time.perf_counter() - start) * 1000
        filled, text = recalled(connection, row["query"], now, budget, embedder)
        yield Asked(
            category=str(row["category"]),
            held=len(evidence & set(found.event_ids)) / len(evidence),
            by_recall=len(evidence & filled) / len(evidence),
            answer=answered(row.get("answer", ""), found.text),
            answer_by_recall=answered(row.get("answer", ""), text),
            tokens=found.tokens,
            facts=len(found.facts),
            scenes=len(found.scenes),
            messages=len(found.messages),
            cut=sum(line.end is not None for line in found.lines),
            took_ms=took_ms,
        )
    connection.close()


def recalled(
    connection: apsw.Connection, query: str, now: int, budget: int, embedder: Embedder
) -> tuple[set[str], str]:
    results = recall(connection, query, embedder=embedder, now=now, limit=TOP, types=("episodic",))
    with read_transaction(connection):
        told = [tell(connection, Line("message", result.node_id), now) for result in results]
        chosen = pack([[one] for one in told if one], now, budget)
    ids = {one.line.id for one in chosen}
    return {result.event_ids[0] for result in results if result.node_id in ids}, assemble(chosen, now)


def answered(answer: object, text: str) -> float | None:
    """The share of the answer's words that a text has; None when the answer has none of its own."""
    words = set(query_terms(str(answer)).terms)
    return len(words & set(terms(text))) / len(words) if words else None


def built(conversation: Conversation, folder: Path, embedder: Embedder, *, observed: bool) -> Path:
    path = folder / f"{conversation.name}.db"
    messages = [turn(seq, row) for seq, row in enumerate(conversation.events)]
    facts = [
        Fact(
            content=row["content"],
            subject=row["speaker"],
            scene=scene_of("", "", row["content"], row["speaker"], ()),
            evidence=tuple(row["evidence"]),
        )
        for row in conversation.observations
    ]
    build(path, messages, embedder, facts if observed else ())
    return path


def imported(bench: Workbench, conversation: Conversation, *, observed: bool) -> Path:
    file = write(bench.folder / f"{conversation.name}.jsonl", conversation.lines(one_session=False))
    if not observed:
        return drain(bench, conversation.name, file).file
    with model(Observer(conversation)) as (_, env):
        return drain(bench, conversation.name, file, env).file


@contextmanager
def spaces(options: argparse.Namespace, embedder: Embedder) -> Iterator[Iterator[tuple[Path, Conversation]]]:
    found = conversations(options.folder, [])
    if options.imported:
        with workbench() as bench:
            yield ((imported(bench, one, observed=options.observations), one) for one in found)
        return
    with TemporaryDirectory() as folder:
        yield ((built(one, Path(folder), embedder, observed=options.observations), one) for one in found)


def summary(asked: list[Asked]) -> dict[str, float]:
    columns = {name: [getattr(one, name) for one in asked] for name in Asked.__struct_fields__[1:]}
    mean = {name: float(np.mean([value for value in some if value is not None])) for name, some in columns.items()}
    p50, p95 = map(float, np.percentile([one.took_ms for one in asked], [50, 95]))
    del mean["took_ms"]
    return {
        "questions": len(asked),
        **mean,
        "most_tokens": max(one.tokens for one in asked),
        "p50_ms": p50,
        "p95_ms": p95,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--observations", action="store_true", help="with the facts that a model found")
    parser.add_argument("--imported", action="store_true", help="made by the installed command")
    parser.add_argument("--budget", type=int, default=DEFAULT_BUDGET)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    embedder = WordLlamaEmbedder()
    embedder.embed(["warm up"])
    with spaces(options, embedder) as made:
        asked = [one for path, conversation in made for one in ask(path, conversation, options.budget, embedder)]
    by_category = defaultdict(list)
    for one in asked:
        by_category[one.category].append(one)
    figures = {name: summary(some) for name, some in {"all": asked, **dict(sorted(by_category.items()))}.items()}
    if options.json:
        print(msgspec.json.encode(figures).decode())
        return
    for name, row in figures.items():
        print(f"{name:12}", "  ".join(f"{key} {value:.3g}" for key, value in row.items()))


if __name__ == "__main__":
    main()
