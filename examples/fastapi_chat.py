"""A chat backend on FastAPI that remembers each of its users in a space of their own. Needs fastapi.

    pip install fastapi
    mnemolog ingest --all &        # or `mnemolog up` where there is no Redis yet
    OPENAI_API_KEY=... uvicorn --app-dir examples fastapi_chat:app
    curl localhost:8000/chat/ada/monday -H 'Content-Type: application/json' -d '{"text": "I prefer Rust."}'

Who asks is taken from the path here: in your backend it is who has signed in.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import openai
from fastapi import Depends, FastAPI, HTTPException, Path, Request
from pydantic import BaseModel

from mnemolog.gateway.chat import INSTRUCTIONS
from mnemolog.gateway.memory import Memories, Memory
from mnemolog.gateway.memory.facts import Facts
from mnemolog.gateway.memory.publishing import Interaction
from mnemolog.schema.errors import MnemologError, SpaceNotFound
from mnemolog.schema.model_settings import model_settings
from mnemolog.schema.settings import from_environment

MODEL = os.environ.get("CHAT_MODEL", "gpt-5-mini")
User = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]


class Said(BaseModel):
    """What the user says."""

    text: str


class Reply(BaseModel):
    """The answer, and which facts it was given."""

    text: str
    facts: list[str]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Opens the memories and the client of the model for as long as the backend runs."""
    with Memories(from_environment(os.environ), model_settings(os.environ)) as memories, openai.OpenAI() as client:
        app.state.memories, app.state.client = memories, client
        yield


def backend(request: Request) -> FastAPI:
    """The application, for what it keeps open."""
    return request.app  # type: ignore[no-any-return]


app = FastAPI(lifespan=lifespan)


# Not `async`: FastAPI calls these in threads, which may wait for the memory and for the model.
@app.post("/chat/{user}/{session}")
def chat(user: User, session: str, said: Said, app: Annotated[FastAPI, Depends(backend)]) -> Reply:
    """Answers what a user says from what is known about them, and publishes both turns."""

    def answer(memory: Memory) -> Reply:
        try:
            asked = memory.publish(Interaction(role="user", content=said.text, session=session, speaker=user))
            known = known_about(memory, said.text, asked.event_id)
            reply = ask_model(app.state.client, f"{known[0]}\n\n{said.text}".strip())
            memory.publish(Interaction(role="assistant", content=reply, session=session))
        except MnemologError as error:
            raise HTTPException(503, str(error)) from error
        return Reply(text=reply, facts=known[1])

    memories: Memories = app.state.memories
    return memories.run(f"user-{user}", answer)


@app.get("/facts/{user}")
def facts(user: User, app: Annotated[FastAPI, Depends(backend)]) -> list[str]:
    """What is known about a user."""
    memories: Memories = app.state.memories
    try:
        found: Facts = memories.run(f"user-{user}", lambda memory: memory.facts())
    except SpaceNotFound:
        return []
    return [fact.content for fact in found.facts]


def known_about(memory: Memory, text: str, event_id: str) -> tuple[str, list[str]]:
    """A context for a message, and the ids of the facts in it."""
    try:
        found = memory.context(text, message=event_id)
    except SpaceNotFound:
        return "", []
    return found.text, list(found.facts)


def ask_model(client: openai.OpenAI, text: str) -> str:
    """What the model answers."""
    made = client.chat.completions.create(
        model=MODEL, messages=[{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": text}]
    )
    return made.choices[0].message.content or ""
