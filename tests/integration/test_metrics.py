"""Metrics: what Prometheus is told of the spaces of a data folder, and of what doors did."""

from __future__ import annotations

import signal
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis as redis_py
from acceptance.memory import STORY, Memory
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from support.folding import Memory as File

from mnemolog.gateway.metrics import space_facts
from mnemolog.gateway.metrics.collector import OTHERS, SpaceCollector
from mnemolog.gateway.metrics.doors import UNROUTED, DoorMetrics, Measured
from mnemolog.gateway.metrics.exposition import metrics_route, registry_of, text_of
from mnemolog.producers import Message, Producer
from mnemolog.schema import keys
from mnemolog.schema.settings import Settings

Labels = dict[str, str]


class Told:
    """What a scrape says."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._samples = [
            (sample.name, sample.labels, sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        ]

    def value(self, name: str, **labels: str) -> float:
        """The one value of a metric with these labels."""
        (value,) = self.values(name, **labels)
        return value

    def values(self, name: str, **labels: str) -> list[float]:
        """The values of a metric that have these labels."""
        return [
            value
            for found, own, value in self._samples
            if found == f"mnemolog_{name}" and labels.items() <= own.items()
        ]


def scrape(settings: Settings, url: str | None = None, **options: int) -> Told:
    return Told(text_of(registry_of(settings, lambda: url, **options)))


@contextmanager
def file_of(settings: Settings) -> Iterator[File]:
    """A space's file to be folded into by hand."""
    settings.folder.mkdir(parents=True)
    file = File(settings.file)
    try:
        yield file
    finally:
        file.close()


def test_a_scrape_tells_how_far_a_space_is_and_what_was_done(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "data")
    memory.run("import", STORY, "--drain")
    memory.run("remember", "I prefer Python.", "--speaker", "Ada")
    memory.run("remember", "I prefer Rust now.", "--speaker", "Ada")
    with memory.up():
        memory.run("wait")
    status = memory.json("status")
    told = scrape(Settings(data=memory.data))
    assert told.value("events", space="default") == status["events"]
    assert told.value("nodes", space="default") == sum(status["nodes"].values())
    assert (
        told.value("jobs", space="default", kind="extract", state="done") == status["jobs_by_kind"]["extract"]["done"]
    )
    assert told.value("job_outcomes_total", kind="extract", result="done") == 3
    assert told.value("job_seconds_count", kind="extract") == 3
    assert told.value("job_seconds_bucket", kind="extract", le="+Inf") == 3
    assert told.value("supersessions", space="default") == 1
    assert told.value("archive_bytes", space="default") == status["log"]["archive"]["bytes"]
    assert told.value("file_bytes", space="default") >= status["file_bytes"]
    assert told.value("redis_up") == 0


def test_what_is_published_and_not_folded_is_lag(tmp_path: Path, redis: redis_py.Redis, redis_url: str) -> None:
    settings = Settings(data=tmp_path, space="late", redis_url=redis_url)
    with file_of(settings):
        pass
    with Producer("late", redis_url=redis_url) as producer:
        producer.publish_many(Message(role="user", content=f"line {n}", session="a") for n in range(120))
    told = scrape(settings, redis_url)
    entries = redis.xlen(keys.stream("late"))
    assert told.value("lag_events", space="late") == entries == 121
    assert 0 < told.value("lag_seconds", space="late") < 60
    assert told.value("stream_entries", space="late") == entries
    assert told.value("redis_up") == 1
    assert told.value("redis_memory_bytes") > 0


def test_dead_letters_failed_jobs_and_refusals_are_counted(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, space="bad")
    with file_of(settings) as file:
        file.connection.execute("INSERT INTO dead_letters VALUES (1, 0, NULL, 'bad_json', '', x'', 'parked')")
        file.connection.execute("INSERT INTO dead_letters VALUES (2, 0, NULL, 'bad_json', '', x'', 'discarded')")
        file.connection.execute("INSERT INTO refusals VALUES ('e', 0, 'no_open_job', 'the secret is 17')")
        file.connection.execute("INSERT INTO jobs VALUES ('k', 1, 'resolve', '[]', 'failed', 'the secret is 17', 1, 0)")
    told = scrape(settings)
    assert told.value("dead_letters", space="bad") == 1
    assert told.value("refusals_total", space="bad", reason="no_open_job") == 1
    assert told.value("jobs", space="bad", kind="resolve", state="failed") == 1
    assert "secret" not in told.text


def test_no_scrape_tells_what_was_said_or_by_whom(tmp_path: Path, redis: redis_py.Redis, redis_url: str) -> None:
    memory = Memory(tmp_path / "data", MNEMOLOG_REDIS_URL=redis_url)
    memory.run("import", STORY)
    told = scrape(Settings(data=memory.data, redis_url=redis_url), redis_url)
    with memory.up():
        memory.run("wait")
        later = scrape(Settings(data=memory.data, redis_url=redis_url), redis_url)
    assert later.value("writer_silent_seconds", space="default") < 30
    for word in ("espresso", "Ada", "ep-", "ce-"):
        assert word not in told.text + later.text


