"""The command that tells why something is not remembered, or not in an answer: why-not."""

from __future__ import annotations

from typing import Any

import click

from mnemolog.gateway.cli.context import TIME, Context, json_option, pass_context, print_answer
from mnemolog.gateway.cli.narrowing import narrowing_options, scope_of
from mnemolog.gateway.cli.placing import place_of
from mnemolog.gateway.cli.telling import short
from mnemolog.gateway.memory import reasons
from mnemolog.gateway.memory.reasons import Finding, Wish
from mnemolog.gateway.memory.scope import MOST_RESULTS, NODE_TYPES
from mnemolog.projections.reasons.reasons import REASONS

FINDINGS_SHOWN = 12

_HELP = f"""Say why TEXT is not remembered, or with --query why it is not in the answer to that question.

    TEXT is looked for in messages and facts, in what could not be folded or is not folded yet, and in what engines
    found and was refused: word for word, as a part, by its words. Each line is a reason with what shows it, the best
    match first; the same options as for recall say which answer is meant. The reasons, as --json has them:

    {", ".join(REASONS)}.

    \b
    mnemolog why-not "I prefer Python."
    mnemolog why-not "Ada prefers Python" --query "Which language does Ada like?" --json
    """


@click.command(name="why-not", help=_HELP)
@click.argument("text")
@click.option("--query", help="The question whose answer it is missing from.")
@click.option("--now", type=TIME, help="Answer as at this time.")
@click.option("--as-of", type=TIME, help="Missing from what was true at this time (goes before --now).")
@click.option("--limit", type=click.IntRange(1, MOST_RESULTS), default=10, show_default=True, help="The most results.")
@click.option("--type", "types", type=click.Choice(NODE_TYPES), multiple=True, help="Only nodes of this type.")
@narrowing_options
@json_option
@pass_context
def why_not(context: Context, /, text: str, as_json: bool, **options: Any) -> None:  # noqa: FBT001
    """Looks for the reasons, and prints them."""
    wish = Wish(
        scope=scope_of(options),
        query=options["query"] or "",
        limit=options["limit"],
        types=options["types"] or None,
    )
    with place_of(context) as place:
        found = reasons.why_not(place, text, wish)
    if as_json:
        print_answer(found)
        return
    for finding in found.findings[:FINDINGS_SHOWN]:
        _tell(finding)
    if len(found.findings) > FINDINGS_SHOWN:
        click.echo(f"… and {len(found.findings) - FINDINGS_SHOWN} more: --json shows them")
    if found.not_searched:
        click.echo(f"mnemolog: what is not folded yet was not looked at: {found.not_searched}", err=True)


def _tell(finding: Finding) -> None:
    what = {"dead_letter": "parked entry", "entry": "entry"}.get(finding.kind, finding.kind)
    named = " ".join(filter(None, (what, finding.node_id, f"({finding.match})" if finding.match else "")))
    click.echo(f"{finding.reason}  {short(finding.detail, 400)}")
    if finding.content:
        click.echo(f"    {named}: “{short(finding.content)}”")


COMMANDS = (why_not,)
