"""Settings: what the environment and the command line say, and which of them counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from mnemolog.schema.errors import InvalidFile, InvalidInput, InvalidSpaceName
from mnemolog.schema.settings import Settings, from_environment, space_folder, spaces_in


def test_without_anything_said_the_data_lie_in_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = from_environment({})
    assert settings == Settings(data=tmp_path / ".mnemolog", space="default", redis_url=None, durability="process")
    assert settings.file == tmp_path / ".mnemolog" / "spaces" / "default" / "space.db"
    assert settings.archive == settings.folder / "archive"


def test_what_is_given_counts_before_the_environment() -> None:
    environ = {
        "MNEMOLOG_DATA": "/env",
        "MNEMOLOG_SPACE": "env",
        "MNEMOLOG_REDIS_URL": "redis://env",
        "MNEMOLOG_DURABILITY": "power",
        "MNEMOLOG_LEASE_S": "2.5",
        "MNEMOLOG_RECALL_LOG": "hash",
    }
    said = from_environment(environ)
    assert (said.data, said.space, said.redis_url, said.durability, said.lease_s, said.recall_log) == (
        Path("/env"), "env", "redis://env", "power", 2.5, "hash",
    )  # fmt: skip
    given = from_environment(
        environ, data=Path("/given"), space="given", redis_url="redis://given", durability="process"
    )
    assert (given.data, given.space, given.redis_url, given.durability) == (
        Path("/given"), "given", "redis://given", "process",
    )  # fmt: skip


def test_empty_variables_say_nothing() -> None:
    names = ("DATA", "SPACE", "REDIS_URL", "DURABILITY", "LEASE_S", "RECALL_LOG")
    empty = dict.fromkeys((f"MNEMOLOG_{name}" for name in names), "")
    assert from_environment(empty) == from_environment({})


def test_the_data_folder_is_absolute_and_the_tilde_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert from_environment({"MNEMOLOG_DATA": "~/memory"}).data == tmp_path / "memory"
    assert from_environment({"MNEMOLOG_DATA": "here"}).data == tmp_path / "here"


@pytest.mark.parametrize("lease", ["soon", "0", "-1", "nan", "inf"])
def test_a_lease_that_is_no_length_of_time_is_refused(lease: str) -> None:
    with pytest.raises(InvalidInput, match="MNEMOLOG_LEASE_S is a number of seconds above 0"):
        from_environment({"MNEMOLOG_LEASE_S": lease})


def test_a_durability_that_is_not_known_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'process' or 'power', not 'forever'"):
        from_environment({"MNEMOLOG_DURABILITY": "forever"})


@pytest.mark.parametrize("space", ["../x", "a/b", ".", "a b"])
def test_a_space_never_leaves_the_data_folder(space: str) -> None:
    with pytest.raises(InvalidSpaceName):
        from_environment({}, space=space)
    with pytest.raises(InvalidSpaceName):
        from_environment({}).of_space(space)
    with pytest.raises(InvalidSpaceName):
        space_folder(Path("/data"), space)


def test_the_spaces_of_a_data_folder_are_its_folders_that_name_one(tmp_path: Path) -> None:
    assert spaces_in(tmp_path) == []
    for name in ("b", "a", "lost+found", ".trash"):
        space = tmp_path / "spaces" / name
        space.mkdir(parents=True)
    (tmp_path / "spaces" / "file").write_text("")
    assert spaces_in(tmp_path) == ["a", "b"]


def test_the_error_of_a_file_with_one_bad_line_shows_it() -> None:
    error = InvalidFile("chat.jsonl", [(3, "it has no `at`")])
    assert str(error).endswith("  line 3: it has no `at`")
    assert error.exit_status == 2


def test_a_way_to_keep_recalls_that_there_is_not_is_refused() -> None:
    with pytest.raises(InvalidInput, match="MNEMOLOG_RECALL_LOG is 'text', 'hash' or 'off'"):
        from_environment({"MNEMOLOG_RECALL_LOG": "none"})


def test_snapshots_and_the_time_zone_are_set_by_the_environment():
    plain = from_environment({})
    assert (plain.snapshot_events, plain.time_zone) == (100_000, "UTC")
    chosen = from_environment({"MNEMOLOG_SNAPSHOT_EVENTS": "0", "MNEMOLOG_TIME_ZONE": "Asia/Tokyo"})
    assert (chosen.snapshot_events, chosen.time_zone) == (0, "Asia/Tokyo")
    assert (plain.stream_events, plain.stream_bytes) == (100_000, 64 * 1024 * 1024)
    chosen = from_environment({"MNEMOLOG_STREAM_EVENTS": "0", "MNEMOLOG_STREAM_BYTES": "1000000"})
    assert (chosen.stream_events, chosen.stream_bytes) == (0, 1_000_000)


@pytest.mark.parametrize("text", ["-1", "1.5", "many"])
def test_a_number_of_events_is_a_whole_one(text):
    with pytest.raises(InvalidInput, match="whole number"):
        from_environment({"MNEMOLOG_SNAPSHOT_EVENTS": text})
