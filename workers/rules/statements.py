"""Statements: English sentences that are more than a verb frame: procedures, risks, tasks, decisions, opinions, requirements."""

from __future__ import annotations

import re

import msgspec

from mnemolog.schema.cells import Mention
from mnemolog.workers.rules import dates, lexicon, objects, wording
from mnemolog.workers.rules.drafts import Draft
from mnemolog.workers.rules.english import Speaker
from mnemolog.workers.rules.text import MASK

_PROCEDURE = re.compile(
    r"(?:(?P<word>when(?:ever)?|if|every time|each time|once|as soon as|before|after)\b (?P<condition>[^,]+?)"
    r"(?:, (?:then )?| then | (?=(?:I|we) ))(?P<main>.+)"
    r"|to (?P<aim>[a-z][^,]+), (?P<aimed>(?:I|we|you) .+))$",
    re.IGNORECASE,
)
_PROCEDURE_LAST = re.compile(r"(?P<main>(?:I|we|always) .+?) (?P<word>when(?:ever)?|every time|each time|before|after) (?P<condition>[^,]+)$", re.IGNORECASE)
_MAIN = re.compile(r"(?P<who>I|we|you)? ?(?:(?:always|usually|first|just|normally|then|simply|typically|generally|have to|need to|must|should) )*(?P<verb>[a-z]+)\b(?P<rest>.*)", re.IGNORECASE)
_STATIVE = frozenset(
    "be have like love hate feel want think live prefer know see hear need get understand hope wish enjoy say tell move become "
    "come die agree let believe remember forget look seem wonder find guess own".split()
)
_HARM = (
    r"(?:slip|fail|break|crash|delay|miss|overrun|lose|leak|collapse|expire|exceed|derail|block|overflow|drop|hurt|damage|cost|corrupt|overheat"
    r"|not (?:make|be|finish|arrive|work|scale|hold|reach|get|have|deliver|meet|pass|last|survive)|run (?:out|over|late)|go (?:down|wrong|over|bankrupt|offline)"
    r"|fall (?:behind|through|apart)|stop working|get (?:delayed|cancelled|canceled|hacked|blocked|stuck|rejected)|be (?:late|delayed|lost|cancelled|canceled|rejected|blocked|unavailable|hacked|down)"
    r"|push back|back out|pull out|quit|leave us|time out|blow up|shut down)"
)
_RISKS = (
    re.compile(rf"(?P<who>(?:the |our |my |this |that |a )?[\w' -]{{1,50}}?) (?:may|might|could) (?P<what>(?:\w+ly )?{_HARM}\b.*)", re.IGNORECASE),
    re.compile(r"there is (?:a|some) (?:\w+ )?(?:risk|danger|chance) (?:that|of) (?P<what>.+)", re.IGNORECASE),
    re.compile(r"(?:I am|we are) (?:\w+ )?(?:worried|afraid|concerned|nervous) (?:that|about) (?P<what>(?:the|our|my|we|this) .+)", re.IGNORECASE),
    re.compile(r"(?P<who>(?:the |our |my |this )[\w' -]{1,50}?) (?P<what>is at risk\b.*|risks \w+ing\b.*|is in danger of .+)", re.IGNORECASE),
    re.compile(r"(?:the )?(?:biggest |main |big |major )?risk(?: is that| here is that|:) (?P<what>.+)", re.IGNORECASE),
)
_BECAUSE = re.compile(r",? (?:because(?! of)|since(?= (?:the|our|my|we|they|he|she|it)\b)|as(?= (?:the|our|my)\b)|given that|now that|due to the fact that) (?P<cause>.+)$", re.IGNORECASE)
_BECAUSE_OF = re.compile(r",? (?:because of|due to|thanks to|owing to) (?P<cause>.+)$", re.IGNORECASE)
_OBLIGED = re.compile(r"(?P<who>I|we) (?:really |still |also |definitely |urgently )*(?P<how>must|have to|need to|should|ought to|am supposed to|are supposed to)(?: really| still| also)* (?P<deed>[a-z]+ .+)")
_INVERTED = re.compile(r"(?P<deed>[A-Z]?[a-z]+ .+?),? (?:I|we) (?:must|have to|need to|should|really must)$")
_REMINDER = re.compile(r"(?:please )?(?:remind me to|do not let me forget to|do not forget to|remember to|TODO:?|to-?do:?|task:|make sure (?:that )?I|I must not forget to|I promised to|I am supposed to|note to self:) (?P<deed>[A-Za-z]+ .+)", re.IGNORECASE)
_DUE = re.compile(r"(?:The|My|Our|the|my|our) (?P<thing>[\w -]{3,40}?) (?:is|are) due\b.*")
_DEADLINE = re.compile(r"(?:the |my |our )?deadline for (?:the |my |our )?(?P<thing>[\w -]+?) is .*", re.IGNORECASE)
_IDLE = frozenset("say admit confess know think agree be understand go see tell have feel stop ask wait talk remember sleep get mention look".split())
_DONE = (
    re.compile(r"(?:The |My |Our |the )?(?P<thing>[A-Za-z][\w' -]{2,40}?) (?:(?:is|are|was|were|has been|have been|got) )?(?:all |now |finally |already |just |successfully )*(?P<verb>sent|done|finished|paid|submitted|completed|delivered|shipped|booked|signed|fixed|filed|published|deployed|merged|released|renewed|cancelled|canceled|called off|sorted|ordered|returned|cleaned|repaired|reviewed|printed|posted|updated|closed|scheduled)(?: now| today| yesterday| already| off| out| this morning)*"),
    re.compile(r"(?:I|we) (?:have )?(?:just |already |finally |now )*(?P<verb>sent|did|done|finished|paid|submitted|completed|delivered|shipped|booked|signed|fixed|filed|published|deployed|merged|renewed|cancelled|canceled|called off|called|ordered|returned|cleaned|repaired|reviewed|printed|posted|updated|wrote|written|bought|picked up|emailed|handed in|turned in|scheduled|watered|washed) (?:off |out |in )?(?:the|my|our|all the) (?P<thing>[\w' -]{2,40}?)(?: (?:to|with|for|at|on|in) .*| now| already| today| yesterday)?"),
    re.compile(r"(?P<verb>[Dd]one|[Ff]inished|[Ss]ent|[Pp]aid|[Ss]ubmitted|[Cc]ancelled|[Bb]ooked|[Ff]ixed) (?:with )?(?:the|my|our) (?P<thing>[\w' -]{2,40})"),
    re.compile(r"(?:The |My |Our |the )?(?P<thing>[\w' -]{2,40}?) (?:is|got|has been|was) (?P<verb>cancelled|canceled|called off)"),
)
_GENERIC_DONE = frozenset({"done", "did", "finished", "completed", "sorted"})
_CANCELLED = frozenset({"cancelled", "canceled", "called off"})
_TASK_STOP = frozenset("a an the my our your his her their to of me us it some that this all up off out in for with at on by and i we please".split())
_CHOOSE = (
    re.compile(r"(?P<we>we|I) (?:have )?(?:finally |just |now )*(?:decided|agreed|opted|chosen|chose|voted|elected)(?: together)? (?P<not>not |against )?to (?P<deed>.+)", re.IGNORECASE),
    re.compile(r"(?P<we>we|I) (?:have )?(?:finally |just |now )*(?:decided on|decided for|agreed on|opted for|settled on|chosen|chose|picked|selected|went with|are going with|am going with|are sticking with|are standardi[sz]ing on|decided (?P<not>against)) (?P<o>.+)", re.IGNORECASE),
    re.compile(r"(?P<we>we) (?:will|shall|are going to)(?: now| definitely)* (?P<not>not |no longer )?(?P<deed>(?:use|go with|stick with|stick to|adopt|build on|deploy (?:on|to)|host on|switch to|move to|migrate to|standardi[sz]e on|choose|pick|replace) .+)", re.IGNORECASE),
    re.compile(r"(?:okay |ok )?(?P<we>let us)(?: just)? (?P<not>not )?(?P<deed>(?:use|go with|stick with|adopt|switch to|move to|build) .+)", re.IGNORECASE),
    re.compile(r"(?P<we>(?:the )?(?:final )?decision)(?::| is| was)(?: that)?(?: we (?:will )?)?(?P<not>)(?: to)? (?P<deed>.+)", re.IGNORECASE),
    re.compile(r"(?P<we>we) are (?P<not>)(?P<deed>(?:switching|moving|migrating|dropping|replacing) .+)", re.IGNORECASE),
)
_CHOSEN = re.compile(r"(?:(?:use|go with|stick with|stick to|adopt|build (?:it )?(?:on|in|with)|deploy (?:on|to)|host (?:it )?on|(?:switch|switching|move|moving|migrate|migrating)(?: over)?(?: from (?P<from>.+?))? to|standardi[sz]e on|choose|pick|keep) )?(?P<o>.+)", re.IGNORECASE)
_SWAP = re.compile(r"(?:replace|replacing|drop|dropping|swap|ditch) (?P<old>.+?) (?:with|by|for|in favou?r of) (?P<o>.+)", re.IGNORECASE)
_INSTEAD = re.compile(r",? (?:instead of|rather than|over|in place of|not|and not|and drop) (?P<old>.+)$", re.IGNORECASE)
_OPINIONS = (
    re.compile(r"(?:(?:(?:personally|honestly),? )?I (?:really |honestly |personally |still |do )*(?P<not>not )?(?:really )?(?:think|believe|feel|reckon|would say)(?: that)?|in my (?:humble |honest )?opinion,?|imh?o,?|if you ask me,?|to me,?|for me,?) (?P<target>[\w#+.' -]{1,40}?) (?P<is>is|are|was|were|looks?|feels?|tastes?|sounds?|has|have|makes?|lacks?) (?P<what>.+)", re.IGNORECASE),
    re.compile(r"I (?:really |honestly |still )*(?:(?:do )(?P<not>not ))?find (?P<target>[\w#+.' -]{1,40}?)(?P<is> to be)? (?P<what>(?:(?:very|too|so|quite|really|pretty|a bit|rather|more|less|extremely) )*[a-z]+(?:ing|ed|ful|ive|ous|able|ible|al|y|ic|less|ent|ant|ult|ard|eat|ad|ood|ar|ow|ng|pid|le)\b.*)"),
    re.compile(r"(?P<target>[\w#+.' -]{1,40}?) (?P<is>is|are) (?P<not>not )?(?P<what>[\w' -]+?),? (?:in my (?:humble )?opinion|imh?o|if you ask me|I (?:think|believe))", re.IGNORECASE),
)
_ARTEFACT = r"(?:system|app|application|agent|tool|service|site|website|project|bot|chatbot|product|feature|API|engine|platform|page|software|library|program|database|model|dashboard|assistant|memory|pipeline|module|interface|UI|server|client|script|game|device|robot|algorithm|component)"
_REQUIRED = re.compile(rf"(?:(?P<it>it)|(?:the|this|that|our|my) (?P<thing>(?:[\w-]+ ){{0,3}}{_ARTEFACT})s?)(?: also| always)* (?P<must>should|must|has to|needs to|shall)(?: also| always)* (?P<what>(?P<not>not )?[a-z]+\b.*)", re.IGNORECASE)
_REMEMBER = re.compile(r"(?:(?:and|also|please|pls|hey|so|ok|okay|could you|can you|i want you to|i would like you to),? )*(?:remember|note|keep in mind|bear in mind|do not forget|make a note|memori[sz]e|for the record)(?: for (?:later|me|the future))?(?:(?:[:,]| that) (?P<what>.+)|(?P<bare> (?:I|my|we|our)\b.+))$", re.IGNORECASE)
_FORGET = re.compile(r"(?:(?:and|please|pls|could you|can you|will you|you can|you should|i want you to|i would like you to|actually),? )*(?:forget|erase|delete|unlearn)(?: everything)?(?: about)?(?: that| what I (?:said|told you) about)? (?P<what>(?:I|my|we|our|the fact|about|what|that)\b.+)$", re.IGNORECASE)
_CORRECTION = (
    re.compile(r"(?:.*?\b(?:I meant|I mean|I meant to say|correction|make that|should have said|it is actually|it is)\b[:,]? )(?P<new>[^,;]+?),? (?:and |definitely )?not (?P<old>[^,;]+)$", re.IGNORECASE),
    re.compile(r"(?:sorry|correction|oops|wait|no|my mistake|scratch that)[,:!.]? (?P<new>[A-Z0-9][\w .&+#-]*?),? not (?P<old>[\w .&+#-]+)$", re.IGNORECASE),
    re.compile(r"(?:I said|I wrote|when I said) (?P<old>[^,;]+?),? (?:but )?I (?:meant|mean) (?P<new>[^,;]+)$", re.IGNORECASE),
    re.compile(r"not (?P<old>[\w .&+#-]+?),? but (?P<new>[A-Z][\w .&+#-]+)$", re.IGNORECASE),
)


