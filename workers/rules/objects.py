"""Objects: which part of what follows a verb is the object, and whether it is of the sort that the frame asks for."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from mnemolog.workers.rules import lexicon, patterns
from mnemolog.workers.rules.frames import Frame, Sort
from mnemolog.workers.rules.text import MASK

_END = patterns.one("end")
_PREPOSITION = patterns.one("preposition")
_NAME = patterns.one("name")
_PRONOUN = patterns.one("pronoun")
_WORKPLACE = patterns.one("workplace")
_TITLE = patterns.one("title")
_GERUND = patterns.one("gerund")
_GROUP = patterns.one("group")
_REGION = patterns.one("region")
_NAMED_COMPANY = patterns.one("named_company")
_COMPANY = patterns.one("company")
_ENUMERATION = patterns.one("enumeration")
_AMOUNT = patterns.one("amount")
_HOW_OFTEN = patterns.one("how_often")
_FIRST_WORD = patterns.one("first_word")
_VAGUE = lexicon.words("vague_gerunds")
_NO_PASTIME = lexicon.words("no_pastime")
_NO_PLACE = lexicon.words("no_place")
_NO_TITLE = lexicon.words("no_title")
_NO_DEED = lexicon.words("no_deed")
_SOMEBODYS = re.compile(r"(?:your|his|her|their|this|that|these|those) ", re.IGNORECASE)
_LINKS = frozenset({"with", "for", "in", "of", "on", "from"})
_VAGUE_NOUNS = frozenset({"project", "new project", "hard", "abroad", "well"})
#: The longest object, and the longest member of an enumeration, in words.
_OBJECT_WORDS = 5
_MEMBER_WORDS = 3
#: How many modifiers a known value may have: "old acoustic guitar".
_MODIFIERS = 2


def pick(frame: Frame, phrase: str) -> str | None:
    """The object as written, if `phrase` begins with one of the frame's sort and classes."""
    if MASK in cut(phrase):
        return None
    found = _SORTS[frame.sort](phrase.strip(), frame.classes)
    if found is None or ("-group" in frame.classes and _GROUP.search(found)):
        return None
    value = lexicon.find(found)
    if value is None:
        return None if "+" in frame.classes else found
    excluded = {name.removeprefix("-") for name in frame.classes if name.startswith("-")}
    return None if "known" in excluded or excluded & set(value.classes) else found


def cut(phrase: str) -> str:
    """A phrase up to where its clause goes on to something else."""
    match = _END.search(phrase, 1)
    return (phrase[: match.start()] if match else phrase).strip(" ,.;:!?")


def vague(phrase: str) -> bool:
    """Whether a phrase points at something instead of naming it."""
    return _PRONOUN.match(phrase) is not None or phrase in _VAGUE_NOUNS


def parts(phrase: str) -> list[str]:
    """The members of an enumeration: "jazz, techno and funk"."""
    return [part.strip() for part in re.split(r",? (?:and|or|&|as well as|y|und) |, ", phrase) if part.strip()]


def _place(phrase: str, classes: frozenset[str]) -> str | None:
    match = None if phrase.startswith(("a ", "an ")) else _NAME.match(_REGION.sub("", phrase))
    name = re.sub(r"'s?$", "", match[0]) if match else ""
    value = lexicon.find(name)
    if not name or name.casefold() in _NO_PLACE or (value is not None and value.kind != "place"):
        return None
    return None if "place" in classes and value is None else name


def _organization(phrase: str, _: frozenset[str]) -> str | None:
    phrase = _NAMED_COMPANY.sub("", phrase)
    name = _COMPANY.match(phrase)
    if name:
        found = name["n"].rstrip(".'")
        return None if found == "I" else found
    plain = _PREPOSITION.split(cut(phrase), maxsplit=1)[0]
    own = re.match(r"(?:a|an|the) (?P<n>[\w -]+)$", plain)
    return own["n"] if own and _fits(plain, _OBJECT_WORDS) and _WORKPLACE.search(plain) else None


def _person(phrase: str, _: frozenset[str]) -> str | None:
    match = _NAME.match(phrase)
    return match[0] if match and lexicon.find(match[0]) is None else None


