"""Embeddings by a server: batches, the dimension, and what goes on while the server fails."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from support import start_cli, wait_until

from mnemolog.gateway.model_server import Fault, ModelServer
from mnemolog.producers import Producer
from mnemolog.projections.connection import open_reader
from mnemolog.projections.indexes import vectors
from mnemolog.projections.indexes.embedder import WordLlamaEmbedder
from mnemolog.projections.indexes.embedders import DIMENSIONS_FILE, embedder_of
from mnemolog.projections.recall import recall
from mnemolog.schema.errors import EngineError
from mnemolog.schema.model_settings import ModelSettings
from mnemolog.schema.settings import Settings
from mnemolog.workers.rebuilding.rebuild import index_vectors
from mnemolog.workers.writer.space_file import create_tables, immediate, open_for_writing

#: After everything that the tests say.
LATER = 2**45


@pytest.fixture
def server():
    with ModelServer(dimension=20) as running:
        yield running


def settings(server: ModelServer, **given) -> ModelSettings:
    return ModelSettings(base_url=server.url, embedder="small", timeout_s=5.0, **given)


def test_vectors_have_length_one_and_blank_texts_say_nothing(server, tmp_path):
    embedder = embedder_of(settings(server), tmp_path)
    texts = [f"text number {number}" for number in range(150)]
    made = embedder.embed(["", *texts, " \n"])
    assert made.shape == (152, 24)
    assert np.allclose(np.linalg.norm(made[1:-1], axis=1), 1, atol=1e-5)
    assert not made[[0, -1]].any()
    assert server.counters.requests["embeddings"] == 3
    assert np.allclose(made[1], embedder.embed([texts[0]])[0], atol=1e-6)


def test_the_dimension_is_asked_once_and_remembered(server, tmp_path):
    assert embedder_of(settings(server), tmp_path).dimension == 24
    assert server.counters.requests["embeddings"] == 1
    server.fault = Fault(fault="server_error")
    assert embedder_of(settings(server), tmp_path).dimension == 24
    assert (tmp_path / DIMENSIONS_FILE).exists()


def test_a_dimension_that_is_asked_for_is_part_of_the_name(server, tmp_path):
    embedder = embedder_of(settings(server, embedder_dimension=32), tmp_path)
    assert (embedder.name, embedder.dimension, embedder.embed(["one"]).shape) == ("small/32", 32, (1, 32))


def test_a_model_that_changes_its_dimension_is_refused(server, tmp_path):
    embedder = embedder_of(settings(server), tmp_path)
    assert embedder.dimension == 24
    server.dimension = 48
    with pytest.raises(EngineError, match="48 floats a text, not 20"):
        embedder.embed(["one"])


@pytest.mark.parametrize("name", ["rate_limited", "server_error", "cut_off"])
def test_a_failing_server_is_an_error(server, tmp_path, name):
    server.fault = Fault(fault=name, retry_after_s=3)
    with pytest.raises(EngineError, match="cannot embed texts"):
        embedder_of(settings(server), tmp_path).embed(["one"])


def test_without_a_name_the_embedder_needs_no_server(tmp_path):
    assert isinstance(embedder_of(ModelSettings(), tmp_path), WordLlamaEmbedder)


def test_while_the_server_fails_from_the_start_only_vectors_are_late(server, redis_url, tmp_path):
    server.fault = Fault(fault="server_error")
    file = Settings(data=tmp_path, space="late").file
    environment = {"MNEMOLOG_EMBEDDER": "small", "OPENAI_BASE_URL": server.url}
    embedder = embedder_of(settings(server), tmp_path)
    command = ("--data", tmp_path, "--space", "late", "--redis", redis_url, "ingest")
    with start_cli(*command, env=environment) as writer, Producer("late", redis_url=redis_url) as producer:
        writer.wait_for("Ctrl-C drains")
        assert "vectors are late" in writer.output
        producer.publish("user", "I work at Acme in Rome.", "monday", speaker="Ada")
        reader = open_reader(file)
        wait_until(lambda: reader.execute("SELECT count(*) FROM nodes").get == 1)
        assert vectors.state(reader).missing == 1
        found = recall(reader, "Where does Ada work?", embedder=embedder, now=LATER)
        assert [result.content for result in found] == ["I work at Acme in Rome."]
        server.fault = None
        wait_until(lambda: vectors.state(reader).missing == 0, 20)
        assert (vectors.state(reader).model, vectors.state(reader).dimension) == ("small", 24)
        assert recall(reader, "Who works in Rome?", embedder=embedder, now=LATER)[0].scores["similarity"] > 0.2
        reader.close()


def test_a_rebuilt_file_waits_for_its_vectors_while_the_server_fails(server, tmp_path, caplog):
    server.fault = Fault(fault="server_error")
    connection = open_for_writing(tmp_path / "space.db")
    embedder = embedder_of(settings(server), tmp_path)
    with immediate(connection):
        create_tables(connection, embedder)
    with caplog.at_level(logging.WARNING):
        index_vectors(connection, embedder, None, lambda _: None)
    assert vectors.state(connection).dimension == 8
    server.fault = None
    with immediate(connection):
        vectors.fit(connection, embedder.name, embedder.dimension)
        vectors.fit(connection, embedder.name, embedder.dimension)
    assert vectors.index_in_use(connection) == vectors.VectorIndex(1, "small", 24, 0)
    connection.close()