def procedure(text: str, speaker: Speaker) -> Draft | None:
    """"When the build fails I clear the cache.\""""
    match = _PROCEDURE.match(text)
    if match and match["aim"]:
        condition, main, word = "to " + match["aim"], match["aimed"], "to"
    elif match or (match := _PROCEDURE_LAST.match(text)):
        condition, main, word = match["condition"], match["main"], match["word"].casefold()
    else:
        return None
    first = condition.split(" ", 1)[0].casefold()
    if first in {"you", "he", "she", "they", "i", "possible", "necessary"} and (word == "if" or first != "i"):
        return None
    if _is_past(condition) or re.search(r"\b(?:would|will|could|might|may|going to|was|were|had|did|wish|[A-Z]\w+ said)\b", text):
        return None
    act = _MAIN.match(main)
    verb = lexicon.verb(act["verb"]) if act else None
    if act is None or verb is None or verb.form != "base" or verb.base in _STATIVE or (not act["who"] and "always" not in main.casefold() and verb.base in {"let", "look"}):
        return None
    if dates.find(condition, "en")[0] or not act["rest"].strip():
        return None
    return Draft(subject=speaker.subject, slot="procedure", object=key(condition), content=wording.third_person(text, speaker.subject), plural=act["who"] == "we")


def _is_past(text: str) -> bool:
    return any((verb := lexicon.verb(word)) is not None and verb.form in {"past", "past_or_participle"} and verb.base not in {"set", "put", "cut", "hit", "let", "read", "quit"} for word in re.findall(r"[a-z]+", text))


