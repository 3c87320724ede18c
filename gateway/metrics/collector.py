"""The collector: reads the spaces of a data folder and their streams whenever Prometheus asks."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import apsw
import msgspec
import redis
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from mnemolog.gateway.metrics import space_facts, stream_facts
from mnemolog.gateway.metrics.space_facts import BUCKETS_S, Folded, SpaceFacts
from mnemolog.gateway.metrics.stream_facts import StreamFacts
from mnemolog.schema.endpoint import log_client
from mnemolog.schema.errors import MnemologError
from mnemolog.schema.settings import Settings, spaces_in

log = logging.getLogger("mnemolog.metrics")

#: Spaces beyond so many, by name, are told together; no space can have this name.
MOST_SPACES = 100
OTHERS = "_others"


class Kind(msgspec.Struct, frozen=True):
    """A metric of spaces: what it says, its labels beside the space, and how the values of several spaces make one."""

    help: str
    labels: tuple[str, ...] = ()
    combine: Callable[[float, float], float] = float.__add__
    counts: bool = False


KINDS: dict[str, Kind] = {
    "lag_events": Kind("Events that are published and not folded yet, counted up to 10,000."),
    "lag_seconds": Kind("How long the oldest event that is not folded yet has waited.", combine=max),
    "writer_silent_seconds": Kind("Since when the writer has not renewed its lease; absent without one.", combine=max),
    "stream_entries": Kind("Entries in the stream."),
    "events": Kind("Events that are folded."),
    "nodes": Kind("Messages and facts in the file."),
    "facts": Kind("Facts in the file, superseded and faded ones too."),
    "jobs": Kind("Jobs by state.", ("kind", "state")),
    "job_outcomes_total": Kind("What came back for jobs.", ("kind", "result"), counts=True),
    "model_calls_total": Kind("Requests to models.", counts=True),
    "model_tokens_total": Kind("Tokens, as the models' servers counted them.", ("direction",), counts=True),
    "model_cost_usd_total": Kind("Cost in US dollars, by the prices that were set.", counts=True),
    "supersessions": Kind("Facts that another one has superseded."),
    "verdicts_held": Kind("Verdicts that wait for a person."),
    "refusals_total": Kind("What engines proposed and the fold refused.", ("reason",), counts=True),
    "dead_letters": Kind("Events that are parked because they cannot be folded."),
    "archive_bytes": Kind("Bytes of the archive."),
    "file_bytes": Kind("Bytes of the SQLite file and of what stands beside it."),
}

Value = tuple[str, tuple[str, ...], float]


class SpaceCollector(Collector):
    """Reads the spaces of a data folder; one scrape at a time. `redis_url` gives Redis' URL, None while none runs."""

    def __init__(
        self, settings: Settings, redis_url: Callable[[], str | None], *, most_spaces: int = MOST_SPACES
    ) -> None:
        self._settings = settings
        self._redis_url = redis_url
        self._most_spaces = most_spaces
        self._known: dict[str, Folded] = {}
        self._lock = threading.Lock()

    def collect(self) -> Iterator[Metric]:
        """All metrics of the spaces, and of the reading itself."""
        started = time.monotonic()
        with self._lock:
            spaces, unreadable = self._spaces()
            streams, memory = self._streams({space: facts.folded for space, facts in spaces.items()})
        yield from families(self._values(spaces, streams))
        yield durations(facts.folded for facts in spaces.values())
        yield GaugeMetricFamily("mnemolog_spaces", "Spaces in the data folder.", len(spaces) + unreadable)
        yield GaugeMetricFamily("mnemolog_spaces_unreadable", "Spaces whose file cannot be read.", unreadable)
        yield GaugeMetricFamily("mnemolog_redis_up", "Whether Redis answers.", int(streams is not None))
        if memory is not None:
            yield GaugeMetricFamily("mnemolog_redis_memory_bytes", "Memory that Redis uses.", memory.used)
            yield GaugeMetricFamily("mnemolog_redis_memory_limit_bytes", "Its bound; 0 for none.", memory.most)
        took_s = time.monotonic() - started
        yield GaugeMetricFamily("mnemolog_scrape_seconds", "How long reading all this took.", took_s)

    def _spaces(self) -> tuple[dict[str, SpaceFacts], int]:
        found: dict[str, SpaceFacts] = {}
        unreadable = 0
        for space in spaces_in(self._settings.data):
            try:
                found[space] = space_facts.read(self._settings.of_space(space), self._known.get(space))
            except (apsw.Error, OSError) as error:
                unreadable += 1
                log.debug("space %s cannot be read: %s", space, error, extra={"space": space})
        self._known = {space: facts.folded for space, facts in found.items()}
        return found, unreadable

    def _streams(
        self, folded: Mapping[str, Folded]
    ) -> tuple[dict[str, StreamFacts] | None, stream_facts.RedisMemory | None]:
        """The streams and Redis' memory; None where Redis does not answer."""
        try:
            url = self._redis_url()
            if url is None:
                return None, None
            with log_client(url) as client:
                positions = {space: one.position for space, one in folded.items()}
                return stream_facts.read(client, positions), stream_facts.memory(client)
        except (MnemologError, redis.RedisError) as error:
            log.debug("Redis cannot be asked: %s", error)
            return None, None

    def _values(self, spaces: Mapping[str, SpaceFacts], streams: Mapping[str, StreamFacts] | None) -> Iterator[Value]:
        labelled = set(sorted(spaces)[: self._most_spaces])
        for space, facts in spaces.items():
            label = space if space in labelled else OTHERS
            for name, labels, value in values_of(facts, (streams or {}).get(space)):
                yield name, (label, *labels), value


