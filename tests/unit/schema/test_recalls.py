"""What the log says of a recall is bounded where it comes in."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mnemolog.schema.codec import decode, encode
from mnemolog.schema.errors import Undecodable
from mnemolog.schema.recalls import MAX_LINES, Answer
from mnemolog.schema.requests import NodesRecalled

SOUND: dict[str, Any] = {
    "at": 1,
    "about": 1,
    "kind": "recall",
    "query_hash": "0" * 32,
    "ms": 1,
    "seq": 0,
    "lines": [["fact", "ce-1", [0, -1, 3]]],
    "digest": "0" * 32,
}


def read(**changed: Any) -> Answer:
    body = encode("e", 1, NodesRecalled())
    data = msgspec.json.encode({"answers": [{**SOUND, **changed}]})
    payload = decode(body.replace(b'"data":{}', b'"data":' + data)).payload
    assert isinstance(payload, NodesRecalled)
    return payload.answers[0]


def test_a_sound_answer_is_read() -> None:
    assert read().lines[0].detail == (0, -1, 3)


@pytest.mark.parametrize(
    "changed",
    [
        {"query": "x" * 2_001},
        {"query_hash": "who knows"},
        {"digest": ""},
        {"kind": "guess"},
        {"lines": [["fact", "ce-1"]] * (MAX_LINES + 1)},
        {"lines": [["a kind in words", "ce-1"]]},
        {"lines": [["fact", ""]]},
        {"lines": [["fact", "ce-1", [2**60]]]},
        {"lines": [["fact", "ce-1", [0] * 17]]},
        {"options": {f"option_{chr(97 + number // 26)}{chr(97 + number % 26)}": 1 for number in range(41)}},
        {"options": {"UPPER": 1}},
        {"options": {"text": "x" * 201}},
        {"options": {"names": ["x"] * 101}},
        {"options": {"nested": [["x"]]}},
        {"options": {"number": 2**60}},
        {"options": {"nothing": None}},
        {"at": 2**60},
        {"ms": -1},
    ],
)
def test_an_answer_beyond_its_bounds_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(Undecodable, match="invalid_payload"):
        read(**changed)
