"""Objects: which part of what follows a verb is the object, and whether it is of the sort that the frame asks for."""

from __future__ import annotations

import re
from functools import lru_cache

from mnemolog.workers.rules import lexicon
from mnemolog.workers.rules.frames import Frame, Sort
from mnemolog.workers.rules.text import MASK

_END = re.compile(
    r"\s*(?:[,;:(]|\s[-–—]+\s|\b(?:because|since|when|whenever|if|but|so|that|which|who|where|while|as|after|before|until"
    r"|unless|than|then|yet|to|now|by|due|thanks|despite|without|again|next|like|named|called)\b"
    r"|\band (?=(?:I|we|it|he|she|they|my|our|am|have|do|then|now|not|that)\b))",
    re.IGNORECASE,
)
_PREPOSITION = re.compile(
    r"\s+(?:with|for|in|at|on|from|about|around|near|through|during|over|under|via|against)\b", re.IGNORECASE
)
_NAME = re.compile(r"(?:Dr\.? )?[A-ZÄÖÜÁÉÍÓÚÑ][\w'’-]+(?: (?:van|von|de|der)(?= [A-Z]))?(?: [A-ZÄÖÜÁÉÍÓÚÑ][\w'’-]+)*")
_PRONOUN = re.compile(
    r"(?:it|that|this|these|those|them|him|her|his|you|your|yours|me|us|everything|anything|nothing|something|someone|anyone"
    r"|everyone|one|ones|how|what|when|where|why|who|whatever|all|both|each|there|here|to|being|having|seeing|hearing|the way"
    r"|the idea|the fact|the thought|every|such|so|more|less|most|their|its|my (?!own)|our|not|lot|lots|some of|one of|any of)\b",
    re.IGNORECASE,
)
_WORKPLACE = re.compile(
    r"(?:bank|start-?up|university|hospital|school|company|restaurant|bakery|library|agency|law firm|museum|hotel|store|shop"
    r"|factory|studio|caf[eé]|NGO|nonprofit|lab|firm|clinic|college|institute|consultancy|supermarket|publisher|newspaper"
    r"|pharmacy|zoo|airport|government|ministry|charity|bookstore|bookshop|coffee shop|post office|kindergarten|nursery)$"
)
_NO_PLACE = frozenset(["i", "my", "english", "german", "french", "spanish", "love", "fact", "case", "time", "trouble", "charge", "touch"])
_TITLE = re.compile(
    r"(?:engineer|developer|manager|designer|scientist|analyst|director|officer|lead|consultant|specialist|coordinator"
    r"|technician|therapist|operator|administrator|supervisor|instructor|trainer|agent|advisor|adviser|planner|curator"
    r"|inspector|apprentice|fellow|worker|physicist|economist|representative|buyer|editor|partner at .+)s?$",
    re.IGNORECASE,
)
_GERUND = re.compile(r"[a-z]{2,}ing$")
_VAGUE = frozenset(
    ["being", "going", "doing", "having", "taking", "making", "getting", "talking", "thinking", "trying", "feeling", "looking", "seeing", "using", "working", "playing", "spending", "helping", "learning", "experimenting", "creating", "finding", "sharing", "watching", "keeping", "giving", "putting", "living", "helping", "meeting", "hanging", "knowing", "hearing", "coming", "telling", "showing", "bringing", "leaving", "starting", "running", "improving", "supporting", "exploring", "building"]
)
_NO_PASTIME = frozenset(
    ["eating", "drinking", "smoking", "working", "using", "living", "being", "going", "doing", "having", "taking", "making", "getting", "learning", "studying", "writing", "coding", "talking", "thinking", "trying", "feeling", "looking", "seeing", "something", "anything", "nothing", "everything", "morning", "evening", "worrying"]
)


def pick(frame: Frame, phrase: str) -> str | None:
    """The object as written, if `phrase` begins with one of the frame's sort and classes."""
    if MASK in phrase[:40] and MASK in cut(phrase):
        return None
    found = _sorted_out(frame.sort, phrase.strip(), frame.classes)
    if found is None:
        return None
    value = lexicon.find(found)
    if "-known" in frame.classes and value is not None:
        return None
    if "-group" in frame.classes and re.search(
        r"\b(?:group|club|class|gym|team|choir|band|call|meeting|league|course)\b", found
    ):
        return None
    if "+" in frame.classes and value is None:
        return None
    excluded = {name[1:] for name in frame.classes if name.startswith("-")}
    return None if value is not None and excluded & set(value.classes) else found


def cut(phrase: str) -> str:
    """A phrase up to where its clause goes on to something else."""
    match = _END.search(phrase, 1)
    return (phrase[: match.start()] if match else phrase).strip(" ,.;:!?")


def vague(phrase: str) -> bool:
    """Whether a phrase points at something instead of naming it."""
    return _PRONOUN.match(phrase) is not None or phrase in {"project", "new project", "hard", "abroad", "well"}


def parts(phrase: str) -> list[str]:
    """The members of an enumeration: "jazz, techno and funk"."""
    return [part.strip() for part in re.split(r",? (?:and|or|&|as well as|y|und) |, ", phrase) if part.strip()]


def _sorted_out(sort: Sort, phrase: str, classes: frozenset[str]) -> str | None:
    if sort == "any":
        return phrase
    if sort == "free":
        return ""
    if sort == "place":
        return _place(phrase, classes)
    if sort == "org":
        return _organization(phrase)
    if sort == "name":
        match = _NAME.match(phrase)
        return match[0] if match else None
    if sort == "job":
        return _job(phrase)
    if sort == "known":
        return known(phrase, classes)
    if sort == "deed":
        return re.sub(r"\s+(?:every|each|most|twice|once|three times|on|daily)\b.*", "", phrase)
    return _thing(phrase)