def split_cause(text: str) -> tuple[str, str]:
    """(effect, the clause that gives the reason; empty if there is none)."""
    match = _BECAUSE.search(text)
    return (text[: match.start()], match["cause"]) if match else (text, "")


def risk(text: str, speaker: Speaker) -> Draft | None:
    """"The release may slip because the vendor is late.\""""
    effect, cause = split_cause(text)
    for pattern in _RISKS:
        match = pattern.match(effect)
        if match is None:
            continue
        groups = match.groupdict()
        who = lexicon.bare(groups.get("who") or "")
        if who.casefold() in {"you", "he", "she", "it", "they", "that", "this", "who", "what", "there", "one"} or who.startswith(("I ", "you ", "if ")):
            return None
        mine = not who or who.casefold() in {"i", "we"}
        phrases, what = dates.find(_BECAUSE_OF.sub("", match["what"]), "en")
        return Draft(
            subject=speaker.subject if mine else who, slot="risk", object=key((who + " " if not mine else "") + re.sub(r"^is |\bif .*", "", what)), cause=cause,
            content=wording.third_person(text, speaker.subject), phrases=phrases, cell_type="risk", basis="first_person", plural=who.casefold() == "we",
        )  # fmt: skip
    return None


def cause_of(cause: str, speaker: Speaker) -> Draft | None:
    """The reason of a risk or a decision as a statement of its own: "the vendor is late"."""
    match = re.match(r"(?P<who>(?:the |our |my |this |that )?[\w' -]{1,40}?) (?P<verb>is|are|was|were|has|have|keeps?|does|do|takes?|needs?|lacks?|can not|[a-z]+s)\b (?P<what>.+)", cause)
    if match is None:
        return None
    who = lexicon.bare(match["who"])
    if who.casefold() in {"i", "we", "it", "he", "she", "they", "you", "that", "this", "there"}:
        return None
    polarity = -1 if re.search(r"\b(?:not|no longer)\b", cause) else 1
    stated = wording.third_person(cause, speaker.subject)
    return Draft(subject=who, slot="state", object=key(match["what"]), shown=match["what"], content=stated, basis="first_person", polarity=polarity)