def test_spaces_beyond_a_number_are_told_together(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        with file_of(Settings(data=tmp_path, space=name)) as file:
            file.say("Hello.")
    told = scrape(Settings(data=tmp_path), most_spaces=2)
    assert told.value("nodes", space="a") == 1
    assert told.value("nodes", space=OTHERS) == 2
    assert told.values("nodes", space="c") == []
    assert told.value("spaces") == 4


def test_a_space_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    bad = Settings(data=tmp_path, space="bad")
    bad.folder.mkdir(parents=True)
    bad.file.write_bytes(b"no database " * 1000)
    with file_of(Settings(data=tmp_path, space="good")) as file:
        file.say("Hello.")
    told = scrape(bad)
    assert told.value("spaces_unreadable") == 1
    assert told.value("nodes", space="good") == 1
    assert told.values("nodes", space="bad") == []


def test_a_space_is_counted_again_only_where_its_log_went_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[object] = []
    count: Callable[..., space_facts.Folded] = space_facts._folded
    monkeypatch.setattr(space_facts, "_folded", lambda *given: counted.append(given) or count(*given))
    with file_of(Settings(data=tmp_path, space="a")) as file:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(SpaceCollector(Settings(data=tmp_path), lambda: None))
        file.say("Hello.")
        for _ in range(3):
            assert Told(text_of(registry)).value("nodes", space="a") == 1
        assert len(counted) == 1
        file.say("Hello again.")
        assert Told(text_of(registry)).value("nodes", space="a") == 2
        assert len(counted) == 2


def test_redis_that_does_not_answer_leaves_the_files_to_be_told(tmp_path: Path) -> None:
    with file_of(Settings(data=tmp_path, space="a")) as file:
        file.say("Hello.")
    told = scrape(Settings(data=tmp_path), "redis://127.0.0.1:1")
    assert (told.value("redis_up"), told.value("nodes", space="a")) == (0, 1)


@pytest.mark.parametrize("command", ["up", "ingest"])
def test_a_writer_serves_metrics_at_a_port(tmp_path: Path, redis: redis_py.Redis, redis_url: str, command: str) -> None:
    memory = Memory(tmp_path / "data", MNEMOLOG_REDIS_URL=redis_url)
    with memory.start(command, "--metrics-port", "0") as writer:
        writer.wait_for("Ctrl-C drains")
        (line,) = [line for line in writer.output.splitlines() if line.startswith("metrics at ")]
        url = line.removeprefix("metrics at ")
        assert url.startswith("http://127.0.0.1:")
        memory.run("publish", "Hello.", "--role", "user", "--session", "a")
        with urllib.request.urlopen(url, timeout=10) as answer:
            told = Told(answer.read().decode())
        assert told.value("redis_up") == 1
        assert told.values("lag_events", space="default")
        writer.signal(signal.SIGTERM)
        assert writer.wait() == 0


def test_the_command_prints_what_a_server_would_serve(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "data")
    memory.run("import", STORY, "--drain")
    assert Told(memory.run("metrics").stdout).value("nodes", space="default") == 16


def application(registry: CollectorRegistry) -> TestClient:
    async def recall(request: Request) -> PlainTextResponse:
        if request.path_params["space"] == "broken":
            raise OSError("no")
        return PlainTextResponse("found", 200 if request.path_params["space"] == "ada" else 404)

    routes = [Route("/v1/spaces/{space}/recall", recall, methods=["POST"]), metrics_route(registry)]
    return TestClient(Measured(Starlette(routes=routes), DoorMetrics(registry)), raise_server_exceptions=False)


def test_requests_are_measured_by_their_route_and_never_by_what_callers_put_into_it() -> None:
    with application(CollectorRegistry()) as client:
        for space in ("ada", "ada", "secret", "broken"):
            client.post(f"/v1/spaces/{space}/recall")
        client.get("/secret/path")
        client.request("SECRET", "/v1/spaces/ada/recall")
        told = Told(client.get("/metrics").text)
    path = "/v1/spaces/{space}/recall"
    assert told.value("http_requests_total", path=path, status="200") == 2
    assert told.value("http_requests_total", path=path, status="500") == 1
    assert told.value("http_requests_total", path=UNROUTED, status="404") == 1
    assert told.value("operation_seconds_count", door="http", operation="recall", result="ok") == 2
    assert told.value("operation_seconds_count", door="http", operation="recall", result="error") == 1
    assert "secret" not in told.text.lower()


def test_operations_of_other_doors_are_timed_and_their_failures_told() -> None:
    registry = CollectorRegistry()
    doors = DoorMetrics(registry)
    with doors.operation("proxy", "context"):
        pass
    with pytest.raises(OSError, match="no"), doors.operation("proxy", "context"):
        raise OSError("no")
    told = Told(text_of(registry))
    assert told.values("operation_seconds_count", door="proxy", operation="context") == [1, 1]
