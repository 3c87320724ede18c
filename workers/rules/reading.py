"""Reading: what an English clause says, as drafts: frames applied to the clause, tense and negation settled."""

from __future__ import annotations

import re

import msgspec

from mnemolog.schema.cells import ANY_VALUE, Mention
from mnemolog.schema.slots import single_valued
from mnemolog.workers.rules import dates, frames, lexicon, objects, patterns
from mnemolog.workers.rules.drafts import Draft
from mnemolog.workers.rules.english import Clause, Speaker
from mnemolog.workers.rules.frames import Frame

#: States that can be over, so that the past tense says something about them.
_PAST = frozenset({"residence", "employer", "job_title", "school", "partner", "pet", "owns", "field_of_study"})
#: Beginnings that lie ahead when they are said in the progressive ("I'm moving to Rome").
_AHEAD = frozenset({"residence", "employer", "job_title", "partner", "travel", "school", "owns", "pet"})
#: What an ability says something about.
_ABLE = frozenset({"skill", "speaks", "hobby"})
_NAMES_OF_CLASSES = {
    "language": "programming_language", "ide": "editor", "os": "operating_system", "colour": "color", "db": "database",
    "notes": "note_app", "note": "note_app", "genre": "music", "music genre": "music", "beverage": "drink", "code editor": "editor",
    "text editor": "editor", "web browser": "browser", "kind of music": "music", "type of music": "music", "web framework": "framework",
}  # fmt: skip
_NO_CLASS = frozenset(
    ["thing", "part", "way", "place", "time", "day", "one", "person", "memory", "moment", "people", "kind", "type", "aspect", "bit", "reason", "line", "quote"]
)
_FAVOURITE = patterns.one("favourite")
_CHOICE = patterns.one("choice")
_MINE = patterns.one("mine")
_OF_CHOICE = patterns.one("of_choice")
_OWN = patterns.family("own_")
_PET_GONE = patterns.one("pet_gone")
_PET_NAME = patterns.one("pet_name")
_PARTING = patterns.one("parting")
_GAVE_JOB = patterns.one("gave_job")


def read(clause: Clause) -> list[Draft]:
    """What the frames find in a clause; nothing where none fits or nothing is asserted."""
    verb = clause.predicate.split(" ", 1)[0]
    if verb == "stand" and clause.negated and clause.ability:
        return read(
            msgspec.structs.replace(clause, predicate="hate" + clause.predicate[5:], negated=False, ability=False)
        )
    for frame in frames.by_verb(verb):
        match = frame.pattern.match(clause.predicate)
        if match is None:
            continue
        shown = objects.pick(frame, match["o"])
        if shown is not None:
            drafts = _drafts(frame, match, shown, clause)
            if drafts:
                return drafts
    return []


def _drafts(frame: Frame, match: re.Match[str], shown: str, clause: Clause) -> list[Draft]:
    settled = settle(frame, clause)
    if settled is None:
        return []
    slot = _slot(frame.slot, shown, clause, match.groupdict().get("class"))
    if slot is None:
        return []
    parts = objects.parts(shown) if not single_valued(slot) or slot.startswith(("preferred_", "chosen_")) else [shown]
    parts = [part for part in parts if not objects.vague(part)]
    if len(parts) > 1 and slot.startswith(("preferred_", "chosen_")):
        slot = "uses" if "usual" in frame.slot else "prefers"
    old = match.groupdict().get("old")
    drafts = [_one(slot, part, settled, clause, frame, old) for part in parts]
    extra = match.groupdict()
    if extra.get("job") and (job := objects.pick(_JOB, extra["job"])):
        drafts.append(_one("job_title", job, settled, clause, _JOB, None))
    if (
        frame.slot == "employer"
        and (title := re.search(r" as (an? .+)", match["o"]))
        and (job := objects.pick(_JOB, title[1]))
    ):
        drafts.append(_one("job_title", job, settled, clause, _JOB, None))
    if frame.slot == "job_title" and (place := re.search(r" (?:at|for|with) (.+)", match["o"])):
        employer = objects.pick(_ORG, place[1])
        if employer:
            drafts.append(_one("employer", employer, settled, clause, _ORG, None))
    return drafts


_JOB = frames.Frame("job_title", "state", "job", frozenset(), re.compile(""))
_ORG = frames.Frame("employer", "state", "org", frozenset(), re.compile(""))


def _one(slot: str, shown: str, settled: Draft, clause: Clause, frame: Frame, old: str | None) -> Draft:
    key = ANY_VALUE if frame.sort == "free" else _key(slot, shown)
    ends = settled.ends and key
    change = settled.change
    if old and settled.polarity > 0 and frame.kind == "start":
        ends = _key(slot, objects.cut(old))
        change = True
    return msgspec.structs.replace(
        settled, slot=slot, object="" if key == ANY_VALUE else key, shown=shown, ends=ends, change=change,
        cell_type="plan" if settled.modality == "planned" else None,
    )  # fmt: skip


