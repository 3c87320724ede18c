"""History: the chain of supersession that a fact stands in, with times, evidence and verdicts."""

from __future__ import annotations

import apsw
import msgspec

from mnemolog.projections.facts import Fact, cell_of, facts
from mnemolog.schema.ids import episode_id


class Quotation(msgspec.Struct, frozen=True):
    """A piece of evidence: the quote, and the message that it stands in."""

    event_id: str
    quote: str
    content: str
    speaker: str | None
    occurred_at: int


class PairVerdict(msgspec.Struct, frozen=True):
    """What was judged of two facts, by whom, and whether it is in force."""

    other: str
    ruling: str
    kind: str
    judge: str
    state: str

    @property
    def is_link(self) -> bool:
        """Whether it ties the two into one history."""
        return self.state == "in_force" and self.ruling in ("same", "supersedes")


class Link(msgspec.Struct, frozen=True):
    """One fact of a chain with its evidence and its verdicts on the others."""

    fact: Fact
    evidence: tuple[Quotation, ...]
    verdicts: tuple[PairVerdict, ...]


_VERDICTS = """
SELECT high, ruling, kind, judge, state FROM verdicts WHERE low = ?1
UNION ALL SELECT low, ruling, kind, judge, state FROM verdicts WHERE high = ?1 ORDER BY 1
"""


def history(connection: apsw.Connection, node_id: str, at: int, *, until: int | None = None) -> list[Link]:
    """The facts that verdicts in force of `same` or `supersedes` tie to a fact, itself included, oldest first.

    With `until` (UTC milliseconds) those alone that had begun by then, with what had been said by then. Empty when
    there is no such fact. The caller spans it with a read transaction.
    """
    chain: dict[str, tuple[PairVerdict, ...]] = {}
    waiting = [node_id]
    while waiting:
        current = waiting.pop()
        if current not in chain:
            chain[current] = tuple(PairVerdict(*row) for row in connection.execute(_VERDICTS, (current,)))
            waiting += [verdict.other for verdict in chain[current] if verdict.is_link]
    links = [
        Link(fact, evidence(connection, fact.node_id), chain[fact.node_id])
        for fact in facts(connection, at, everything=True, node_ids=chain)
    ]
    return links if until is None else [_by_then(link, until) for link in links if link.fact.valid_from <= until]


def _by_then(link: Link, until: int) -> Link:
    said = tuple(quotation for quotation in link.evidence if quotation.occurred_at <= until)
    return msgspec.structs.replace(link, evidence=said)


def evidence(connection: apsw.Connection, node_id: str) -> tuple[Quotation, ...]:
    """What a fact was taken from, in order of time."""
    quoted = [_quotation(connection, said.event_id, said.quote) for said in cell_of(connection, node_id).evidence]
    return tuple(sorted(quoted, key=lambda one: (one.occurred_at, one.event_id)))


def _quotation(connection: apsw.Connection, event_id: str, quote: str) -> Quotation:
    content, speaker, occurred_at = connection.execute(
        "SELECT content, speaker, occurred_at FROM nodes WHERE node_id = ?", (episode_id(event_id),)
    ).get
    return Quotation(event_id, quote, content, speaker, occurred_at)
