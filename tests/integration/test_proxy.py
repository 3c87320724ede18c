"""The proxy between real clients and a server that stands in for a model: what each side sees, and what is remembered."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
import redis as redis_py
from support.stories import drain, file_hashes, rows
from support.upstream import Served, Upstream
from support.waiting import wait_until

from mnemolog.gateway.http.tokens import Token, TokenFile
from mnemolog.gateway.memory import Memories, contexts
from mnemolog.gateway.memory.publishing import Interaction
from mnemolog.gateway.proxy.app import create_app
from mnemolog.gateway.proxy.conversation import Turn
from mnemolog.gateway.proxy.options import Options
from mnemolog.gateway.proxy.permits import Permits
from mnemolog.gateway.proxy.places import event_id
from mnemolog.projections.indexes.embedder import WordLlamaEmbedder
from mnemolog.schema import keys
from mnemolog.schema.codec import decode
from mnemolog.schema.model_settings import ModelSettings, model_settings
from mnemolog.schema.recalled import BEGIN
from mnemolog.schema.settings import Settings
from mnemolog.workers.writer.ingest import Ingest

MODELS: ModelSettings = model_settings({})
Message = dict[str, Any]


class Home:
    """A memory, a proxy before it, and a model behind that. The writer runs when it is told to."""

    def __init__(self, settings: Settings, client: redis_py.Redis, upstream: Upstream, port: int) -> None:
        self.settings = settings
        self.upstream = upstream
        self.base = f"http://127.0.0.1:{port}"
        self._redis = client
        self.http = httpx2.Client(base_url=self.base, timeout=20)
        self.openai = openai.OpenAI(base_url=f"{self.base}/v1", api_key="sk-secret", max_retries=0)

    def close(self) -> None:
        self.http.close()
        self.openai.close()

    def fold(self) -> None:
        """Lets a writer fold what was published, once."""
        fold(self._redis, self.settings)

    def remember(self, text: str) -> None:
        """Something that is known before."""
        with Memories(self.settings, MODELS) as memories, memories.using() as memory:
            memory.remember(text, speaker="Ada", wait_s=0)
        self.fold()

    def ask(self, *messages: Message, **given: Any) -> httpx2.Response:
        """A chat completion of a conversation."""
        headers = given.pop("headers", {"Mnemolog-Session": "monday"})
        body = {"model": "m", "messages": messages, **given}
        return self.http.post("/v1/chat/completions", json=body, headers=headers)

    def published(self, count: int, space: str = "default") -> list[tuple[str, str]]:
        """The roles and texts of all messages on the stream, once there are so many."""
        return [(role, text) for role, text, _, _ in self.events(count, space)]

    def events(self, count: int, space: str = "default") -> list[tuple[str, str, str, str | None]]:
        """Role, text, session and speaker of each message on the stream, once there are so many.

        Under load an acknowledgement may come too late for a request: the next one brings the same event again.
        """

        def there() -> list[Any]:
            entries: Any = self._redis.xrange(keys.stream(space))
            found = {event.id: event for event in (decode(fields[keys.BODY_FIELD]) for _, fields in entries)}
            return [event.payload for event in found.values() if event.type == "message_published"]

        wait_until(lambda: len(there()) >= count, what=f"{count} messages")
        assert len(there()) == count, there()
        return [(one.role, one.content, one.session, one.speaker) for one in there()]


def fold(client: redis_py.Redis, settings: Settings) -> None:
    writer = Ingest(client, WordLlamaEmbedder())
    writer.hold(settings)
    drain(writer)
    assert not writer.failures


def user(text: Any, **fields: Any) -> Message:
    return {"role": "user", "content": text, **fields}


def assistant(text: Any, **fields: Any) -> Message:
    return {"role": "assistant", "content": text, **fields}


@contextmanager
def home_of(
    settings: Settings, client: redis_py.Redis, permits: Permits | None = None, **options: Any
) -> Iterator[Home]:
    with ExitStack() as stack:
        upstream = stack.enter_context(Upstream())
        memories = stack.enter_context(Memories(settings, MODELS))
        given = {"upstream": upstream.url, "recall_s": 10.0, "publish_s": 10.0, **options}
        app = create_app(memories, Options(**given), permits=permits)
        served = stack.enter_context(Served(app))
        home = Home(settings, client, upstream, served.port)
        stack.callback(home.close)
        yield home


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    return Settings(data=tmp_path, redis_url=redis_url)


@pytest.fixture
def home(settings: Settings, redis: redis_py.Redis) -> Iterator[Home]:
    with home_of(settings, redis) as home:
        yield home


# ---- what each side sees ---------------------------------------------------------------------------------------


def test_what_is_known_stands_before_the_question_and_the_client_is_told(home: Home) -> None:
    home.remember("Ada prefers Rust.")
    answer = home.ask(user("Which language does Ada prefer?"))
    asked = home.upstream.last.json["messages"][-1]["content"]
    assert asked.startswith(BEGIN)
    assert "Rust" in asked
    assert asked.endswith("\n\nWhich language does Ada prefer?")
    assert answer.headers["mnemolog-memory"].startswith("used ")
    assert answer.headers["mnemolog-memory"].endswith(" tokens")
    assert home.published(2)[0] == ("user", "Which language does Ada prefer?")


def test_with_nothing_relevant_the_request_goes_on_byte_for_byte(home: Home) -> None:
    body = b'{"model" :"m","messages" : [ {"role":"user","content":"Hi \\u00e9"} ], "temperature":0.70, "x":{"y":1e2}}'
    answer = home.http.post("/v1/chat/completions", content=body, headers={"Content-Type": "application/json"})
    assert home.upstream.last.body == body
    assert answer.headers["mnemolog-memory"] == "empty"
    assert answer.json()["choices"][0]["message"]["content"] == "You said 'Hi é'."


def test_the_official_client_needs_another_base_url_only(home: Home) -> None:
    home.remember("Ada prefers Rust.")
    reply = home.openai.chat.completions.create(model="m", messages=[user("Which language does Ada prefer?")])
    assert "Rust" in (reply.choices[0].message.content or "")
    assert home.upstream.last.header("authorization") == "Bearer sk-secret"


def test_the_official_client_streams(home: Home) -> None:
    home.upstream.answer = lambda _: "Use Rust, I would say."
    stream = home.openai.chat.completions.create(model="m", messages=[user("Which language?")], stream=True)
    pieces = [chunk.choices[0].delta.content or "" for chunk in stream]
    assert "".join(pieces) == "Use Rust, I would say."
    assert home.published(2) == [("user", "Which language?"), ("assistant", "Use Rust, I would say.")]


def test_a_streamed_answer_comes_while_it_is_made(home: Home) -> None:
    home.upstream.hold = threading.Event()
    body = {"model": "m", "messages": [user("Hi")], "stream": True}
    with home.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        chunks = answer.iter_raw()
        assert b"You sai" in next(chunks)
        home.upstream.hold.set()
        assert b"".join(chunks).endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_everything_else_is_passed_on_as_it_comes(home: Home, method: str) -> None:
    body = bytes(range(256)) * 300
    sent = {"content": body} if method in {"POST", "PUT", "PATCH"} else {}
    headers = {"X-Own": "1", "Mnemolog-Session": "s"}
    answer = home.http.request(method, "/v1/files/a%2Fb?key=a%20b&key=2", headers=headers, **sent)
    asked = home.upstream.last
    assert (asked.method, asked.path, asked.query) == (method, "/v1/files/a%2Fb", "key=a%20b&key=2")
    assert asked.header("x-own") == "1"
    assert asked.header("mnemolog-session") is None
    assert asked.header("host") == home.upstream.url.split("/")[2]
    assert asked.body == answer.content == sent.get("content", b"")
    assert answer.headers["content-type"] == "application/x-echo"
    assert "mnemolog-memory" not in answer.headers


def test_a_chunked_upload_is_passed_on(home: Home) -> None:
    answer = home.http.post("/v1/files", content=iter([b"one", b"two"]))
    assert answer.content == b"onetwo"


def test_one_clients_cookie_is_no_others(home: Home) -> None:
    assert home.http.get("/v1/models").headers["set-cookie"] == "id=1"
    httpx2.get(f"{home.base}/v1/models")
    assert home.upstream.last.header("cookie") is None


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_errors_of_the_upstream_pass_unchanged(home: Home, status: int) -> None:
    home.upstream.status = status
    answer = home.ask(user("Hi"))
    assert answer.status_code == status
    assert answer.json() == {"error": {"message": "no"}}
    assert answer.headers["retry-after"] == "7"
    assert home.http.get("/v1/models").status_code == status


def test_what_the_upstream_refused_is_not_remembered_and_what_it_failed_at_is(home: Home) -> None:
    home.upstream.status = 401
    assert home.ask(user("I am a stranger.")).headers["mnemolog-published"] == "0"
    home.upstream.status = 503
    home.ask(user("I moved to Berlin."))
    assert home.published(1) == [("user", "I moved to Berlin.")]


def test_an_upstream_that_is_not_there_is_told_in_the_clients_terms(settings: Settings, redis: redis_py.Redis) -> None:
    with home_of(settings, redis, upstream="http://127.0.0.1:9/v1") as home:
        with pytest.raises(openai.InternalServerError, match="cannot be reached") as caught:
            home.openai.chat.completions.create(model="m", messages=[user("Hi")])
        assert caught.value.status_code == 502
        assert home.http.get("/v1/models").status_code == 502


def test_an_upstream_that_hangs_is_given_up_on(settings: Settings, redis: redis_py.Redis) -> None:
    with home_of(settings, redis, upstream_s=0.2) as home:
        home.upstream.hold = threading.Event()
        assert home.ask(user("Hi")).status_code == 504


def test_an_answer_that_breaks_off_breaks_off_for_the_client_and_is_not_remembered(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    home.upstream.breaks = True
    caplog.set_level(logging.CRITICAL)
    with pytest.raises(httpx2.RemoteProtocolError):
        home.ask(user("Hi"), stream=True)
    home.upstream.breaks = False
    home.ask(user("Hi"), assistant("You sa"), user("Go on."))
    assert [text for _, text in home.published(4)] == ["Hi", "You sa", "Go on.", "You said 'Go on.'."]


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_away_ends_the_request_to_the_upstream(home: Home, *, stream: bool) -> None:
    home.upstream.hold = threading.Event()
    body = {"model": "m", "messages": [user("Hi")], "stream": stream}
    with httpx2.Client(base_url=home.base, timeout=0.3) as client, pytest.raises(httpx2.ReadTimeout):
        client.post("/v1/chat/completions", json=body)
    wait_until(lambda: home.upstream.cut_short == 1, what="the upstream to be left alone")


def test_a_body_that_is_too_large_to_be_read_is_passed_on_without_a_memory(
    settings: Settings, redis: redis_py.Redis
) -> None:
    with home_of(settings, redis, most_body_bytes=100_000) as home:
        answer = home.ask(user("x" * 3_000_000))
        assert len(home.upstream.last.last) == 3_000_000
        assert answer.headers["mnemolog-memory"] == "unavailable; the request is too large"
        assert answer.status_code == 200


def test_a_huge_message_is_remembered_as_far_as_the_log_can_hold_it(home: Home) -> None:
    answer = home.ask(user("y" * 5_000_000))
    assert answer.status_code == 200
    assert len(home.upstream.last.last) == 5_000_000
    assert len(home.published(2)[0][1]) == 2 * 1024 * 1024


def test_what_is_no_chat_completion_is_for_the_upstream_to_judge(home: Home) -> None:
    home.upstream.status = 400
    answer = home.http.post("/v1/chat/completions", content=b"nonsense")
    assert answer.json() == {"error": {"message": "no"}}
    assert home.upstream.last.body == b"nonsense"
    assert answer.headers["mnemolog-memory"].startswith("unavailable; the body")


def test_a_compressed_request_goes_without_a_memory(home: Home) -> None:
    home.upstream.status = 400
    answer = home.http.post("/v1/chat/completions", content=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    assert home.upstream.last.body == b"\x1f\x8b"
    assert answer.headers["mnemolog-memory"] == "unavailable; the request is compressed"


def test_an_answer_compressed_against_all_wishes_comes_with_the_next_request(home: Home) -> None:
    home.upstream.compresses = True
    text = home.ask(user("Hi")).json()["choices"][0]["message"]["content"]
    assert home.upstream.last.header("accept-encoding") == "identity"
    home.ask(user("Hi"), assistant(text), user("More."))
    assert [text for _, text in home.published(3)] == ["Hi", "You said 'Hi'.", "More."]


# ---- what is remembered ----------------------------------------------------------------------------------------


def test_a_whole_conversation_is_published_once_although_each_request_brings_all_of_it(home: Home) -> None:
    home.upstream.answer = lambda asked: f"Answer {len(asked.json['messages'])}"
    history: list[Message] = [{"role": "system", "content": "It is 10:04."}]
    for text in ("One", "Two", "Two", "Three"):
        history.append(user(text))
        history.append(assistant(home.ask(*history).json()["choices"][0]["message"]["content"]))
    said = [(one["role"], one["content"]) for one in history[1:]]
    assert home.published(8) == said
    home.fold()
    home.ask(*history[:-1])
    found = rows(home.settings.file, "SELECT role, content FROM nodes ORDER BY occurred_at, seq, event_id")
    assert found == said
    assert rows(home.settings.file, "SELECT count(*) FROM dead_letters") == [(0,)]


def test_a_long_conversation_that_is_new_to_the_memory_is_published_in_its_order(home: Home) -> None:
    history = [user(f"q{at}") if at % 2 == 0 else assistant(f"a{at}") for at in range(101)]
    home.ask(*history)
    home.published(102)
    home.fold()
    found = rows(home.settings.file, "SELECT content FROM nodes ORDER BY occurred_at, seq, event_id")
    assert [text for (text,) in found][:101] == [one["content"] for one in history]


def test_a_proxy_that_was_started_again_publishes_nothing_twice(settings: Settings, redis: redis_py.Redis) -> None:
    history = [user("yes"), assistant("You said 'yes'."), user("Two")]
    with home_of(settings, redis) as home:
        home.ask(*history)
        home.published(4)
        home.fold()
    with home_of(settings, redis) as home:
        home.upstream.answer = lambda _: "Yes."
        home.ask(*history[1:], assistant("You said 'Two'."), user("yes"))
        assert [text for _, text in home.published(6)][3:] == ["You said 'Two'.", "yes", "Yes."]


def test_of_several_choices_the_one_that_is_gone_on_with_is_remembered(home: Home) -> None:
    home.upstream.choices = 2
    home.ask(user("Hi"), n=2)
    assert home.published(1) == [("user", "Hi")]
    home.upstream.choices = 1
    home.ask(user("Hi"), assistant("You said 'Hi'."), user("More"))
    assert len(home.published(4)) == 4


def test_tools_go_on_with_the_same_context_and_what_they_give_is_not_remembered(home: Home) -> None:
    home.remember("Ada prefers Rust.")
    question = user("Which language does Ada prefer?")
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    home.ask(question)
    first = home.upstream.last.json["messages"][0]["content"]
    home.ask(question, assistant(None, tool_calls=[call]), {"role": "tool", "tool_call_id": "1", "content": "42"})
    assert home.upstream.last.json["messages"][0]["content"] == first
    assert home.upstream.last.json["messages"][2]["content"] == "42"
    assert {role for role, _ in home.published(3)} == {"user", "assistant"}


def test_what_was_recalled_is_not_remembered_though_a_model_repeats_it(home: Home) -> None:
    home.remember("Ada prefers Rust.")
    home.upstream.answer = lambda asked: f"{asked.last}\n\nSo I would say Rust."
    home.ask(user("Which language does Ada prefer?"))
    assert [text for _, text in home.published(2)] == [
        "Which language does Ada prefer?",
        "Which language does Ada prefer?\n\nSo I would say Rust.",
    ]


def test_parts_of_a_message_that_are_no_text_are_named(home: Home) -> None:
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:,x"}}]
    home.upstream.answer = lambda _: "A cat."
    home.ask(user(parts))
    assert home.upstream.last.last == parts
    assert home.published(2)[0] == ("user", "What is this?\n[image]")


def test_system_prompts_and_tools_are_remembered_where_that_is_wished(
    settings: Settings, redis: redis_py.Redis
) -> None:
    roles = frozenset({"user", "assistant", "system", "tool"})
    with home_of(settings, redis, roles=roles) as home:
        home.ask({"role": "system", "content": "Be brief."}, user("Hi"), {"role": "tool", "content": "42"})
        assert [role for role, _ in home.published(4)] == ["system", "user", "tool", "assistant"]


def test_session_and_speaker_come_from_headers_and_fields(home: Home) -> None:
    home.ask(user("Hi"), headers={"Mnemolog-Session": "s", "Mnemolog-Speaker": "Ada"}, user="u-1")
    home.ask(user("Ho"), headers={}, user="u-1")
    home.ask(user("Hey", name="Ben"), headers={"Mnemolog-Session": "s"})
    found = home.events(6)
    assert found[0] == ("user", "Hi", "s", "Ada")
    assert found[2][3] == "u-1"
    assert found[2][2].startswith("chat-")
    assert found[3][2] == found[2][2]
    assert found[4] == ("user", "Hey", "s", "Ben")


def test_two_spaces_do_not_hear_of_each_other_and_a_client_chooses_none_unless_it_may(
    settings: Settings, redis: redis_py.Redis
) -> None:
    with home_of(settings, redis) as home:
        answer = home.ask(user("Hi"), headers={"Mnemolog-Space": "other"})
        assert answer.headers["mnemolog-memory"] == "unavailable; the client may not choose the space"
        assert not redis.exists(keys.stream("other"), keys.stream("default"))
    with home_of(settings, redis, allow_space=True) as home:
        home.ask(user("I am Ada."), headers={"Mnemolog-Space": "ada"})
        home.ask(user("I am Ben."), headers={"Mnemolog-Space": "ben"})
        assert home.published(2, "ada")[0][1] == "I am Ada."
        assert home.published(2, "ben")[0][1] == "I am Ben."


def test_an_errand_of_the_frontend_is_no_memory(home: Home) -> None:
    answer = home.ask(user("### Task:\nGenerate a title."))
    assert answer.headers["mnemolog-memory"] == "off"
    home.ask(user("Hi"))
    assert home.published(2)[0] == ("user", "Hi")


def test_the_same_story_told_through_another_door_gives_the_same_content(
    home: Home, tmp_path: Path, redis: redis_py.Redis
) -> None:
    story = [
        ("2026-03-02T09:00:00Z", "I prefer Python.", "Noted."),
        ("2026-03-09T09:00:00Z", "I'm writing in Rust now.", "Noted, too."),
        ("2026-03-09T09:00:00Z", "I live in Berlin.", "Noted."),
    ]
    history: list[Message] = []
    told: list[Interaction] = []
    for at, said, reply in story:
        home.upstream.answer = lambda _, reply=reply: reply
        history.append(user(said))
        home.ask(*history, headers={"Mnemolog-Session": "monday", "Mnemolog-Speaker": "Ada", "Mnemolog-At": at})
        home.published(len(history) + 1)
        history.append(assistant(reply))
        told.append(interaction(Turn("user", said), at, told))
        told.append(interaction(Turn("assistant", reply), at, told))
    home.fold()
    redis.flushall()
    elsewhere = Settings(data=tmp_path / "elsewhere", redis_url=home.settings.redis_url)
    with Memories(elsewhere, MODELS) as memories, memories.using() as memory:
        memory.publish_many(told)
    fold(redis, elsewhere)
    assert file_hashes(elsewhere.file).content_hash == file_hashes(home.settings.file).content_hash


def interaction(turn: Turn, at: str, before: list[Interaction]) -> Interaction:
    """The same turn for another door, with the id that the proxy gives it."""
    occurrence = 1 + sum(one.content == turn.text and one.role == turn.role for one in before)
    return Interaction(
        role=turn.role,
        content=turn.text,
        session="monday",
        speaker="Ada" if turn.role == "user" else None,
        occurred_at=at,
        event_id=event_id("default", "monday", turn, occurrence),
        seq=len(before),
    )


# ---- strangers -------------------------------------------------------------------------------------------------


def test_a_page_of_another_site_uses_no_memory(home: Home) -> None:
    headers = {"Origin": "https://evil.example", "Mnemolog-Session": "s"}
    assert home.ask(user("Hi"), headers=headers).headers["mnemolog-memory"].startswith("unavailable; the web page")
    headers = {"Origin": "http://localhost:3000", "Mnemolog-Session": "s"}
    assert home.ask(user("Ho"), headers=headers).headers["mnemolog-memory"] == "empty"
    assert home.published(2)[0] == ("user", "Ho")


def test_only_who_has_a_token_of_the_space_has_a_memory(settings: Settings, redis: redis_py.Redis) -> None:
    token = Token(name="web", scope="write", spaces=("default",), created_at=0, speaker="Ada")
    secret = TokenFile(settings.data).add(token)
    with home_of(settings, redis, Permits(settings.data), allow_space=True) as home:
        refused = "unavailable; there is no token of this memory in Mnemolog-Token"
        for headers in ({}, {"Mnemolog-Token": "mn_wrong"}, {"Mnemolog-Token": secret, "Mnemolog-Space": "other"}):
            answer = home.ask(user("Hi"), headers=headers)
            assert (answer.status_code, answer.headers["mnemolog-memory"]) == (200, refused)
        home.ask(user("Ho", name="Eve"), headers={"Mnemolog-Token": secret, "Mnemolog-Speaker": "Eve"})
        assert home.upstream.last.header("mnemolog-token") is None
        role, text, _, speaker = home.events(2)[0]
        assert (role, text, speaker) == ("user", "Ho", "Ada")


@pytest.mark.parametrize("restarted", [False, True])
def test_who_speaks_for_one_alone_cannot_take_anothers_words_by_saying_them_first(
    settings: Settings, redis: redis_py.Redis, *, restarted: bool
) -> None:
    def secret(name: str, **bound: Any) -> dict[str, str]:
        token = Token(name=name, scope="write", spaces=("default",), created_at=0, **bound)
        return {"Mnemolog-Token": TokenFile(settings.data).add(token), "Mnemolog-Session": "monday"}

    guest, ada = secret("guest", speaker="guest"), secret("home")
    with home_of(settings, redis, Permits(settings.data)) as home:
        home.upstream.answer = lambda _: "Noted."
        home.ask(user("I moved to Oslo."), headers=guest)
        home.published(2)
        home.fold()
        if not restarted:
            home.ask(user("I moved to Oslo."), headers={**ada, "Mnemolog-Speaker": "Ada"})
    with home_of(settings, redis, Permits(settings.data)) as home:
        home.upstream.answer = lambda _: "Noted."
        home.ask(user("I moved to Oslo."), headers={**ada, "Mnemolog-Speaker": "Ada"})
        home.ask(user("I moved to Oslo."), headers=guest)
        said = [(text, speaker) for role, text, _, speaker in home.events(4) if role == "user"]
        assert sorted(said) == [("I moved to Oslo.", "Ada"), ("I moved to Oslo.", "guest")]


@pytest.mark.parametrize(
    "body",
    [
        b'{"messages": [{"role": "user", "content": "\xff\xfe"}]}',
        b'{"messages": [{"role": "user", "content": "Hi", "\xff": 1}]}',
        b'{"\xff": 1, "messages": [{"role": "user", "content": "Hi"}]}',
        b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
        b'{"messages": [{"role": "user", "content": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]}",
    ],
    ids=["text", "key", "field", "surrogate", "deep"],
)
def test_a_body_that_no_memory_can_read_is_for_the_upstream_to_judge(home: Home, body: bytes) -> None:
    home.upstream.status = 400
    answer = home.http.post("/v1/chat/completions", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, home.upstream.last.body) == (400, body)


def test_a_file_of_tokens_that_cannot_be_used_lets_in_nobody_and_tells_no_path(
    settings: Settings, redis: redis_py.Redis
) -> None:
    made = TokenFile(settings.data).add(Token(name="web", scope="write", spaces=("default",), created_at=0))
    (settings.data / "tokens.json").chmod(0o644)
    with home_of(settings, redis, Permits(settings.data)) as home:
        answer = home.ask(user("Hi"), headers={"Mnemolog-Token": made})
        assert answer.headers["mnemolog-memory"] == "unavailable; there is no token of this memory in Mnemolog-Token"


def test_another_host_name_does_not_lead_to_the_proxy(settings: Settings, redis: redis_py.Redis) -> None:
    with home_of(settings, redis, hosts=frozenset({"127.0.0.1", "localhost"})) as home:
        assert home.http.get("/v1/models").status_code == 200
        assert home.http.get("/v1/models", headers={"Host": "evil.example"}).status_code == 421
        assert len(home.upstream.asked) == 1


def test_keys_and_texts_stand_neither_in_the_log_nor_in_the_memory(
    home: Home, redis: redis_py.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "mnemolog")
    home.http.get("/v1/models?key=query-secret", headers={"Authorization": "Bearer sk-secret"})
    home.openai.chat.completions.create(model="m", messages=[user("a private word")])
    home.published(2)
    logged = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("mnemolog"))
    assert "/v1/chat/completions 200" in logged
    for secret in ("sk-secret", "query-secret", "private word"):
        assert secret not in logged
    assert b"sk-secret" not in b"".join(
        body for _, fields in redis.xrange(keys.stream("default")) for body in fields.values()
    )


# ---- without a memory ------------------------------------------------------------------------------------------


def test_without_redis_the_chat_goes_on_and_says_so(tmp_path: Path, redis: redis_py.Redis) -> None:
    settings = Settings(data=tmp_path, redis_url="redis://127.0.0.1:9")
    with home_of(settings, redis, publish_s=5.0) as home:
        answer = home.ask(user("Hi"))
        assert answer.status_code == 200
        assert answer.headers["mnemolog-memory"] == "empty"
        assert answer.headers["mnemolog-published"] == "unavailable; its log cannot be reached"


def test_what_was_said_while_redis_was_away_comes_with_the_next_request(
    settings: Settings, redis: redis_py.Redis
) -> None:
    away = Settings(data=settings.data, redis_url="redis://127.0.0.1:9")
    with home_of(away, redis) as home:
        home.ask(user("Hi"))
    with home_of(settings, redis) as home:
        home.ask(user("Hi"), assistant("You said 'Hi'."), user("More"))
        assert [text for _, text in home.published(4)] == ["Hi", "You said 'Hi'.", "More", "You said 'More'."]


def test_a_damaged_file_is_no_reason_to_be_silent(home: Home) -> None:
    home.remember("Ada prefers Rust.")
    for path in home.settings.folder.glob("space.db*"):
        path.unlink()
    home.settings.file.write_bytes(b"no database at all" * 1_000)
    answer = home.ask(user("Which language does Ada prefer?"))
    assert answer.status_code == 200
    assert answer.headers["mnemolog-memory"].startswith("unavailable; its file ")


def test_a_slow_memory_is_not_waited_for(
    settings: Settings, redis: redis_py.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    with home_of(settings, redis, recall_s=0.05) as home:
        go = threading.Event()
        monkeypatch.setattr(contexts, "context", lambda *_: go.wait(20))
        for _ in range(3):
            assert home.ask(user("Hi")).headers["mnemolog-memory"] == "unavailable; it takes too long"
        expected = "unavailable; it has failed several times in a row"
        assert home.ask(user("Hi")).headers["mnemolog-memory"] == expected
        go.set()


def test_the_proxys_own_health_is_not_the_upstreams(home: Home) -> None:
    assert home.http.get("/mnemolog/healthz").json() == {"status": "ok"}
    assert home.upstream.asked == []
