from __future__ import annotations

import pytest

from mnemolog.schema.errors import EngineError
from mnemolog.schema.outcomes import PairVerdict
from mnemolog.workers.engines import replies
from mnemolog.workers.engines.client import Reply


def items(text: str) -> list:
    return replies.items(Reply(text=text, calls=1, tokens_in=7), "cells")


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