def _job(phrase: str, _: frozenset[str]) -> str | None:
    plain = re.split(r"\s+(?:at|for|in|with|on|who|and|from|of (?=a|the|my))\b", cut(phrase), maxsplit=1)[0]
    plain = lexicon.bare(plain)
    words = plain.split()
    if not _fits(plain, _OBJECT_WORDS) or words[0] in _NO_TITLE:
        return None
    values = (lexicon.find(" ".join(words[at:])) for at in range(len(words)))
    return plain if _TITLE.search(plain) or any(value and "job" in value.classes for value in values) else None


@lru_cache(maxsize=8192)
def known(phrase: str, classes: frozenset[str]) -> str | None:
    """The known value of one of the classes with which a phrase begins or, with modifiers before it, ends."""
    plain = lexicon.bare(cut(phrase))
    head = _PREPOSITION.split(plain, maxsplit=1)[0]
    many = parts(head)
    if len(many) > 1:
        return head if all(known(part, classes) for part in many) else known(many[0], classes)
    for text in (plain, head):
        if _ends_in(text, classes):
            return text
    if "sport" in classes and _GERUND.fullmatch(head) and head not in _NO_PASTIME:
        return head
    first = _FIRST_WORD.match(plain)
    return first[1] if first and _belongs(first[1], classes) else None


def _ends_in(text: str, classes: frozenset[str]) -> bool:
    """Whether a phrase is a value of one of the classes, with at most two modifiers before it."""
    words = text.split()
    if not _fits(text, _OBJECT_WORDS) or _PRONOUN.match(text):
        return False
    for at in range(min(len(words), _MODIFIERS + 1)):
        if _belongs(" ".join(words[at:]), classes):
            return not any(_GERUND.fullmatch(word) or word in _LINKS for word in words[:at])
    return False


def _belongs(text: str, classes: frozenset[str]) -> bool:
    value = lexicon.find(text)
    return value is not None and bool(classes & set(value.classes))


def _deed(phrase: str, _: frozenset[str]) -> str | None:
    return _HOW_OFTEN.sub("", phrase)


def _thing(phrase: str, _: frozenset[str]) -> str | None:
    listed = _enumeration(phrase)
    if listed:
        return listed
    plain = _HOW_OFTEN.sub("", _AMOUNT.sub("", cut(phrase)))
    if _SOMEBODYS.match(plain):
        return None
    if lexicon.find(plain) is None:
        plain = _PREPOSITION.split(plain, maxsplit=1)[0]
        if _PRONOUN.match(plain) or plain.startswith("the "):
            return None
    found = lexicon.bare(plain)
    if not _fits(found, _OBJECT_WORDS) or re.search(r"\w", found) is None:
        return None
    return found if lexicon.find(found) or not _half_a_clause(found, phrase) else None


def _enumeration(phrase: str) -> str | None:
    """Three or more things of at most three words each: "jazz, techno and funk"."""
    match = _ENUMERATION.match(phrase.strip(" .!"))
    members = parts(match["list"]) if match else []
    fits = members and all(_fits(member, _MEMBER_WORDS) and _thing(member, frozenset()) for member in members)
    return match["list"] if match and fits else None


def _half_a_clause(found: str, phrase: str) -> bool:
    """Whether a gerund is no thing by itself ("birdwatching", "baking bread") but half a clause ("going to …")."""
    words = found.split()
    if _GERUND.match(words[0]) is None:
        return False
    goes_on = re.search(r"^\S+ (?:to|by|like|with)\b", phrase) or _PREPOSITION.search(cut(phrase))
    return bool(goes_on) or words[0] in _VAGUE or len(words) > _MEMBER_WORDS or bool(_NO_DEED & set(words[1:]))


def _fits(text: str, words: int) -> bool:
    return 0 < len(text.split()) <= words


_SORTS: dict[Sort, Callable[[str, frozenset[str]], str | None]] = {
    "any": lambda phrase, _: phrase,
    "free": lambda _phrase, _: "",
    "place": _place,
    "org": _organization,
    "name": _person,
    "job": _job,
    "known": known,
    "deed": _deed,
    "thing": _thing,
}
