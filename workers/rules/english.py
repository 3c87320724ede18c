"""English clauses: who, what is said of them, when, and whether it is asserted at all."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from mnemolog.workers.rules import dates, lexicon, patterns

Tense = Literal["present", "past", "perfect", "future", "progressive", "used"]

_SUBJECT = patterns.one("subject")
#: Capitalised at the start of a sentence, and yet no name.
_NO_NAME = frozenset(
    ["the", "a", "an", "this", "that", "these", "those", "it", "they", "you", "he", "she", "we", "my", "your", "our", "his", "her", "their", "there", "here", "what", "who", "when", "where", "why", "how", "which", "if", "so", "but", "and", "or", "not", "no", "yes", "ok", "okay", "all", "any", "some", "many", "most", "each", "every", "everyone", "everybody", "someone", "nobody", "nothing", "everything", "something", "people", "please", "thanks", "thank", "sorry", "hello", "hi", "hey", "well", "oh", "wow", "maybe", "perhaps", "today", "tomorrow", "yesterday", "tonight", "now", "then", "also", "just", "still", "yet", "never", "always", "often", "sometimes", "once", "one", "two", "three", "first", "last", "next", "both", "work", "dinner", "lunch", "breakfast", "life", "school", "traffic", "weather", "rain", "coffee", "tea", "mom", "dad", "as", "at", "by", "for", "from", "in", "into", "of", "on", "to", "with", "after", "before", "during", "since", "until", "because", "while", "although", "though", "let", "lets", "does", "do", "did", "is", "are", "was", "were", "have", "has", "had", "can", "could", "will", "would", "should", "may", "might", "must", "only", "even", "great", "good", "nice", "sure", "right", "home", "music", "another", "other", "god", "jesus"]
)
_FILLER = patterns.one("filler")
_CHANGE = patterns.one("change")
_ADDITION = patterns.one("addition")
_ENDED = patterns.one("ended")
_WEAK = patterns.one("weak")
_ADVERB = patterns.one("adverb")
_SCOPE = patterns.one("scope")
_LEADING_SCOPE = patterns.one("leading_scope")
_AUXILIARY = patterns.one("auxiliary")
_BE = frozenset({"am", "is", "are", "was", "were", "been", "be", "being"})
_ELLIPSIS = patterns.one("ellipsis")
#: Verbs that may begin a sentence whose "I am" is left out ("Working at Acme now").
_ONGOING = frozenset(
    ["live", "work", "use", "write", "code", "learn", "move", "switch", "relocate", "start", "join", "enjoy", "love", "study", "fly", "travel", "head"]
)
_FINITE = patterns.one("finite")
_HEDGE = frozenset({"would", "could", "might", "may", "should", "shall", "hope to", "hoping to"})
_PLANNED = frozenset(
    {
        "will",
        "going to",
        "plan to",
        "plans to",
        "planning to",
        "planning on",
        "intend to",
        "intends to",
        "want to",
        "wants to",
    }
)

HYPOTHETICAL = patterns.one("hypothetical")
_HEDGED_CLAUSE = patterns.one("hedged_clause")
_ASKS = patterns.one("asks")
_REPORT = patterns.one("report")
FICTION = patterns.one("fiction")


class Clause(msgspec.Struct, frozen=True, kw_only=True):
    """A clause taken apart. `predicate` begins with the verb's base form, or with `be`, and has no adverbs left."""

    subject: str
    predicate: str
    first_person: bool
    text: str
    form: str = "base"
    tense: Tense = "present"
    negated: bool = False
    ended: bool = False
    never: bool = False
    ability: bool = False
    obliged: bool = False
    wanted: bool = False
    change: bool = False
    addition: bool = False
    weak: bool = False
    plural: bool = False
    others: bool = False
    relation: str = ""
    scope: str = ""
    phrases: tuple[dates.Phrase, ...] = ()

    @property
    def future_date(self) -> bool:
        """Whether it states a time that can lie ahead."""
        return any(
            phrase.part == "by"
            or (phrase.part == "at"
            and re.search(r"next|tomorrow|coming|^in |tonight", phrase.point, re.IGNORECASE))
            for phrase in self.phrases
        )


