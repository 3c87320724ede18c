"""The table of operations: the one list from which routes, decoding and documentation are made."""

from __future__ import annotations

from mnemolog.gateway.folding import Folded
from mnemolog.gateway.http import bodies, reading, writing
from mnemolog.gateway.http.operation import Operation
from mnemolog.gateway.http.problems import ID_REUSED, LOG_FULL
from mnemolog.gateway.memory.contexts import Context
from mnemolog.gateway.memory.facts import Facts, Link, Scenes
from mnemolog.gateway.memory.forgetting import Forgetting
from mnemolog.gateway.memory.searching import Recall

_OF_WRITES = (ID_REUSED, LOG_FULL)

_SPACES = (
    Operation(
        method="GET",
        path="spaces",
        name="spaces",
        summary="The spaces that the token is for and that have a folder here or a stream.",
        scope="read",
        run=reading.spaces,
        answer=reading.Spaces,
        query=bodies.SpacesWanted,
        of_space=False,
    ),
)

_PUBLISHING = (
    Operation(
        method="POST",
        path="events",
        name="publish",
        summary="Publish one message; it is acknowledged when the log has it.",
        scope="write",
        run=writing.publish,
        answer=writing.Accepted,
        query=bodies.Waiting,
        body=bodies.Event,
        more_problems=_OF_WRITES,
    ),
    Operation(
        method="POST",
        path="events/batch",
        name="publish_many",
        summary="Publish messages in order; all are checked before the first is sent.",
        scope="write",
        run=writing.publish_batch,
        answer=writing.AcceptedBatch,
        query=bodies.Waiting,
        body=bodies.Batch,
        more_problems=_OF_WRITES,
    ),
    Operation(
        method="POST",
        path="sessions/{session:path}/close",
        name="close_session",
        summary="Say that a session is over; what is said in it later is remembered all the same.",
        scope="write",
        run=writing.close_session,
        answer=writing.Accepted,
        query=bodies.Waiting,
        body=bodies.Closing,
        more_problems=_OF_WRITES,
    ),
)

_ASKING = (
    Operation(
        method="POST",
        path="recall",
        name="recall",
        summary="Search the memory; any text is a query, and nothing relevant is an answer.",
        scope="read",
        run=reading.recall,
        answer=Recall,
        query=bodies.Reading,
        body=bodies.Recalling,
        reads=True,
    ),
    Operation(
        method="POST",
        path="context",
        name="context",
        summary="What is known about a question, packed into a budget of tokens for a user's message of a prompt.",
        scope="read",
        run=reading.context,
        answer=Context,
        query=bodies.Reading,
        body=bodies.Contexting,
        reads=True,
    ),
    Operation(
        method="GET",
        path="facts",
        name="facts",
        summary="The facts that are live, or all that are known, in order of time.",
        scope="read",
        run=reading.facts,
        answer=Facts,
        query=bodies.FactsWanted,
        reads=True,
    ),
    Operation(
        method="GET",
        path="facts/{node}/history",
        name="history",
        summary="How a fact came about and what became of it: the chain that it stands in, with its evidence.",
        scope="read",
        run=reading.history,
        answer=tuple[Link, ...],
        query=bodies.Times,
        reads=True,
    ),
    Operation(
        method="GET",
        path="scenes",
        name="scenes",
        summary="The topics that have live facts, the largest first.",
        scope="read",
        run=reading.scenes,
        answer=Scenes,
        query=bodies.Paged,
        reads=True,
    ),
    Operation(
        method="GET",
        path="position",
        name="position",
        summary="How far the log is folded into the memory.",
        scope="read",
        run=reading.position,
        answer=reading.Position,
        query=bodies.Reading,
        reads=True,
    ),
)

_REQUESTS = (
    Operation(
        method="POST",
        path="remember",
        name="remember",
        summary="Have something remembered as it is said: believed fully, without a model.",
        scope="write",
        run=writing.remember,
        answer=Folded,
        query=bodies.Requesting,
        body=bodies.Stating,
        waits=True,
        more_problems=_OF_WRITES,
    ),
    Operation(
        method="POST",
        path="facts/{node}/correct",
        name="correct",
        summary="Say what is true instead of a fact that never was.",
        scope="write",
        run=writing.correct,
        answer=Folded,
        query=bodies.Requesting,
        body=bodies.Stating,
        waits=True,
        more_problems=_OF_WRITES,
    ),
    Operation(
        method="POST",
        path="facts/{node}/confirm",
        name="confirm",
        summary="Confirm a fact: it does not fade any more.",
        scope="write",
        run=writing.confirm,
        answer=Folded,
        query=bodies.Requesting,
        body=bodies.Named,
        waits=True,
        more_problems=_OF_WRITES,
    ),
    Operation(
        method="POST",
        path="facts/{node}/unpin",
        name="unpin",
        summary="Take a confirmation back: the fact fades again unless it is recalled.",
        scope="write",
        run=writing.unpin,
        answer=Folded,
        query=bodies.Requesting,
        body=bodies.Named,
        waits=True,
        more_problems=_OF_WRITES,
    ),
    Operation(
        method="POST",
        path="facts/{node}/unsupersede",
        name="unsupersede",
        summary="Say that a fact still holds beside those that took its place.",
        scope="write",
        run=writing.unsupersede,
        answer=Folded,
        query=bodies.Requesting,
        body=bodies.Named,
        waits=True,
        more_problems=_OF_WRITES,
    ),
    Operation(
        method="POST",
        path="forget",
        name="forget",
        summary="Retire facts, and hide what they were taken from; a preview, unless `preview` is false.",
        scope="write",
        run=writing.forget,
        answer=Forgetting,
        query=bodies.Requesting,
        body=bodies.Forgetting,
        waits=True,
        more_problems=_OF_WRITES,
    ),
)

OPERATIONS: tuple[Operation, ...] = (*_SPACES, *_PUBLISHING, *_ASKING, *_REQUESTS)
