"""Claims in English: opinions of something, and what a system should do."""

from __future__ import annotations

import re

from mnemolog.schema.cells import Mention
from mnemolog.workers.rules import deeds, lexicon, patterns, routines, wording
from mnemolog.workers.rules.drafts import Draft
from mnemolog.workers.rules.subjects import Speaker
from mnemolog.workers.rules.text import MASK

_OPINIONS = patterns.several("opinions")
_REQUIRED = patterns.one("required")
_NO_TARGET = patterns.one("no_target")
_NO_JUDGEMENT = re.compile(r"(?:going|coming|happening|from|in|at|on|here|there|next|ready)\b")
_DEGREE = re.compile(r"^(?:(?:very|too|so|quite|really|pretty|a bit|rather|extremely|way too) )+")
_JUDGEMENT_WORDS = 8
_TARGET_CHARS = 60


def opinion(text: str, speaker: Speaker) -> Draft | None:
    """What somebody thinks of something: "I think Rust is hard."."""
    effect, _ = routines.split_cause(text.strip(" .!"))
    match = next((found for pattern in _OPINIONS if (found := pattern.fullmatch(effect))), None)
    if match is None or MASK in effect or _NO_TARGET.search(match["target"]):
        return None
    target, judgement = lexicon.bare(match["target"]), match["what"].strip(" .")
    if not target or len(judgement.split()) > _JUDGEMENT_WORDS or _NO_JUDGEMENT.match(judgement):
        return None
    negated = bool(match["not"]) or judgement.startswith("not ")
    shown = judgement.removeprefix("not ")
    thinks = "does not think" if negated else "thinks"
    link = (match["is"] or "is").strip().replace("to be", "is")
    value = lexicon.find(target)
    return Draft(
        subject=speaker.subject,
        slot=f"opinion_of_{_slot_part(target)}",
        object=deeds.key(_DEGREE.sub("", shown)),
        shown=shown,
        cell_type="opinion",
        polarity=-1 if negated else 1,
        content=f"{wording.shown_name(speaker.subject, 'en')} {thinks} that {match['target']} {link} {shown}",
        scene=(value.scene if value else "") or None,
    )


def _slot_part(target: str) -> str:
    plain = lexicon.normal(target).replace("+", "p").replace("#", "_sharp")
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:_TARGET_CHARS] or "something"


def requirement(text: str, project: str | None) -> Draft | None:
    """What a system should do, named in the sentence or just before: "It should sort talk into topics."."""
    match = _REQUIRED.match(text.strip(" .!"))
    thing = (match["thing"] or project) if match else None
    if match is None or thing is None:
        return None
    first = match["what"].removeprefix("not ").split(" ", 1)[0]
    verb = lexicon.verb(first)
    if (verb is not None and verb.form != "base") or (match["it"] and first in {"be", "have", "go"}):
        return None
    return Draft(
        subject=thing,
        slot="requirement",
        object=deeds.key(match["what"]),
        content=f"The {thing} {match['must']} {match['what']}",
        basis="first_person",
        polarity=-1 if match["not"] else 1,
        scene=project or thing,
        mentions=(Mention(thing, "project"),),
    )
