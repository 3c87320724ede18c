"""Decisions in English: what is chosen, and what it takes the place of."""

from __future__ import annotations

import re

import msgspec

from mnemolog.schema.cells import Mention
from mnemolog.workers.rules import dates, deeds, lexicon, objects, patterns, routines, wording
from mnemolog.workers.rules.drafts import Draft
from mnemolog.workers.rules.english import Speaker

_CHOOSE = patterns.several("choose")
_CHOSEN = patterns.one("chosen")
_SWAP = patterns.one("swap")
_INSTEAD = patterns.one("instead")


def decision(text: str, speaker: Speaker) -> list[Draft]:
    """ "We'll use Postgres instead of MySQL.\""""
    effect, cause = routines.split_cause(re.sub(r" (?:after all|again|anymore)$", "", text.strip(" .!")))
    for pattern in _CHOOSE:
        match = pattern.match(effect)
        if match is None:
            continue
        groups = match.groupdict()
        deed = groups.get("deed") or groups.get("tool") or groups["o"]
        against = bool(groups.get("not"))
        plural = match["we"].casefold() != "i"
        if not plural and "deed" not in groups and "tool" not in groups and lexicon.find(objects.cut(deed)) is None:
            return []
        base = Draft(
            subject=speaker.subject,
            slot="decision",
            object="",
            cell_type="decision",
            plural=plural,
            cause=cause,
            content=wording.third_person(text.strip(" ."), speaker.subject),
        )
        return _chosen(
            deed, base, against=against, any_deed=groups.get("deed") is not None, any_thing=groups.get("o") is not None
        )
    return []


def _chosen(deed: str, base: Draft, *, against: bool, any_deed: bool, any_thing: bool) -> list[Draft]:
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
    if not ((any_deed and verb is not None) or any_thing) or re.match(
        r"(?:it|that|this|them|you|me|a break|be)\b", wanted
    ):
        return []
    return [
        msgspec.structs.replace(
            drafts, object=deeds.key(wanted), shown=wanted, polarity=-1 if against else 1, ends=ended
        )
    ]
