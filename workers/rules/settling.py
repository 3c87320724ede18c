"""Settling: what a frame of some kind means in the tense, polarity and mood of its clause.

Each kind of frame has one function; it gives None where such a clause asserts nothing that the frame is about.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from mnemolog.workers.rules.drafts import Draft
from mnemolog.workers.rules.english import Clause
from mnemolog.workers.rules.frames import Frame, Kind

#: Stands in `ends` until the object is known.
ENDED = "…"
#: States that can be over, so that the past tense says something about them.
_CAN_BE_OVER = frozenset({"residence", "employer", "job_title", "school", "partner", "pet", "owns", "field_of_study"})
#: Beginnings that lie ahead when they are said in the progressive ("I'm moving to Rome").
_AHEAD = frozenset(
    {"marital_status", "residence", "employer", "job_title", "partner", "travel", "school", "owns", "pet"}
)
#: What nobody plans.
_NEVER_PLANNED = frozenset({"likes", "allergy", "condition", "age", "skill", "speaks", "name"})
#: What an ability says something about.
_ABLE = frozenset({"skill", "speaks", "hobby"})
#: What an inability says something about: what one cannot eat one does not eat.
_UNABLE = _ABLE | {"eats", "drinks", "⟨ingest⟩", "likes"}


def settle(frame: Frame, clause: Clause) -> Draft | None:
    """Polarity, modality, what ends and what begins; the object is still to be put in."""
    chain, cues = clause.chain, clause.cues
    planned = chain.tense == "future" or (clause.ahead and chain.tense in {"present", "progressive"})
    if chain.obliged or (chain.wanted and not clause.phrases) or (planned and frame.slot in _NEVER_PLANNED):
        return None
    if (chain.ability and frame.slot not in (_UNABLE if chain.negated else _ABLE)) or not _certain_job(frame, clause):
        return None
    draft = Draft(
        subject=clause.who.subject,
        slot=frame.slot,
        object="",
        change=cues.change,
        addition=cues.addition or cues.weak,
        plural=clause.who.plural,
        scope=cues.scope,
        phrases=clause.phrases,
        basis=None if clause.who.first_person else "others",
    )
    if frame.kind in {"state", "against"}:
        return _state(draft, frame, clause, planned=planned)
    if chain.negated or chain.tense == "used":
        return None
    return _HAPPENING[frame.kind](draft, frame, clause, planned=planned)


def _certain_job(frame: Frame, clause: Clause) -> bool:
    """Whether "at Acme" is a job: "I've been at Acme since May", "I'm at Acme now", but not "I'm at Acme"."""
    chain = clause.chain
    if frame.slot != "employer" or not chain.predicate.startswith(("be at ", "be with ")):
        return True
    if clause.phrases:
        return chain.tense == "perfect" or any(phrase.part == "since" for phrase in clause.phrases)
    return chain.tense == "present" and clause.cues.change


def _state(draft: Draft, frame: Frame, clause: Clause, *, planned: bool) -> Draft | None:
    chain, ended = clause.chain, clause.cues.ended
    against = frame.kind == "against"
    if chain.tense == "used":
        return msgspec.structs.replace(draft, closed=True, ends=ENDED, polarity=-1 if against else 1)
    if not _holds(frame, clause) or (chain.negated and against):
        return None
    if chain.tense == "past":
        return msgspec.structs.replace(draft, closed=True)
    if planned:
        return msgspec.structs.replace(draft, modality="planned", polarity=-1 if chain.negated else 1)
    present = chain.tense in {"present", "progressive"}
    negative = chain.negated or (ended and present)
    over = (ended and not against) or (negative and draft.change and present)
    return msgspec.structs.replace(
        draft,
        polarity=-1 if negative or against else 1,
        ends=ENDED if over else None,
        starts=chain.tense == "perfect",
    )


def _holds(frame: Frame, clause: Clause) -> bool:
    """Whether a state said in this tense is one: "I have lived in Rome" is not, "since May" makes it one."""
    chain = clause.chain
    can_be_over = frame.slot in _CAN_BE_OVER
    if chain.tense == "past":
        return can_be_over and not chain.negated and frame.kind != "against"
    if chain.tense == "perfect" and can_be_over:
        return not chain.negated and (chain.form == "ing" or bool(clause.phrases))
    return frame.slot != "location" or bool(clause.phrases)


def _start(draft: Draft, frame: Frame, clause: Clause, *, planned: bool) -> Draft | None:
    tense = clause.chain.tense
    if planned or (tense == "progressive" and frame.slot in _AHEAD):
        return msgspec.structs.replace(draft, modality="planned")
    if tense in {"past", "perfect", "progressive"} or clause.chain.predicate.startswith("be back"):
        return msgspec.structs.replace(draft, change=True, starts=True)
    return None


def _end(draft: Draft, frame: Frame, clause: Clause, *, planned: bool) -> Draft | None:
    tense = clause.chain.tense
    if planned or (tense == "progressive" and frame.slot in _AHEAD):
        return msgspec.structs.replace(draft, modality="planned", polarity=-1)
    if tense == "present" and not clause.chain.predicate.startswith("be "):
        return None
    return msgspec.structs.replace(draft, polarity=-1, ends=ENDED, change=True, starts=True)


def _event(draft: Draft, frame: Frame, clause: Clause, *, planned: bool) -> Draft | None:
    tense = clause.chain.tense
    if frame.slot != "travel":
        return None if planned else msgspec.structs.replace(draft, event=frame.slot != "birthplace")
    if planned or tense == "progressive":
        return msgspec.structs.replace(draft, modality="planned")
    happened = tense == "past" and bool(clause.phrases)
    return msgspec.structs.replace(draft, event=True, ends=ENDED) if happened else None


class _Settler(Protocol):
    def __call__(self, draft: Draft, frame: Frame, clause: Clause, *, planned: bool) -> Draft | None: ...


_HAPPENING: dict[Kind, _Settler] = {"start": _start, "end": _end, "event": _event}
