"""Possessives: what is said with "my": "my favorite editor is Vim", "my name is Ada", "our dog died"."""

from __future__ import annotations

import re

import msgspec

from mnemolog.schema.cells import Mention
from mnemolog.workers.rules import classes, dates, frames, lexicon, objects, patterns
from mnemolog.workers.rules.drafts import Draft
from mnemolog.workers.rules.subjects import Speaker

_FAVOURITES = tuple(patterns.one(name) for name in ("favourite", "choice", "of_choice", "mine"))
_OWN = patterns.family("own_")
_PET_GONE = patterns.one("pet_gone")
_PET_NAME = patterns.one("pet_name")
_PARTING = patterns.one("parting")
_GAVE_JOB = patterns.one("gave_job")
_LEADING = patterns.one("my_leading")
_NOW = patterns.one("my_now")
_THING = frames.simple("", "thing")
_PEOPLE = frozenset({"partner", "child"})
_LOST_JOB = frozenset({"fired me", "laid me off", "let me go"})


def read(text: str, speaker: Speaker) -> list[Draft]:
    """What a clause says about something of the speaker's; nothing where it does not."""
    stripped = text.strip(" .!")
    plain = _LEADING.sub("", stripped)
    phrases, plain = ((), plain) if "birthday" in plain else dates.find(plain, "en")
    change = plain != stripped or _NOW.search(plain) is not None or " new " in plain
    plain = _NOW.sub("", plain)
    if plain.startswith(("My ", "Our ")):
        plain = plain[0].lower() + plain[1:]
    base = Draft(
        subject=speaker.subject, slot="", object="", change=change, plural=plain.startswith("our "), phrases=phrases
    )
    return _favourite(plain, base) or _own(plain, base) or _pet(plain, base) or _others(plain, base)


def _favourite(text: str, base: Draft) -> list[Draft]:
    match = next((found for pattern in _FAVOURITES if (found := pattern.match(text))), None)
    shown = objects.pick(_THING, match["o"]) if match else None
    if match is None or shown is None:
        return []
    group = classes.called(re.sub(r"^programming (?=language)", "", match["class"] or ""), shown)
    if group is None:
        return []
    past = match["was"].strip(" ,") in {"was", "were", "used to be"}
    key = lexicon.normal(shown)
    draft = msgspec.structs.replace(base, slot=f"preferred_{group}", object=key, shown=shown, closed=past)
    if past:
        return [msgspec.structs.replace(draft, ends=key)]
    return [msgspec.structs.replace(draft, ends=key, polarity=-1) if match["not"] else draft]


def _own(text: str, base: Draft) -> list[Draft]:
    if re.search(r"\b(?:is|was) not\b", text):
        return []
    for slot, pattern in _OWN:
        match = pattern.match(text)
        if match:
            whole = match["o"].strip(" .")
            shown = whole if slot == "birthday" else re.split(r" (?:for|with|in) ", objects.cut(whole))[0]
            if slot in _PEOPLE and lexicon.find(shown) is not None:
                return []  # "My husband is Dutch"
            return [msgspec.structs.replace(base, slot=slot, object=lexicon.normal(shown), shown=shown)]
    return []


def _pet(text: str, base: Draft) -> list[Draft]:
    match = _PET_GONE.match(text) or _PET_NAME.match(text)
    value = lexicon.find(match["o"]) if match else None
    if match is None or value is None or "animal" not in value.classes:
        return []
    pet = msgspec.structs.replace(base, slot="pet", object=value.key, shown=match["o"])
    if match.re is _PET_NAME:
        return [msgspec.structs.replace(pet, shown=f"{match['o']} named {match['name']}")]
    return [msgspec.structs.replace(pet, polarity=-1, ends=value.key, change=True, starts=True)]


def _others(text: str, base: Draft) -> list[Draft]:
    """What others and the speaker did: "Clara and I broke up", "Acme hired me"."""
    parting, job = _PARTING.match(text), _GAVE_JOB.match(text)
    if parting:
        over = re.search(r"married|engaged", parting["how"]) is None
        slot, shown, kind = "partner", parting["who"], "person"
    elif job:
        over = job["how"] in _LOST_JOB
        slot, shown, kind = "employer", job["o"], "organization"
    else:
        return []
    draft = msgspec.structs.replace(
        base, slot=slot, object=shown.casefold(), shown=shown, change=True, starts=True,
        mentions=(Mention(shown, "person" if kind == "person" else "organization"),),
    )  # fmt: skip
    return [msgspec.structs.replace(draft, polarity=-1, ends=draft.object) if over else draft]
