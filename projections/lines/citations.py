"""Citations: the short ids by which an answer names its nodes, and the nodes that they stand for."""

from __future__ import annotations

import re
from collections.abc import Iterable

import apsw

from mnemolog.schema.errors import InvalidInput

#: The shortest citation: a longer one only where another node of the file begins alike.
LEAST_CHARS = 4
#: How the ids of messages and of facts begin.
KINDS = ("ep-", "ce-")
_SHORT = re.compile(r"(?P<kind>ep-|ce-)?(?P<digits>[0-9a-f]{1,20})")
_SHOWN = 5
# Node ids hold letters, digits and dashes, which come before the tilde.
_BEGINNING = (
    f"SELECT node_id FROM nodes WHERE node_id >= ?1 AND node_id < ?1 || '~' ORDER BY node_id LIMIT {_SHOWN + 1}"
)


class UnknownCitation(InvalidInput):
    """No node of this memory has an id that begins so."""

    def __init__(self, short: str) -> None:
        self.short = short
        super().__init__(
            f"nothing here has the id {short[:100]!r}: `mnemolog facts --all` and `mnemolog recall --json` show ids"
        )


class AmbiguousCitation(InvalidInput):
    """Several nodes have ids that begin so; `node_ids` are the first of them."""

    def __init__(self, short: str, node_ids: tuple[str, ...]) -> None:
        self.short = short
        self.node_ids = node_ids
        more = ", …" if len(node_ids) >= _SHOWN else ""
        super().__init__(f"{short!r} begins the ids of several nodes, give more of it: {', '.join(node_ids)}{more}")


def short_id(connection: apsw.Connection, node_id: str) -> str:
    """The first digits of a node's id, without its kind, as many as no other node in the file begins with."""
    kind, digits = node_id[:3], node_id[3:]
    if kind not in KINDS:
        return node_id
    for length in range(LEAST_CHARS, len(digits)):
        if len(_beginning(connection, digits[:length])) == 1:
            return digits[:length]
    return digits


def resolve(connection: apsw.Connection, short: str, kinds: tuple[str, ...] = KINDS) -> str:
    """The id of the one node of some kinds that a citation names: a short id, a node id, or the beginning of one.

    Brackets around it, spaces and case do not matter. Raises UnknownCitation when there is none, and AmbiguousCitation
    when there are several, as when the file has grown since an answer cited it.
    """
    wanted = short.strip().removeprefix("[").removesuffix("]").strip().casefold()
    parts = _SHORT.fullmatch(wanted)
    if parts is None:
        raise UnknownCitation(short)
    found = _beginning(connection, parts["digits"], [kind for kind in kinds if parts["kind"] in (None, kind)])
    if not found:
        raise UnknownCitation(short)
    if len(found) > 1:
        raise AmbiguousCitation(wanted, tuple(found[:_SHOWN]))
    return found[0]


def _beginning(connection: apsw.Connection, digits: str, kinds: Iterable[str] = KINDS) -> list[str]:
    """Nodes whose ids begin so, of every kind, not all when there are many."""
    return [str(node_id) for kind in kinds for (node_id,) in connection.execute(_BEGINNING, (kind + digits,))]
