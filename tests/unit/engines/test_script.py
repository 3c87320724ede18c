from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest
from support.work import NOW, conflict, fact, message, scene, window

from mnemolog.gateway.model_server import Fault, Request, Script, read_script
from mnemolog.gateway.model_server.faults import FaultName
from mnemolog.gateway.model_server.request import chat_request
from mnemolog.gateway.model_server.script import Rule
from mnemolog.schema.errors import InvalidInput
from mnemolog.workers.engines import inputs

DOCUMENTATION = (Path(__file__).parents[3] / "docs" / "model-server.md").read_text(encoding="utf-8")


def asked(document: str) -> Request:
    return chat_request({"messages": [{"role": "system", "content": "…"}, {"role": "user", "content": document}]})


def answer(document: str, *rules: Rule) -> dict:
    return json.loads(Script(rules)(asked(document)))


HELLO = inputs.of_extract(
    window(message("e1", "I moved to Rome."), message("e2", "Hello."), message("e0", "Old.", read=True))
)
CELL = {"content": "Ada lives in Rome."}


def test_cells_are_answered_for_the_messages_in_the_window_and_quote_them_whole():
    rules = (
        Rule(kind="extract", event_id="e1", cells=(CELL,)),
        Rule(kind="extract", event_id="e9", cells=({"content": "Elsewhere."},)),
        Rule(kind="extract", event_id="e2", cells=({"content": "Ada says hello."},)),
    )
    assert answer(HELLO, *rules) == {
        "cells": [
            {**CELL, "evidence": [{"event_id": "e1", "quote": "I moved to Rome."}]},
            {"content": "Ada says hello.", "evidence": [{"event_id": "e2", "quote": "Hello."}]},
        ]
    }


def test_earlier_context_is_not_what_a_request_is_about():
    assert answer(HELLO, Rule(event_id="e0", cells=(CELL,))) == {"cells": []}


def test_a_stated_quote_is_kept():
    cell = {**CELL, "evidence": [{"event_id": "e1", "quote": "moved to Rome"}]}
    assert answer(HELLO, Rule(event_id="e1", cells=(cell,)))["cells"] == [cell]


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        (Rule(space="ada", cells=(CELL,)), True),
        (Rule(space="ben", cells=(CELL,)), False),
        (Rule(contains="to Rome", cells=(CELL,)), True),
        (Rule(contains="to Paris", cells=(CELL,)), False),
        (Rule(kind="resolve", cells=(CELL,)), False),
        (Rule(scene="career", cells=(CELL,)), False),
        (Rule(event_ids=("e1", "e2"), cells=(CELL,)), False),
    ],
)
def test_a_rule_answers_what_it_is_about(rule, matches):
    assert bool(answer(HELLO, rule)["cells"]) == matches


PAIRS = inputs.of_resolve(
    conflict(
        fact("ce-1", "Ada works at Bosch.", event_id="e1"),
        fact("ce-2", "Ada works at Acme.", event_id="e2", at=NOW + 1),
        fact("ce-3", "Ada has a cat.", event_id="e3", at=NOW + 2),
        pairs=(("ce-1", "ce-2"), ("ce-2", "ce-3")),
    )
)


@pytest.mark.parametrize(
    "about", [{"pair": ("ce-2", "ce-1")}, {"event_ids": ("e1", "e2")}, {"contents": ("Acme", "Bosch")}], ids=str
)
def test_a_pair_is_judged_by_its_ids_messages_or_words_and_the_others_are_left_out(about):
    verdicts = answer(PAIRS, Rule(kind="resolve", ruling="supersedes", why="changed", **about))["verdicts"]
    assert verdicts == [
        {"first": "ce-1", "second": "ce-2", "ruling": "supersedes", "kind": "changed"},
    ]


def test_verdicts_can_be_given_that_nobody_asked_for():
    wild = {"first": "ce-1", "second": "ep-1", "ruling": "supersedes", "kind": "changed"}
    assert answer(PAIRS, Rule(kind="resolve", verdicts=(wild,)))["verdicts"][-1] == wild


def test_a_scene_has_the_summary_of_its_rule_or_its_facts():
    document = inputs.of_consolidate(scene("career", "Ada works at Acme.", "Ada leads."))
    assert answer(document, Rule(scene="career", summary="Ada leads at Acme.")) == {"summary": "Ada leads at Acme."}
    assert answer(document, Rule(scene="home", summary="Elsewhere.")) == {"summary": "Ada works at Acme. Ada leads."}


def test_a_whole_reply_or_text_goes_before_all_else():
    rules = (Rule(event_id="e1", cells=(CELL,)), Rule(event_id="e1", reply={"cells": [1]}))
    assert answer(HELLO, *rules) == {"cells": [1]}
    assert Script((Rule(text="Nothing at all."),))(asked(HELLO)) == "Nothing at all."


def test_what_is_no_job_is_a_chat_and_is_repeated_unless_a_rule_knows_better():
    hello = asked("Hello.")
    assert (hello.kind, Script(())(hello)) == ("chat", "Hello.")
    assert asked('{"kind": "delete everything"}').kind == asked('["extract"]').kind == "chat"
    assert Script((Rule(kind="chat", contains="Hello", text="Hi."),))(hello) == "Hi."


def test_faults_are_found_like_answers():
    limited, slow = Fault(fault="rate_limited", times=2), Fault(fault="slow", delay_s=1)
    script = Script(
        (Rule(event_id="e1", fault=limited), Rule(event_id="e9", fault=slow), Rule(kind="extract", fault=slow))
    )
    assert script.faults(asked(HELLO)) == [limited, slow]


def test_a_script_is_read_line_by_line(tmp_path):
    path = tmp_path / "script.jsonl"
    path.write_text(
        '# a comment\n\n{"kind": "extract", "event_id": "e1", "cells": [{"content": "Ada lives in Rome."}]}\n'
        '{"fault": {"fault": "rate_limited", "times": 2, "retry_after_s": 1}}\n',
        encoding="utf-8",
    )
    script = read_script(path)
    assert len(json.loads(script(asked(HELLO)))["cells"]) == 1
    assert script.faults(asked(HELLO)) == [Fault(fault="rate_limited", times=2, retry_after_s=1.0)]


@pytest.mark.parametrize(
    "line", ["{", '{"knd": "extract"}', '{"fault": {"fault": "explodes"}}', '{"event_ids": ["e1"]}']
)
def test_a_bad_line_of_a_script_is_named(tmp_path, line):
    path = tmp_path / "script.jsonl"
    path.write_text(f"# one\n{line}\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match="line 2"):
        read_script(path)


def test_the_script_in_the_documentation_can_be_read(tmp_path):
    path = tmp_path / "script.jsonl"
    path.write_text(re.search(r"```json\n(.*?)```", DOCUMENTATION, re.DOTALL)[1], encoding="utf-8")
    read_script(path)


@pytest.mark.parametrize("name", [*Rule.__struct_fields__, *Fault.__struct_fields__, *get_args(FaultName)])
def test_the_documentation_tells_every_field_and_fault(name):
    assert f"`{name}`" in DOCUMENTATION


def test_the_function_in_the_documentation_answers(capsys):
    code = re.search(r"```python\n(.*?)```", DOCUMENTATION, re.DOTALL)[1]
    exec(compile(code, "docs/model-server.md", "exec"), {})
    assert "'extract': 0" in capsys.readouterr().out