def _key(slot: str, shown: str) -> str:
    key = lexicon.normal(shown)
    if slot in {"condition", "habit", "marital_status"}:
        return {"smoke": "smoking", "diabetic": "diabetes", "asthmatic": "asthma", "epileptic": "epilepsy"}.get(
            key, key
        )
    named = re.search(r"(?:named|called) (\w+)$", shown) if slot == "child" else None
    if named:
        return named[1].casefold()
    if slot == "pet":
        words = key.split()
        return next((tail for at in range(len(words)) if (tail := " ".join(words[at:])) and lexicon.find(tail)), key)
    return re.sub(r" (?:food|cuisine)$", "", key) if lexicon.find(key) is None else key


def settle(frame: Frame, clause: Clause) -> Draft | None:
    """Polarity, modality, what ends and what begins, from the frame's kind and the clause's tense; None if neither holds."""
    draft = Draft(
        subject=clause.subject, slot=frame.slot, object="", change=clause.change, addition=clause.addition or clause.weak,
        plural=clause.plural, scope=clause.scope, phrases=clause.phrases, basis="others" if clause.others else None,
    )  # fmt: skip
    planned = clause.tense == "future" or (clause.future_date and clause.tense in {"present", "progressive"})
    if clause.wanted and not clause.phrases:
        return None
    if planned and frame.slot in {"likes", "allergy", "condition", "age", "skill", "speaks", "name"}:
        return None
    if clause.obliged:
        return None
    if clause.ability and not clause.negated and frame.slot not in _ABLE:
        return None
    if (
        frame.slot == "employer"
        and clause.predicate.startswith(("be at ", "be with "))
        and not (
            (clause.tense == "perfect" and clause.phrases)
            or (clause.change and clause.tense == "present" and not clause.phrases)
        )
    ):
        return None
    how = {"state": _state, "against": _state, "start": _start, "end": _end, "event": _event}[frame.kind]
    return how(draft, frame, clause, planned)


def _state(draft: Draft, frame: Frame, clause: Clause, planned: bool) -> Draft | None:
    against = frame.kind == "against"
    replace = msgspec.structs.replace
    if clause.tense == "used":
        return replace(draft, closed=True, ends="x", polarity=-1 if against else 1)
    if clause.tense == "past":
        return replace(draft, closed=True) if frame.slot in _PAST and not clause.negated and not against else None
    if (
        clause.tense == "perfect"
        and frame.slot in _PAST
        and (clause.negated or (clause.form != "ing" and not clause.phrases))
    ):
        return None
    if frame.slot == "location" and not clause.phrases:
        return None
    if planned:
        return replace(draft, modality="planned", polarity=-1 if clause.negated else 1)
    if clause.negated and against:
        return None
    negative = clause.negated or (clause.ended and clause.tense == "present")
    over = (clause.ended and not against) or (negative and clause.change and clause.tense == "present")
    return replace(
        draft, polarity=-1 if negative or against else 1, ends="x" if over else None, starts=clause.tense == "perfect"
    )


def _start(draft: Draft, frame: Frame, clause: Clause, planned: bool) -> Draft | None:
    if clause.negated or clause.tense == "used":
        return None
    begun = msgspec.structs.replace(draft, change=True, starts=True)
    ahead = msgspec.structs.replace(draft, modality="planned")
    if planned:
        return ahead
    if clause.tense == "progressive":
        return ahead if frame.slot in _AHEAD else begun
    if clause.tense in {"past", "perfect"} or clause.predicate.startswith("be back"):
        return begun
    return None


def _end(draft: Draft, frame: Frame, clause: Clause, planned: bool) -> Draft | None:
    if clause.negated or clause.tense == "used":
        return None
    if planned or (clause.tense == "progressive" and frame.slot in _AHEAD):
        return msgspec.structs.replace(draft, modality="planned", polarity=-1)
    if clause.tense == "present" and not clause.predicate.startswith("be "):
        return None
    return msgspec.structs.replace(draft, polarity=-1, ends="x", change=True, starts=True)


def _event(draft: Draft, frame: Frame, clause: Clause, planned: bool) -> Draft | None:
    if clause.negated or clause.tense == "used":
        return None
    if frame.slot == "travel":
        if planned or (clause.tense == "progressive" and clause.phrases):
            return msgspec.structs.replace(draft, modality="planned")
        if clause.tense == "progressive":
            return msgspec.structs.replace(draft, modality="planned")
        return (
            msgspec.structs.replace(draft, event=True, ends="x") if clause.tense == "past" and clause.phrases else None
        )
    return msgspec.structs.replace(draft, event=frame.slot != "birthplace") if not planned else None


