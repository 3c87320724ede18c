"""The command that prints metrics once: metrics."""

from __future__ import annotations

import click

from mnemolog.gateway.cli.context import Context, pass_context
from mnemolog.gateway.metrics.exposition import registry_of, text_of


@click.command()
@pass_context
def metrics(context: Context) -> None:
    """Print the metrics of all spaces of the data folder once, as Prometheus reads them.

    For a collector of text files; `mnemolog up --metrics-port` serves the same over HTTP.

    \b
    mnemolog metrics
    """
    click.echo(text_of(registry_of(context.settings, context.running_redis)), nl=False)


COMMANDS = (metrics,)