def _place(phrase: str, classes: frozenset[str]) -> str | None:
    if phrase.startswith(("a ", "an ")):
        return None
    plain = re.sub(
        r"^(?:the |a |sunny |beautiful |downtown |central |north(?:ern)? |south(?:ern)? |east(?:ern)? |west(?:ern)? )+",
        "",
        phrase,
    )
    match = _NAME.match(plain)
    if match is None:
        return None
    name = re.sub(r"'s?$", "", match[0])
    value = lexicon.find(name)
    if name.casefold() in _NO_PLACE or (value is not None and value.kind != "place"):
        return None
    return None if "place" in classes and value is None else name


def _organization(phrase: str) -> str | None:
    named = re.match(r"(?:a|an|the) [a-z][\w -]{2,40}? (?:called|named) (?=[A-Z])", phrase)
    if named:
        phrase = phrase[named.end() :]
    name = re.match(r"(?:the )?(?P<n>[A-Z0-9ÄÖÜ][\w&.'+-]*(?: (?:(?:of|for|and|&) )?[A-Z0-9ÄÖÜ][\w&.'+-]*)*)", phrase)
    if name:
        found = name["n"].rstrip(".'")
        return None if found.casefold() in {"i", "monday", "night"} else found
    plain = _PREPOSITION.split(cut(phrase), maxsplit=1)[0]
    own = re.match(r"(?:a|an|the) (?P<n>[\w -]+)$", plain)
    return own["n"] if own and len(plain.split()) <= 5 and _WORKPLACE.search(plain) else None


def _job(phrase: str) -> str | None:
    plain = re.split(r"\s+(?:at|for|in|with|on|who|and|from|of (?=a|the|my))\b", cut(phrase), maxsplit=1)[0]
    plain = lexicon.bare(plain)
    words = plain.split()
    if not 0 < len(words) <= 5 or words[0] in {"good", "bad", "great", "terrible", "better", "huge", "big"}:
        return None
    tails = (" ".join(words[at:]) for at in range(len(words)))
    fits = any((value := lexicon.find(tail)) is not None and "job" in value.classes for tail in tails)
    return plain if fits or _TITLE.search(plain) else None


@lru_cache(maxsize=8192)
def known(phrase: str, classes: frozenset[str]) -> str | None:
    """The known value of one of the classes with which a phrase begins or, with modifiers before it, ends."""
    wanted = {name for name in classes if not name.startswith("-")}
    plain = lexicon.bare(cut(phrase))
    head = _PREPOSITION.split(plain, maxsplit=1)[0]
    many = parts(head)
    if len(many) > 1:
        return head if all(known(part, classes) for part in many) else known(many[0], classes)
    for text in dict.fromkeys((plain, head)):
        words = text.split()
        if len(words) > 5:
            continue
        for at in range(len(words)):
            value = lexicon.find(" ".join(words[at:]))
            if value is not None and wanted & set(value.classes):
                return text if at <= 2 and not _PRONOUN.match(text) else None
    gerund = head.casefold()
    if "sport" in wanted and _GERUND.match(gerund) and gerund not in _NO_PASTIME and len(head.split()) == 1:
        return head
    first = re.match(
        r"([\w#+.-]*[\w#+])(?= (?:a lot|at all|daily|every|full|code|stuff|more|most|much|myself|music|lessons|classes))",
        plain,
    )
    if first and (value := lexicon.find(first[1])) is not None and wanted & set(value.classes):
        return first[1]
    return None


def _enumeration(phrase: str) -> str | None:
    """Three or more things of at most three words each: "jazz, techno and funk"."""
    match = re.match(r"(?P<list>[\w#+' -]+(?:, [\w#+' -]+)+?,? and [\w#+'-]+(?: [\w#+'-]+)?)$", phrase.strip(" .!"))
    if match is None:
        return None
    many = [_thing(part) for part in parts(match["list"])]
    return match["list"] if all(many) and all(len(part.split()) <= 3 for part in parts(match["list"])) else None


def _thing(phrase: str) -> str | None:
    many = _enumeration(phrase)
    if many:
        return many
    plain = re.sub(
        r"^(?:some|any|a bit of|a lot of|lots of|all kinds of|all sorts of|good|listening to|eating|drinking) ",
        "",
        cut(phrase),
    )
    plain = re.sub(r"\s+(?:every|each|most|twice|daily|at all|a lot|these|quite|even|very|today|not)\b.*$", "", plain)
    if lexicon.find(plain) is None:
        plain = _PREPOSITION.split(plain, maxsplit=1)[0]
    if _PRONOUN.match(plain) or (
        re.match(r"(?:the|an?)\s", plain) and lexicon.find(plain) is None and plain[:2] not in {"a ", "an"}
    ):
        return None
    found = lexicon.bare(plain)
    if (
        lexicon.find(found) is None
        and _GERUND.match(found.split(" ", 1)[0])
        and (not _doing(found, cut(phrase)) or re.search(r"^\S+ (?:to|by|like|with)\b", phrase))
    ):
        return None
    return found if 0 < len(found.split()) <= 5 and re.search(r"\w", found) else None


def _doing(found: str, phrase: str) -> bool:
    """Whether a gerund names something to do by itself ("birdwatching", "baking bread"), not half a clause."""
    words = found.split()
    if words[0] in _VAGUE or len(words) > 3 or _PREPOSITION.search(phrase):
        return False
    return not any(
        word
        in {
            "a",
            "an",
            "the",
            "this",
            "that",
            "my",
            "our",
            "your",
            "people",
            "others",
            "them",
            "ones",
            "it",
            "in",
            "into",
            "out",
            "up",
            "on",
        }
        for word in words[1:]
    )
