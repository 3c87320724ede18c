"""Deeds in English: what somebody has to do, and what is done."""

from __future__ import annotations

import re

from mnemolog.workers.rules import dates, lexicon, patterns, routines, wording
from mnemolog.workers.rules.drafts import Draft
from mnemolog.workers.rules.english import Speaker
from mnemolog.workers.rules.text import MASK

_OBLIGED = patterns.one("obliged")
_INVERTED = patterns.one("inverted")
_REMINDER = patterns.one("reminder")
_DUE = patterns.one("due")
_DEADLINE = patterns.one("deadline")
#: What one has to do even without a date; anything else is only a manner of speaking.
_ERRANDS = frozenset(
    ["call", "email", "send", "buy", "pay", "book", "renew", "submit", "finish", "fix", "write", "schedule", "cancel", "return", "pick", "order", "sign", "file", "print", "prepare", "clean", "update", "review", "register", "apply", "deliver", "repair", "mail", "contact", "reply", "complete", "publish", "deploy", "merge", "pack", "ship", "upload", "invoice", "reschedule", "wash", "water", "feed", "invite", "change", "replace", "check", "install", "back", "close"]
)
_IDLE = frozenset(
    ["say", "admit", "confess", "know", "think", "agree", "be", "understand", "go", "see", "tell", "have", "feel", "stop", "ask", "wait", "talk", "remember", "sleep", "get", "mention", "look"]
)
_DONE = patterns.several("done")
_NO_THING = patterns.one("no_thing")
_GENERIC_DONE = frozenset({"done", "did", "finished", "completed", "sorted"})
_CANCELLED = frozenset({"cancelled", "canceled", "called off"})
_TASK_STOP = frozenset(
    ["a", "an", "the", "my", "our", "your", "his", "her", "their", "to", "of", "me", "us", "it", "some", "that", "this", "all", "up", "off", "out", "in", "for", "with", "at", "on", "by", "and", "i", "we", "please"]
)


def key(text: str) -> str:
    """The normal form of a deed: verbs in their base form, nouns singular, small words left out."""
    words = re.findall(r"[\w#+'-]+", text.casefold())
    kept = [
        verb.base if (verb := lexicon.verb(word)) and not word.endswith("s") else lexicon.singular(word)
        for word in words
        if word not in _TASK_STOP
    ]
    return " ".join(kept[:6])


def task(text: str, speaker: Speaker) -> Draft | None:
    """ "Send the invoice by Friday, I must.\""""
    plain = text.strip(" .!")
    due = _DUE.match(plain) or _DEADLINE.match(plain)
    if due:
        phrases, _ = dates.find(plain, "en")
        if not phrases:
            return None
        return Draft(
            subject=speaker.subject,
            slot="task",
            object=key("finish " + due["thing"]),
            cell_type="task",
            phrases=phrases,
            content=wording.third_person(plain, speaker.subject),
        )
    match = _REMINDER.match(plain) or _INVERTED.match(plain) or _OBLIGED.match(plain)
    if match is None or MASK in match["deed"]:
        return None
    phrases, deed = dates.find(re.sub(r",? (?:though|too|also|again|really)$", "", match["deed"]), "en")
    deed = routines.split_cause(deed)[0]
    verb = lexicon.verb(deed.split(" ", 1)[0])
    asked = match.re is _REMINDER or match.re is _INVERTED
    weak = "how" in match.groupdict() and match["how"] in {"should", "ought to"}
    if (
        (verb is None and not asked)
        or (verb is not None and (verb.form != "base" or verb.base in _IDLE) and not asked)
        or (weak and not phrases)
    ):
        return None
    if re.search(r"\b(?:that|this|it|them|you|yourself|myself|one)$", deed) or (
        not asked and not phrases and (verb is None or verb.base not in _ERRANDS)
    ):
        return None
    deed = deed[0].lower() + deed[1:]
    said = f"{wording.shown_name(speaker.subject, 'en')} has to {wording.third_person(deed, speaker.subject)[0].lower()}{wording.third_person(deed, speaker.subject)[1:]}"
    return Draft(
        subject=speaker.subject, slot="task", object=key(deed), cell_type="task", phrases=phrases, content=said
    )


def done(text: str, speaker: Speaker) -> Draft | None:
    """ "Invoice sent.", "I cancelled the trip to Rome.\""""
    phrases, plain = dates.find(text.strip(" .!"), "en")
    for pattern in _DONE:
        match = pattern.fullmatch(plain)
        if match is None or _NO_THING.search(match["thing"]) or len(match["thing"].split()) > 5:
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