def key(text: str) -> str:
    """The normal form of a deed: verbs in their base form, nouns singular, small words left out."""
    words = re.findall(r"[\w#+'-]+", text.casefold())
    kept = [verb.base if (verb := lexicon.verb(word)) and not word.endswith("s") else lexicon.singular(word) for word in words if word not in _TASK_STOP]
    return " ".join(kept[:6])


def task(text: str, speaker: Speaker) -> Draft | None:
    """"Send the invoice by Friday, I must.\""""
    plain = text.strip(" .!")
    due = _DUE.match(plain) or _DEADLINE.match(plain)
    if due:
        phrases, _ = dates.find(plain, "en")
        if not phrases:
            return None
        return Draft(subject=speaker.subject, slot="task", object=key("finish " + due["thing"]), cell_type="task", phrases=phrases, content=wording.third_person(plain, speaker.subject))
    match = _REMINDER.match(plain) or _INVERTED.match(plain) or _OBLIGED.match(plain)
    if match is None or MASK in match["deed"]:
        return None
    phrases, deed = dates.find(re.sub(r",? (?:though|too|also|again|really)$", "", match["deed"]), "en")
    deed = split_cause(deed)[0]
    verb = lexicon.verb(deed.split(" ", 1)[0])
    asked = match.re is _REMINDER or match.re is _INVERTED
    weak = "how" in match.groupdict() and match["how"] in {"should", "ought to"}
    if (verb is None and not asked) or (verb is not None and (verb.form != "base" or verb.base in _IDLE) and not asked) or (weak and not phrases):
        return None
    deed = deed[0].lower() + deed[1:]
    said = f"{wording.shown_name(speaker.subject, 'en')} has to {wording.third_person(deed, speaker.subject)[0].lower()}{wording.third_person(deed, speaker.subject)[1:]}"
    return Draft(subject=speaker.subject, slot="task", object=key(deed), cell_type="task", phrases=phrases, content=said)


