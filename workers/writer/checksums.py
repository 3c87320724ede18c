"""Keeps the checksums of the fold tables as rows change, so that any altered value is noticed without the log."""

from __future__ import annotations

from collections import defaultdict

import apsw

from mnemolog.schema.checksums import BYTES, MODULUS, row_hash
from mnemolog.schema.tables import FOLD_TABLES, LOCAL_COLUMNS

HOOK_ID = "mnemolog.checksums"


class Checksums:
    """Follows the changes that one connection makes to the fold tables, from the begin of a transaction to its end."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        # The local column, where there is one, is the first.
        self._skip = {table: len(LOCAL_COLUMNS.get(table, ())) for table in FOLD_TABLES}
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._sums: defaultdict[str, int] = defaultdict(int)
        connection.preupdate_hook(self._changed, id=HOOK_ID)

    def _changed(self, change: apsw.PreUpdate) -> None:
        table = change.table_name
        skip = self._skip.get(table)
        if skip is None:
            return
        if change.old is not None:
            self._counts[table] -= 1
            self._sums[table] -= row_hash(table, change.old[skip:])
        if change.new is not None:
            self._counts[table] += 1
            self._sums[table] += row_hash(table, change.new[skip:])

    def begin(self) -> None:
        """Forgets what was followed so far: call at the begin of each transaction."""
        self._counts.clear()
        self._sums.clear()

    def store(self) -> None:
        """Adds the transaction's changes to the stored checksums: call before the commit."""
        for table, count in self._counts.items():
            old = self._connection.execute(
                "SELECT row_count, row_sum FROM checksums WHERE table_name = ?", (table,)
            ).fetchone()
            rows, total = (old[0], int.from_bytes(old[1], "big")) if old else (0, 0)
            total = (total + self._sums[table]) % MODULUS
            self._connection.execute(
                "INSERT INTO checksums VALUES (?, ?, ?) "
                "ON CONFLICT (table_name) DO UPDATE SET row_count = excluded.row_count, row_sum = excluded.row_sum",
                (table, rows + count, total.to_bytes(BYTES, "big")),
            )
        self.begin()
