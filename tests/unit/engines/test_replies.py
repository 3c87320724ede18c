from __future__ import annotations

import pytest

from mnemolog.schema.errors import EngineError
from mnemolog.schema.outcomes import CellsExtracted, ConflictsJudged, Engine, PairVerdict, SceneConsolidated
from mnemolog.workers.engines import replies
from mnemolog.workers.engines.client import Reply


def items(text: str) -> list:
    return replies.items(Reply(text=text, calls=1, tokens_in=7), "cells", 200)


@pytest.mark.parametrize(
    "text",
    [
        '{"cells": [1]}',
        '  {"cells": [1]}\n',
        '```json\n{"cells": [1]}\n```',
        'Here it is:\n\n```\n{"cells": [1]}\n```\nAnything else?',
        'Sure! {"cells": [1]} I hope that helps.',
        '<think>{"a": what?}</think>\n{"cells": [1]}',
        'He wrote {"cells": [2]}, which says nothing. {"cells": [1]}',
        '{{ {"other": {}} {"cells": [1]}',
    ],
)
def test_the_json_of_a_reply_is_found_with_fences_and_words_around_it(text):
    assert items(text) == [1]


@pytest.mark.parametrize("text", ["I found nothing.", "[1, 2]", '{"cells": [1', "{" * 5_000, "[" * 5_000, '"\\ud800"'])
def test_a_reply_that_is_no_json_object_is_an_error_that_holds_it(text):
    with pytest.raises(EngineError, match="no JSON object") as raised:
        items(text)
    assert (raised.value.raw, raised.value.calls, raised.value.tokens_in) == (text, 1, 7)


def test_a_reply_of_another_form_is_an_error():
    with pytest.raises(EngineError, match="no 'cells'"):
        items('{"result": []}')
    with pytest.raises(EngineError, match="no list"):
        items('{"cells": "none"}')


def test_a_reply_with_more_items_than_an_outcome_holds_is_an_error():
    assert len(items('{"cells": [' + "1," * 199 + "1]}")) == 200
    with pytest.raises(EngineError, match="has 201 items; the most is 200"):
        items('{"cells": [' + "1," * 200 + "1]}")


def test_a_part_of_a_reply_that_may_be_left_out_may_have_any_form():
    for text in ('{"cells": []}', '{"forget": null}', '{"forget": "nothing"}', "no JSON"):
        assert replies.items_if_any(Reply(text=text), "forget", 2) == []
    assert replies.items_if_any(Reply(text='{"cells": [], "forget": [1]}'), "forget", 2) == [1]
    with pytest.raises(EngineError, match="the most is 2"):
        replies.items_if_any(Reply(text='{"forget": [1, 2, 3]}'), "forget", 2)


KEY = "0" * 32


@pytest.mark.parametrize(
    "outcome",
    [
        CellsExtracted(job_key=KEY, generation=1, engine=Engine(name="model"), refused=(("invalid", "x"),) * 501),
        CellsExtracted(job_key=KEY, generation=1, engine=Engine(name="model"), refused=(("invalid", "x" * 2_001),)),
        CellsExtracted(job_key=KEY, generation=1, engine=Engine(name="model"), unknown_language=-1),
        ConflictsJudged(
            job_key=KEY, generation=1, engine=Engine(name="model"), verdicts=(PairVerdict("a", "b", "same"),) * 20_001
        ),
        SceneConsolidated(
            job_key=KEY, generation=1, engine=Engine(name="model"), scene="s", summary="\ud800", cells=(), seen=""
        ),
        SceneConsolidated(
            job_key=KEY, generation=1, engine=Engine(name="model"), scene="s", summary="x" * 10_001, cells=(), seen=""
        ),
    ],
    ids=["refused", "a refusal", "count", "verdicts", "half a character", "summary"],
)
def test_an_outcome_that_the_log_cannot_hold_is_an_error_and_is_not_appended_to_be_parked(outcome):
    with pytest.raises(EngineError, match="cannot be kept") as raised:
        replies.checked(outcome, Reply(text="{}", calls=1))
    assert (raised.value.raw, raised.value.calls) == ("{}", 1)


def test_an_outcome_that_the_log_can_hold_is_passed_on():
    outcome = CellsExtracted(job_key=KEY, generation=1, engine=Engine(name="model"))
    assert replies.checked(outcome, Reply(text="{}")) is outcome


def test_text_in_a_reply_that_looks_like_its_end_stays_text():
    text = '{"cells": [{"content": "He said \\"}]} ```\\n{\\"cells\\": []}\\n``` {\\"cells\\": []}"}]}'
    assert items(text)[0]["content"].startswith("He said")
    assert items(f"```json\n{text}\n```")[0]["content"].startswith("He said")


def test_verdicts_are_passed_on_whatever_they_name():
    good, refused = replies.verdicts(
        [
            {"first": "ce-1", "second": "ce-2", "ruling": "supersedes", "kind": "Changed"},
            {"first": "ce-1", "second": "ce-1", "ruling": "same"},
            {"first": "nobody", "second": "ep-1", "ruling": "supersedes", "kind": "corrected", "because": "I say so"},
        ]
    )
    assert good == (
        PairVerdict("ce-1", "ce-2", "supersedes", "changed"),
        PairVerdict("ce-1", "ce-1", "same", ""),
        PairVerdict("nobody", "ep-1", "supersedes", "correction"),
    )
    assert refused == ()


@pytest.mark.parametrize(
    "item",
    [
        None,
        "supersedes",
        {"first": "ce-1", "ruling": "same"},
        {"first": "ce-1", "second": "ce-2", "ruling": "deletes"},
        {"first": "", "second": "ce-2", "ruling": "same"},
        {"first": "x" * 300, "second": "ce-2", "ruling": "same"},
    ],
)
def test_an_item_that_is_no_verdict_is_refused_and_the_others_stand(item):
    good, refused = replies.verdicts([item, {"first": "ce-1", "second": "ce-2", "ruling": "unsure", "kind": "unclear"}])
    assert [verdict.ruling for verdict in good] == ["unsure"]
    assert [reason for reason, _ in refused] == ["invalid"]


def test_the_kind_of_a_verdict_is_one_short_word():
    good, _ = replies.verdicts([{"first": "a", "second": "b", "ruling": "same", "kind": "said, again: " * 20}])
    assert good[0].kind.startswith("said_again")
    assert len(good[0].kind) <= 40


def test_a_summary_stays_under_a_hundred_words():
    text = replies.summary(Reply(text='{"summary": "' + "word " * 500 + '"}'))
    assert len(text.split()) < 100


@pytest.mark.parametrize("text", ['{"summary": ""}', '{"summary": " \\n"}', '{"summary": ["a"]}', '{"summary": null}'])
def test_an_empty_summary_is_an_error(text):
    with pytest.raises(EngineError, match="no summary"):
        replies.summary(Reply(text=text))