def done(text: str, speaker: Speaker) -> Draft | None:
    """"Invoice sent.", "I cancelled the trip to Rome.\""""
    phrases, plain = dates.find(text.strip(" .!"), "en")
    for pattern in _DONE:
        match = pattern.fullmatch(plain)
        if match is None or re.match(r"(?:I|we|you|he|she|it|they|that|this|not|never)\b", match["thing"], re.IGNORECASE):
            continue
        how = match["verb"].casefold()
        if re.search(r"\bnot\b|n't", plain):
            return None
        verb = lexicon.verb(how.split(" ", 1)[0])
        base = "cancel" if how in _CANCELLED else verb.base if verb else how
        thing = key(match["thing"])
        over = thing if how in _GENERIC_DONE or how in _CANCELLED else f"{base} {thing}"
        return Draft(
            subject=speaker.subject, slot="task", object=over, polarity=-1 if how in _CANCELLED else 1, ends=over, cell_type="fact",
            content=wording.third_person(text.strip(" ."), speaker.subject), phrases=phrases, event=True,
        )  # fmt: skip
    return None


def decision(text: str, speaker: Speaker) -> list[Draft]:
    """"We'll use Postgres instead of MySQL.\""""
    effect, cause = split_cause(text.strip(" .!"))
    for pattern in _CHOOSE:
        match = pattern.match(effect)
        if match is None:
            continue
        groups = match.groupdict()
        deed = groups.get("deed") or groups["o"]
        against = bool(groups.get("not"))
        plural = match["we"].casefold() != "i"
        base = Draft(subject=speaker.subject, slot="decision", object="", cell_type="decision", plural=plural, cause=cause, content=wording.third_person(text.strip(" ."), speaker.subject))
        return _chosen(deed, base, against=against, pattern_is_loose=groups.get("o") is not None)
    return []


def _chosen(deed: str, base: Draft, *, against: bool, pattern_is_loose: bool) -> list[Draft]:
    phrases, deed = dates.find(deed, "en")
    swap = _SWAP.match(deed)
    instead = _INSTEAD.search(deed)
    old = swap["old"] if swap else instead["old"] if instead else None
    wanted = swap["o"] if swap else deed[: instead.start()] if instead else deed
    chosen = _CHOSEN.match(wanted)
    if chosen is None:
        return []
    old = old or chosen["from"]
    ended = lexicon.normal(objects.cut(re.split(r" (?:for|in|on|as) ", old)[0])) if old else None
    head, _, scope = re.sub(r"^(?:only |just )", "", objects.cut(chosen["o"])).partition(" for ")
    head = re.split(r" (?:as|in|on|at) ", head)[0]
    value = lexicon.find(head)
    drafts = msgspec.structs.replace(base, phrases=phrases, scope="for " + scope if scope and value else "")
    if value is not None and value.kind == "tool":
        return [msgspec.structs.replace(
            drafts, slot="chosen_" + value.classes[0], object=value.key, shown=head, polarity=-1 if against else 1,
            ends=value.key if against else ended, change=True, mentions=(Mention(value.name, "tool"),),
        )]  # fmt: skip
    verb = lexicon.verb(deed.split(" ", 1)[0])
    if (not pattern_is_loose and verb is None) or re.match(r"(?:it|that|this|them|you|me|a break|be)\b", wanted):
        return []
    return [msgspec.structs.replace(drafts, object=key(wanted), shown=wanted, polarity=-1 if against else 1, ends=ended)]


