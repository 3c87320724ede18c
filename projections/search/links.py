"""What stands behind the best hits: causes and effects of what a "why" asks about, what else is known of who is named.

A hit is a fact, or a message that facts were taken from. Facts are tied by causal edges, and by entities that both
name; what is found so need not share a word with the question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from mnemolog.projections.connection import number_array

if TYPE_CHECKING:
    from collections.abc import Mapping

    import apsw

    from mnemolog.projections.search.candidates import Wanted
    from mnemolog.projections.search.questions import Question

#: From how many of the best hits edges are followed, and how many nodes are taken at most.
HITS = 5
MOST = 20
#: An entity that more facts name than this says little about any of them.
COMMON = 40

_START = """
    WITH hit AS (SELECT number, node_id FROM nodes WHERE number IN carray(:numbers)),
    start AS (
        SELECT number, node_id FROM hit
        UNION SELECT h.number, e.source FROM hit h JOIN edges e ON e.target = h.node_id AND e.kind = 'derived_from'
    )
"""
_CAUSAL = f"""{_START}
    SELECT s.number, n.number FROM start s JOIN edges e ON e.kind = 'causal' AND e.source = s.node_id
        JOIN nodes n ON n.node_id = e.target WHERE {{wanted}}
    UNION SELECT s.number, n.number FROM start s JOIN edges e ON e.target = s.node_id AND e.kind = 'causal'
        JOIN nodes n ON n.node_id = e.source WHERE {{wanted}}
"""
_ENTITY = f"""{_START}
    SELECT DISTINCT s.number, n.number FROM start s JOIN edges e ON e.kind = 'entity' AND e.source = s.node_id
        JOIN edges o ON o.target = e.target AND o.kind = 'entity' AND o.source != s.node_id
        JOIN nodes n ON n.node_id = o.source
    WHERE {{wanted}} AND (SELECT count(*) FROM edges a WHERE a.target = e.target AND a.kind = 'entity') <= {COMMON}
"""


class Linked(msgspec.Struct, frozen=True):
    """A node that an edge leads to, and how good the best hit is that it leads from."""

    number: int
    strength: float


def linked(con: apsw.Connection, question: Question, hits: Mapping[int, float], wanted: Wanted) -> list[Linked]:
    """The nodes that edges lead to from hits (number: score), strongest first; those that are hits are left out."""
    statements = [sql for asked, sql in ((question.is_why, _CAUSAL), (question.is_who, _ENTITY)) if asked]
    found: dict[int, float] = {}
    for sql in statements if hits else ():
        bindings = {"numbers": number_array(list(hits)), **wanted.bindings()}
        for source, number in con.execute(sql.format(wanted=wanted.condition), bindings):
            found[number] = max(found.get(number, 0.0), hits[source])
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [Linked(number, strength) for number, strength in ordered if number not in hits][:MOST]