class Speaker(msgspec.Struct, frozen=True):
    """Who speaks, who "he" or "she" is (the person named last), and which other people are known by name."""

    subject: str
    focus: str | None = None
    people: frozenset[str] = frozenset()


def unfilled(text: str) -> str:
    """A sentence without the words that only lead up to it ("Well, by the way, …")."""
    return _FILLER.sub("", text)


def asks(text: str) -> bool:
    """Whether an English sentence is a question by its order of words."""
    return _ASKS.match(text) is not None


def reported(text: str, speaker: Speaker) -> tuple[str, Speaker] | None:
    """(what is said, as if its speaker said it), where somebody's words about themselves are reported; "" for other reports."""
    match = _REPORT.match(_FILLER.sub("", text))
    if match is None:
        return None
    subject = _SUBJECT.match(match["who"] + " ")
    what = re.match(r"(?:he|she)\b", match["what"], re.IGNORECASE)
    if subject is None or what is None or subject["i"] or subject["we"]:
        return "", speaker
    who = _person(subject, speaker)
    return ("", speaker) if who is None else (match["what"], msgspec.structs.replace(speaker, focus=who))


def parse(text: str, speaker: Speaker, *, inherited: Clause | None = None) -> Clause | None:
    """The clause in `text` (contractions expanded), or None where nothing is asserted or the subject is unknown."""
    if HYPOTHETICAL.search(text) or _HEDGED_CLAUSE.search(text):
        return None
    plain = text.strip(" .!,;:-…")
    addition = re.match(r"(?:plus|also)\b", plain, re.IGNORECASE) is not None
    plain = _FILLER.sub("", plain)
    plain = re.sub(
        r"^After (?:[\w-]+ ){1,3}(?:years?|months?|weeks?|days?)(?: (?:at|in|with|of) \w+)?,? (?=I |we )", "", plain
    )
    plain = re.sub(
        r"^(?:when|while) I was (?:a |in )?(?:kid|child|young|little|teenager|college|school|\d+)\w*,? ",
        "back then ",
        plain,
        flags=re.IGNORECASE,
    )
    childhood = (
        plain.startswith("back then ")
        or re.search(r"\bas a (?:kid|child|teenager|student)\b|\bgrowing up\b", plain) is not None
    )
    scope = ""
    leading = _LEADING_SCOPE.match(plain)
    if leading:
        scope, plain = leading["scope"].lower(), plain[leading.end() :]
    phrases, plain = dates.find(plain.removeprefix("back then "), "en")
    flags = {
        name: pattern.search(plain) is not None
        for name, pattern in (("change", _CHANGE), ("addition", _ADDITION), ("ended", _ENDED), ("weak", _WEAK))
    }
    flags["addition"] |= addition
    for pattern in (_CHANGE, _ADDITION, _ENDED, _WEAK, _ADVERB):
        plain = pattern.sub(" ", plain)
    plain = re.sub(r"\s+", " ", plain).strip(" ,;.")
    plain = re.sub(r"^(?:and|but|so|then) ", "", plain, flags=re.IGNORECASE)
    trailing = _SCOPE.search(plain)
    if trailing and len(plain[: trailing.start()].split()) > 2:
        scope, plain = trailing["scope"].lower(), plain[: trailing.start()]
    found = _subject(plain, speaker, inherited)
    if found is None:
        return None
    subject, first_person, plural, relation, rest = found
    chain = _auxiliaries(rest)
    if chain is None or (not first_person and chain["form"] == "base" and rest.startswith(str(chain["predicate"]))):
        return None
    if childhood and chain["tense"] == "present":
        return None
    return Clause(
        subject=subject,
        first_person=first_person,
        plural=plural,
        relation=relation,
        text=text,
        scope=scope,
        phrases=phrases
        or (inherited.phrases if inherited and chain["form"] == "past" and not inherited.phrases else ()),
        others=not first_person,
        **flags | chain | {"ended": flags["ended"]},
    )


