"""The stand-in server over HTTP, alone and from the command line."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import numpy as np
import openai
import pytest
from support import start_cli
from support.work import message, window

from mnemolog.gateway.model_server import Fault, ModelServer, Script
from mnemolog.gateway.model_server.script import Rule
from mnemolog.schema.errors import EngineError
from mnemolog.schema.model_settings import ModelSettings
from mnemolog.workers.engines.model import ModelEngine


def call(url: str, body: object = None, method: str | None = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=10) as answered:
        return json.load(answered)


def engine(url: str) -> ModelEngine:
    return ModelEngine(ModelSettings(model="m", base_url=url))


def test_a_fault_that_passes_is_counted_for_each_thing_asked_about_and_not_by_the_order_of_calls():
    script = Script((Rule(kind="extract", fault=Fault(fault="server_error", times=2)),))
    one, two = window(message("e1", "One.")), window(message("e2", "Two."))
    told = []
    with ModelServer(script) as server:
        for work in (one, two, two, one, one, two):
            try:
                told.append(len(engine(server.url).extract(work).cells))
            except EngineError:
                told.append(None)
        assert server.counters.faults == {"server_error": 4}
    assert told == [None, None, None, None, 0, 0]


def test_requests_are_counted_by_kind():
    with ModelServer() as server:
        engine(server.url).extract(window(message("e1", "One.")))
        call(f"{server.url}/chat/completions", {"model": "m", "messages": [{"role": "user", "content": "Hello."}]})
        call(f"{server.url}/embeddings", {"model": "m", "input": "Hello."})
        counted = call(server.url.removesuffix("/v1") + "/counters")
    assert counted["requests"] == {"extract": 1, "resolve": 0, "consolidate": 0, "chat": 1, "embeddings": 1}
    assert counted["tokens_in"] > 0


def test_a_chat_that_is_asked_for_as_a_stream_comes_word_by_word_with_its_usage():
    asked = [{"role": "user", "content": "Hello, how are you?"}]
    with ModelServer() as server, openai.OpenAI(base_url=server.url, api_key="none") as client:
        usage = {"include_usage": True}
        chunks = list(client.chat.completions.create(model="m", messages=asked, stream=True, stream_options=usage))
        whole = client.chat.completions.create(model="m", messages=asked)
    pieces = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
    assert "".join(pieces) == whole.choices[0].message.content == "Hello, how are you?"
    assert len(pieces) > 4
    assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason == "stop"
    assert chunks[-1].usage == whole.usage


def test_embeddings_are_the_same_for_ever_and_near_for_shared_words():
    texts = ["Ada likes Rust", "Ada likes rust!", "income tax", ""]
    with ModelServer(dimension=16) as server:
        first = call(f"{server.url}/embeddings", {"model": "m", "input": texts})["data"]
    with ModelServer(dimension=16) as server:
        again = call(f"{server.url}/embeddings", {"model": "m", "input": texts})["data"]
    assert first == again
    rust, also, tax, blank = (np.array(item["embedding"]) for item in first)
    assert len(blank) == 16
    assert rust @ also > 0.99
    assert rust @ tax < 0.6


def test_a_fault_can_be_set_and_taken_away_while_the_server_runs():
    with ModelServer() as server:
        base = server.url.removesuffix("/v1")
        call(f"{base}/fault", {"fault": "server_error"})
        with pytest.raises(EngineError, match="500"):
            engine(server.url).extract(window(message("e1", "One.")))
        call(f"{base}/fault", method="DELETE")
        assert engine(server.url).extract(window(message("e1", "One."))).cells == ()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings", "/fault"])
@pytest.mark.parametrize("body", [{}, [], {"messages": 7}, {"input": {"a": 1}}, {"messages": [{"content": "x"}]}])
def test_a_request_that_makes_no_sense_is_refused(path, body):
    with ModelServer() as server, pytest.raises(urllib.error.HTTPError) as raised:
        call(server.url.removesuffix("/v1") + path, body)
    raised.value.close()
    assert raised.value.code == 400


def test_the_models_are_listed():
    with ModelServer() as server:
        assert call(f"{server.url}/models")["data"][0]["id"] == "stand-in"


def test_the_command_answers_from_a_script_until_it_is_stopped(tmp_path):
    script = tmp_path / "script.jsonl"
    cell = {"content": "Ada works at Acme.", "cell_type": "fact", "subject": "Ada", "scene": "career"}
    script.write_text(json.dumps({"kind": "extract", "event_id": "e1", "cells": [cell]}) + "\n", encoding="utf-8")
    with start_cli("dev", "model-server", "--script", script, "--port", "0") as command:
        said = command.wait_for("Ctrl-C stops it")
        url = next(word for word in said.replace(";", " ").split() if word.startswith("http://"))
        assert len(engine(url).extract(window(message("e1", "I work at Acme."))).cells) == 1
        command.interrupt()
        assert command.wait() == 0
        assert "'extract': 1" in command.output


def test_the_command_names_the_line_of_a_script_that_it_cannot_read(tmp_path):
    script = tmp_path / "script.jsonl"
    script.write_text('{"kind": "extrct"}\n', encoding="utf-8")
    with start_cli("dev", "model-server", "--script", script) as command:
        assert command.wait() == 2
        assert "line 1" in command.output
