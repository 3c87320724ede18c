"""Reading: what an English clause says, as drafts: frames applied to the clause, tense and negation settled."""

from __future__ import annotations

import re

import msgspec

from mnemolog.schema.cells import ANY_VALUE, Mention
from mnemolog.schema.slots import single_valued
from mnemolog.workers.rules import frames, lexicon, objects
from mnemolog.workers.rules.drafts import Draft
from mnemolog.workers.rules.english import KIN, Clause, Speaker
from mnemolog.workers.rules.frames import Frame

#: States that can be over, so that the past tense says something about them.
_PAST = frozenset({"residence", "employer", "job_title", "school", "partner", "pet", "owns", "field_of_study", "works_on"})
#: Beginnings that lie ahead when they are said in the progressive ("I'm moving to Rome").
_AHEAD = frozenset({"residence", "employer", "job_title", "partner", "travel", "school", "owns", "pet"})
#: What an ability says something about.
_ABLE = frozenset({"skill", "speaks", "hobby"})
_NAMES_OF_CLASSES = {
    "language": "programming_language", "ide": "editor", "os": "operating_system", "colour": "color", "db": "database",
    "notes": "note_app", "note": "note_app", "genre": "music", "music genre": "music", "beverage": "drink", "code editor": "editor",
    "text editor": "editor", "web browser": "browser", "kind of music": "music", "type of music": "music", "web framework": "framework",
}  # fmt: skip
_NO_CLASS = frozenset("thing part way place time day one person memory moment people kind type aspect bit reason line quote".split())
_FAVOURITE = re.compile(
    r"(?:my|our) (?:(?:all[- ]time|absolute|new|current) )*(?:favou?rite|preferred|go-to|main|primary|default|top) (?P<class>[a-z][a-z -]{1,25}?)"
    r"(?P<was> used to be|,? (?:is|are|was|were))(?P<not> not)?(?: probably| hands down)? (?P<o>.+)"
)
_CHOICE = re.compile(r"(?:my|our) (?P<class>[a-z ]{2,20}) of choice (?P<was>is)(?P<not> not)? (?P<o>.+)")
_MINE = re.compile(
    r"(?P<o>[\w#+. -]{1,40}?) (?P<was>is|are|was)(?P<not> not)? (?:my|our) (?:(?:all[- ]time|absolute|new|current) )*(?:favou?rite|preferred|go-to|main|primary|default)"
    r"(?: (?P<class>[a-z]+(?: [a-z]+)?))?$"
)
_OWN = (
    ("name", re.compile(r"my (?:full |first )?name is (?:not )?(?P<o>[A-Z][\w'-]+(?: [A-Z][\w'-]+)*)")),
    ("name", re.compile(r"(?:please |you can |everyone |people )*call me (?P<o>[A-Z][a-z]+)$", re.IGNORECASE)),
    ("timezone", re.compile(r"my time ?zone is (?:now )?(?P<o>[\w/+: -]+)", re.IGNORECASE)),
    ("birthday", re.compile(r"my birthday is (?:on |the )*(?P<o>.+)", re.IGNORECASE)),
    ("employer", re.compile(r"my (?:new |current )?(?:employer|company|job) is (?:at |with )?(?P<o>[A-Z][\w&.-]*(?: [A-Z][\w&.-]*)*)", re.IGNORECASE)),
    ("job_title", re.compile(r"my (?:new |current )?(?:job title|title|role|position) is (?:an? )?(?P<o>[\w -]+)", re.IGNORECASE)),
    ("hobby", re.compile(r"my (?:new |main |favou?rite )?(?:hobby|pastime)(?: is|:) (?P<o>[\w -]+)", re.IGNORECASE)),
    ("partner", re.compile(r"my (?:wife|husband|partner|girlfriend|boyfriend|fianc[ée]e?|spouse) is (?:called |named )?(?P<o>[A-Z][a-z]+)$", re.IGNORECASE)),
    ("partner", re.compile(r"my (?:wife|husband|partner|girlfriend|boyfriend|fianc[ée]e?|spouse)'s name is (?P<o>[A-Z][a-z]+)$", re.IGNORECASE)),
    ("child", re.compile(r"(?:my|our) (?:\w+ )?(?:son|daughter|kid|baby) is (?:called |named )(?P<o>[A-Z][a-z]+)", re.IGNORECASE)),
    ("child", re.compile(r"(?:my|our) (?:\w+ )?(?:son|daughter|kid|baby)'s name is (?P<o>[A-Z][a-z]+)", re.IGNORECASE)),
)  # fmt: skip
_PET_GONE = re.compile(rf"(?:my|our) (?:\w+ )?(?P<o>[\w ]+?)(?:,? [A-Z]\w+,?)? (?:has |have )?(?:just |sadly )?(?:died|passed away|passed|crossed)")
_PET_NAME = re.compile(r"(?:my|our) (?:\w+ )?(?P<o>[a-z]+)(?: is (?:called|named)|'s name is) (?P<name>[A-Z]\w+)")
_PARTING = re.compile(r"(?P<who>[A-Z][a-z]+) and I (?:have |has )?(?:just )?(?P<how>broke up|split up|split|separated|(?:got |are )?divorced|are no longer together|(?:got |are )(?:married|engaged))")
_GAVE_JOB = re.compile(r"(?P<o>[A-Z][\w&.-]*(?: [A-Z][\w&.-]*)*) (?P<how>hired me|fired me|laid me off|let me go|offered me a job and I accepted)")


