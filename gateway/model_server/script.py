"""Scripts: what the server answers, line by line, found by what a request is about and never by the order of calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec

from mnemolog.gateway.model_server.faults import Fault
from mnemolog.gateway.model_server.request import Request, evidence_of
from mnemolog.schema.cells import Ruling
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.summaries import bounded

Fact = dict[str, Any]


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of a script: which requests, and what is answered, or done to the answer. See docs/model-server.md."""

    kind: Literal["extract", "resolve", "consolidate", "chat", "embeddings"] | None = None
    space: str | None = None
    event_id: str | None = None
    scene: str | None = None
    contains: str | None = None

    pair: tuple[str, str] | None = None
    event_ids: tuple[str, str] | None = None
    contents: tuple[str, str] | None = None

    cells: tuple[dict[str, Any], ...] | None = None
    ruling: Ruling | None = None
    why: str = ""
    verdicts: tuple[dict[str, Any], ...] | None = None
    summary: str | None = None
    reply: dict[str, Any] | None = None
    text: str | None = None
    fault: Fault | None = None

    def matches(self, request: Request) -> bool:
        """Whether a request is about this."""
        return (
            (self.kind is None or self.kind == request.kind)
            and (self.space is None or self.space == request.space)
            and (self.event_id is None or self.event_id in request.event_ids)
            and (self.scene is None or self.scene == request.scene)
            and (self.contains is None or self.contains in request.text)
            and (not self._names_a_pair or any(self.matches_pair(*pair) for pair in request.pairs))
        )

    @property
    def _names_a_pair(self) -> bool:
        return any(named is not None for named in (self.pair, self.event_ids, self.contents))

    def matches_pair(self, first: Fact, second: Fact) -> bool:
        """Whether this is about two facts, in either order."""
        return (
            _either(self.pair, first, second, lambda wanted, fact: wanted == fact["id"])
            and _either(self.event_ids, first, second, lambda wanted, fact: wanted in evidence_of(fact))
            and _either(self.contents, first, second, lambda wanted, fact: wanted in fact["content"])
        )


def _either(wanted: tuple[str, str] | None, first: Fact, second: Fact, fits: Callable[[str, Fact], bool]) -> bool:
    if wanted is None:
        return True
    one, other = wanted
    return (fits(one, first) and fits(other, second)) or (fits(one, second) and fits(other, first))


class Script:
    """Answers by rules. Where none fits: no cells, no verdicts, the facts as a summary, the text repeated."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)

    def faults(self, request: Request) -> list[Fault]:
        """What may go wrong with a request, in the order of the script."""
        return [rule.fault for rule in self._rules if rule.fault is not None and rule.matches(request)]

    def __call__(self, request: Request) -> str:
        """The text of the answer."""
        rules = [rule for rule in self._rules if rule.matches(request)]
        for rule in rules:
            if rule.text is not None:
                return rule.text
            if rule.reply is not None:
                return _json(rule.reply)
        if request.kind == "extract":
            return _json({"cells": [_cell(cell, rule, request) for rule in rules for cell in rule.cells or ()]})
        if request.kind == "resolve":
            return _json({"verdicts": [*_judged(rules, request), *(v for rule in rules for v in rule.verdicts or ())]})
        if request.kind == "consolidate":
            summaries = (rule.summary for rule in rules if rule.summary is not None)
            return _json({"summary": next(summaries, None) or _joined(request)})
        return request.text


def _json(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value).decode("utf-8")


def _cell(cell: dict[str, Any], rule: Rule, request: Request) -> dict[str, Any]:
    """The cell with its quotes: one that is left out is the whole message."""
    contents = {message["event_id"]: message["content"] for message in request.messages}
    evidence = cell.get("evidence") or ([{"event_id": rule.event_id}] if rule.event_id else [])
    quoted = [{**said, "quote": said.get("quote") or contents.get(said["event_id"], "")} for said in evidence]
    return {**cell, "evidence": quoted}


def _judged(rules: list[Rule], request: Request) -> Iterable[dict[str, Any]]:
    judging = [rule for rule in rules if rule.ruling is not None]
    for first, second in request.pairs:
        found = next((rule for rule in judging if rule.matches_pair(first, second)), None)
        if found is not None:
            yield {"first": first["id"], "second": second["id"], "ruling": found.ruling, "kind": found.why}


def _joined(request: Request) -> str:
    return bounded(" ".join(fact["content"] for fact in request.facts.values())) or "Nothing."


def read_script(path: Path) -> Script:
    """The script in a file of JSON lines; empty lines and lines that begin with # are passed over.

    Raises InvalidInput, naming the line.
    """
    rules = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if line.strip() and not line.lstrip().startswith(b"#"):
            try:
                rules.append(msgspec.json.decode(line, type=Rule))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise InvalidInput(f"{path}, line {number}: {error}") from None
    return Script(rules)
