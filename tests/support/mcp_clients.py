"""MCP clients of the SDK's own, for servers that are real processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from support.commands import environment, mnemolog_command

MODES = ("auto", "legacy")


def server_of(*args: str, env: Mapping[str, str]) -> StdioServerParameters:
    """How `mnemolog ARGS` is started as a server."""
    return StdioServerParameters(command=mnemolog_command(), args=list(args), env=environment(env))


@asynccontextmanager
async def over_stdio(*args: str, env: Mapping[str, str], mode: str = "auto") -> AsyncIterator[Asking]:
    """A client of a server of its own."""
    async with Client(server_of(*args, env=env), mode=mode) as client:
        yield Asking(client)


@asynccontextmanager
async def over_http(url: str, secret: str | None = None, mode: str = "auto") -> AsyncIterator[Asking]:
    """A client of a server that listens."""
    headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield Asking(client)


class Asking:
    """A client with shorter words for what tests ask."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def answer(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured answer of a call that must succeed. The client checks it against the tool's schema."""
        done = await self.client.call_tool(tool, arguments)
        assert not done.is_error, done.content[0].text
        structured: dict[str, Any] = done.structured_content
        return structured

    async def text(self, tool: str, **arguments: Any) -> str:
        """The readable answer of a call that must succeed."""
        done = await self.client.call_tool(tool, arguments)
        assert not done.is_error, done.content[0].text
        text: str = done.content[0].text
        return text

    async def refusal(self, tool: str, **arguments: Any) -> str:
        """What a call that must fail is told."""
        done = await self.client.call_tool(tool, arguments)
        assert done.is_error
        text: str = done.content[0].text
        return text