def values_of(facts: SpaceFacts, stream: StreamFacts | None) -> Iterator[Value]:
    """(metric, labels beside the space, value) of a space."""
    folded = facts.folded
    plain: dict[str, float] = {
        "events": folded.rows.get("events", 0),
        "nodes": folded.rows.get("nodes", 0),
        "facts": folded.rows.get("cells", 0),
        "model_calls_total": folded.calls,
        "model_cost_usd_total": folded.cost_usd,
        "supersessions": folded.supersessions,
        "verdicts_held": folded.verdicts_held,
        "dead_letters": folded.dead_letters,
        "archive_bytes": facts.archive_bytes,
        "file_bytes": facts.file_bytes,
    }
    if facts.silent_s is not None:
        plain["writer_silent_seconds"] = facts.silent_s
    if stream is not None:
        plain |= {"stream_entries": stream.entries, "lag_events": stream.lag_events, "lag_seconds": stream.lag_s}
    yield from ((name, (), value) for name, value in plain.items())
    yield "model_tokens_total", ("in",), folded.tokens_in
    yield "model_tokens_total", ("out",), folded.tokens_out
    yield from (("jobs", key, count) for key, count in folded.jobs.items())
    yield from (("job_outcomes_total", (one.kind, one.result), one.count) for one in folded.outcomes)
    yield from (("refusals_total", (reason,), count) for reason, count in folded.refusals.items())


def families(values: Iterable[Value]) -> Iterator[Metric]:
    """The metrics of spaces; what has the same labels is combined."""
    combined: dict[str, dict[tuple[str, ...], float]] = {name: {} for name in KINDS}
    for name, labels, value in values:
        known = combined[name]
        known[labels] = KINDS[name].combine(known[labels], float(value)) if labels in known else float(value)
    for name, kind in KINDS.items():
        family = CounterMetricFamily if kind.counts else GaugeMetricFamily
        metric = family(f"mnemolog_{name}", kind.help, labels=("space", *kind.labels))
        for labels, value in sorted(combined[name].items()):
            metric.add_metric(labels, value)
        yield metric


def durations(spaces: Iterable[Folded]) -> Metric:
    """How long the jobs of each kind took that came to a conclusion, of all spaces together."""
    counts: dict[str, list[float]] = {}
    for one in (one for folded in spaces for one in folded.outcomes if one.result == "done"):
        known = counts.setdefault(one.kind, [0.0] * (len(BUCKETS_S) + 2))
        for place, value in enumerate((*one.under, one.count, one.took_s)):
            known[place] += value
    told = "How long engines took for jobs that they did, by the log."
    metric = HistogramMetricFamily("mnemolog_job_seconds", told, labels=["kind"])
    for kind, known in sorted(counts.items()):
        metric.add_metric([kind], buckets=_buckets(known[:-1]), sum_value=known[-1])
    return metric


def _buckets(counts: Sequence[float]) -> list[tuple[str, float]]:
    bounds = [*(str(bound) for bound in BUCKETS_S), "+Inf"]
    return list(zip(bounds, counts, strict=True))
