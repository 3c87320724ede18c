"""The client of language models: the one module through which they are asked, by engines and the chat alike."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any, Literal, Protocol

import msgspec
import openai
from openai import OpenAI

from mnemolog.schema.errors import EngineError, MnemologError
from mnemolog.schema.model_endpoint import open_client, translate
from mnemolog.schema.model_settings import ModelSettings
from mnemolog.schema.outcomes import MAX_RAW_CHARS
from mnemolog.workers.engines.offers import Offers, OffersMemory, ProcessMemory

log = logging.getLogger("mnemolog.model")

_SHOWN_CHARS = 200


class ChatMessage(msgspec.Struct, frozen=True):
    """A message to a model. What was not written by us goes into `user` messages only."""

    role: Literal["system", "user", "assistant"]
    content: str


class ReplyForm(msgspec.Struct, frozen=True):
    """The form that a reply is to have: a name, and a JSON schema in the strict subset that servers offer."""

    name: str
    schema: dict[str, Any]


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What a model said, and what it took: requests, tokens as its server counted them, milliseconds."""

    text: str
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    took_ms: int = 0

    def error(self, message: str) -> EngineError:
        """The error that says why this reply cannot be used."""
        return EngineError(
            f"{message}: {' '.join(self.text.split())[:_SHOWN_CHARS]!r}" if self.text else message,
            raw=self.text,
            brief=message,
            calls=self.calls,
            tokens_in=self.tokens_in,
            tokens_out=self.tokens_out,
        )


class Meter(Protocol):
    """Counts tokens by space, and says when there are no more."""

    def check(self, space: str) -> None:
        """Raises EngineError when a space may use no more tokens now."""
        ...

    def add(self, space: str, tokens: int) -> None:
        """Counts what a call has used."""
        ...


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Completion(msgspec.Struct):
    """The parts of a chat completion that are used."""

    choices: list[_Choice]
    usage: _Usage | None = None


_completion = msgspec.json.Decoder(_Completion)


class ModelClient:
    """Asks one model. Nothing is tried again here but a request that asks for what the server does not offer."""

    def __init__(
        self, settings: ModelSettings, *, meter: Meter | None = None, memory: OffersMemory | None = None
    ) -> None:
        self.settings = settings
        self._meter = meter
        self._memory = memory or ProcessMemory()
        self._opened: OpenAI | None = None

    def ask(self, messages: Sequence[ChatMessage], *, space: str, what: str, form: ReplyForm | None = None) -> Reply:
        """The model's reply, in the given form where its server offers that.

        `what` says what it is for, as in "extract cells". Raises EngineError for whatever is no whole reply, and the
        meter's error before anything is sent.
        """
        if self._meter is not None:
            self._meter.check(space)
        started = time.monotonic()
        body, calls = self._send(messages, what, form)
        completion = self._read(body, what, calls)
        usage = completion.usage or _Usage()
        self._count(space, usage)
        choice = completion.choices[0]
        reply = Reply(
            text=(choice.message.content or "")[:MAX_RAW_CHARS],
            calls=calls,
            tokens_in=max(usage.prompt_tokens, 0),
            tokens_out=max(usage.completion_tokens, 0),
            took_ms=int((time.monotonic() - started) * 1000),
        )
        self._check(choice, reply, what)
        return reply

    def _send(self, messages: Sequence[ChatMessage], what: str, form: ReplyForm | None) -> tuple[bytes, int]:
        """The body of the server's answer, and how many requests it took."""
        settings = self.settings
        known = offers = self._memory.read(settings.base_url, settings.model)
        for calls in range(1, len(Offers.__struct_fields__) + 2):
            try:
                body = self._post(messages, offers, form)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                fewer = offers.without(str(error), structured=form is not None)
                if fewer is None:
                    raise self._failed(error, what, calls) from None
                offers = fewer
            except (openai.OpenAIError, ValueError) as error:
                raise self._failed(error, what, calls) from None
            else:
                if offers != known:
                    self._memory.write(settings.base_url, settings.model, offers)
                return body, calls
        raise AssertionError("each refusal leaves one part less to refuse")

    def _post(self, messages: Sequence[ChatMessage], offers: Offers, form: ReplyForm | None) -> bytes:
        if self._opened is None:
            self._opened = open_client(self.settings)
        options: dict[str, Any] = {
            "max_tokens" if offers.max_tokens else "max_completion_tokens": self.settings.max_tokens
        }
        if offers.temperature and self.settings.temperature is not None:
            options["temperature"] = self.settings.temperature
        if form is not None and offers.structured:
            schema = {"name": form.name, "schema": form.schema, "strict": True}
            options["response_format"] = {"type": "json_schema", "json_schema": schema}
        answered = self._opened.chat.completions.with_raw_response.create(
            model=self.settings.model,
            messages=msgspec.to_builtins(list(messages)),
            **options,
        )
        return answered.http_response.content

    def _failed(self, error: openai.OpenAIError | ValueError, what: str, calls: int) -> EngineError:
        translated = translate(error, what, self.settings)
        translated.calls = calls
        return translated

    def _read(self, body: bytes, what: str, calls: int) -> _Completion:
        try:
            completion = _completion.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            completion, reason = _Completion([]), str(error)
        else:
            reason = "it has no choice"
        if not completion.choices:
            raw = self.settings.without_secrets(body.decode("utf-8", "replace"))[:MAX_RAW_CHARS]
            raise Reply(text=raw, calls=calls).error(f"cannot {what}: the answer is no chat completion ({reason})")
        return completion

    def _count(self, space: str, usage: _Usage) -> None:
        if self._meter is None:
            return
        try:
            self._meter.add(space, max(usage.prompt_tokens, 0) + max(usage.completion_tokens, 0))
        except MnemologError as error:
            # The reply is paid for: it is worth more than its place in the count.
            log.warning("space %s: %s", space, error, extra={"space": space})

    def _check(self, choice: _Choice, reply: Reply, what: str) -> None:
        if choice.message.refusal:
            refused = msgspec.structs.replace(reply, text=reply.text or choice.message.refusal)
            raise refused.error(f"cannot {what}: the model refused")
        if choice.finish_reason == "content_filter":
            raise reply.error(f"cannot {what}: the server's filter held the reply back")
        if choice.finish_reason == "length":
            raise reply.error(
                f"cannot {what}: the reply was cut off after {reply.tokens_out} tokens "
                f"(MNEMOLOG_MODEL_MAX_TOKENS is {self.settings.max_tokens})"
            )
        if not reply.text.strip():
            raise reply.error(f"cannot {what}: the model's reply is empty")
