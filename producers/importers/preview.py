"""What an import would publish, told without publishing it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec

from mnemolog.producers.importer import ImportEvent, Source
from mnemolog.producers.importers.export_file import ExportFile
from mnemolog.schema.events import MessagePublished
from mnemolog.schema.requests import FactRemembered

#: How many messages are shown.
SHOWN = 5

Known = Callable[[str], bytes | None]


class Sample(msgspec.Struct, frozen=True):
    """A message as a dry run shows it."""

    session: str
    role: str
    speaker: str | None
    occurred_at: int | None
    content: str


class Preview(msgspec.Struct, frozen=True):
    """What an import would publish; `there` of the messages are there already. Times are UTC milliseconds."""

    format: str
    messages: int
    there: int
    sessions: int
    by_role: dict[str, int]
    first_at: int | None
    last_at: int | None
    skipped: dict[str, int]
    problems: tuple[str, ...]
    samples: tuple[Sample, ...]


def preview(source: Source, form: str, known: Known) -> Preview:
    """Reads a checked file again for what it would publish. `known` is the digest that an event id is folded with."""
    there, roles = 0, Counter[str]()
    samples: list[Sample] = []
    times: list[int] = []
    for event in source.events():
        sample = _sample(event)
        there += known(event.event_id) is not None
        roles[sample.role] += 1
        samples += [sample] if len(samples) < SHOWN else []
        if sample.occurred_at is not None:
            times = [min([*times[:1], sample.occurred_at]), max([*times[1:], sample.occurred_at])]
    problems = tuple(f"{source.what} {number}: {reason}" for number, reason in source.findings.problems)
    return Preview(
        *(form, source.findings.good, there, len(source.findings.sessions), dict(sorted(roles.items()))),
        *(times[0] if times else None, times[-1] if times else None, skipped_of(source), problems, tuple(samples)),
    )


def _sample(event: ImportEvent) -> Sample:
    match event.payload:
        case MessagePublished(session=session, role=role, speaker=speaker, occurred_at=at, content=content):
            return Sample(session, role, speaker, at, content)
        case FactRemembered(speaker=speaker, occurred_at=at, text=text):
            return Sample("", "statement", speaker, at, text)
    raise TypeError(type(event.payload))


def skipped_of(source: Source) -> dict[str, int]:
    """What of a file is passed over, by reason, the commonest first."""
    return dict(source.skipped.most_common()) if isinstance(source, ExportFile) else {}
