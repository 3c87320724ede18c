"""The lines in which people are told how a space stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from msgspec import UNSET

from mnemolog.gateway.cli.telling import counted, short
from mnemolog.gateway.memory.standing import Status
from mnemolog.projections.checkup.checkup import sized

_SURVIVES = {
    "power": "survives a power cut",
    "process": "survives the death of any process; a power cut may cost the last second",
    "nothing": "survives nothing: Redis keeps no append-only file",
    "unknown": "what it survives is unknown: Redis does not say",
}


def lines_of(status: Status) -> Iterator[str]:
    """How a space stands, a line for each question that there is about it."""
    for title, lines in (
        ("space", [f"{status.space}, folded up to {status.position}"]),
        ("lag", [_lag(status)]),
        ("writer", [_writer(status)]),
        ("Redis", [short(status.log.redis)]),
        ("acknowledged", [_SURVIVES.get(status.durability, status.durability)]),
        ("holds", _held(status)),
        ("jobs", _jobs(status)),
        ("for you", _waiting(status)),
        ("spent", _spent(status)),
        ("log", _log(status)),
        ("erasing", _erasing(status)),
    ):
        yield from _under(title, lines)


def _under(title: str, lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f"{'' if number else title:13} {line}"


def _lag(status: Status) -> str:
    if status.lag_events is None:
        return "unknown: Redis does not say"
    return f"{counted(status.lag_events, 'event')} published and not folded yet" if status.lag_events else "none"


def _writer(status: Status) -> str:
    writer = status.writer
    if writer is UNSET or writer.renewed_s_ago is None:
        return "none: `mnemolog up` runs one"
    return f"process {writer.pid} on {short(writer.host)}, which said so {writer.renewed_s_ago} s ago"


def _held(status: Status) -> Iterator[str]:
    if status.events is UNSET or status.vectors is UNSET:
        yield "nothing yet"
        return
    facts = sum(count for kind, count in status.nodes.items() if kind != "episodic")
    messages = counted(status.nodes.get("episodic", 0), "message")
    yield f"{messages} in {counted(status.sessions or 0, 'session')}, {counted(facts, 'fact')}, past ones included"
    vectors = status.vectors
    missing = f", {vectors.missing:,} not yet" if vectors.missing else ""
    yield f"{counted(vectors.indexed, 'vector')} of {vectors.dimension} dimensions by {short(vectors.model)}{missing}"
    if status.unknown_language:
        yield f"{counted(status.unknown_language, 'message')} of a language that the rules do not know"
    yield f"{sized(status.file_bytes)} on disk; hash {status.hash}"


def _jobs(status: Status) -> Iterator[str]:
    if status.jobs is UNSET:
        return
    yield ", ".join(f"{count:,} {state}" for state, count in status.jobs.items())
    if status.last_failure:
        yield f"the last one failed because: {short(status.last_failure)} (`mnemolog jobs list`)"
    for why, count in Counter(status.jobs_waiting.values()).items():
        yield f"{count:,} of those due {'waits' if count == 1 else 'wait'}: {short(why)}"


def _waiting(status: Status) -> Iterator[str]:
    if status.requests_pending:
        yield f"{counted(status.requests_pending, 'request')} made in talk: `mnemolog requests list`"
    if status.dead_letters:
        yield f"{counted(status.dead_letters, 'dead letter')}: `mnemolog dead-letters list`"


def _spent(status: Status) -> Iterator[str]:
    if status.spent_by_day is UNSET:
        return
    for day, spent in status.spent_by_day.items():
        if spent.calls:
            tokens = f"{spent.tokens_in:,} + {spent.tokens_out:,} tokens"
            yield f"{day}: {counted(spent.calls, 'call')}, {tokens}, ${spent.cost_usd:.4f}"


def _log(status: Status) -> Iterator[str]:
    archive, stream = status.log.archive, status.log.stream
    yield f"{counted(archive.entries, 'event')} in the archive, {sized(archive.bytes)}"
    if stream is not None:
        memory = "" if stream.memory_bytes is None else f", {sized(stream.memory_bytes)}"
        yield f"{counted(stream.entries, 'event')} in Redis{memory}"


def _erasing(status: Status) -> Iterator[str]:
    if status.erasing is UNSET:
        return
    if status.erasing.under_way is not None:
        yield f"under way since {status.erasing.under_way.begun_at}; `mnemolog erase --resume` without a writer"
    if status.erasing.cleaning_due is not None:
        yield f"Redis is cleaned once more at {status.erasing.cleaning_due}"