def opinion(text: str, speaker: Speaker) -> Draft | None:
    """"I think Rust is hard.\""""
    effect, _ = split_cause(text.strip(" .!"))
    for pattern in _OPINIONS:
        match = pattern.fullmatch(effect)
        if match is None:
            continue
        target, what = lexicon.bare(match["target"]), match["what"].strip(" .")
        if re.match(r"(?:I|we|you|it|this|that|these|those|he|she|they|there|everyone|everything|what|which|how|your|not)\b", match["target"], re.IGNORECASE) or MASK in effect:
            return None
        if len(what.split()) > 8 or not target or re.match(r"(?:going|coming|happening|from|in|at|on|here|there|next|ready)\b", what):
            return None
        polarity = -1 if match["not"] or what.startswith("not ") else 1
        slot = "opinion_of_" + re.sub(r"_+", "_", re.sub(r"[^a-z0-9]+", "_", lexicon.normal(target).replace("+", "p").replace("#", "_sharp"))).strip("_")[:60]
        name = wording.shown_name(speaker.subject, "en")
        link = (match["is"] or "is").strip().replace("to be", "is")
        shown = re.sub(r"^not ", "", what)
        said = f"{name} {'does not think' if polarity < 0 else 'thinks'} that {match['target']} {link} {shown}"
        scene = (lexicon.find(target) or lexicon.Value("", (), "", "concept")).scene or None
        return Draft(subject=speaker.subject, slot=slot, object=key(re.sub(r"^(?:very|too|so|quite|really|pretty|a bit|rather|extremely|way too) ", "", shown)), shown=shown, cell_type="opinion", polarity=polarity, content=said, scene=scene)
    return None


def requirement(text: str, project: str | None) -> Draft | None:
    """"It should organize conversations into topics", said of a system named in the sentence or just before."""
    match = _REQUIRED.match(text.strip(" .!"))
    if match is None:
        return None
    thing = match["thing"] or project
    verb = lexicon.verb(match["what"].removeprefix("not ").split(" ", 1)[0])
    if thing is None or (verb is not None and verb.form != "base") or match["what"].split(" ", 1)[0] in {"be", "have", "go"} and match["it"]:
        return None
    thing = thing.strip()
    content = f"The {thing} {match['must']} {match['what']}"
    return Draft(subject=thing, slot="requirement", object=key(match["what"]), content=content, basis="first_person", polarity=-1 if match["not"] else 1, scene=project or thing, mentions=(Mention(thing, "project"),))


def remembered(text: str) -> str | None:
    """What "remember that …" asks to remember, or None where nothing is asked."""
    match = _REMEMBER.match(text.strip(" .!"))
    if match is None:
        return None
    what: str = (match["what"] or match["bare"]).strip()
    return None if re.match(r"(?:when|how|the time|to|me|us|if)\b", what, re.IGNORECASE) else what


def forgotten(text: str) -> str | None:
    """What "forget that …" asks to forget, or None where nothing is asked."""
    match = _FORGET.match(text.strip(" .!?"))
    if match is None or re.match(r"(?:it|about it|that)$", match["what"], re.IGNORECASE):
        return None
    return re.sub(r"^(?:that|about|the fact that|what I said about) ", "", match["what"])


def corrected(text: str) -> tuple[str, str] | None:
    """(what is meant, what was said by mistake) of "I meant C, not B"."""
    for pattern in _CORRECTION:
        match = pattern.match(text.strip(" .!"))
        if match:
            return match["new"].strip(), match["old"].strip()
    return None
