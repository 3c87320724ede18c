"""Assertions: what an English sentence asserts: the special statements first, then the frames, clause by clause."""

from __future__ import annotations

import msgspec

from mnemolog.workers.rules import (
    claims,
    dates,
    decisions,
    deeds,
    english,
    gates,
    lexicon,
    possessives,
    reading,
    routines,
    wording,
)
from mnemolog.workers.rules.drafts import Draft
from mnemolog.workers.rules.subjects import Speaker
from mnemolog.workers.rules.text import MASK, clauses

_NOTE_CHARS = 200


def read(plain: str, speaker: Speaker, project: str | None) -> list[Draft]:
    """The drafts of a declarative sentence (contractions expanded); `project` is what "it" may be."""
    bare = gates.unfilled(plain)
    report = gates.reported(bare, speaker)
    if report is not None:
        said, told = report
        opinion = None if said else claims.opinion(bare, speaker)
        return read_clauses(said, told) if said else [opinion] if opinion else []
    return _special(bare, speaker, project) or read_clauses(bare, speaker)


def _special(plain: str, speaker: Speaker, project: str | None) -> list[Draft]:
    """Statements that are more than a verb frame."""
    stripped = plain.strip(" .!")
    draft = (
        routines.procedure(stripped, speaker)
        or routines.risk(stripped, speaker)
        or claims.requirement(stripped, project)
    )
    if draft is None and (MASK in plain or gates.supposes(plain)):
        return []
    draft = draft or deeds.task(stripped, speaker) or claims.opinion(stripped, speaker)
    if draft is not None:
        return [draft]
    finished = deeds.done(stripped, speaker)
    return decisions.decision(stripped, speaker) or ([finished] if finished else [])


def read_clauses(plain: str, speaker: Speaker) -> list[Draft]:
    """What the frames find in the clauses of a sentence, with the reason that it gives."""
    if gates.supposes(plain):
        return []
    effect, cause = routines.split_cause(plain)
    found: list[Draft] = []
    before: english.Clause | None = None
    for text in clauses(effect):
        mine = possessives.read(text, speaker)
        clause = None if mine else english.parse(text, speaker, inherited=before)
        drafts = mine or (reading.read(clause) if clause else [])
        found += [_in_own_words(draft, text, speaker) for draft in drafts]
        before = clause
        if clause and not clause.who.first_person and "'s " not in clause.who.subject:
            speaker = msgspec.structs.replace(speaker, focus=clause.who.subject)
    found = [_until_next(draft, found) for draft in found]
    return [*found[:-1], msgspec.structs.replace(found[-1], cause=cause)] if found and cause else found


def _in_own_words(draft: Draft, text: str, speaker: Speaker) -> Draft:
    """What somebody works on is told in their own words, which say more than its name."""
    if draft.slot != "works_on":
        return draft
    return msgspec.structs.replace(draft, content=wording.third_person(text.strip(" .!"), speaker.subject))


def _until_next(draft: Draft, found: list[Draft]) -> Draft:
    """What "used to" be so was over when the next began: "… but moved to Berlin last month"."""
    if not draft.closed or draft.phrases:
        return draft
    begun = (other.phrases for other in found if other.slot == draft.slot and other.starts and other.phrases)
    ends = (msgspec.structs.replace(phrase, part="before") for phrase in next(begun, ()))
    return msgspec.structs.replace(draft, phrases=tuple(ends))


def note(what: str, speaker: Speaker) -> list[Draft]:
    """What one is asked to remember and no frame reads: a note in its own words."""
    if gates.supposes(what) or MASK in what:
        return []
    phrases, _ = dates.find(what, "en")
    content = wording.third_person(what.strip(" ."), speaker.subject)
    key = lexicon.normal(what)[:_NOTE_CHARS]
    return [Draft(subject=speaker.subject, slot="note", object=key, content=content, phrases=phrases)]
