"""What hypothesis makes of sound events and lines: bytes flipped, cut and doubled, values and keys of JSON exchanged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["\x00", "\ud800", "ce-none", "default", "9" * 400, "[" * 200, "2099-12-31T00:00:00Z"])
)
#: Any JSON, small, with what is no JSON by the standard (NaN, lone surrogates).
VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
HOSTILE = st.one_of(
    st.text(max_size=200),
    st.lists(
        st.sampled_from(
            [
                "AND",
                "NEAR(",
                '"',
                "*",
                "^",
                "'; DROP TABLE nodes --",
                "..",
                "/",
                "\\",
                "\x00",
                "\u202e",
                "\ud800",
                "C++",
                "👍",
                "今天",
                "yesterday",
                "before 2099",
                "when",
                "%s",
                "{}",
                "ce-",
                "tea",
                "Ada",
                "1e999",
                "-",
            ]
        ),
        max_size=12,
    ).map(" ".join),
)


@st.composite
def mutants(draw: st.DrawFn, sound: Sequence[bytes]) -> bytes:
    """One of the sound bodies with one to three changes."""
    body = draw(st.sampled_from(sound))
    for _ in range(draw(st.integers(1, 3))):
        body = draw(st.sampled_from((_torn, *[_exchanged] * 9)))(draw, body)
    return body


def _torn(draw: st.DrawFn, body: bytes) -> bytes:
    start = draw(st.integers(0, len(body)))
    end = draw(st.integers(start, min(len(body), start + 8)))
    return body[:start] + draw(st.one_of(st.binary(max_size=4), st.just(body[start:end] * 2))) + body[end:]


def _exchanged(draw: st.DrawFn, body: bytes) -> bytes:
    """With one value of its JSON exchanged for another, or left out, or under another name."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return body
    places = list(_places(value))
    if not places:
        return body
    holder, key = draw(st.sampled_from(places))
    change = draw(st.sampled_from(("alike", "alike", "alike", "alike", "value", "gone", "name")))
    if change == "alike":
        holder[key] = draw(_alike(holder[key]))
    elif change == "value":
        holder[key] = draw(VALUES)
    elif change == "gone":
        del holder[key]
    elif isinstance(holder, dict):
        holder[draw(st.text(max_size=8))] = holder.pop(key)
    return json.dumps(value).encode("utf-8", "surrogatepass")


def _alike(value: Any) -> st.SearchStrategy[Any]:
    """Another value of the same type, so that more than the decoder meets it."""
    if isinstance(value, bool):
        return st.booleans()
    if isinstance(value, int):
        return st.integers(-3, 3) | st.integers(value - 10**9, value + 10**9) | st.integers(0, 2**62)
    if isinstance(value, float):
        return st.floats(0, 1) | st.floats(allow_nan=False)
    if isinstance(value, str):
        return (
            st.text(max_size=20) | st.just(value * 2) | st.just(value[:-1]) | st.sampled_from(["*", "Ada", "s1", "0"])
        )
    return st.just(value * 2 if isinstance(value, list) else value)


def _places(value: Any) -> Any:
    """All places in a JSON value where another could stand: (holder, key or index)."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])
