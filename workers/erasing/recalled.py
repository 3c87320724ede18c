"""What is left of recorded recalls: who asked about what is erased, or was told it, is on the log without words."""

from __future__ import annotations

import msgspec

from mnemolog.schema.recalls import Answer, hashed_options, scene_key
from mnemolog.schema.requests import NodesRecalled
from mnemolog.workers.erasing.finding import Found
from mnemolog.workers.erasing.following import Gone
from mnemolog.workers.erasing.likeness import phrases

#: Stands where there was a hash or a digest.
NOTHING = "0" * 32


class Recalled:
    """Leaves out of recorded recalls whatever leads to what is erased."""

    def __init__(self, salt: str, found: Found, gone: Gone) -> None:
        self._found = found
        self._gone = gone
        self._nodes = found.nodes | gone.facts.keys()
        self._told = self._nodes | {scene_key(salt, scene) for scene in gone.scenes}
        self._askers = {hashed_options(salt, {"asker": speaker})["asker"] for speaker in found.speakers}

    def left(self, payload: NodesRecalled) -> tuple[NodesRecalled, list[int]]:
        """What is left of an event, and the numbers of the answers that lost what they asked and told."""
        recalls = [(at, tuple(one for one in ids if one not in self._nodes)) for at, ids in payload.recalls]
        blank = [number for number, answer in enumerate(payload.answers) if self._leads_there(answer)]
        answers = tuple(
            without_words(answer) if number in blank else answer for number, answer in enumerate(payload.answers)
        )
        kept = tuple((at, ids) for at, ids in recalls if ids)
        if kept == payload.recalls and not blank:
            return payload, []
        return NodesRecalled(recalls=kept, answers=answers), blank

    def _leads_there(self, answer: Answer) -> bool:
        return (
            answer.message in self._found.events
            or answer.options.get("asker") in self._askers
            or any(line.id in self._told for line in answer.lines)
            or not self._gone.phrases.isdisjoint(phrases(answer.query))
            or self._gone.tells(answer.query)
        )


def without_words(answer: Answer) -> Answer:
    """That something was asked, and when; answers are known by their number, so that none is left out."""
    return msgspec.structs.replace(
        answer,
        query="",
        query_chars=0,
        query_hash=NOTHING,
        message=None,
        options={},
        lines=(),
        digest=NOTHING,
        reinforces=False,
    )
