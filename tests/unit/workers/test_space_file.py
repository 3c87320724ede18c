"""Opening a space's file."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import apsw
import pytest

from mnemolog.workers.writer.space_file import immediate, open_for_writing


def test_many_may_open_a_new_file_at_the_same_moment(tmp_path: Path) -> None:
    failed: list[Exception] = []

    def open_it(path: Path, gate: threading.Barrier) -> None:
        gate.wait()
        try:
            open_for_writing(path).close()
        except apsw.Error as error:
            failed.append(error)

    for number in range(25):
        gate = threading.Barrier(6)
        path = tmp_path / f"{number}.db"
        threads = [threading.Thread(target=open_it, args=(path, gate)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []


def test_only_the_owner_may_read_a_space(tmp_path: Path) -> None:
    path = tmp_path / "spaces" / "ada" / "space.db"
    open_for_writing(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_first_error_of_a_transaction_is_the_one_that_is_raised(tmp_path: Path) -> None:
    connection = open_for_writing(tmp_path / "space.db")
    connection.execute("CREATE TABLE t (x)")
    connection.pragma("max_page_count", connection.pragma("page_count"))
    with pytest.raises(apsw.FullError), immediate(connection):
        connection.execute("INSERT INTO t VALUES (zeroblob(1000000))")
    assert not connection.in_transaction
    with pytest.raises(apsw.SQLError, match="nowhere"), immediate(connection):
        connection.execute("INSERT INTO t VALUES (1); INSERT INTO nowhere VALUES (1)")
    assert connection.execute("SELECT count(*) FROM t").get == 0
    connection.close()
