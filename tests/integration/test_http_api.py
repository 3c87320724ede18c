"""The HTTP API over a real log and a writer: what is published is there, once, for those who may see it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
import redis as redis_py
from starlette.applications import Starlette
from support.http_api import LOCKED, OPEN, client_of, made, memories_in, writing
from support.stories import settings_in

from mnemolog.gateway.http.app import create_app
from mnemolog.gateway.memory import Memories
from mnemolog.schema import keys
from mnemolog.schema.ids import Position

MESSAGE = {"role": "user", "content": "I live in Lisbon.", "session": "monday", "speaker": "Ada"}


@pytest.fixture
def memories(tmp_path: Path, redis: redis_py.Redis, redis_url: str) -> Iterator[Memories]:
    with memories_in(tmp_path, redis_url) as opened:
        yield opened


@pytest.fixture
def app(memories: Memories) -> Starlette:
    return create_app(memories, OPEN)


@pytest.fixture
def locked(memories: Memories) -> Starlette:
    return create_app(memories, LOCKED)


@pytest.fixture
def writer(tmp_path: Path, redis: redis_py.Redis) -> Iterator[None]:
    with writing(redis, settings_in(tmp_path, "ada"), settings_in(tmp_path, "ben")):
        yield


def at(space: str, path: str) -> str:
    return f"/v1/spaces/{space}/{path}"


async def published(client: httpx2.AsyncClient, space: str = "ada", **given: Any) -> dict[str, Any]:
    answer = await client.post(at(space, "events"), json={**MESSAGE, **given}, params={"wait": "true"})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert found["folded"] is True
    return found


# ---- publishing ------------------------------------------------------------------------------------------------


async def test_what_is_published_can_be_recalled_at_once(app: Starlette, writer: None) -> None:
    async with client_of(app) as client:
        sent = await published(client, event_id="e1")
        found = (await client.post(at("ada", "recall"), json={"query": "Where does Ada live?"})).json()
        assert found["results"][0]["event_ids"] == ["e1"]
        told = (await client.get(at("ada", "timeline"))).json()
        assert [(one["event_id"], one["speaker"]) for one in told["messages"]] == [("e1", "Ada")]
        assert Position.parse((await client.get(at("ada", "position"))).json()["position"]) >= Position.parse(
            sent["position"]
        )


async def test_an_event_that_is_published_again_is_there_once(app: Starlette, writer: None) -> None:
    async with client_of(app) as client:
        first = await published(client, event_id="e1")
        again = await published(client, event_id="e1")
        assert again["position"] == first["position"]
        other = await client.post(at("ada", "events"), json={**MESSAGE, "event_id": "e1", "content": "I live in Rome."})
        assert (other.status_code, other.json()["type"]) == (409, "urn:mnemolog:problem:id-reused")
        assert len((await client.get(at("ada", "timeline"))).json()["messages"]) == 1


async def test_a_batch_is_published_in_order_and_none_of_it_when_one_is_bad(app: Starlette, writer: None) -> None:
    async with client_of(app) as client:
        batch = [{**MESSAGE, "content": f"Number {number}.", "event_id": f"e{number}"} for number in range(5)]
        bad = [*batch, {**MESSAGE, "content": "a\x00b"}]
        assert (await client.post(at("ada", "events/batch"), json={"events": bad})).status_code == 422
        answer = await client.post(at("ada", "events/batch"), json={"events": batch}, params={"wait": "true"})
        assert answer.json()["folded"] is True
        assert [one["event_id"] for one in answer.json()["events"]] == [f"e{number}" for number in range(5)]
        told = (await client.get(at("ada", "timeline"))).json()["messages"]
        assert [one["event_id"] for one in reversed(told)] == [f"e{number}" for number in range(5)]


async def test_without_a_writer_a_message_is_acknowledged_and_said_not_to_be_folded(app: Starlette) -> None:
    async with client_of(app) as client:
        params = {"wait": "true", "wait_s": "0.1"}
        answer = (await client.post(at("carla", "events"), json=MESSAGE, params=params)).json()
        assert answer["folded"] is False
        wait = {"wait": answer["position"], "wait_s": "0.1"}
        refused = await client.get(at("carla", "position"), params=wait)
        assert (refused.status_code, refused.json()["type"]) == (504, "urn:mnemolog:problem:position-not-reached")


async def test_a_read_waits_for_the_position_that_its_caller_wrote(
    app: Starlette, tmp_path: Path, redis: redis_py.Redis
) -> None:
    async with client_of(app) as client:
        sent = (await client.post(at("ada", "events"), json=MESSAGE)).json()
        with writing(redis, settings_in(tmp_path, "ada")):
            headers = {"Mnemolog-Wait-For": sent["position"]}
            answer = await client.get(at("ada", "timeline"), headers=headers)
        assert len(answer.json()["messages"]) == 1
        bad = await client.get(at("ada", "timeline"), headers={"Mnemolog-Wait-For": "soon"})
        assert bad.status_code == 422


async def test_a_session_is_closed_whatever_its_name(app: Starlette, writer: None) -> None:
    async with client_of(app) as client:
        await published(client, session="a/b c?")
        answer = await client.post(at("ada", "sessions/a%2Fb%20c%3F/close"), params={"wait": "true"})
        assert answer.status_code == 200, answer.text
        told = (await client.get(at("ada", "sessions"))).json()["sessions"]
        assert told[0]["session"] == "a/b c?"
        assert told[0]["closed_at"] is not None


# ---- the memory itself -----------------------------------------------------------------------------------------


async def test_a_fact_is_remembered_corrected_confirmed_and_forgotten(app: Starlette, writer: None) -> None:
    async with client_of(app) as client:

        async def ask(path: str, **body: Any) -> Any:
            answer = await client.post(at("ada", path), json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()

        wrong = (await ask("remember", text="I work at Acme.", speaker="Ada"))["facts"][0]["node_id"]
        right = (await ask(f"facts/{wrong}/correct", text="I work at Bolt."))["facts"][0]["node_id"]
        chain = (await client.get(at("ada", f"facts/{right}/history"))).json()
        assert {link["node_id"] for link in chain} == {wrong, right}
        assert (await ask(f"facts/{right}/confirm"))["folded"]
        live = (await client.get(at("ada", "facts"))).json()["facts"]
        assert [(fact["node_id"], fact["pinned"]) for fact in live] == [(right, True)]
        assert (await ask(f"facts/{right}/unpin"))["folded"]
        story = (await client.get(at("ada", f"nodes/{right}/why"))).json()
        assert story["kind"] == "fact"
        plan = await ask("forget", node_id=right)
        assert (plan["forgotten"], [fact["node_id"] for fact in plan["facts"]]) == (False, [right])
        assert (await ask("forget", node_id=right, preview=False))["forgotten"]
        assert (await client.get(at("ada", "facts"))).json()["facts"] == []
        missing = await client.post(at("ada", "facts/ce-00000000/confirm"))
        assert missing.status_code == 404


async def test_lists_are_told_page_by_page(app: Starlette, writer: None) -> None:
    async with client_of(app) as client:
        events = [
            {**MESSAGE, "session": f"s{number}", "event_id": f"e{number}", "content": f"Number {number}."}
            for number in range(7)
        ]
        await client.post(at("ada", "events/batch"), json={"events": events}, params={"wait": "true"})
        for path, name, key in (("timeline", "messages", "event_id"), ("sessions", "sessions", "session")):
            found: list[str] = []
            cursor: dict[str, str] = {}
            while True:
                page = (await client.get(at("ada", path), params={"limit": "3", **cursor})).json()
                found += [one[key] for one in page[name]]
                if page["next"] is None:
                    break
                cursor = {"cursor": page["next"]}
            assert len(found) == len(set(found)) == 7
        changed = (await client.get(at("ada", "changes"), params={"since": "0-0", "limit": "1"})).json()
        assert len(changed["changes"]) <= 1


# ---- who sees what ---------------------------------------------------------------------------------------------


async def test_two_spaces_tell_each_other_nothing(locked: Starlette, tmp_path: Path, writer: None) -> None:
    of_ada = made(tmp_path, "ada", "admin", ["ada"])
    of_ben = made(tmp_path, "ben", "admin", ["ben"])
    async with client_of(locked, of_ada) as ada, client_of(locked, of_ben) as ben:
        await published(ada, "ada", content="My secret is a violin.", event_id="e1")
        await published(ben, "ben", content="I like tea.", event_id="e1")
        stated = {"text": "My locker is number 17.", "speaker": "Ada"}
        node = (await ada.post(at("ada", "remember"), json=stated)).json()["facts"][0]["node_id"]
        for path in ("facts", "timeline", "sessions", "scenes", "entities", "status", "work", f"nodes/{node}/why"):
            theirs = await ben.get(at("ada", path))
            nobodys = await ben.get(at("nobody", path))
            assert theirs.status_code == nobodys.status_code == 404
            assert theirs.json()["detail"].replace("'ada'", "") == nobodys.json()["detail"].replace("'nobody'", "")
        for path, body in (("recall", {"query": "violin"}), ("context", {"query": "violin"}), ("events", MESSAGE)):
            assert (await ben.post(at("ada", path), json=body)).status_code == 404
        own = (await ben.post(at("ben", "recall"), json={"query": "violin locker"})).text
        assert "violin." not in own
        assert "number 17" not in own
        assert (await ben.get(at("ben", f"nodes/{node}/why"))).status_code == 404
        assert (await ben.get("/v1/spaces")).json()["spaces"] == [{"space": "ben"}]


async def test_a_bound_token_publishes_and_remembers_as_its_speaker_alone(
    locked: Starlette, tmp_path: Path, writer: None
) -> None:
    guest = made(tmp_path, "web", "write", ["ada"], speaker="guest", role="user", session_prefix="web-")
    async with client_of(locked, guest) as client:
        refused = await client.post(at("ada", "events"), json=MESSAGE)
        assert refused.status_code == 403
        body = {"role": "user", "content": "I like tea.", "session": "web-1"}
        assert (await client.post(at("ada", "events"), json=body, params={"wait": "true"})).json()["folded"]
        told = (await client.get(at("ada", "timeline"))).json()["messages"]
        assert [one["speaker"] for one in told] == ["guest"]
        stated = await client.post(at("ada", "remember"), json={"text": "I work at Acme."})
        node = stated.json()["facts"][0]["node_id"]
        assert (await client.post(at("ada", "remember"), json={"text": "No.", "speaker": "Ada"})).status_code == 403
        for path, asked in ((f"facts/{node}/correct", {"text": "Bolt."}), ("forget", {"node_id": node})):
            assert (await client.post(at("ada", path), json=asked)).status_code == 403


# ---- health ----------------------------------------------------------------------------------------------------


async def test_a_writer_that_has_silently_stopped_is_noticed(
    memories: Memories, tmp_path: Path, redis: redis_py.Redis
) -> None:
    app = create_app(memories, msgspec.structs.replace(LOCKED, stalled_s=0.0))
    admin, reader = made(tmp_path, "admin", "admin", ["ada"]), made(tmp_path, "reader", "read", ["ada"])
    async with client_of(app, admin) as client, client_of(app, reader) as other:
        with writing(redis, settings_in(tmp_path, "ada")):
            await published(client)
            assert (await client.get("/healthz")).status_code == 200
        await client.post(at("ada", "events"), json=MESSAGE)
        assert not redis.exists(keys.progress("ada"))
        app = create_app(memories, msgspec.structs.replace(LOCKED, stalled_s=0.0))
    async with client_of(app, admin) as client, client_of(app, reader) as other:
        answer = await client.get("/healthz")
        assert answer.status_code == 503
        assert [(one["reason"], one["spaces"]) for one in answer.json()["reasons"]] == [("no-writer", ["ada"])]
        assert "ada" not in (await other.get("/healthz")).text
        assert (await client.get("/readyz")).status_code == 200
