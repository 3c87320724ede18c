"""German, Spanish and Chinese: the commonest frames in the first person; everything else makes no cells."""

from __future__ import annotations

import re
from functools import cache

import msgspec

from mnemolog.schema.cells import ANY_VALUE
from mnemolog.workers.rules import classes, dates, frames, lexicon, objects
from mnemolog.workers.rules.drafts import Draft
from mnemolog.workers.rules.frames import Frame, Kind

_NOUNS = {"fumar": "smoking", "烟": "smoking", "rauche": "smoking"}
#: The longest Chinese object, in characters.
_CHARS = 10
_POINTS_ZH = re.compile(r"[我你他她它这那]|什么|谁|哪")


class Tongue(msgspec.Struct, frozen=True):
    """The small words of a language: what asserts nothing, negates, ends, changes, adds, and what is left out."""

    gate: re.Pattern[str]
    cut: re.Pattern[str]
    ended: re.Pattern[str]
    negation: re.Pattern[str]
    change: re.Pattern[str]
    addition: re.Pattern[str]
    adverb: re.Pattern[str]


@cache
def _tongue(language: str) -> Tongue:
    rows = (line.split(" :: ", 2) for line in lexicon.lines("tongues.txt"))
    return Tongue(**{part: re.compile(pattern, re.IGNORECASE) for name, part, pattern in rows if name == language})


def read(sentence: str, subject: str, language: str) -> list[Draft]:
    """The drafts of a sentence in one of the three languages, said by `subject`."""
    tongue = _tongue(language)
    if tongue.gate.search(sentence) or "￼" in sentence:
        return []
    found: list[Draft] = []
    for part in tongue.cut.split(sentence):
        found += _clause(part.strip(" .!¡。！…"), subject, language, tongue)
    return found


def _clause(text: str, subject: str, language: str, tongue: Tongue) -> list[Draft]:
    phrases, plain = dates.find(text, language)
    ended = tongue.ended.search(plain) is not None
    negated = ended or tongue.negation.search(plain) is not None
    change = tongue.change.search(plain) is not None
    addition = tongue.addition.search(plain) is not None
    if language == "zh":
        plain = plain.rstrip("了啊呀吧") if negated else plain.rstrip("啊呀吧")
    for pattern in (tongue.ended, tongue.negation, tongue.change, tongue.addition, tongue.adverb):
        plain = pattern.sub("" if language == "zh" else " ", plain)
    plain = re.sub(r"\s+", " ", plain).strip()
    if language == "zh" and plain and not plain.startswith("我") and re.match(r"(?:搬|住在|喜欢|不|爱|养|改用)", plain):
        plain = "我" + plain
    base = Draft(
        subject=subject,
        slot="",
        object="",
        phrases=phrases,
        change=change,
        addition=addition,
        polarity=-1 if negated else 1,
    )
    for frame in frames.table(language):
        match = _match(frame, plain, language)
        if match is None:
            continue
        shown = _object(frame, match["o"], language)
        if shown is not None:
            return _drafts(frame, shown, base, match.groupdict().get("old"), ended=ended)
    return []


def _match(frame: Frame, plain: str, language: str) -> re.Match[str] | None:
    if language == "zh":
        return frame.pattern.match(plain)
    pattern = frame.pattern.pattern
    # Nouns keep their capitals, verbs at the start of a sentence lose theirs.
    return re.match(pattern, plain[:1].lower() + plain[1:])


def _object(frame: Frame, phrase: str, language: str) -> str | None:
    if language != "zh":
        return objects.pick(frame, re.sub(r"^(?:dem|der|den|die|das|el|la|los|las) ", "", phrase))
    if frame.sort == "free":
        return ""
    shown = re.sub(r"^(?:一名|一个|一只|一条)|[了的吧呢]$|(?:工作|生活)$", "", phrase.strip())
    if frame.sort in {"job", "known"}:
        value = lexicon.find(shown)
        wanted = frame.classes or frozenset({"job"})
        return shown if value is not None and wanted & set(value.classes) else None
    return shown if 0 < len(shown) <= _CHARS and _POINTS_ZH.search(shown) is None else None


def _drafts(frame: Frame, shown: str, base: Draft, old: str | None, *, ended: bool) -> list[Draft]:
    key = ANY_VALUE if frame.sort == "free" else lexicon.normal(shown)
    key = _NOUNS.get(key, key)
    draft = msgspec.structs.replace(
        base, slot=_slot(frame.slot, shown), object="" if key == ANY_VALUE else key, shown=shown
    )
    if frame.kind == "state":
        return [msgspec.structs.replace(draft, ends=key if ended else None)]
    if base.polarity < 0:
        return []
    said: dict[Kind, dict[str, object]] = {
        "start": {"change": True, "starts": True, "ends": lexicon.normal(old) if old else None},
        "end": {"polarity": -1, "ends": key, "change": True, "starts": True},
        "past": {"closed": True, "ends": key},
        "planned": {"modality": "planned", "cell_type": "plan"},
        "against": {"polarity": -1},
    }
    return [msgspec.structs.replace(draft, **said[frame.kind])]


#: Where a class has a slot of its own; what is in no class is preferred by its name only.
_SLOTS = {"food": "prefers", "diet": "diet", "sport": "hobby", "hobby": "hobby"}


def _slot(slot: str, shown: str) -> str:
    group = classes.of(shown)
    if slot == "⟨ingest⟩":
        return "drinks" if group == "drink" else "eats"
    if slot != "preferred":
        return slot
    return _SLOTS.get(group, f"preferred_{group}") if group else "prefers"
