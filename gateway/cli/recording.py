"""Recalls through the command line leave a trace, so that what is used does not fade."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from mnemolog.gateway.cli.context import Context, now_ms
from mnemolog.producers.recalls import FIRST_RESULTS, RecallRecorder
from mnemolog.projections.recall import Result

#: A time asked about that is this near to the clock is now.
NOW_MS = 60_000


@contextmanager
def recording(context: Context, at: int, *, wanted: bool) -> Iterator[Callable[[Sequence[str]], None]]:
    """A function that notes the facts that were recalled; it does nothing when another time than now was asked about.

    No Redis is started for it: where none runs, there is no trace. Ends within a second.
    """
    if not wanted or abs(at - now_ms()) >= NOW_MS:
        yield lambda _: None
        return
    with RecallRecorder(context.settings.space, context.running_redis) as recorder:
        yield recorder.record


def counted(results: Sequence[Result]) -> list[str]:
    """The facts among the first results of a recall; what only stands in for an empty answer does not count."""
    return [found.node_id for found in results[:FIRST_RESULTS] if found.type != "episodic" and not found.fallback]
