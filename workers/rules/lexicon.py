"""Lexicons: values by class ("Python" is a programming language), their canonical names, and the forms of verbs."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from importlib.resources import files
from typing import cast

import msgspec

from mnemolog.schema.cells import EntityKind

_DETERMINER = re.compile(
    r"^(?:(?:a little|a bit of|a lot of|lots of|a couple of|a|an|the|one|two|three|four|my|our|your|his|her|their"
    r"|some|any|this|that|these|those|all|both|of"
    r"|ein|eine|einen|einem|einer|der|die|das|den|dem|kein|keine|keinen|mein|meine|meinen|meinem"
    r"|el|la|los|las|un|una|unos|unas|mi|mis|al|del)\s+)+",
    re.IGNORECASE,
)
_EDGES = " \t\n.,;:!?。，！？、()[]\"'"


#: Verbs of two syllables that double their last letter.
_DOUBLED = frozenset(
    [
        "prefer",
        "admit",
        "commit",
        "refer",
        "submit",
        "begin",
        "forget",
        "permit",
        "transfer",
        "program",
        "occur",
        "regret",
        "travel",
        "cancel",
    ]
)


#: Shorter words with an s are no plurals ("gas"), and so short ones in -ies keep their e ("pies").
_SHORTEST_PLURAL = 4


class Value(msgspec.Struct, frozen=True):
    """A known value: `name` as it is written, `classes` it belongs to, the topic and the kind of entity it is."""

    name: str
    classes: tuple[str, ...]
    scene: str
    kind: EntityKind

    @property
    def key(self) -> str:
        """The normalised name."""
        return self.name.casefold()


class Verb(msgspec.Struct, frozen=True):
    """A form of a verb: `form` is base, s, past, participle, past_or_participle or ing."""

    base: str
    form: str


def lines(name: str) -> list[str]:
    """The lines of a data file that are neither empty nor a heading (`#`)."""
    text = files(__package__).joinpath("data", name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("# ")]


def _load() -> tuple[dict[str, Value], dict[str, Value]]:
    """Values by casefolded name, and those that count only when written exactly so ("Go")."""
    loose: dict[str, Value] = {}
    exact: dict[str, Value] = {}
    for file in sorted(files(__package__).joinpath("data").iterdir(), key=lambda path: path.name):
        heading, *entries = file.read_text(encoding="utf-8").splitlines()
        attributes = dict(pair.split("=") for pair in heading.split() if "=" in pair)
        if "kind" in attributes:
            for entry in entries:
                _add(loose, exact, entry.split("|"), file.name.removesuffix(".txt"), attributes)
    return loose, exact


def _add(
    loose: dict[str, Value], exact: dict[str, Value], names: list[str], group: str, attributes: dict[str, str]
) -> None:
    value = Value(names[0].lstrip("="), (group,), attributes["scene"], cast("EntityKind", attributes["kind"]))
    for name in names:
        table, key = (exact, name[1:]) if name.startswith("=") else (loose, name.casefold())
        known = table.get(key)
        table[key] = msgspec.structs.replace(known, classes=(*known.classes, group)) if known else value


_LOOSE, _EXACT = _load()


def _forms(base: str, past: str | None, participle: str | None) -> dict[str, Verb]:
    stem = base[:-1] if base.endswith("e") and not base.endswith(("ee", "ye", "oe")) else base
    if re.fullmatch(r"[^aeiou]*[aeiou][bdgklmnprt]", base) or base in _DOUBLED:
        stem = base + base[-1]
    y = base.endswith("y") and base[-2] not in "aeiou"
    third = base[:-1] + "ies" if y else base + ("es" if re.search(r"(?:s|x|z|ch|sh|o)$", base) else "s")
    third = {"have": "has", "do": "does", "be": "is"}.get(base, third)
    forms = {base: Verb(base, "base"), third: Verb(base, "s")}
    if base.endswith("l"):
        forms |= {base + "ling": Verb(base, "ing"), base + "led": Verb(base, "past_or_participle")}
        forms |= {base + "ing": Verb(base, "ing"), base + "ed": Verb(base, "past_or_participle")}
    forms["lying" if base == "lie" else "dying" if base == "die" else stem + "ing"] = Verb(base, "ing")
    regular = base[:-1] + "ied" if y else stem + "ed"
    if past is None or participle is None or past == participle:
        forms[past or regular] = Verb(base, "past_or_participle")
    else:
        forms = {past: Verb(base, "past"), participle: Verb(base, "participle")} | forms
    return forms


def _load_verbs() -> dict[str, Verb]:
    verbs: dict[str, Verb] = {}
    for line in lines("verbs.txt"):
        base, *rest = line.split()
        verbs |= _forms(base, *(rest or (None, None)))
    return verbs


_VERBS = _load_verbs()


def verb(word: str) -> Verb | None:
    """The verb that `word` is a form of, if it is a known one."""
    return _VERBS.get(word.casefold())


def third_person(base: str) -> str:
    """The form of a verb that goes with "she": works, goes, tries."""
    irregular = {"be": "is", "am": "is", "are": "is", "have": "has", "do": "does", "was": "was", "were": "was"}
    if base in irregular:
        return irregular[base]
    if base.endswith("y") and base[-2:-1] not in "aeiou":
        return base[:-1] + "ies"
    return base + ("es" if re.search(r"(?:s|x|z|ch|sh|o)$", base) else "s")


def singular(word: str) -> str:
    """The singular of a lower-case English noun, by suffix: cities, boxes, cats."""
    if len(word) < _SHORTEST_PLURAL or re.search(r"(?:ss|us|is|ics|news|series|species|chess|lens)$", word):
        return word
    if re.search(r"(?:mov|cook|self|zomb|calor|brown|smooth|hood|vegg|cal|lad|hom|newb|rook)ies$", word):
        return word[:-1]
    if word.endswith("ies"):
        return word[:-3] + "y" if len(word) > _SHORTEST_PLURAL else word[:-1]
    if re.search(r"(?:sses|shes|ches|xes|zes)$", word):
        return word[:-2]
    return word.removesuffix("s")


@lru_cache(maxsize=8192)
def find(phrase: str) -> Value | None:
    """The value that a phrase names, its determiner, number and case aside."""
    plain = _DETERMINER.sub("", phrase.strip(_EDGES))
    if plain in _EXACT:
        return _EXACT[plain]
    folded = plain.casefold()
    return _LOOSE.get(folded) or _LOOSE.get(singular(folded))


@lru_cache(maxsize=8192)
def normal(phrase: str) -> str:
    """An object's normal form: the canonical name if it is known, else without determiner, casefolded, singular."""
    plain = _DETERMINER.sub("", unicodedata.normalize("NFKC", phrase).strip(_EDGES)).strip(_EDGES)
    value = find(plain)
    if value is not None:
        return value.key
    words = plain.split()
    if words and words[-1].islower():
        words[-1] = singular(words[-1])
    return " ".join(words).casefold()


def bare(phrase: str) -> str:
    """A phrase without determiner and punctuation at its edges, otherwise as written."""
    return _DETERMINER.sub("", phrase.strip(_EDGES)).strip(_EDGES)


def inside(text: str, *, kinds: frozenset[str]) -> list[Value]:
    """The known values of these kinds that stand in a text, longest first at each place. Words of Latin script."""
    words = re.findall(r"[\w#+.&'-]*[\w#+]", text)
    found: list[Value] = []
    at = 0
    while at < len(words):
        for size in (3, 2, 1):
            value = find(" ".join(words[at : at + size])) if at + size <= len(words) else None
            if value is not None and value.kind in kinds:
                found.append(value)
                at += size - 1
                break
        at += 1
    return list(dict.fromkeys(found))


@lru_cache(maxsize=64)
def words(name: str) -> frozenset[str]:
    """The list of English words of that name."""
    for line in lines("words_en.txt"):
        key, _, members = line.partition(": ")
        if key == name:
            return frozenset(members.split())
    raise KeyError(name)