def read(clause: Clause) -> list[Draft]:
    """What the frames find in a clause; nothing where none fits or nothing is asserted."""
    verb = clause.predicate.split(" ", 1)[0]
    if verb == "stand" and clause.negated and clause.ability:
        return read(msgspec.structs.replace(clause, predicate="hate" + clause.predicate[5:], negated=False, ability=False))
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
    parts = objects.parts(shown) if not single_valued(slot) or slot.startswith("preferred_") else [shown]
    if len(parts) > 1 and slot.startswith("preferred_"):
        slot = "uses" if "usual" in frame.slot else "prefers"
    old = match.groupdict().get("old")
    drafts = [_one(slot, part, settled, clause, frame, old) for part in parts]
    extra = match.groupdict()
    if extra.get("job") and (job := objects.pick(_JOB, extra["job"])):
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
        return {"smoke": "smoking", "diabetic": "diabetes", "asthmatic": "asthma", "epileptic": "epilepsy"}.get(key, key)
    if slot == "pet":
        words = key.split()
        return next((tail for at in range(len(words)) if (tail := " ".join(words[at:])) and lexicon.find(tail)), key)
    return re.sub(r" (?:food|cuisine|music)$", "", key) if lexicon.find(key) is None else key


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
    how = {"state": _state, "against": _state, "start": _start, "end": _end, "event": _event}[frame.kind]
    return how(draft, frame, clause, planned)


def _state(draft: Draft, frame: Frame, clause: Clause, planned: bool) -> Draft | None:
    against = frame.kind == "against"
    replace = msgspec.structs.replace
    if clause.tense == "used":
        return replace(draft, closed=True, ends="x", polarity=-1 if against else 1)
    if clause.tense == "past":
        return replace(draft, closed=True) if frame.slot in _PAST and not clause.negated and not against else None
    if clause.tense == "perfect" and (clause.negated or (frame.slot in _PAST and clause.form != "ing" and not clause.phrases)):
        return None
    if frame.slot == "location" and not clause.phrases:
        return None
    if planned:
        return replace(draft, modality="planned", polarity=-1 if clause.negated else 1)
    if clause.negated and against:
        return None
    negative = clause.negated or (clause.ended and clause.tense == "present")
    over = (clause.ended and not against) or (negative and clause.change and clause.tense == "present")
    return replace(draft, polarity=-1 if negative or against else 1, ends="x" if over else None, starts=clause.tense == "perfect")


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
        return msgspec.structs.replace(draft, event=True, ends="x") if clause.tense == "past" and clause.phrases else None
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
    if slot in {"⟨preferred⟩", "⟨used⟩"} and group in {"diet", "place", "job", "condition", "allergen", "animal", "color"}:
        return "diet" if group == "diet" else None
    if slot in {"⟨preferred⟩", "⟨used⟩"} and group in {"sport", "hobby", "instrument"}:
        return "hobby"
    if slot == "⟨usual⟩" and (clause.addition or clause.weak):
        return "uses"
    return f"preferred_{group}"


def possessive(text: str, speaker: Speaker) -> list[Draft]:
    """What is said with "my": "my favorite editor is Vim", "my name is Ada", "our dog died"."""
    plain = re.sub(r"^(?:now|currently|these days|lately|well|so|and|also|btw|by the way),? ", "", text.strip(" .!"), flags=re.IGNORECASE)
    change = plain != text.strip(" .!") or re.search(r"\b(?:now|these days|currently|lately|new)\b", text) is not None
    plain = re.sub(r",? (?:now|currently|these days|lately|at the moment)\b", "", plain)
    lowered = plain[0].lower() + plain[1:] if plain.startswith(("My ", "Our ")) else plain
    base = Draft(subject=speaker.subject, slot="", object="", change=change, plural=lowered.startswith("our "))
    return _favourite(lowered, base) or _own(lowered, base) or _parting(plain, base)


def _favourite(text: str, base: Draft) -> list[Draft]:
    match = _FAVOURITE.match(text) or _CHOICE.match(text) or _MINE.match(text)
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
    if not group or group in _NO_CLASS or len(group.split()) > 3:
        return []
    past = match["was"].strip(" ,") in {"was", "were", "used to be"}
    key = lexicon.normal(shown)
    slot = "preferred_" + re.sub(r"\W+", "_", group)
    polarity = -1 if match["not"] and not past else 1
    return [msgspec.structs.replace(base, slot=slot, object=key, shown=shown, closed=past, ends=key if past or polarity < 0 else None, polarity=polarity)]


def _own(text: str, base: Draft) -> list[Draft]:
    for slot, pattern in _OWN:
        match = pattern.match(text)
        if match and not re.search(r"\b(?:is|was) not\b", text):
            shown = objects.cut(match["o"]) if slot != "birthday" else match["o"].strip(" .")
            return [msgspec.structs.replace(base, slot=slot, object=lexicon.normal(shown), shown=shown)]
    gone = _PET_GONE.match(text)
    if gone and (value := lexicon.find(gone["o"])) and "animal" in value.classes:
        return [msgspec.structs.replace(base, slot="pet", object=value.key, shown=gone["o"], polarity=-1, ends=value.key, change=True, starts=True)]
    named = _PET_NAME.match(text)
    if named and (value := lexicon.find(named["o"])) and "animal" in value.classes:
        return [msgspec.structs.replace(base, slot="pet", object=value.key, shown=f"{named['o']} named {named['name']}")]
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


def relation(clause_text: str) -> bool:
    """Whether a clause is about a relative or friend of the speaker."""
    return re.match(rf"[Mm]y (?:\w+ )?{KIN}\b", clause_text) is not None