def _slot(slot: str, shown: str, clause: Clause, named: str | None) -> str | None:
    """The slot, with what stands in ⟨⟩ decided by the object's class."""
    if not slot.startswith("⟨"):
        return slot
    value = lexicon.find(objects.parts(shown)[0] if objects.parts(shown) else shown)
    group = value.classes[0] if value else None
    if slot == "⟨ingest⟩":
        return "drinks" if group == "drink" else "eats"
    if named:
        return f"preferred_{_NAMES_OF_CLASSES.get(named.casefold(), named.casefold().replace(' ', '_'))}"
    if group is None or group == "food":
        return "prefers" if slot == "⟨favourite⟩" else None
    if slot in {"⟨preferred⟩", "⟨used⟩"} and group in {
        "diet",
        "place",
        "job",
        "condition",
        "allergen",
        "animal",
        "color",
    }:
        return "diet" if group == "diet" else None
    if slot in {"⟨preferred⟩", "⟨used⟩"} and group in {"sport", "hobby", "instrument"}:
        return "hobby"
    if slot == "⟨usual⟩" and (clause.addition or clause.weak):
        return "uses"
    return f"{'chosen' if clause.plural and group in frames.TOOLS else 'preferred'}_{group}"


def possessive(text: str, speaker: Speaker) -> list[Draft]:
    """What is said with "my": "my favorite editor is Vim", "my name is Ada", "our dog died"."""
    plain = re.sub(
        r"^(?:now|currently|these days|lately|well|so|and|also|btw|by the way),? ",
        "",
        text.strip(" .!"),
        flags=re.IGNORECASE,
    )
    change = plain != text.strip(" .!") or re.search(r"\b(?:now|these days|currently|lately|new)\b", text) is not None
    phrases, plain = dates.find(plain, "en") if "birthday" not in plain else ((), plain)
    plain = re.sub(r",? (?:now|currently|these days|lately|at the moment)\b", "", plain)
    lowered = plain[0].lower() + plain[1:] if plain.startswith(("My ", "Our ")) else plain
    base = Draft(
        subject=speaker.subject, slot="", object="", change=change, plural=lowered.startswith("our "), phrases=phrases
    )
    return _favourite(lowered, base) or _own(lowered, base) or _parting(plain, base)


def _favourite(text: str, base: Draft) -> list[Draft]:
    match = _FAVOURITE.match(text) or _CHOICE.match(text) or _OF_CHOICE.match(text) or _MINE.match(text)
    if match is None:
        return []
    frame = frames.Frame("", "state", "thing", frozenset(), re.compile(""))
    shown = objects.pick(frame, match["o"])
    if shown is None or re.search(r"\b(?:now|too|also)$", shown):
        return []
    named = (match["class"] or "").strip()
    named = re.sub(r"^(?:programming|coding) (?=language)", "", named)
    value = lexicon.find(shown)
    group = _NAMES_OF_CLASSES.get(lexicon.singular(named), lexicon.singular(named))
    if named in {"", "language"} and value is not None:
        group = value.classes[0]
    if (
        not group
        or group in _NO_CLASS
        or re.search(r"\b(?:was|is|were|one|part|when|to|of)\b", group)
        or len(group.split()) > 3
    ):
        return []
    past = match["was"].strip(" ,") in {"was", "were", "used to be"}
    key = lexicon.normal(shown)
    slot = "preferred_" + re.sub(r"\W+", "_", group)
    polarity = -1 if match["not"] and not past else 1
    return [
        msgspec.structs.replace(
            base,
            slot=slot,
            object=key,
            shown=shown,
            closed=past,
            ends=key if past or polarity < 0 else None,
            polarity=polarity,
        )
    ]


def _own(text: str, base: Draft) -> list[Draft]:
    for slot, pattern in _OWN:
        match = pattern.match(text)
        if match and not re.search(r"\b(?:is|was) not\b", text):
            shown = (
                re.split(r" (?:for|with|in) ", objects.cut(match["o"]))[0]
                if slot != "birthday"
                else match["o"].strip(" .")
            )
            return [msgspec.structs.replace(base, slot=slot, object=lexicon.normal(shown), shown=shown)]
    gone = _PET_GONE.match(text)
    if gone and (value := lexicon.find(gone["o"])) and "animal" in value.classes:
        return [
            msgspec.structs.replace(
                base,
                slot="pet",
                object=value.key,
                shown=gone["o"],
                polarity=-1,
                ends=value.key,
                change=True,
                starts=True,
            )
        ]
    named = _PET_NAME.match(text)
    if named and (value := lexicon.find(named["o"])) and "animal" in value.classes:
        return [
            msgspec.structs.replace(base, slot="pet", object=value.key, shown=f"{named['o']} named {named['name']}")
        ]
    return []


def _parting(text: str, base: Draft) -> list[Draft]:
    match = _PARTING.match(text)
    if match:
        over = "married" not in match["how"] and "engaged" not in match["how"]
        key = match["who"].casefold()
        return [msgspec.structs.replace(
            base, slot="partner", object=key, shown=match["who"], polarity=-1 if over else 1, ends=key if over else None,
            change=True, starts=True, mentions=(Mention(match["who"], "person"),),
        )]  # fmt: skip
    job = _GAVE_JOB.match(text)
    if job:
        key = job["o"].casefold()
        over = job["how"] in {"fired me", "laid me off", "let me go"}
        return [msgspec.structs.replace(base, slot="employer", object=key, shown=job["o"], polarity=-1 if over else 1,
                                        ends=key if over else None, change=True, starts=True)]  # fmt: skip
    return []
