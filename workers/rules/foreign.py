"""German, Spanish and Chinese: the commonest frames in the first person; everything else makes no cells."""

from __future__ import annotations

import re

import msgspec

from mnemolog.schema.cells import ANY_VALUE
from mnemolog.workers.rules import dates, frames, lexicon, objects
from mnemolog.workers.rules.drafts import Draft
from mnemolog.workers.rules.frames import Frame


class Tongue(msgspec.Struct, frozen=True):
    """The small words of a language: what asserts nothing, negates, ends, changes, adds, and what is left out."""

    gate: re.Pattern[str]
    cut: re.Pattern[str]
    ended: re.Pattern[str]
    negation: re.Pattern[str]
    change: re.Pattern[str]
    addition: re.Pattern[str]
    adverb: re.Pattern[str]


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)


_TONGUES = {
    "de": Tongue(
        gate=_words(
            r"wenn|falls|würde[nst]*|könnte[nst]*|möchte[nst]*|hätte[nst]*|wäre[nst]*|vielleicht|angenommen|sagt(?:e|en)?|meint(?:e|en)?"
            r"|behauptet(?:e|en)?|glaubt|laut|ob|soll(?:te)?|wünschte|stell dir|traum|träumte|geschichte|roman|figur"
        ),
        cut=re.compile(r",\s*(?:aber|und|doch|sondern)?\s*|;\s*|\s+(?:aber|und|denn)\s+(?=(?:ich|wir|habe|bin|jetzt)\b)", re.IGNORECASE),
        ended=_words(r"nicht mehr|(?:kein(?:e[nmrs]?)?)(?= .*\bmehr\b)|nie mehr"),
        negation=_words(r"nicht|kein(?:e[nmrs]?)?|nie|niemals"),
        change=_words(r"jetzt|nun|inzwischen|mittlerweile|seit kurzem|neuerdings|wieder|zurzeit|derzeit|aktuell|gerade"),
        addition=_words(r"auch|außerdem|zusätzlich|nebenbei"),
        adverb=_words(r"mehr|früher|damals|sehr|wirklich|total|immer|noch|gern|gerne|meistens|hauptsächlich|eigentlich|übrigens|hallo|ja|also|schon|am liebsten|doch|ganz|halt|besonders"),
    ),
    "es": Tongue(
        gate=_words(
            r"si|quizás?|tal vez|podría|querría|quisiera|gustaría|ojalá|dice[ns]? que|dijo|dijeron|cree que|según|acaso|imagina|supón|a lo mejor"
            r"|sueño|soñé|novela|cuento|personaje|debería"
        ),
        cut=re.compile(r",\s*(?:pero|y|aunque)?\s*|;\s*|\s+(?:pero|aunque)\s+|\s+y\s+(?=(?:ahora|me|vivo|trabajo|tengo|soy|no)\b)", re.IGNORECASE),
        ended=_words(r"ya no|nunca más"),
        negation=_words(r"no|nunca|jamás"),
        change=_words(r"ahora|actualmente|últimamente|recientemente|otra vez|de nuevo|por fin|hoy en día"),
        addition=_words(r"también|además"),
        adverb=_words(r"ya|mucho|muy|realmente|siempre|todavía|aún|la verdad|hola|pues|bueno|sobre todo|principalmente|más"),
    ),
    "zh": Tongue(
        gate=re.compile(r"如果|要是|假如|假设|可能|也许|或许|说我|他说|她说|吗|呢|想象|梦见|小说|故事|应该|是不是|有没有|会不会|据说|听说|老板|万一|想要|希望"),
        cut=re.compile(r"[，,；;]|但是?|不过|而且|所以"),
        ended=re.compile(r"不再|再也不|(?:已经)?不(?=.*了$)|没(?=.*了$)|戒不"),
        negation=re.compile(r"(?<!对)不(?!错|同)|没有|没"),
        change=re.compile(r"现在|目前|最近|如今|终于|刚刚?|重新|又"),
        addition=re.compile(r"也|还"),
        adverb=re.compile(r"其实|真的|一直|已经|主要|平时|经常|总是|都|就|在这里|很久"),
    ),
}  # fmt: skip


def read(sentence: str, subject: str, language: str) -> list[Draft]:
    """The drafts of a sentence in one of the three languages, said by `subject`."""
    tongue = _TONGUES[language]
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
    shown = re.sub(r"^(?:一名|一个|一只|一条)|[了的吧呢]$|(?:工作|生活)$", "", phrase.strip())
    value = lexicon.find(shown)
    if frame.sort == "known":
        return shown if value is not None and frame.classes & set(value.classes) else None
    if frame.sort == "job":
        return shown if value is not None and "job" in value.classes else None
    limit = 12 if frame.sort in {"org", "thing"} else 8
    if not 0 < len(shown) <= limit or re.search(r"[我你他她它这那]|什么|谁|哪", shown):
        return None if frame.sort != "free" else ""
    return shown


def _drafts(frame: Frame, shown: str, base: Draft, old: str | None, *, ended: bool) -> list[Draft]:
    replace = msgspec.structs.replace
    key = ANY_VALUE if frame.sort == "free" else lexicon.normal(shown)
    key = {"fumar": "smoking", "烟": "smoking", "rauche": "smoking"}.get(key, key)
    slot = _slot(frame.slot, shown)
    draft = replace(base, slot=slot, object="" if key == ANY_VALUE else key, shown=shown)
    negated = base.polarity < 0
    if frame.kind in {"start", "end", "planned", "past"} and negated:
        return []
    if frame.kind == "start":
        return [replace(draft, change=True, starts=True, ends=lexicon.normal(old) if old else None)]
    if frame.kind == "end":
        return [replace(draft, polarity=-1, ends=key, change=True, starts=True)]
    if frame.kind == "past":
        return [replace(draft, closed=True, ends=key)]
    if frame.kind == "planned":
        return [replace(draft, modality="planned", cell_type="plan")]
    if frame.kind == "against":
        return [] if negated else [replace(draft, polarity=-1)]
    return [replace(draft, ends=key if ended else None)]


def _slot(slot: str, shown: str) -> str:
    value = lexicon.find(shown)
    group = value.classes[0] if value else "thing"
    if slot == "⟨ingest⟩":
        return "drinks" if group == "drink" else "eats"
    if slot != "preferred":
        return slot
    return {"food": "prefers", "thing": "prefers", "diet": "diet", "sport": "hobby", "hobby": "hobby"}.get(
        group, f"preferred_{group}"
    )
