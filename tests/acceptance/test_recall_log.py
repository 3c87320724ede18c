"""The recall log at the command line: what was asked is listed, and what was answered is shown again."""

from __future__ import annotations

from typing import Any

from acceptance.memory import Memory
from support import wait_until


def listed(memory: Memory, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = memory.json("recalls", "list", *options)
    return found


def test_a_past_answer_is_shown_as_it_was_given_while_the_memory_goes_on_and_after_it_is_built_again(
    memory: Memory,
) -> None:
    with memory.up():
        memory.run("remember", "My locker is number 17.", "--speaker", "Ada")
        given = memory.run("context", "Which locker does Ada have?").stdout
        assert "17" in given
        wait_until(lambda: len(listed(memory)) == 1, 30, "the recall to be listed")
        (recall,) = listed(memory, "--query", "WHICH LOCKER")
        assert (recall["kind"], recall["options"]["budget"], recall["reinforces"]) == ("context", 1000, True)
        (fact,) = [line["id"] for line in recall["lines"] if line["kind"] == "fact"]
        assert listed(memory, "--node", fact) == [recall]
        memory.run("correct", fact, "My locker is number 18.")
        assert memory.run("context", "Which locker does Ada have?", "--no-record").stdout != given
        assert memory.run("recalls", "show", recall["recall_id"]).stdout == given
    memory.delete_file()
    memory.run("replay")
    assert listed(memory) == [recall]
    shown = memory.run("recalls", "show", recall["recall_id"][:10])
    assert shown.stdout == given
    assert "Which locker does Ada have?" in shown.stderr
    assert recall["recall_id"] in memory.run("recalls", "list", "--limit", "1").stdout


def test_a_recall_that_there_is_not_is_named_so(told: Memory) -> None:
    assert "there is no recall 'rc-nothing'" in told.run("recalls", "show", "rc-nothing", status=2).stderr
    assert (
        "MNEMOLOG_RECALL_LOG" in Memory(told.data, MNEMOLOG_RECALL_LOG="some").run("recalls", "list", status=2).stderr
    )
