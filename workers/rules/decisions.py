"""Decisions in English: what is chosen, and what it takes the place of."""

from __future__ import annotations

import re

import msgspec

from mnemolog.schema.cells import Mention
from mnemolog.workers.rules import dates, deeds, lexicon, objects, patterns, routines, wording
from mnemolog.workers.rules.drafts import Draft
from mnemolog.workers.rules.subjects import Speaker

_CHOOSE = patterns.several("choose")
_CHOSEN = patterns.one("chosen")
_SWAP = patterns.one("swap")
_INSTEAD = patterns.one("instead")
_NOTHING = re.compile(r"(?:it|that|this|them|you|me|a break|be)\b")


class Choice(msgspec.Struct, frozen=True):
    """What is chosen as it is said, and what it replaces."""

    chosen: str
    old: str | None


def decision(text: str, speaker: Speaker) -> list[Draft]:
    """What is decided: "We'll use Postgres instead of MySQL."."""
    plain = text.strip(" .!")
    effect, cause = routines.split_cause(re.sub(r" (?:after all|again|anymore)$", "", plain))
    match = next((found for pattern in _CHOOSE if (found := pattern.match(effect))), None)
    if match is None:
        return []
    groups = match.groupdict()
    base = Draft(
        subject=speaker.subject,
        slot="decision",
        object="",
        cell_type="decision",
        plural=match["we"].casefold() != "i",
        polarity=-1 if groups.get("not") else 1,
        content=wording.third_person(plain, speaker.subject),
        cause=cause,
    )
    return _tool(groups, base) or _deed(groups, base)


def _choice(said: str) -> Choice | None:
    """What is chosen in "use Postgres instead of MySQL", "replace MySQL with Postgres" and their like."""
    swap, instead = _SWAP.match(said), _INSTEAD.search(said)
    wanted = swap["o"] if swap else said[: instead.start()] if instead else said
    chosen = _CHOSEN.match(wanted)
    if chosen is None:
        return None
    return Choice(chosen["o"], swap["old"] if swap else instead["old"] if instead else chosen["from"])


def _ended(old: str | None) -> str | None:
    return lexicon.normal(objects.cut(re.split(r" (?:for|in|on|as) ", old)[0])) if old else None


def _tool(groups: dict[str, str | None], base: Draft) -> list[Draft]:
    """A decision for or against a tool: it fills the slot of the tool's class."""
    phrases, said = dates.find(groups.get("deed") or groups.get("tool") or groups.get("o") or "", "en")
    choice = _choice(said)
    if choice is None:
        return []
    head, _, purpose = re.sub(r"^(?:only |just )", "", objects.cut(choice.chosen)).partition(" for ")
    head = re.split(r" (?:as|in|on|at) ", head)[0]
    value = lexicon.find(head)
    if value is None or value.kind != "tool":
        return []
    return [
        msgspec.structs.replace(
            base,
            slot=f"chosen_{value.classes[0]}",
            object=value.key,
            shown=head,
            scope=f"for {purpose}" if purpose else "",
            ends=value.key if base.polarity < 0 else _ended(choice.old),
            change=True,
            phrases=phrases,
            mentions=(Mention(value.name, "tool"),),
        )
    ]


def _deed(groups: dict[str, str | None], base: Draft) -> list[Draft]:
    """A decision to do something else, or for something that is no known tool ("we" only)."""
    deed, thing = groups.get("deed"), groups.get("o") if base.plural else None
    if thing is None and (deed is None or lexicon.verb(deed.split(" ", 1)[0]) is None):
        return []
    phrases, said = dates.find(deed or thing or "", "en")
    instead = _INSTEAD.search(said)
    wanted = said[: instead.start()] if instead else said
    if _NOTHING.match(wanted):
        return []
    ends = _ended(instead["old"]) if instead else None
    return [msgspec.structs.replace(base, object=deeds.key(wanted), shown=wanted, ends=ends, phrases=phrases)]