def _person(match: re.Match[str], speaker: Speaker) -> str | None:
    if match["kinname"]:
        return match["kinname"]
    if match["kin"]:
        return f"{speaker.subject}'s {match['relation']}"
    if match["it"]:
        return speaker.focus
    name = match["name"]
    if name is None or name.split()[0].casefold() in _NO_NAME or name == speaker.subject:
        return speaker.subject if name == speaker.subject else None
    value = lexicon.find(name)
    known = name in speaker.people
    return name if known or (value is None and lexicon.verb(name.split()[0]) is None) else None


def _subject(plain: str, speaker: Speaker, inherited: Clause | None) -> tuple[str, bool, bool, str, str] | None:
    """(subject, is it the speaker, is it "we", relation, rest of the clause)."""
    if not inherited and _ELLIPSIS.match(plain):
        return speaker.subject, True, False, "", "am " + plain[0].lower() + plain[1:]
    match = _SUBJECT.match(plain)
    if match and (match["i"] or match["we"]):
        return speaker.subject, True, match["we"] is not None, "", plain[match.end() :].strip(" ,")
    if match:
        who = _person(match, speaker)
        if who is not None:
            return who, False, False, match["relation"] or "", plain[match.end() :].strip(" ,")
        if match["it"] or match["kin"]:
            return None
    first = plain.split(" ", 1)[0] if plain else ""
    form = lexicon.verb(first)
    if form and form.form == "ing" and (inherited or form.base not in _ONGOING or _FINITE.search(plain)):
        return None
    if form and form.form in {"past", "past_or_participle", "ing"} and (first[0].isupper() or inherited):
        if inherited:
            return inherited.subject, inherited.first_person, inherited.plural, inherited.relation, plain
        return speaker.subject, True, False, "", ("am " if form.form == "ing" else "") + plain
    if inherited and form and form.form in {"base", "s", "participle"}:
        return inherited.subject, inherited.first_person, inherited.plural, inherited.relation, plain
    return None


def _auxiliaries(rest: str) -> dict[str, object] | None:
    """What the words before the verb say, and the predicate from the verb's base form on; None when it is hedged."""
    words: list[str] = []
    while match := _AUXILIARY.match(rest):
        if match["word"] in {"have", "has", "had", "do", "does", "did"} and not _verbal(rest[match.end() :]):
            break
        if match["word"] == "going to" and rest[match.end() :][:1].isupper():
            break
        words.append(match["word"])
        rest = rest[match.end() :]
    used = set(words)
    if used & _HEDGE or not rest:
        return None
    verb = lexicon.verb(rest.split(" ", 1)[0])
    copula = bool(words) and next((word for word in reversed(words) if word not in {"not", "never"}), "") in _BE
    tense: Tense = "present"
    if "used to" in used:
        tense = "used"
    elif used & _PLANNED or ({"decided to"} & used):
        tense = "future"
    elif used & {"have", "has", "had"}:
        tense = "perfect"
    elif used & {"was", "were", "did"}:
        tense = "past"
    if "had" in used or "had to" in used:
        tense = "past"
    form, predicate = "base", rest
    if copula and not (verb and verb.form == "ing"):
        predicate = "be " + rest
    elif verb:
        form = verb.form
        predicate = verb.base + rest[len(rest.split(" ", 1)[0]) :]
        if form in {"past", "past_or_participle"} and tense == "present":
            tense = "past" if not copula else tense
            form = "past"
        if form == "ing" and tense == "present":
            tense = "progressive"
    if verb and verb.base in {"get", "become"} and not copula:
        predicate = re.sub(r"^get (?=(?:promoted|hired|fired|laid|diagnosed|let go)\b)", "be ", predicate)
    return {
        "predicate": predicate,
        "tense": tense,
        "form": form,
        "negated": "not" in used or "never" in used,
        "never": "never" in used,
        "ability": "can" in used,
        "obliged": bool(used & {"must", "have to", "has to", "need to", "needs to"}),
        "wanted": bool(used & {"want to", "wants to"}),
    }


def _verbal(rest: str) -> bool:
    """Whether a verb follows, so that have or do is an auxiliary."""
    rest = re.sub(r"^(?:(?:not|never)\s+)+", "", rest)
    if rest.startswith("been "):
        return True
    word = rest.split(" ", 1)[0]
    return _AUXILIARY.match(rest) is not None or lexicon.verb(word) is not None
