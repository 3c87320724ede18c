"""Erasing: places where what was said could stay though it was erased, each of which once did or might."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support import run_cli
from support.erasing import (
    HOUR,
    MARK,
    contents,
    erase,
    facts,
    hurried,
    leaves,
    let_go,
    salt_of,
    sound,
    taken,
    two_people,
)
from support.jobs import Desk, Hired
from support.raw import found_in
from support.redis_server import RedisServer
from support.stories import BEGIN_MS, SmallEmbedder, append, said

from mnemolog.gateway.shadowing import Wish, make
from mnemolog.gateway.statements import read_correction
from mnemolog.producers.spool import Spool
from mnemolog.schema.cells import Cell, Evidence, Mention
from mnemolog.schema.codec import encode
from mnemolog.schema.controls import OutcomesVoided
from mnemolog.schema.endpoint import log_client
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.ids import Position, episode_id
from mnemolog.schema.model_settings import ModelSettings
from mnemolog.schema.outcomes import CellsExtracted, Engine, EntityKey, ExtractedCell
from mnemolog.schema.recalls import Answer, AnswerLine, query_hash, text_digest
from mnemolog.schema.requests import FactCorrected, FactRemembered, NodesRecalled
from mnemolog.workers.erasing import carrying
from mnemolog.workers.homes.homes import Homes
from mnemolog.workers.shadows import shadow as shadows

LATER = BEGIN_MS + 96 * HOUR


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def desk(server: RedisServer, tmp_path: Path) -> Iterator[Desk]:
    with two_people(server, tmp_path / "data") as desk:
        yield desk


# ---- what engines were shown --------------------------------------------------------------------------------------


def engine_that_says(raw: str = "", **given: Any) -> Hired:
    """One that takes a single fact out of every window, in these words."""

    def extract(work: Any) -> CellsExtracted:
        message = work.messages[-1]
        entities = given.pop("entities", ())
        cell = Cell(
            **{
                "content": "Ada joined it.",
                "cell_type": "fact",
                "subject": "Ada",
                "scene": "work",
                "evidence": (Evidence(message.event_id, message.content),),
                "entities": tuple(Mention(one.name, one.kind) for one in entities),
                **given,
            }
        )
        return CellsExtracted(
            job_key=work.job_key,
            generation=work.generation,
            engine=Engine(name="m"),
            raw=raw,
            cells=(ExtractedCell(cell=cell, entities=entities),),
        )

    return Hired(extract=extract)


@pytest.mark.parametrize(
    "given",
    [
        {"scene": f"{MARK} town".casefold()},
        {"entities": (EntityKey(MARK.casefold(), MARK, "organization"),)},
        {"slot": "visits", "object": MARK.casefold()},
        {"content": f"Ada joined {MARK}."},
        {"raw": json.dumps({"known": f"{MARK}"})},
        {"scope": f"at {MARK}"},
    ],
    ids=["scene", "entity", "object", "content", "reply", "scope"],
)
def test_a_word_that_only_an_erased_person_said_is_in_nothing_that_was_made_later(
    desk: Desk, server: RedisServer, given: dict[str, Any]
) -> None:
    desk.say("I joined them too.", session="later", at=LATER)
    desk.finish(engine_that_says(**given))
    erase(desk, "speaker", "Ben")
    assert leaves(desk, server, MARK) == []
    desk.finish()
    assert "I joined them too." in contents(desk)
    assert leaves(desk, server, MARK) == []
    sound(desk)


def test_a_reply_that_writes_the_word_with_escapes_goes_too(desk: Desk, server: RedisServer) -> None:
    word = "Zyxgård"
    desk.say(f"I moved to {word}.", session="moved", speaker="Ben", at=LATER)
    desk.finish()
    desk.say("I will visit.", session="later", at=LATER + 24 * HOUR)
    desk.finish(engine_that_says(raw=json.dumps({"place": word})))
    assert leaves(desk, server, word)
    erase(desk, "speaker", "Ben")
    assert leaves(desk, server, word) == []
    sound(desk)


def test_a_word_of_a_script_without_spaces_is_found_in_other_words(desk: Desk, server: RedisServer) -> None:
    desk.say("我搬到札克斯加德了。", session="moved", speaker="Ben", at=LATER)
    desk.finish()
    desk.say("I will visit.", session="later", at=LATER + 24 * HOUR)
    desk.finish(engine_that_says(content="Ada 想去札克斯加德看看"))
    erase(desk, "speaker", "Ben")
    assert leaves(desk, server, "札克斯加德") == []


def test_what_others_say_too_stays_as_it_is(desk: Desk) -> None:
    desk.say(f"I joined {MARK} too.", session="later", at=LATER)
    desk.finish(engine_that_says(content=f"Ada joined {MARK}.", scene=MARK.casefold()))
    outcomes = len(desk.logged(CellsExtracted))
    erase(desk, "session", "ben")
    assert f"Ada joined {MARK}." in facts(desk)
    assert len(desk.logged(CellsExtracted)) == outcomes - 1


# ---- what was asked ------------------------------------------------------------------------------------------------


def answer(desk: Desk, query: str, position: Position, *nodes: str) -> Answer:
    return Answer(
        at=BEGIN_MS,
        about=BEGIN_MS,
        kind="recall",
        query=query,
        query_chars=len(query),
        query_hash=query_hash(salt_of(desk), query),
        ms=position.ms,
        seq=position.seq,
        lines=tuple(AnswerLine("message", node) for node in nodes),
        digest=text_digest(salt_of(desk), "an answer"),
    )


def test_a_question_with_a_word_that_only_an_erased_person_said_goes(desk: Desk, server: RedisServer) -> None:
    desk.put(NodesRecalled(answers=(answer(desk, f"{MARK}?", desk.writer.position),)))
    desk.fold()
    erase(desk, "speaker", "Ben")
    assert leaves(desk, server, MARK) == []
    sound(desk)


def test_a_recall_that_was_made_before_and_recorded_afterwards_keeps_neither_question_nor_answer(
    desk: Desk, server: RedisServer
) -> None:
    gone, kept = episode_id("ben-0"), episode_id("ada-0")
    before = desk.writer.position
    late = NodesRecalled(
        recalls=((BEGIN_MS, (gone, kept)), (BEGIN_MS + 1, (gone,))),
        answers=(answer(desk, f"Where is {MARK}?", before, gone),),
    )
    erase(desk, "speaker", "Ben")
    desk.put(late)
    desk.put(NodesRecalled(answers=(answer(desk, "Where does Ada work?", desk.writer.position, kept),)))
    desk.fold()
    carrying.clean_if_due(hurried(desk))
    assert desk.rows("SELECT query FROM recalls ORDER BY query") == [("",), ("Where does Ada work?",)]
    assert leaves(desk, server, MARK, gone) == []
    sound(desk)


# ---- what could not be folded, and what people wrote ----------------------------------------------------------------


def test_an_outcome_that_could_not_be_folded_goes_with_the_message_that_it_quotes(
    desk: Desk, server: RedisServer
) -> None:
    outcome = CellsExtracted(job_key="0" * 32, generation=1, engine=Engine(name="m"), raw=f"ben-0 works at {MARK}")
    broken = encode("late", BEGIN_MS, outcome).replace(b'"generation":1', b'"generation":"one"')
    append(desk.client, [broken])
    desk.fold()
    assert len(desk.rows("SELECT 1 FROM dead_letters")) == 1
    erase(desk, "speaker", "Ben")
    assert desk.rows("SELECT 1 FROM dead_letters") == []
    assert leaves(desk, server, MARK) == []
    sound(desk)


def test_why_something_was_undone_is_not_told_in_words_that_only_an_erased_person_said(
    desk: Desk, server: RedisServer
) -> None:
    ((ms, seq),) = desk.rows("SELECT ms, seq FROM outcomes WHERE kind = 'extract' ORDER BY ms, seq LIMIT 1")
    desk.put(OutcomesVoided(positions=((ms, seq),), reason=f"not {MARK}, she said"))
    desk.fold()
    erase(desk, "speaker", "Ben")
    assert leaves(desk, server, MARK) == []
    sound(desk)


def test_a_correction_by_somebody_else_does_not_repeat_the_value_that_it_corrects(
    desk: Desk, server: RedisServer
) -> None:
    node = desk.get("SELECT node_id FROM nodes WHERE content = ?", f"Ben works at {MARK}.")
    row = desk.get("SELECT cell_type FROM cells JOIN nodes USING (node_id) WHERE node_id = ?", node)
    wrong = Cell(
        content=f"Ben works at {MARK}.",
        cell_type=row,
        subject="Ben",
        evidence=(Evidence("ben-0", f"I work at {MARK}."),),
        scene=f"{MARK} career".casefold(),
        slot="employer",
        object=MARK.casefold(),
    )
    text = "Ben works at Bolt."
    cells = read_correction(text, "fix", wrong, LATER)
    assert MARK.casefold() in str(cells)
    desk.put(FactCorrected(text=text, speaker="Ada", cells=cells, node_id=node), "fix")
    desk.fold()
    erase(desk, "speaker", "Ben")
    desk.finish()
    assert "Ben works at Bolt." in facts(desk)
    assert leaves(desk, server, MARK) == []
    sound(desk)


def test_what_somebody_else_stated_without_naming_the_erased_person_is_not_kept_under_that_name(
    desk: Desk, server: RedisServer
) -> None:
    desk.say(f"My name is {MARK}ina.", session="zed", speaker=f"{MARK}ina", at=LATER)
    text = "He works at Bolt."
    cell = Cell(
        content=f"{MARK}ina works at Bolt.",
        cell_type="fact",
        subject=f"{MARK}ina",
        evidence=(Evidence("fix", text),),
        scene="career",
        basis="requested",
    )
    other = Cell(
        content="Bolt pays well.", cell_type="fact", subject="Bolt", evidence=cell.evidence, scene="career", causes=(0,)
    )
    cells = (ExtractedCell(cell=cell), ExtractedCell(cell=other))
    desk.put(FactRemembered(text=text, speaker="Ada", cells=cells), "fix")
    desk.fold()
    erase(desk, "speaker", f"{MARK}ina")
    assert "Bolt pays well." in facts(desk)
    assert leaves(desk, server, f"{MARK}ina") == []
    sound(desk)


# ---- copies on this machine -----------------------------------------------------------------------------------------


def test_copies_that_moving_and_importing_left_in_the_data_folder_go(desk: Desk, server: RedisServer) -> None:
    data, spaces = desk.settings.data, desk.settings.folder.parent
    ours = [
        data / "moving" / "default-3.tar",
        data / "moving" / ".default-3.tar.999999999.partial" / "space.db",
        spaces / ".was-default-3" / "space.db",
        spaces / ".was-default-3.1" / "archive" / "00000001.jsonl",
        spaces / ".importing-default-999999999" / "unpacked" / "x",
        desk.settings.folder / "left.tmp",
    ]
    others = [spaces / ".was-default-x-3" / "space.db", data / "moving" / "default-x-3.tar", spaces / "other" / "x"]
    for path in (*ours, *others):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(MARK if path in ours else "other")
    erase(desk, "speaker", "Ben")
    assert leaves(desk, server, MARK) == []
    assert [path for path in others if not path.exists()] == []
    assert [path for path in ours if path.exists()] == []


def test_nothing_is_erased_on_a_machine_that_is_not_the_home_of_the_space(
    desk: Desk, server: RedisServer, tmp_path: Path
) -> None:
    let_go(desk)
    (tmp_path / "other").mkdir()
    theirs = Homes(desk.client, tmp_path / "other")
    theirs.take(msgspec.structs.replace(desk.settings, data=tmp_path / "other"))
    entries = desk.client.xlen("mnemolog:{default}:events")
    env = {"MNEMOLOG_DATA": str(desk.settings.data), "MNEMOLOG_REDIS_URL": server.url}
    done = run_cli("erase", "--speaker", "Ben", "--yes", env=env)
    assert done.returncode != 0
    assert "home list" in done.stderr
    assert desk.client.xlen("mnemolog:{default}:events") == entries
    taken(desk)


# ---- Redis' own files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("save", ["60 1", '""'])
def test_a_redis_that_saves_dumps_or_was_asked_for_one_writes_it_anew(tmp_path: Path, save: str) -> None:
    with RedisServer(tmp_path / "redis", {"save": save}) as server, two_people(server, tmp_path / "data") as desk:
        desk.client.save()
        dump = server.folder / "dump.rdb"
        assert dump.exists()
        assert str(dump) in leaves(desk, server, MARK)
        erase(desk, "speaker", "Ben")
        assert leaves(desk, server, MARK) == []
        sound(desk)


def test_what_a_killed_server_of_our_own_left_half_written_goes(tmp_path: Path) -> None:
    env = {"MNEMOLOG_DATA": str(tmp_path)}
    told = {"session": "s", "role": "user", "speaker": "Ben", "content": f"I live in {MARK}.", "at": BEGIN_MS}
    (tmp_path / "story.jsonl").write_text(json.dumps(told))
    done = run_cli("import", tmp_path / "story.jsonl", "--drain", env=env)
    assert done.returncode == 0, done.stderr
    (tmp_path / "story.jsonl").unlink()
    folder = tmp_path / "redis"
    for name in ("temp-4321.rdb", "temp-rewriteaof-4321.aof", "dump.rdb"):
        (folder / name).write_text(MARK)
    done = run_cli("erase", "--speaker", "Ben", "--yes", env=env)
    assert done.returncode == 0, done.stderr
    left = [path for path in tmp_path.rglob("*") if path.is_file() and MARK.encode() in path.read_bytes()]
    assert left == []


# ---- spools ---------------------------------------------------------------------------------------------------------


def test_a_spool_keeps_nothing_of_it_not_even_what_was_published_already(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", "default")
    spool.append([said(f"m{number}", f"{MARK} {number}", speaker="Ben") for number in range(500)])
    spool.append([said("ada", "I like tea.", speaker="Ada")])

    class Gone(Exception):
        """Redis went away."""

    taken: list[bytes] = []

    def send(bodies: Any) -> None:
        if taken:
            raise Gone
        taken.extend(bodies)

    with pytest.raises(Gone):
        spool.drain(send)
    spool.path.with_suffix(".new").write_bytes(MARK.encode())
    assert spool.discard(lambda body: MARK.encode() in body) == 0
    assert [path for path in (tmp_path / "spool").iterdir() if MARK.encode() in path.read_bytes()] == []
    assert spool.waiting().events == 1


def test_erase_takes_what_waits_in_a_spool_also_where_nothing_of_it_was_published(
    desk: Desk, server: RedisServer, tmp_path: Path
) -> None:
    let_go(desk)
    folder = tmp_path / "spool"
    Spool(folder, "default").append([said("c0", "My code is Qwyrtle.", "c", speaker="Cy"), said("a9", "Tea.", "c")])
    env = {"MNEMOLOG_DATA": str(desk.settings.data), "MNEMOLOG_REDIS_URL": server.url}
    assert run_cli("erase", "--speaker", "Dan", "--yes", "--spool", folder, env=env).returncode == 2
    done = run_cli("erase", "--speaker", "Cy", "--yes", "--spool", folder, env=env)
    assert done.returncode == 0, done.stderr
    assert "1 events that waited" in done.stderr
    assert Spool(folder, "default").waiting().events == 1
    Spool(folder, "default").append([said("b9", f"{MARK} waits", "ben", speaker="Ben")])
    done = run_cli("erase", "--speaker", "Ben", "--yes", "--json", "--spool", folder, env=env)
    assert done.returncode == 0, done.stderr
    with log_client(server.url) as client:
        assert found_in([folder, desk.settings.data, server.folder], client, [MARK, "Qwyrtle"]) == []
    taken(desk)


# ---- shadows --------------------------------------------------------------------------------------------------------


def shadow_of(desk: Desk, *, confirm: Any = lambda _: True, progress: Any = lambda _done, _of: None) -> Any:
    return make(
        desk.settings,
        ModelSettings(),
        SmallEmbedder(),
        desk.client,
        Wish(model="rules"),
        confirm=confirm,
        progress=progress,
    )


def test_a_shadow_that_was_planned_before_an_erasure_is_not_begun_after_it(desk: Desk, server: RedisServer) -> None:
    def confirm(_: Any) -> bool:
        erase(desk, "speaker", "Ben")
        return True

    with pytest.raises(InvalidInput, match="erased"):
        shadow_of(desk, confirm=confirm)
    assert leaves(desk, server, MARK) == []
    desk.finish()
    assert shadow_of(desk).jobs > 0


def test_a_shadow_at_work_stops_when_something_is_erased(desk: Desk, server: RedisServer) -> None:
    moments: list[int] = []

    def progress(done: int, _: int) -> None:
        moments.append(done)
        if len(moments) == 1:
            erase(desk, "speaker", "Ben")

    with pytest.raises(InvalidInput, match="erased"):
        shadow_of(desk, progress=progress)
    assert len(moments) == 1
    assert leaves(desk, server, MARK) == []
    sound(desk)


def test_a_shadow_that_is_being_built_when_something_is_erased_leaves_nothing(
    desk: Desk, server: RedisServer, monkeypatch: Any
) -> None:
    built = shadows.folded_without

    @contextmanager
    def folded_without(*args: Any) -> Iterator[Any]:
        with built(*args) as connection:
            erase(desk, "speaker", "Ben")
            yield connection

    monkeypatch.setattr(shadows, "folded_without", folded_without)
    with pytest.raises(InvalidInput, match="erased"):
        shadow_of(desk)
    assert leaves(desk, server, MARK) == []


def test_a_shadow_from_before_an_erasure_is_not_promoted_after_it(desk: Desk) -> None:
    shadow_of(desk)
    plan = shadows.plan_of(desk.settings)
    assert plan is not None
    shadows.refuse_if_gone(desk.settings, plan)
    erase(desk, "speaker", "Ben")
    with pytest.raises(InvalidInput, match="erased"):
        shadows.refuse_if_gone(desk.settings, plan)
