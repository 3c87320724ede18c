"""Reading: what an English clause says, as drafts: the first frame that fits, with its object put in."""

from __future__ import annotations

import re

import msgspec

from mnemolog.schema.cells import ANY_VALUE
from mnemolog.schema.slots import single_valued
from mnemolog.workers.rules import classes, frames, lexicon, objects
from mnemolog.workers.rules.drafts import Draft
from mnemolog.workers.rules.english import Clause
from mnemolog.workers.rules.frames import Frame
from mnemolog.workers.rules.settling import settle

_JOB = frames.simple("job_title", "job")
_EMPLOYER = frames.simple("employer", "org")
_BY_CLASS = ("preferred_", "chosen_")
#: Nouns for what the pattern finds as a verb or an adjective.
_NOUNS = {"smoke": "smoking", "diabetic": "diabetes", "asthmatic": "asthma", "epileptic": "epilepsy"}


def read(clause: Clause) -> list[Draft]:
    """What the frames find in a clause; nothing where none fits or nothing is asserted."""
    chain = clause.chain
    verb = chain.predicate.split(" ", 1)[0]
    if verb == "stand" and chain.negated and chain.ability:
        hates = msgspec.structs.replace(chain, predicate="hate" + chain.predicate[5:], negated=False, ability=False)
        return read(msgspec.structs.replace(clause, chain=hates))
    for frame in frames.by_verb(verb):
        match = frame.pattern.match(chain.predicate)
        shown = objects.pick(frame, match["o"]) if match else None
        drafts = _drafts(frame, match, shown, clause) if match and shown is not None else []
        if drafts:
            return drafts
    return []


def _drafts(frame: Frame, match: re.Match[str], shown: str, clause: Clause) -> list[Draft]:
    groups = match.groupdict()
    settled = settle(frame, clause)
    slot = classes.slot(frame.slot, shown, clause, groups.get("class"))
    if settled is None or slot is None:
        return []
    by_class = slot.startswith(_BY_CLASS)
    several = objects.parts(shown) if by_class or not single_valued(slot) else [shown]
    several = [part for part in several if not objects.vague(part)]
    if len(several) > 1 and by_class:
        slot = "uses" if frame.slot == "⟨usual⟩" else "prefers"
    drafts = [_with_object(slot, part, settled, frame, groups.get("old")) for part in several]
    return drafts + _job_and_employer(frame, match, settled)


def _with_object(slot: str, shown: str, settled: Draft, frame: Frame, old: str | None) -> Draft:
    key = ANY_VALUE if frame.sort == "free" else object_key(slot, shown)
    replaced = old if settled.polarity > 0 and frame.kind == "start" else None
    return msgspec.structs.replace(
        settled,
        slot=slot,
        object="" if key == ANY_VALUE else key,
        shown=shown,
        ends=object_key(slot, objects.cut(replaced)) if replaced else settled.ends and key,
        change=settled.change or replaced is not None,
        cell_type="plan" if settled.modality == "planned" else None,
    )


def _job_and_employer(frame: Frame, match: re.Match[str], settled: Draft) -> list[Draft]:
    """The job title that stands beside an employer ("at Acme as a nurse"), or the employer beside a title."""
    job = match.groupdict().get("job")
    title = re.search(r" as (an? .+)", match["o"]) if frame.slot == "employer" else None
    employer = re.search(r" (?:at|for|with) (.+)", match["o"]) if frame.slot == "job_title" else None
    said = ((_JOB, job), (_JOB, title and title[1]), (_EMPLOYER, employer and employer[1]))
    found = ((other, objects.pick(other, phrase)) for other, phrase in said if phrase)
    return [_with_object(other.slot, shown, settled, other, None) for other, shown in found if shown]


def object_key(slot: str, shown: str) -> str:
    """The normal form of an object in its slot: "dog" for "old dog", "leo" for "son named Leo"."""
    key = lexicon.normal(shown)
    named = re.search(r"(?:named|called) (\w+)$", shown) if slot == "child" else None
    if named:
        return named[1].casefold()
    if slot == "pet":
        words = key.split()
        return next((tail for at in range(len(words)) if lexicon.find(tail := " ".join(words[at:]))), key)
    if lexicon.find(key) is None:
        key = re.sub(r" (?:food|cuisine)$", "", key)
    return _NOUNS.get(key, key)
