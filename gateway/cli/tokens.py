"""Commands for the tokens of the HTTP API: token add, token list, token revoke."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from mnemolog.gateway.cli.context import TIME, Context, json_option, now_ms, pass_context, print_json, say_if_none
from mnemolog.gateway.cli.telling import shown
from mnemolog.gateway.http.tokens import ALL_SPACES, SCOPES, Scope, Token, TokenFile
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.events import ROLES, Role
from mnemolog.schema.times import show

_TIMES = ("created_at", "expires_at")


@click.group()
def token() -> None:
    """Tokens: who may ask what of which spaces over HTTP.

    \b
    mnemolog token list
    """


@token.command()
@click.argument("name")
@click.option("--space", "spaces", multiple=True, help="A space that it is for; may be given again.")
@click.option("--all-spaces", is_flag=True, help="For every space, those to come too.")
@click.option(
    "--scope",
    type=click.Choice(SCOPES),
    default="read",
    show_default=True,
    help="read: ask. write: publish and request too. admin: see the work and health of spaces too.",
)
@click.option("--expires", type=TIME, help="From this time on it is refused; never unless given.")
@click.option("--speaker", help="Bind it: it speaks as this one alone.")
@click.option("--session-prefix", help="Bind it: only sessions whose names begin so.")
@click.option("--role", type=click.Choice(ROLES), help="Bind it: it publishes in this role alone.")
@json_option
@pass_context
def add(
    context: Context,
    name: str,
    spaces: tuple[str, ...],
    all_spaces: bool,  # noqa: FBT001
    scope: Scope,
    expires: int | None,
    speaker: str | None,
    session_prefix: str | None,
    role: Role | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Make a token and show its secret, once: only a hash of it is kept.

    A token that is bound to a speaker, to sessions or to a role is for a frontend that is not trusted: it publishes
    as that one alone, has remembered what its speaker says, and neither corrects, confirms nor forgets.

    \b
    mnemolog token add notebook --space ada --scope write
    mnemolog token add website --space visitors --scope write --speaker guest --role user
    """
    if bool(spaces) == all_spaces:
        raise InvalidInput("name the spaces that the token is for (--space), or give --all-spaces")
    made = Token(
        name=name,
        scope=scope,
        spaces=(ALL_SPACES,) if all_spaces else tuple(dict.fromkeys(spaces)),
        created_at=now_ms(),
        expires_at=expires,
        speaker=speaker,
        session_prefix=session_prefix,
        role=role,
    )
    if made.is_bound and scope != "write":
        raise InvalidInput("--speaker, --session-prefix and --role bind tokens of the scope write")
    try:
        secret = TokenFile(context.settings.data).add(made)
    except msgspec.ValidationError:
        raise InvalidInput(
            "a token's name has 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit"
        ) from None
    if as_json:
        print_json({**_as_object(made), "secret": secret})
        return
    click.echo(secret)
    click.echo("this secret is not shown again: keep it, and send it as `Authorization: Bearer …`", err=True)


@token.command(name="list")
@json_option
@pass_context
def list_(context: Context, as_json: bool) -> None:  # noqa: FBT001
    """List the tokens: their scopes, spaces and bounds; never the secrets, which are not kept.

    \b
    mnemolog token list --json
    """
    found = TokenFile(context.settings.data).all()
    if as_json:
        print_json([_as_object(one) for one in found])
        return
    say_if_none(found, "there is no token: make one with `mnemolog token add NAME --space SPACE`")
    for one in found:
        click.echo(_as_line(one))


@token.command()
@click.argument("name")
@pass_context
def revoke(context: Context, name: str) -> None:
    """Take a token away: servers refuse it from their next request on.

    \b
    mnemolog token revoke notebook
    """
    TokenFile(context.settings.data).revoke(name)
    click.echo(f"revoked {name}")


def _as_line(one: Token) -> str:
    notes = [f"since {show(one.created_at)[:10]}"]
    if one.expires_at is not None:
        notes.append(f"{'expired' if one.has_expired(now_ms()) else 'until'} {show(one.expires_at)}")
    bounds = {"speaker": one.speaker, "sessions": one.session_prefix, "role": one.role}
    notes += [f"{what} {value}" for what, value in bounds.items() if value is not None]
    return f"{one.name}  {one.scope}  {', '.join(one.spaces)}  ({shown('; '.join(notes))})"


def _as_object(one: Token) -> dict[str, Any]:
    found = {name: value for name, value in msgspec.structs.asdict(one).items() if name != "sha256"}
    return {name: show(value) if name in _TIMES and value is not None else value for name, value in found.items()}


COMMANDS = (token,)
