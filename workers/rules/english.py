"""English clauses: who, what is said of them, when, and whether it is asserted at all."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from mnemolog.workers.rules import dates, lexicon
from mnemolog.workers.rules.text import MASK

Tense = Literal["present", "past", "perfect", "future", "progressive", "used"]

KIN = (
    r"(?:ex-?)?(?:wife|husband|partner|girlfriend|boyfriend|fianc[ée]e?|spouse|son|daughter|kid|child|baby|mother|mom|mum"
    r"|father|dad|sister|brother|twin|grandmother|grandma|gran|nan|grandfather|grandpa|aunt|uncle|cousin|nephew|niece"
    r"|(?:mother|father|sister|brother)-in-law|friend|best friend|roommate|room-mate|flatmate|housemate|colleague"
    r"|coworker|co-worker|boss|manager|neighbou?r|teammate|mentor|teacher|landlord|buddy|mate)"
)
NAME = r"[A-ZÄÖÜÁÉÍÓÚÑ][a-zà-ÿ]+(?:[- ][A-Z][a-zà-ÿ]+)?"
_SUBJECT = re.compile(
    rf"(?P<i>I)\b(?! and )|(?P<we>[Ww]e|(?:{NAME}|[Mm]y {KIN}) and I)\b"
    rf"|(?P<kin>[Mm]y (?:(?:older|younger|little|big|elder|best|new|old|good) )*(?P<relation>{KIN}),?"
    rf"(?: (?!is\b)(?P<kinname>{NAME}),?)?)(?= )|(?P<it>[Hh]e|[Ss]he)\b|(?P<name>{NAME})(?= )"
)
#: Capitalised at the start of a sentence, and yet no name.
_NO_NAME = frozenset(
    "the a an this that these those it they you he she we my your our his her their there here what who when where why how "
    "which if so but and or not no yes ok okay all any some many most each every everyone everybody someone nobody nothing "
    "everything something people please thanks thank sorry hello hi hey well oh wow maybe perhaps today tomorrow yesterday "
    "tonight now then also just still yet never always often sometimes once one two three first last next both work dinner "
    "lunch breakfast life school traffic weather rain coffee tea mom dad as at by for from in into of on to with after "
    "before during since until because while although though let lets does do did is are was were have has had can could "
    "will would should may might must only even great good nice sure right home music another other god jesus".split()
)
_FILLER = re.compile(
    r"^(?:(?:well|so|oh|yeah|yes|yep|no|nope|ok|okay|actually|btw|by the way|and|but|or|then|hey|hi|hello|honestly|to be honest"
    r"|tbh|fyi|just so you know|for the record|anyway|anyways|i mean|you know|guess what|in fact|sure|right|wow|haha|lol"
    r"|frankly|personally|basically|turns out|good news|big news|some news|quick update|update|fun fact|p\.?s\.?|as for me"
    r"|as you know|as i said|to be fair|the thing is|truth is|for what it's worth|at the moment|as a result|luckily"
    r"|fortunately|unfortunately|sadly|happily|thankfully|apparently|obviously|of course)\b[,:!.]?\s*)+",
    re.IGNORECASE,
)
_CHANGE = re.compile(
    r"\b(?:right now|for now|now|currently|these days|nowadays|lately|recently|again|finally|after all|instead"
    r"|as of (?:now|today)|from now on|at last|just|meanwhile|at present)\b,?",
    re.IGNORECASE,
)
_ADDITION = re.compile(
    r"\b(?:also|as well|in addition|additionally|on top of that|besides|plus|on the side)\b,?|\btoo$", re.IGNORECASE
)
_ENDED = re.compile(r"\b(?:any ?more|any longer|no longer|no more)\b|\bnot (?=\w+ any\b)", re.IGNORECASE)
_WEAK = re.compile(r"\b(?:sometimes|occasionally|from time to time|once in a while|every now and then|rarely)\b", re.IGNORECASE)
_ADVERB = re.compile(
    r"\b(?:really|actually|totally|absolutely|definitely|certainly|honestly|mostly|mainly|primarily|usually|generally"
    r"|always|still|already|quite|pretty much|truly|simply|happily|proudly|very much|a lot|so much|basically|officially"
    r"|permanently|kind of|kinda|sort of|literally|genuinely|exclusively|deeply|particularly|especially|eventually"
    r"|even|ever|since then|both|all the time|by the way|though|tho|myself|together|full[- ]time|part[- ]time)\b,?",
    re.IGNORECASE,
)
_SCOPE = re.compile(
    r"[ ,]+(?P<scope>at (?:work|home|school|university|the office)|(?:for|in) (?:my |our |the |all |most |this |that )*"
    r"(?:[\w-]+ )?(?:work|scripts?|scripting|projects?|prototypes?|prototyping|notebooks?|data science|teaching|fun"
    r"|tooling|services?|backends?|frontends?|apps?|side projects?|embedded|analytics|reporting|caching|tests?|testing"
    r"|breakfast|lunch|dinner)|on (?:weekends|weekdays|\w+days|the weekend|my (?:laptop|phone|desktop|server))"
    r"|in the (?:morning|evening|afternoon|summer|winter)s?|after (?:work|dinner|lunch)|when I [^,]+)$",
    re.IGNORECASE,
)
_LEADING_SCOPE = re.compile(r"^(?P<scope>(?:At (?:work|home|school)|For [\w -]{3,30}|On (?:weekends|weekdays|my laptop)|In the (?:morning|evening))),?\s+(?=I |we |my )", re.IGNORECASE)
_AUXILIARY = re.compile(
    r"(?P<word>am|is|are|was|were|be|been|being|have to|has to|had to|have|has|had|do|does|did|will|shall|would|could|should"
    r"|might|may|must|can|used to|not|never|going to|need to|needs to|want to|wants to|plan to|plans to|planning to"
    r"|planning on|intend to|intends to|hope to|hoping to|decided to|get to|got to|been)\b\s*"
)
_BE = frozenset({"am", "is", "are", "was", "were", "been", "be", "being"})
_ELLIPSIS = re.compile(
    r"(?:back (?:to|on|with|in)|into|fond of|a (?:big|huge) fan of|allergic to|addicted to|not (?:a|into|fond)"
    r"|married to|based in|sick of|tired of|done with) ",
    re.IGNORECASE,
)
_HEDGE = frozenset({"would", "could", "might", "may", "should", "shall", "hope to", "hoping to"})
_PLANNED = frozenset({"will", "going to", "plan to", "plans to", "planning to", "planning on", "intend to", "intends to", "want to", "wants to"})

HYPOTHETICAL = re.compile(
    r"\b(?:if|unless|suppose|supposing|imagine|pretend|hypothetical(?:ly)?|wish|in case|whether|let us say|assum(?:e|ing)"
    r"|as though|had I|were I|wonder(?:ing)?|provided that|as long as|otherwise|in theory|for example|for instance"
    r"|e\.g\.|dream(?:ed|t)?|lest)\b",
    re.IGNORECASE,
)
_HEDGED_CLAUSE = re.compile(
    r"\b(?:maybe|perhaps|possibly|probably|not sure|I guess|thinking (?:about|of)|think(?:ing)? I|think about|considering|tempted|almost"
    r"|nearly|about to|supposed to|sounds? like|seems?|feel like|pretending|as if|nobody|no one|toying with|not (?:yet|true)"
    r"|yet to|kidding|joking|would rather|tried to|trying to|used by|instead of me)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"^(?:(?:so|and|but|ok|hey|well),? )?(?:(?:am|is|are|was|were|do|does|did|have|has|can|could|will|would|should|shall|may|might) "
    r"(?:not )?(?:I|you|he|she|it|we|they|my|your|the|there|this|that|any|anyone|[A-Z]\w+)\b"
    r"|(?:what|which|who|whom|whose|where|why|how)\b.*|any (?:idea|tips|thoughts|suggestions)\b.*)",
    re.IGNORECASE,
)
_REPORT = re.compile(
    rf"^(?P<who>I|we|you|they|he|she|people|everyone|everybody|someone|somebody|[Mm]y (?:[a-z]+ )*{KIN}(?: {NAME})?"
    rf"|[Tt]he [a-z]+(?: [a-z]+)?|[Mm]y [a-z]+|{NAME}|[Rr]umou?r(?: has it)?)(?: \w+ly| has| have| had| just| also| always)* "
    r"(?:says?|said|saying|tells?(?: \w+)?|told(?: \w+)?|claims?|claimed|thinks?|thought|believes?|believed|reckons?|reckoned"
    r"|mentions?|mentioned|heard|hears?|insists?|insisted|suggests?|suggested|recommends?|recommended|announced|wrote|writes"
    r"|assumes?|assumed|asked|asks|wants|expects|keeps saying|swears|argues?|argued|explained|read)(?: that| to)?[,:]? (?P<what>.+)$"
)
FICTION = re.compile(
    r"\b(?:(?:in|for) (?:my|the|this|a|our) (?:\w+ )?(?:novel|short story|story|book|dream|game|campaign|movie|film|play|screenplay"
    r"|script|show|series|fantasy|roleplay|role-play|song|poem|d&d campaign)|my character|(?:the|our) (?:hero|heroine|protagonist|narrator|villain)\b"
    r"|once upon a time|role-?play|pretend(?:ing)? (?:to be|that|you|I)|imagine (?:that|you|I)|act as|you are now"
    r"|I dream(?:ed|t)|lyrics|fictional|as a joke|just kidding|only kidding|just joking|I'm kidding|I was kidding|/s\b|jk\b|write (?:me )?(?:a|an) (?:story|poem|song|letter|email|essay)"
    r"|let's pretend|say I (?:am|was|were|live)|chapter \w+|speaking as|in character|example sentence|sample (?:text|bio|profile))",
    re.IGNORECASE,
)


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
            phrase.part == "by" or re.search(r"next|tomorrow|coming|^in |tonight", phrase.point, re.IGNORECASE)
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
    plain = re.sub(r"^(?:when|while) I was (?:a |in )?(?:kid|child|young|little|teenager|college|school|\d+)\w*,? ", "back then ", plain, flags=re.IGNORECASE)
    childhood = plain.startswith("back then ") or re.search(r"\bas a (?:kid|child|teenager|student)\b|\bgrowing up\b", plain) is not None
    scope = ""
    leading = _LEADING_SCOPE.match(plain)
    if leading:
        scope, plain = leading["scope"].lower(), plain[leading.end() :]
    phrases, plain = dates.find(plain.removeprefix("back then "), "en")
    flags = {name: pattern.search(plain) is not None for name, pattern in
             (("change", _CHANGE), ("addition", _ADDITION), ("ended", _ENDED), ("weak", _WEAK))}
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
    clause = Clause(
        subject=subject, first_person=first_person, plural=plural, relation=relation, text=text, scope=scope,
        phrases=phrases or (inherited.phrases if inherited and chain["form"] == "past" and not inherited.phrases else ()),
        others=not first_person, **flags | chain | {"ended": flags["ended"]},
    )
    return clause


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
        predicate = re.sub(r"^get (?=(?:promoted|married|divorced|engaged|hired|fired|laid|diagnosed|let go)\b)", "be ", predicate)
    return {
        "predicate": predicate, "tense": tense, "form": form,
        "negated": "not" in used or "never" in used, "never": "never" in used, "ability": "can" in used,
        "obliged": bool(used & {"must", "have to", "has to", "need to", "needs to"}), "wanted": bool(used & {"want to", "wants to"}),
    }


def _verbal(rest: str) -> bool:
    """Whether a verb follows, so that have or do is an auxiliary."""
    rest = re.sub(r"^(?:(?:not|never|been)\s+)+", "", rest)
    word = rest.split(" ", 1)[0]
    return _AUXILIARY.match(rest) is not None or lexicon.verb(word) is not None
