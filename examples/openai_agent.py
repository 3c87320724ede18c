"""An agent on the OpenAI SDK with mnemolog as its memory, through the Python API. Start `mnemolog up` first.

What is known about a message stands before it, marked as recalled data; and the model may look further, and note what
it is to remember, with two tools.

    OPENAI_API_KEY=... python examples/openai_agent.py "Which language should I write my tool in?"
"""

from __future__ import annotations

import json
import os
import sys
from uuid import uuid4

import openai
from openai.types.chat import ChatCompletionMessageFunctionToolCall, ChatCompletionMessageParam

from mnemolog.gateway.chat import INSTRUCTIONS
from mnemolog.gateway.memory import Memories, Memory
from mnemolog.gateway.memory.publishing import Interaction
from mnemolog.schema.errors import MnemologError, SpaceNotFound
from mnemolog.schema.model_settings import model_settings
from mnemolog.schema.settings import from_environment

MODEL = os.environ.get("CHAT_MODEL", "gpt-5-mini")
MOST_STEPS = 5


def tool(name: str, description: str) -> dict[str, object]:
    """A tool that takes one text."""
    parameters = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


TOOLS = [
    tool("recall", "Searches the long-term memory for what was said or is known about something."),
    tool("remember", "Keeps a sentence in the long-term memory. Only what the user asks to be remembered."),
]


class Agent:
    """Answers one speaker in one session."""

    def __init__(self, memory: Memory, client: openai.OpenAI, speaker: str, session: str) -> None:
        self.memory = memory
        self.client = client
        self.speaker = speaker
        self.session = session

    def turn(self, text: str) -> str:
        """Publishes what the user says, answers it from what is known, and publishes the answer."""
        said = self._publish("user", text)
        messages: list[ChatCompletionMessageParam] = [
            {"role": "system", "content": INSTRUCTIONS},
            {"role": "user", "content": f"{self._context(text, said)}\n\n{text}".strip()},
        ]
        reply = self._reply(messages)
        self._publish("assistant", reply)
        return reply

    def _reply(self, messages: list[ChatCompletionMessageParam]) -> str:
        for _ in range(MOST_STEPS):
            made = self.client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)  # type: ignore[arg-type]
            answer = made.choices[0].message
            if not answer.tool_calls:
                return answer.content or ""
            messages.append(answer.model_dump(exclude_none=True))  # type: ignore[arg-type]
            for call in answer.tool_calls:
                if isinstance(call, ChatCompletionMessageFunctionToolCall):
                    done = self._use(call.function.name, json.loads(call.function.arguments)["text"])
                    messages.append({"role": "tool", "tool_call_id": call.id, "content": done})
        return "I could not come to an end with that."

    def _use(self, name: str, text: str) -> str:
        if name == "remember":
            self.memory.remember(text, speaker=self.speaker)
            return "noted"
        return self._context(text) or "nothing is known about that"

    def _context(self, question: str, message: str | None = None) -> str:
        try:
            return self.memory.context(question, message=message, asker=self.speaker).text
        except SpaceNotFound:
            return ""

    def _publish(self, role: str, text: str) -> str:
        speaker = self.speaker if role == "user" else None
        said = Interaction(role=role, content=text, session=self.session, speaker=speaker)  # type: ignore[arg-type]
        return self.memory.publish(said).event_id


def main() -> None:
    """Answers each argument, or each line of the input, as one conversation."""
    settings, models = from_environment(os.environ), model_settings(os.environ)
    with Memories(settings, models) as memories, memories.using() as memory, openai.OpenAI() as client:
        agent = Agent(memory, client, speaker=os.environ.get("USER", "me"), session=f"agent-{uuid4()}")
        for text in sys.argv[1:] or map(str.strip, sys.stdin):
            print(agent.turn(text), flush=True)


if __name__ == "__main__":
    try:
        main()
    except (MnemologError, openai.OpenAIError) as error:
        sys.exit(f"{error}")
    except KeyboardInterrupt:
        sys.exit(130)
