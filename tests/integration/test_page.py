"""The page without a browser: its files and their headers, what it draws, who may see it, what its sources hold."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx2
import pytest
from support.folding import START_MS, Memory, days
from support.http_api import LOCKED, OPEN, client_of, made, memories_in

from mnemolog.gateway.http.app import create_app
from mnemolog.gateway.page.files import read_files
from mnemolog.gateway.page.routes import routes
from mnemolog.schema.cells import Mention
from mnemolog.schema.times import show

HOSTILE = (
    "Ada's site is <script>alert('x')</script><img src=x onerror=alert(1)> javascript:alert(1) \u202egnp.exe\u0007"
)
SOURCES = {path: file.content.decode() for path, file in read_files().items()}
SCRIPTS = sorted(path for path in SOURCES if path.endswith(".js"))
VOID = {"meta", "link", "input"}
WAYS_TO_MARKUP = (
    *("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "createContextualFragment", "DOMParser"),
    *("eval(", "new Function", "setTimeout('", 'setTimeout("', "srcdoc", ".setAttribute('style", 'setAttribute("style'),
)


@pytest.fixture
def file(tmp_path: Path) -> Memory:
    path = tmp_path / "spaces" / "ada" / "space.db"
    path.parent.mkdir(parents=True)
    memory = Memory(path)
    older = learn(memory, "Ada writes Python.", 0, "Python")
    newer = learn(memory, "Ada writes Rust.", 10, "Rust")
    memory.judge((older, newer, "supersedes"))
    return memory


def learn(memory: Memory, content: str, day: float, name: str) -> str:
    memory.now = START_MS + days(day)
    return memory.state(content, memory.now, f"s{day}", entities=(Mention(name, "tool"),), slot="language")


@pytest.fixture
async def page(tmp_path: Path, file: Memory) -> AsyncIterator[httpx2.AsyncClient]:
    with memories_in(tmp_path) as memories:
        async with client_of(create_app(memories, OPEN, routes(memories))) as client:
            yield client


def fact_of(file: Memory, content: str) -> str:
    return str(file.get("SELECT node_id FROM nodes WHERE content = ? AND cell_type IS NOT NULL", content))


# ---- files -----------------------------------------------------------------------------------------------------


async def test_the_page_may_load_nothing_but_its_own_files_and_run_no_script_of_its_markup(page: Any) -> None:
    for path in ("/", *(f"/page/{name}" for name in SOURCES)):
        answer = await page.get(path)
        assert answer.status_code == 200, path
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert {policy[f"{kind}-src"] for kind in ("script", "style", "img", "connect")} == {"'self'"}
        assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert policy["require-trusted-types-for"] == "'script'"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"


async def test_a_file_that_the_browser_has_is_not_sent_again(page: Any) -> None:
    first = await page.get("/page/app.js")
    again = await page.get("/page/app.js", headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


async def test_what_is_no_file_of_the_page_is_not_served(page: Any) -> None:
    for path in ("/page/nothing.js", "/page/../routes.py", "/page/%2e%2e/routes.py", "/page//etc/passwd"):
        assert (await page.get(path)).status_code == 404, path


async def test_the_files_need_no_token_and_what_is_drawn_does(tmp_path: Path, file: Memory) -> None:
    reader, stranger = made(tmp_path, "reader", "read", ["ada"]), made(tmp_path, "stranger", "read", ["ben"])
    with memories_in(tmp_path) as memories:
        app = create_app(memories, LOCKED, routes(memories))
        drawn = ("/page/data/ada/activity", "/page/data/ada/graph?name=Ada", "/page/data/ada/curves/ce-1")
        async with client_of(app) as client:
            assert (await client.get("/")).status_code == 200
            assert (await client.get("/page/app.js")).status_code == 200
            assert {(await client.get(path)).status_code for path in drawn} == {401}
        async with client_of(app, stranger) as client:
            assert {(await client.get(path)).status_code for path in drawn} == {404}
        async with client_of(app, reader) as client:
            assert (await client.get(drawn[0])).status_code == 200


# ---- what is drawn ---------------------------------------------------------------------------------------------


async def test_a_curve_is_told_with_times_as_text(page: Any, file: Memory) -> None:
    node_id = fact_of(file, "Ada writes Python.")
    told = (await page.get(f"/page/data/ada/curves/{node_id}", params={"as_of": show(START_MS + days(5))})).json()
    assert (told["node_id"], told["at"]) == (node_id, show(START_MS + days(5)))
    assert [point["at"] for point in told["points"]] == sorted(point["at"] for point in told["points"])
    assert told["confidence"] == next(point["confidence"] for point in told["points"] if point["at"] == told["at"])


async def test_what_is_not_there_is_not_found(page: Any) -> None:
    for path in ("curves/ce-none", "graph?name=Zoe"):
        assert (await page.get(f"/page/data/ada/{path}")).status_code == 404, path
    assert (await page.get("/page/data/nobody/activity")).status_code == 404
    assert (await page.get("/page/data/ada/graph?name=Ada&as_of=yesterday")).status_code == 422


async def test_a_graph_follows_the_time_asked_about(page: Any, file: Memory) -> None:
    now = (await page.get("/page/data/ada/graph", params={"name": "Ada"})).json()
    then = (await page.get("/page/data/ada/graph", params={"name": "Ada", "as_of": show(START_MS + days(5))})).json()
    assert [fact["content"] for fact in then["facts"]] == ["Ada writes Python."]
    assert {(fact["content"], fact["status"]) for fact in now["facts"]} == {
        ("Ada writes Rust.", "live"),
        ("Ada writes Python.", "superseded"),
    }


async def test_answers_to_a_hostile_memory_are_json_that_no_browser_takes_for_a_page(page: Any, file: Memory) -> None:
    learn(file, HOSTILE, 12, "<b>site</b>")
    answer = await page.get("/page/data/ada/graph", params={"name": "Ada"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert HOSTILE in [fact["content"] for fact in answer.json()["facts"]]


# ---- sources ---------------------------------------------------------------------------------------------------


def test_no_file_names_another_server() -> None:
    for path, source in SOURCES.items():
        named = set(re.findall(r"(?:https?:)?//[\w.-]+\.[a-z]{2,}[^\s\"')]*", source))
        assert named <= {"http://www.w3.org/2000/svg"}, path


@pytest.mark.parametrize("path", SCRIPTS)
def test_no_script_makes_markup_or_code_of_text(path: str) -> None:
    assert [way for way in WAYS_TO_MARKUP if way in SOURCES[path]] == []


def test_every_script_is_loaded_at_once_and_every_import_is_there() -> None:
    preloaded = re.findall(r'rel="modulepreload" href="/page/([^"]+)"', SOURCES["index.html"])
    assert sorted([*preloaded, "app.js", "theme.js"]) == SCRIPTS
    for path in SCRIPTS:
        for wanted in re.findall(r'from "([^"]+)"', SOURCES[path]):
            found = (Path("/") / path).parent.joinpath(wanted).resolve().relative_to("/")
            assert str(found) in SOURCES, f"{path} imports {wanted}"


class Outline(HTMLParser):
    """Checks that elements nest, and notes attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_markup_is_well_formed_and_holds_neither_style_nor_script() -> None:
    outline = Outline()
    outline.feed(SOURCES["index.html"])
    assert outline.open == []
    names = [name for name, _ in outline.attributes]
    assert [name for name in names if name.startswith("on") or name == "style"] == []
    ids = [value for name, value in outline.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert re.findall(r"<script(?![^>]* src=)[^>]*>", SOURCES["index.html"]) == []
