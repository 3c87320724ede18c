"""Bundles: a live space put into one file, the same memory built from it elsewhere, and what is refused."""

from __future__ import annotations

import gzip
import hashlib
import io
import stat
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest
import redis as redis_py
from support.stories import (
    SmallEmbedder,
    append,
    contents,
    created,
    event,
    file_hashes,
    ingested,
    messages,
    newer,
    problems,
    said,
    settings_in,
    top,
    verified,
)

from mnemolog.projections.connection import open_reader
from mnemolog.projections.recall import recall
from mnemolog.schema import archive, keys
from mnemolog.schema.archive import ArchiveWriter, seal
from mnemolog.schema.controls import OutcomesVoided
from mnemolog.schema.endpoint import log_client
from mnemolog.schema.errors import DamagedFile, InvalidInput, MnemologError, NewerEvent, SpaceHeld, SpaceNotFound
from mnemolog.schema.ids import Position
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.workers.bundles import bundling, unbundling
from mnemolog.workers.bundles.bundling import Exported
from mnemolog.workers.bundles.unbundling import Restored
from mnemolog.workers.writer.space_writer import SpaceWriter


@pytest.fixture
def lived(redis: redis_py.Redis, space: Settings) -> Settings:
    """A space with messages, all of them folded."""
    append(redis, [created(), *messages(80)])
    ingested(redis, space)
    return space


