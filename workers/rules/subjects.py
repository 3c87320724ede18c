"""Subjects of English clauses: who is "I", who is "she", whose sister it is, and which capitals are no name."""

from __future__ import annotations

import re

import msgspec

from mnemolog.workers.rules import lexicon, patterns

_SUBJECT = patterns.one("subject")
_ELLIPSIS = patterns.one("ellipsis")
_FINITE = patterns.one("finite")
_NO_NAME = lexicon.words("no_name")
#: Verbs that may begin a sentence whose "I am" is left out ("Working at Acme now").
_ONGOING = lexicon.words("ongoing")


class Speaker(msgspec.Struct, frozen=True):
    """Who speaks, who "he" or "she" is (the person named last), and which other people are known by name."""

    subject: str
    focus: str | None = None
    people: frozenset[str] = frozenset()


class Who(msgspec.Struct, frozen=True):
    """The subject of a clause: `first_person` for "I" and "we", `plural` for "we"; `rest` is what follows it."""

    subject: str
    rest: str
    first_person: bool = True
    plural: bool = False


def person(match: re.Match[str], speaker: Speaker) -> str | None:
    """Who a subject in the third person is; None where nobody can know."""
    if match["kinname"]:
        return match["kinname"]
    if match["kin"]:
        return f"{speaker.subject}'s {match['relation']}"
    if match["it"]:
        return speaker.focus
    name = match["name"]
    if name is None or name in speaker.people or name == speaker.subject:
        return name
    first = name.split()[0]
    unusual = first.casefold() not in _NO_NAME and lexicon.find(name) is None and lexicon.verb(first) is None
    return name if unusual else None


def named(text: str) -> re.Match[str] | None:
    """The subject with which a text begins, if there is one."""
    return _SUBJECT.match(text)


def find(plain: str, speaker: Speaker, inherited: Who | None) -> Who | None:
    """The subject of a clause; `inherited` is that of the clause before, for clauses that leave theirs out."""
    if _ELLIPSIS.match(plain):
        rest = "am " + plain[0].lower() + plain[1:]
        return msgspec.structs.replace(inherited, rest=rest) if inherited else Who(speaker.subject, rest)
    match = named(plain)
    if match:
        rest = plain[match.end() :].strip(" ,")
        if match["i"] or match["we"]:
            return Who(speaker.subject, rest, plural=match["we"] is not None)
        who = person(match, speaker)
        if who is not None or match["it"] or match["kin"]:
            return Who(who, rest, first_person=who == speaker.subject) if who else None
    return _left_out(plain, speaker, inherited)


def _left_out(plain: str, speaker: Speaker, inherited: Who | None) -> Who | None:
    """The subject of a clause that begins with its verb ("Moved to Berlin last month")."""
    verb = lexicon.verb(plain.split(" ", 1)[0]) if plain else None
    if verb is None:
        return None
    if inherited:
        return None if verb.form == "ing" else msgspec.structs.replace(inherited, rest=plain)
    if verb.form == "ing":
        ongoing = plain[0].isupper() and verb.base in _ONGOING and not _FINITE.search(plain)
        return Who(speaker.subject, "am " + plain) if ongoing else None
    return Who(speaker.subject, plain) if plain[0].isupper() and verb.form in {"past", "past_or_participle"} else None
