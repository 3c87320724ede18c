"""Claims in English: opinions of something, and what a system should do."""

from __future__ import annotations

import re

from mnemolog.schema.cells import Mention
from mnemolog.workers.rules import deeds, lexicon, patterns, routines, wording
from mnemolog.workers.rules.drafts import Draft
from mnemolog.workers.rules.english import Speaker
from mnemolog.workers.rules.text import MASK

_OPINIONS = patterns.several("opinions")
_REQUIRED = patterns.one("required")


def opinion(text: str, speaker: Speaker) -> Draft | None:
    """ "I think Rust is hard.\""""
    effect, _ = routines.split_cause(text.strip(" .!"))
    for pattern in _OPINIONS:
        match = pattern.fullmatch(effect)
        if match is None:
            continue
        target, what = lexicon.bare(match["target"]), match["what"].strip(" .")
        if (
            re.match(
                r"(?:I|we|you|it|this|that|these|those|he|she|they|there|everyone|everything|what|which|how|your|my|our|not|in|like|so|to|about)\b",
                match["target"],
                re.IGNORECASE,
            )
            or re.search(
                r"\b(?:and|it|this|to|your|you|me|we|I|so|that|not|who|can|will|could|should|would|has|is)\b",
                match["target"],
            )
            or MASK in effect
        ):
            return None
        if (
            len(what.split()) > 8
            or not target
            or re.match(r"(?:going|coming|happening|from|in|at|on|here|there|next|ready)\b", what)
        ):
            return None
        polarity = -1 if match["not"] or what.startswith("not ") else 1
        slot = (
            "opinion_of_"
            + re.sub(
                r"_+", "_", re.sub(r"[^a-z0-9]+", "_", lexicon.normal(target).replace("+", "p").replace("#", "_sharp"))
            ).strip("_")[:60]
        )
        name = wording.shown_name(speaker.subject, "en")
        link = (match["is"] or "is").strip().replace("to be", "is")
        shown = re.sub(r"^not ", "", what)
        said = f"{name} {'does not think' if polarity < 0 else 'thinks'} that {match['target']} {link} {shown}"
        scene = (lexicon.find(target) or lexicon.Value("", (), "", "concept")).scene or None
        return Draft(
            subject=speaker.subject,
            slot=slot,
            object=deeds.key(
                re.sub(r"^(?:very|too|so|quite|really|pretty|a bit|rather|extremely|way too) ", "", shown)
            ),
            shown=shown,
            cell_type="opinion",
            polarity=polarity,
            content=said,
            scene=scene,
        )
    return None


def requirement(text: str, project: str | None) -> Draft | None:
    """ "It should organize conversations into topics", said of a system named in the sentence or just before."""
    match = _REQUIRED.match(text.strip(" .!"))
    if match is None:
        return None
    thing = match["thing"] or project
    verb = lexicon.verb(match["what"].removeprefix("not ").split(" ", 1)[0])
    if (
        thing is None
        or (verb is not None and verb.form != "base")
        or (match["what"].split(" ", 1)[0] in {"be", "have", "go"}
        and match["it"])
    ):
        return None
    thing = thing.strip()
    content = f"The {thing} {match['must']} {match['what']}"
    return Draft(
        subject=thing,
        slot="requirement",
        object=deeds.key(match["what"]),
        content=content,
        basis="first_person",
        polarity=-1 if match["not"] else 1,
        scene=project or thing,
        mentions=(Mention(thing, "project"),),
    )