@pytest.fixture(scope="module")
def bundle(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A bundle that tests read only."""
    space = settings_in(tmp_path_factory.mktemp("bundle"))
    with log_client(redis_url) as client:
        client.flushall()
        append(client, [created(), *messages(30)])
        ingested(client, space)
        return exported(client, space)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Settings:
    """Another machine."""
    return settings_in(tmp_path / "elsewhere")


def exported(redis: redis_py.Redis | None, space: Settings, *, snapshot: bool = False, force: bool = False) -> Exported:
    stream = Stream(redis, space.space) if redis is not None else None
    file = space.data / "memory.tar"
    return bundling.export(space, stream, file, snapshot=snapshot, force=force, progress=lambda _: None)


def imported(bundle: Exported | Path, to: Settings, space: str | None = None) -> Restored:
    path = bundle if isinstance(bundle, Path) else Path(bundle.file)
    return unbundling.restore(to, path, space, SmallEmbedder(), lambda _: None)


def left_in(data: Path) -> list[Path]:
    """Everything that is in the folder of spaces."""
    return sorted((data / "spaces").rglob("*")) if (data / "spaces").exists() else []


# ---- the same memory -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("snapshot", [False, True])
def test_a_bundle_builds_the_identical_memory_without_redis(
    redis: redis_py.Redis, lived: Settings, elsewhere: Settings, snapshot: bool
) -> None:
    bundle = exported(redis, lived, snapshot=snapshot)
    redis.flushall()
    found = imported(bundle, elsewhere)
    live = file_hashes(lived.file)
    assert (found.hash, found.content_hash, found.position) == (live.hash, live.content_hash, live.position)
    assert found.compared is True
    assert found.vectors_from_snapshot is snapshot
    assert file_hashes(elsewhere.file) == live
    assert problems(elsewhere) == ()
    assert verified(elsewhere).equal is True
    assert [*archive.read(elsewhere.archive)] == [*archive.read(lived.archive)]


def test_a_bundle_holds_what_is_published_and_not_folded_yet(
    redis: redis_py.Redis, lived: Settings, elsewhere: Settings
) -> None:
    append(redis, [said("late", "Said while no writer ran.")])
    bundle = exported(redis, lived)
    assert bundle.left_out == ""
    assert bundle.manifest.last == str(top(redis))
    found = imported(bundle, elsewhere)
    assert found.compared is True
    assert "late" in contents(elsewhere)
    ingested(redis, lived)
    assert file_hashes(lived.file).hash == found.hash


def test_a_space_that_was_never_folded_can_be_exported(
    redis: redis_py.Redis, space: Settings, elsewhere: Settings
) -> None:
    append(redis, [created(), said("only")])
    bundle = exported(redis, space)
    assert bundle.manifest.state is None
    assert imported(bundle, elsewhere).compared is None
    assert contents(elsewhere) == {"only"}


def test_sealed_segments_and_snapshots_are_used_again_elsewhere(
    redis: redis_py.Redis, space: Settings, elsewhere: Settings
) -> None:
    append(redis, [created(), *messages(60)])
    ingested(redis, space)
    writer = ArchiveWriter(space.archive, segment_bytes=1_000)
    writer.rotate()
    writer.close()
    seal(space.archive, 1)
    append(redis, messages(90)[60:])
    ingested(redis, space)
    bundle = exported(redis, space, snapshot=True)
    names = [member.name for member in bundle.manifest.members]
    assert {"archive/00000001.jsonl.gz", "archive/00000001.json", "archive/00000002.jsonl"} <= set(names)
    assert imported(bundle, elsewhere).vectors_from_snapshot
    assert archive.check(elsewhere.archive) == []


def test_a_void_that_is_not_folded_yet_takes_effect_in_the_copy(
    redis: redis_py.Redis, lived: Settings, elsewhere: Settings
) -> None:
    position = [entry.position for entry in archive.read(lived.archive)][-1]
    append(redis, [event("void", OutcomesVoided(positions=(tuple(position),))), said("after")])
    found = imported(exported(redis, lived), elsewhere)
    assert found.compared is True
    ingested(redis, lived)
    assert file_hashes(lived.file).hash == found.hash


def test_what_a_newer_version_wrote_and_nobody_folded_comes_along(
    redis: redis_py.Redis, lived: Settings, elsewhere: Settings
) -> None:
    append(redis, [newer(), said("behind")])
    found = imported(exported(redis, lived), elsewhere)
    assert found.compared is True
    assert found.entries == 83
    assert "behind" not in contents(elsewhere)
    with pytest.raises(NewerEvent, match="dream_dreamt"):
        ingested(redis, elsewhere)


# ---- going on ------------------------------------------------------------------------------------------------------


def test_a_memory_that_was_moved_goes_on_where_it_ended(
    redis: redis_py.Redis, lived: Settings, elsewhere: Settings
) -> None:
    bundle = exported(redis, lived)
    redis.flushall()
    found = imported(bundle, elsewhere)
    ingested(redis, elsewhere)
    assert top(redis) == found.position
    append(redis, [said("afterwards", "On the new machine.")])
    ingested(redis, elsewhere)
    assert "afterwards" in contents(elsewhere)
    assert verified(elsewhere).equal is True


def test_a_fork_has_the_same_hash_and_goes_its_own_way(redis: redis_py.Redis, lived: Settings) -> None:
    before = file_hashes(lived.file)
    found = imported(exported(redis, lived), lived, "experiment")
    fork = lived.of_space("experiment")
    assert (found.space, found.fork_of, found.hash) == ("experiment", "default", before.hash)
    append(redis, [said("of-the-origin")])
    ingested(redis, fork)
    append(redis, [said("of-the-fork")], space="experiment")
    ingested(redis, fork)
    ingested(redis, lived)
    assert contents(fork) - contents(lived) == {"of-the-fork"}
    assert contents(lived) - contents(fork) == {"of-the-origin"}
    assert verified(fork).equal is True


def test_a_backup_goes_on_with_the_stream_that_outlived_its_machine(
    redis: redis_py.Redis, lived: Settings, elsewhere: Settings
) -> None:
    bundle = exported(redis, lived)
    append(redis, [said("since-the-backup")])
    imported(bundle, elsewhere)
    ingested(redis, elsewhere)
    assert "since-the-backup" in contents(elsewhere)


# ---- the file ------------------------------------------------------------------------------------------------------


def test_a_bundle_is_one_private_file_with_the_manifest_first(redis: redis_py.Redis, lived: Settings) -> None:
    bundle = Path(exported(redis, lived).file)
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o600
    assert [path.name for path in lived.data.iterdir() if "memory" in path.name] == ["memory.tar"]
    with tarfile.open(bundle) as tar:
        members = tar.getmembers()
        told = msgspec.json.decode(tar.extractfile(members[0]).read())  # type: ignore[union-attr]
    assert members[0].name == "manifest.json"
    assert told["format"] == "mnemolog-bundle"
    assert told["state"]["policy"]["window"]["messages"] == 8
    assert {member.mode for member in members} == {0o600}


def test_a_file_that_is_there_is_replaced_only_when_asked(redis: redis_py.Redis, lived: Settings) -> None:
    exported(redis, lived)
    with pytest.raises(InvalidInput, match="is there already"):
        exported(redis, lived)
    append(redis, [said("more")])
    assert exported(redis, lived, force=True).manifest.entries == 82


def test_without_redis_the_archive_is_exported_and_it_says_so(lived: Settings, elsewhere: Settings) -> None:
    bundle = exported(None, lived)
    assert bundle.left_out == "no Redis was asked"
    assert imported(bundle, elsewhere).compared is True


def test_another_stream_in_its_place_is_left_out(redis: redis_py.Redis, lived: Settings, elsewhere: Settings) -> None:
    redis.flushall()
    append(redis, [created(salt="07" * 16), said("of-another")])
    bundle = exported(redis, lived)
    assert "does not go on" in bundle.left_out
    imported(bundle, elsewhere)
    assert "of-another" not in contents(elsewhere)


def test_there_is_no_bundle_of_nothing_or_of_a_damaged_log(redis: redis_py.Redis, lived: Settings) -> None:
    with pytest.raises(SpaceNotFound):
        exported(redis, lived.of_space("nobody"))
    segment = lived.archive / "00000001.jsonl"
    segment.write_bytes(segment.read_bytes().replace(b"tea", b"eat", 1))
    with pytest.raises(DamagedFile, match="checksum differs"):
        exported(redis, lived)
    assert not [path for path in lived.data.iterdir() if "memory" in path.name]


# ---- refused -------------------------------------------------------------------------------------------------------

Change = Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]


def rewritten(bundle: Exported, change: Change) -> Path:
    """The bundle with other members."""
    with tarfile.open(bundle.file) as tar:
        members = [(info, tar.extractfile(info).read()) for info in tar]  # type: ignore[union-attr]
    change(members)
    path = Path(bundle.file).with_name("changed.tar")
    with tarfile.open(path, "w") as tar:
        for info, body in members:
            info.size = len(body) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(body) if info.isreg() else None)
    return path


def told_as(**fields: Any) -> Change:
    def change(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        members[0] = (members[0][0], msgspec.json.encode({**msgspec.json.decode(members[0][1]), **fields}))

    return change


def with_member(name: str, body: bytes = b"{}", *, told: bool = True, kind: bytes = tarfile.REGTYPE) -> Change:
    def change(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        members.append((info, body))
        if told:
            listed = msgspec.json.decode(members[0][1])["members"]
            listed.append({"name": name, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()})
            told_as(members=listed)(members)

    return change


def with_log(make: Callable[[bytes], bytes], name: str = "archive/00000001.jsonl") -> Change:
    """Another log, with the checksums that belong to it."""

    def change(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        index = next(index for index, (info, _) in enumerate(members) if info.name == "archive/00000001.jsonl")
        info, body = members[index]
        info.name, body = name, make(body)
        members[index] = (info, body)
        listed = [
            one for one in msgspec.json.decode(members[0][1])["members"] if one["name"] != "archive/00000001.jsonl"
        ]
        listed.append({"name": name, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()})
        told_as(members=listed)(members)

    return change


def drop_last(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    members.pop()


def flip(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    info, body = members[-1]
    members[-1] = (info, body[:100] + bytes([body[100] ^ 1]) + body[101:])


def state_with(**fields: Any) -> Change:
    def change(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        told_as(state={**msgspec.json.decode(members[0][1])["state"], **fields})(members)

    return change


def other_salt(log: bytes) -> bytes:
    """The log of a space that was created with another salt, told as if it were this one."""
    entry = archive.decode_line(log.splitlines()[0], "")
    other = archive.encode_line(archive.Entry(entry.position, created(salt="07" * 16)))
    return other + log[log.index(b"\n") + 1 :]


REFUSED: dict[str, tuple[Change, type[MnemologError], str]] = {
    "a member is missing": (drop_last, DamagedFile, "cut short"),
    "a bit is flipped": (flip, DamagedFile, "checksum"),
    "a newer format": (told_as(version=2), InvalidInput, "upgrade it"),
    "something else": (told_as(format="other"), InvalidInput, "not a bundle"),
    "another hash": (state_with(hash="00" * 32), DamagedFile, "folds to another memory"),
    "another content hash": (state_with(content_hash="00" * 32), DamagedFile, "folds to another memory"),
    "another end": (told_as(last="1-0"), DamagedFile, "not the one"),
    "more entries": (told_as(entries=7), DamagedFile, "not the one"),
    "a space that is none": (told_as(space="../../etc"), DamagedFile, "no bundle holds"),
    "not a manifest": (told_as(members=3), DamagedFile, "cannot be read"),
    "another space's log": (with_log(other_salt), DamagedFile, "another space"),
    "a line that is lost": (with_log(lambda log: log[log.index(b"\n") + 1 :]), DamagedFile, "not the one"),
    "a name that leaves the folder": (with_member("archive/../../../evil.json"), DamagedFile, "no bundle holds"),
    "an absolute name": (with_member("/tmp/evil.json"), DamagedFile, "no bundle holds"),
    "a strange name": (with_member("archive/00000001.sh"), DamagedFile, "no bundle holds"),
    "a member that nobody told of": (with_member("archive/00000009.json", told=False), DamagedFile, "not what"),
    "a link": (with_member("archive/00000002.jsonl", b"", kind=tarfile.SYMTYPE), DamagedFile, "not what"),
    "a hard link": (with_member("archive/00000002.jsonl", b"", kind=tarfile.LNKTYPE), DamagedFile, "not what"),
    "a device": (with_member("archive/00000002.jsonl", b"", kind=tarfile.CHRTYPE), DamagedFile, "not what"),
    "a bomb": (
        with_log(lambda _: gzip.compress(bytes(80 * 1024 * 1024), 9), "archive/00000001.jsonl.gz"),
        DamagedFile,
        "more than a segment",
    ),
    "packed garbage": (with_log(lambda _: b"no gzip", "archive/00000001.jsonl.gz"), DamagedFile, "damaged"),
}


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED)
def test_a_bundle_that_does_not_add_up_is_refused_and_leaves_nothing(
    bundle: Exported, elsewhere: Settings, change: tuple[Change, type[MnemologError], str]
) -> None:
    path = rewritten(bundle, change[0])
    with pytest.raises(change[1], match=change[2]):
        imported(path, elsewhere)
    assert left_in(elsewhere.data) == []


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.5])
def test_a_bundle_that_is_cut_short_is_refused(bundle: Exported, elsewhere: Settings, share: float) -> None:
    whole = Path(bundle.file)
    cut = whole.with_name("cut.tar")
    cut.write_bytes(whole.read_bytes()[: int(share * whole.stat().st_size)])
    with pytest.raises((InvalidInput, DamagedFile)):
        imported(cut, elsewhere)
    assert left_in(elsewhere.data) == []


def test_a_snapshot_with_a_trigger_is_refused(redis: redis_py.Redis, lived: Settings, elsewhere: Settings) -> None:
    bundle = exported(redis, lived, snapshot=True)

    def change(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        index = next(index for index, (info, _) in enumerate(members) if info.name.endswith(".db"))
        path = lived.data / "snapshot.db"
        path.write_bytes(members[index][1])
        with closing(apsw.Connection(str(path))) as connection:
            connection.execute("CREATE TRIGGER strange AFTER INSERT ON edges BEGIN DELETE FROM edges; END")
        members[index] = (members[index][0], path.read_bytes())
        listed = msgspec.json.decode(members[0][1])["members"]
        for one in listed:
            if one["name"] == members[index][0].name:
                one.update(bytes=path.stat().st_size, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
        told_as(members=listed)(members)

    with pytest.raises(DamagedFile, match="trigger"):
        imported(rewritten(bundle, change), elsewhere)


def test_a_space_that_holds_something_is_not_touched(redis: redis_py.Redis, lived: Settings) -> None:
    bundle = exported(redis, lived)
    before = file_hashes(lived.file)
    with pytest.raises(InvalidInput, match="holds a memory already"):
        imported(bundle, lived)
    assert file_hashes(lived.file) == before
    lived.file.unlink()
    with pytest.raises(InvalidInput, match="holds a memory already"):
        imported(bundle, lived)


def test_an_empty_space_is_filled_unless_a_writer_has_it(
    redis: redis_py.Redis, lived: Settings, elsewhere: Settings
) -> None:
    bundle = exported(redis, lived)
    redis.delete(keys.stream("default"))
    writer = SpaceWriter(elsewhere, Stream(redis, "default"), SmallEmbedder())
    writer.take()
    with pytest.raises(SpaceHeld):
        imported(bundle, elsewhere)
    writer.close()
    assert imported(bundle, elsewhere).compared is True


def test_what_a_killed_import_left_is_removed_by_the_next(
    redis: redis_py.Redis, lived: Settings, elsewhere: Settings
) -> None:
    left = elsewhere.data / "spaces" / ".importing-default-999999999"
    left.mkdir(parents=True)
    (left / "half").touch()
    assert unbundling.leftovers(elsewhere.data) == [left]
    imported(exported(redis, lived), elsewhere)
    assert not left.exists()


def test_an_imported_memory_is_private_and_answers(redis: redis_py.Redis, lived: Settings, elsewhere: Settings) -> None:
    imported(exported(redis, lived, snapshot=True), elsewhere)
    for path in [elsewhere.data, *elsewhere.data.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path
    with closing(open_reader(elsewhere.file)) as connection:
        assert recall(connection, "violin", embedder=SmallEmbedder(), now=0)
    assert Position(0, 0) < file_hashes(elsewhere.file).position
