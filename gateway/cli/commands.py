"""The commands by chapter, each with the module that has it and a line that says what it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

import click

from mnemolog.schema.errors import SpaceNotFound
from mnemolog.schema.settings import Settings, spaces_in

_MOST_SPACES_TOLD = 10

#: Of each chapter the commands: the name, the module beside this one that has it, and what it does.
CHAPTERS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "Run": (
        ("up", "running", "Run everything on this machine, until Ctrl-C."),
        ("ingest", "running", "Run the writer alone: of one space, several, or all."),
        ("worker", "working", "Run workers for one queue, on any machine."),
        ("serve", "serving", "Serve the HTTP API, metrics, and the page to look at memory."),
        ("mcp", "mcp", "Serve the memory to MCP clients."),
        ("proxy", "proxying", "Give a memory to clients of an OpenAI-compatible server."),
    ),
    "Tell": (
        ("publish", "publishing", "Publish one message."),
        ("close", "publishing", "Say that a session is over."),
        ("import", "importing", "Import conversations: exports, chat logs, JSON lines."),
        ("remember", "asking", "Have a statement remembered as it is said."),
        ("chat", "chatting", "Talk with an agent that remembers."),
        ("wait", "running", "Wait until everything published is worked off."),
        ("spool", "spooling", "What waits on disk because Redis does not take it."),
    ),
    "Ask": (
        ("recall", "recalling", "Search the memory."),
        ("context", "chatting", "What is known about a question, packed for a prompt."),
        ("facts", "facts", "What is true, or was at a time."),
        ("scenes", "facts", "The topics, with their summaries."),
        ("entities", "entities", "Everybody and everything that has a name."),
        ("entity", "entities", "All that is known of one name."),
        ("history", "facts", "How a fact came about and what became of it."),
        ("changes", "changes", "What was learned, replaced, or faded since a time."),
        ("why", "why", "Where a fact, a message or a topic comes from."),
        ("why-not", "why_not", "Why something is not remembered, or not in an answer."),
        ("recalls", "recalls", "What was asked of the memory, and what it answered."),
    ),
    "Put right": (
        ("correct", "asking", "Say what is true instead of a fact that never was."),
        ("confirm", "asking", "Keep a fact from fading."),
        ("unpin", "asking", "Let a confirmed fact fade again."),
        ("unsupersede", "asking", "Say that a fact still holds."),
        ("forget", "forgetting", "Retire facts and hide what they were taken from."),
        ("requests", "pending", "What somebody asked in talk to have forgotten."),
        ("verdicts", "verdicts", "Verdicts that wait until you approve or reject them."),
        ("shadow", "shadow", "Try another model on the same memory."),
        ("undo", "undoing", "Take back what an engine concluded."),
        ("erase", "erasing", "Erase what was said, everywhere and for good."),
    ),
    "Look after": (
        ("status", "inspecting", "How far the space is, what it holds, who writes it."),
        ("doctor", "doctor", "Check everything that can be wrong, and how to mend it."),
        ("jobs", "working", "Work that is due or has failed."),
        ("dead-letters", "dead_letters", "What could not be understood."),
        ("metrics", "metrics", "Metrics of all spaces, as Prometheus reads them."),
        ("verify", "inspecting", "Check the file, table by table."),
        ("replay", "repairing", "Build the file again from the log, or compare with it."),
        ("reindex", "repairing", "Build one search index again."),
        ("snapshot", "snapshotting", "Copy the file, for replay to go on from."),
        ("archive", "archiving", "Check the log on disk."),
        ("export", "portability", "The memory in one file: to back up, to move, or to read."),
        ("import-bundle", "portability", "Build a memory from an exported bundle."),
        ("home", "homes", "Which machine keeps which space, and move them."),
        ("token", "tokens", "Who may ask what of which spaces over HTTP."),
        ("dev", "dev", "A stand-in for a model's server, to try things out."),
    ),
}


class Commands(Mapping[str, click.Command]):
    """The commands by name. The module of one is imported when it is looked up: no call pays for the others."""

    def __init__(self) -> None:
        self._modules = {name: module for chapter in CHAPTERS.values() for name, module, _ in chapter}

    def __getitem__(self, name: str) -> click.Command:
        module = import_module(f"mnemolog.gateway.cli.{self._modules[name]}")
        commands: tuple[click.Command, ...] = module.COMMANDS
        return next(command for command in commands if command.name == name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)


class Chapters(click.Group):
    """Tells its commands by chapter, without importing them; and which memories there are, where one is not there."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes a line for each command under the title of its chapter."""
        width = max(map(len, self.commands))
        for title, chapter in CHAPTERS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:{width}}", line) for name, _, line in chapter])

    def invoke(self, ctx: click.Context) -> object:
        """Runs the command. Raises what it raises."""
        try:
            return super().invoke(ctx)
        except SpaceNotFound as error:
            raise SpaceNotFound(f"{error}{_hint(ctx.obj.settings)}") from error


def _hint(settings: Settings) -> str:
    """How to get at a memory that was not found, as the end of a message: build its file, or ask for another one."""
    if settings.archive.is_dir() and not settings.file.exists():
        return "; its log is there: `mnemolog replay` builds the file"
    others = [space for space in spaces_in(settings.data) if space != settings.space]
    if not others:
        return ""
    more = ", …" if len(others) > _MOST_SPACES_TOLD else ""
    return f"; the data folder has {', '.join(others[:_MOST_SPACES_TOLD])}{more}: choose with --space"
