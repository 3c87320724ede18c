"""Commands that try another engine on one's own memory: shadow, shadow show, shadow promote, shadow drop."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import click

from mnemolog.gateway.cli.context import Context, json_option, pass_context, print_json, progress_bar, progress_to
from mnemolog.gateway.cli.requesting import no_wait_option
from mnemolog.gateway.cli.telling import short
from mnemolog.gateway.cli.undoing import SHOWN, TIMEOUT_S, show_decisions, show_facts
from mnemolog.gateway.folding import await_folded
from mnemolog.producers import Published
from mnemolog.projections.fact_diff import Pair, same_value
from mnemolog.projections.spending import Spent
from mnemolog.schema.codec import decode
from mnemolog.schema.endpoint import log_client
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.model_settings import RULES
from mnemolog.workers.rebuilding import replay
from mnemolog.workers.shadows import promotion
from mnemolog.workers.shadows import shadow as shadows
from mnemolog.workers.shadows.promotion import DecisionsLost
from mnemolog.workers.shadows.shadow import Report


@click.group(invoke_without_command=True)
@click.option("--model", metavar="M", help="The model that extracts again, or `rules`.")
@click.option(
    "--prompts",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Prompts of your own: files like extract.mine.md.",
)
@click.option("--last", type=click.IntRange(1), metavar="N", help="The last N messages only.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_context
def shadow(ctx: click.Context, /, yes: bool, as_json: bool, **wish: Any) -> None:  # noqa: FBT001
    """Extract the memory again with another engine, beside it, and tell what would be different.

    Says first what it will cost. Interrupted, the same command goes on. Nothing changes in the memory itself until
    `shadow promote`.

    \b
    mnemolog shadow --model gpt-large
    mnemolog shadow --model gpt-large --prompts my-prompts --last 200 --yes
    mnemolog shadow promote
    """
    if ctx.invoked_subcommand is not None:
        return
    if wish["model"] is None:
        raise InvalidInput(f"name the model that extracts again: --model M, or --model {RULES}")
    context = ctx.find_object(Context)
    assert context is not None
    _make(context, wish, yes=yes, as_json=as_json)


def _make(context: Context, wish: dict[str, Any], *, yes: bool, as_json: bool) -> None:
    # Engines take as long to load as a command: only who needs them waits.
    making: Any = import_module("mnemolog.gateway.shadowing")

    def confirm(about: Any) -> bool:
        click.echo(
            f"about {about.jobs} jobs on {about.messages} messages: {about.calls} calls, "
            f"{about.tokens_in:,} tokens in, {about.tokens_out:,} out, {about.cost_usd:.2f} US dollars",
            err=True,
        )
        return yes or (not as_json and click.confirm("Go on?", err=True))

    with context.redis() as url, log_client(url) as client, progress_to("extracting again") as progress:
        found: Report = making.make(
            context.settings,
            context.models,
            context.embedder(),
            client,
            making.Wish(**wish),
            confirm=confirm,
            progress=progress,
        )
    _tell(found, as_json=as_json)


@shadow.command()
@json_option
@pass_context
def show(context: Context, as_json: bool) -> None:  # noqa: FBT001
    """Tell again what the shadow found.

    \b
    mnemolog shadow show --json
    """
    _tell(_report(context), as_json=as_json)


@shadow.command()
@click.option("--force", is_flag=True, help="Also when people's decisions no longer find their fact.")
@no_wait_option
@json_option
@pass_context
def promote(context: Context, force: bool, no_wait: bool, as_json: bool) -> None:  # noqa: FBT001
    """Let the shadow's facts take the place of those that it was made to replace.

    What the old engine concluded is voided and stays on the log. What people corrected, confirmed, judged and had
    forgotten is kept; where such a decision no longer finds its fact, nothing is done without --force. Messages that
    came after the shadow was made keep their facts.

    \b
    mnemolog shadow promote
    """
    _report(context)
    plan = shadows.plan_of(context.settings)
    assert plan is not None
    with progress_bar("trying", replay.total_entries(context.settings)) as advance:
        found = promotion.prepared(context.settings, context.embedder(), plan, advance)
    if not as_json:
        show_decisions(found.decisions)
    if found.decisions and not force:
        raise DecisionsLost(
            f"{len(found.decisions)} decisions would no longer find their fact, and nothing was done. --force promotes "
            "all the same: they then stand among `mnemolog dead-letters list`"
        )
    with context.redis() as url, log_client(url) as client:
        shadows.refuse_if_gone(context.settings, plan)
        position = promotion.promote(client, context.settings.space, found)
        last = Published(decode(found.bodies[-1]).id, position)
        done = await_folded(context.settings, context.stream(url), last, wait=not no_wait, timeout_s=TIMEOUT_S)
    shadows.drop(context.settings)
    if as_json:
        print_json({"position": position, "folded": done.folded, "voids": found.voids, "effects": found.effects})
        return
    click.echo(f"promoted at {position}: {plan.outcomes} outcomes are voided, those of {plan.model} count")
    if not done.folded and done.why_not:
        click.echo(f"mnemolog: {done.why_not}", err=True)


@shadow.command()
@pass_context
def drop(context: Context) -> None:
    """Forget the shadow; the memory stays as it is.

    \b
    mnemolog shadow drop
    """
    click.echo("dropped" if shadows.drop(context.settings) else "there is no shadow")


def _report(context: Context) -> Report:
    found = shadows.report_of(context.settings)
    if found is not None:
        return found
    plan = shadows.plan_of(context.settings)
    if plan is None:
        raise InvalidInput("there is no shadow: make one with `mnemolog shadow --model M`")
    raise InvalidInput(f"the shadow by {plan.model} is not done: the command that began it goes on with it")


def _tell(found: Report, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    of = "the whole memory" if found.last is None else f"the last {found.last} messages"
    click.echo(f"{found.model} on {of}, up to {found.position}: {found.jobs} outcomes, {found.failed} jobs failed")
    for name, spent in (("replaced outcomes", found.before), ("shadow", found.after)):
        click.echo(f"{name}: {_spent(spent)}")
    show_facts("added", found.diff.added)
    show_facts("lost", found.diff.lost)
    reworded = [pair for pair in found.diff.changed if same_value(pair)]
    _show_pairs("said in other words", reworded)
    _show_pairs("changed", [pair for pair in found.diff.changed if pair not in reworded])
    click.echo(f"superseded differently: {len(found.diff.standing)}")
    for pair in found.diff.standing[:SHOWN]:
        click.echo(f"    {pair.after.node_id}  {short(pair.after.content)}: {pair.before.status} → {pair.after.status}")
    show_decisions(found.decisions)


def _spent(spent: Spent) -> str:
    return (
        f"{spent.calls} calls, {spent.tokens_in:,} tokens in, {spent.tokens_out:,} out, {spent.cost_usd:.4f} US dollars"
    )


def _show_pairs(what: str, pairs: list[Pair]) -> None:
    click.echo(f"{what}: {len(pairs)}")
    for pair in pairs[:SHOWN]:
        click.echo(f"    {short(pair.before.content)} → {short(pair.after.content)}")
    if len(pairs) > SHOWN:
        click.echo(f"    … and {len(pairs) - SHOWN} more (--json tells all)")


COMMANDS = (shadow,)
