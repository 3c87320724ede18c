"""Which message a turn is: the same one in every request that brings it, and another one when it is said again."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from mnemolog.gateway.proxy.conversation import Turn
from mnemolog.gateway.proxy.places import Course, derived_session, digest_of
from mnemolog.gateway.proxy.sessions import Exchange, Session, Sessions


class Log:
    """A session of which every request and every answer is published, as a proxy would."""

    def __init__(self) -> None:
        self.session = Session("default", "monday", Course(), set())
        self.said: list[str] = []

    def ask(self, *texts: str, answer: str | None = None) -> None:
        """A request: user and assistant by turns, the user last; `answer` is what comes back."""
        exchange = self.session.begin(talk(*texts))
        self._publish([(one.event_id, one.turn.text) for one in exchange.asked])
        if answer is not None:
            self._answered(exchange, answer)

    def _answered(self, exchange: Exchange, answer: str) -> None:
        one = exchange.answered(Turn("assistant", answer))
        self._publish([(one.event_id, answer)])

    def _publish(self, events: Iterable[tuple[str, str]]) -> None:
        for event_id, text in events:
            if event_id not in self.session.published:
                self.session.published.add(event_id)
                self.said.append(text)

    def forget_all_but_the_log(self) -> None:
        """The proxy is started again: what it knows is what the memory's file has."""
        roles = {"u": "user", "a": "assistant"}
        digests = tuple(digest_of(Turn(roles[text[0]], text)) for text in self.said)
        self.session = Session("default", "monday", Course(digests), set(self.session.published))


def talk(*texts: str) -> list[Turn]:
    """Turns whose text begins with u or a, for user and assistant."""
    return [Turn("user" if text.startswith("u") else "assistant", text) for text in texts]


def test_a_history_that_grows_is_published_once() -> None:
    log = Log()
    log.ask("u1", answer="a1")
    log.ask("u1", "a1", "u2", answer="a2")
    log.ask("u1", "a1", "u2", "a2", "u3", answer="a3")
    assert log.said == ["u1", "a1", "u2", "a2", "u3", "a3"]


def test_a_resent_request_adds_nothing() -> None:
    log = Log()
    log.ask("u1", answer="a1")
    log.ask("u1", answer="a1")
    log.ask("u1", "a1", "u2")
    log.ask("u1", "a1", "u2", answer="a2")
    assert log.said == ["u1", "a1", "u2", "a2"]


def test_the_same_words_said_twice_are_two_messages() -> None:
    log = Log()
    log.ask("u yes", answer="a ok")
    log.ask("u yes", "a ok", "u yes", answer="a ok")
    log.ask("u yes", "a ok", "u yes", "a ok", "u yes", answer="a ok")
    assert log.said == ["u yes", "a ok"] * 3


def test_an_answer_that_is_made_anew_is_published_beside_the_first_and_the_question_is_not_repeated() -> None:
    log = Log()
    log.ask("u1", answer="a1")
    log.ask("u1", answer="a1, better")
    log.ask("u1", "a1, better", "u2", answer="a2")
    assert log.said == ["u1", "a1", "a1, better", "u2", "a2"]


def test_an_edited_turn_is_published_and_what_stands_after_it_is_not_repeated() -> None:
    log = Log()
    log.ask("u1", "a1", "u2", "a2", "u3", answer="a3")
    log.ask("u1", "a1", "u2 edited", "a2", "u3", "a3", "u4", answer="a4")
    log.ask("u1", "a1", "u2 edited", "a2", "u3", "a3", "u4", "a4", "u5")
    assert log.said == ["u1", "a1", "u2", "a2", "u3", "a3", "u2 edited", "u4", "a4", "u5"]


def test_branches_that_are_gone_back_to_are_not_repeated() -> None:
    log = Log()
    log.ask("u1", "a1", "u left", answer="a left")
    log.ask("u1", "a1", "u right", answer="a right")
    log.ask("u1", "a1", "u left", "a left", "u on", answer="a on")
    log.ask("u1", "a1", "u right", "a right", "u on", answer="a on")
    assert log.said == ["u1", "a1", "u left", "a left", "u right", "a right", "u on", "a on"]


def test_a_history_cut_off_in_front_is_not_repeated_and_a_word_said_again_is_not_lost() -> None:
    log = Log()
    log.ask("u yes", "a 1", "u 2", "a 2", "u 3", answer="a 3")
    log.ask("u 2", "a 2", "u 3", "a 3", "u yes", answer="a yes")
    log.ask("u 3", "a 3", "u yes", "a yes", "u 2", answer="a 2")
    assert log.said == ["u yes", "a 1", "u 2", "a 2", "u 3", "a 3", "u yes", "a yes", "u 2", "a 2"]


def test_a_summary_in_place_of_the_beginning_is_one_message_more() -> None:
    log = Log()
    log.ask("u1", "a1", "u2", "a2", "u3", answer="a3")
    log.ask("u summary of all that", "a2", "u3", "a3", "u4", answer="a4")
    log.ask("u summary of all that", "a3", "u4", "a4", "u5")
    assert log.said == ["u1", "a1", "u2", "a2", "u3", "a3", "u summary of all that", "u4", "a4", "u5"]


def test_only_the_last_message_of_each_turn_is_enough() -> None:
    log = Log()
    log.ask("u1", answer="a1")
    log.ask("u2", answer="a2")
    log.ask("u3", answer="a3")
    assert log.said == ["u1", "a1", "u2", "a2", "u3", "a3"]


def test_a_proxy_that_was_started_again_goes_on_where_it_was() -> None:
    log = Log()
    log.ask("u yes", "a 1", "u 2", answer="a 2")
    log.forget_all_but_the_log()
    log.ask("u 2", "a 2", "u yes", answer="a 3")
    assert log.said == ["u yes", "a 1", "u 2", "a 2", "u yes", "a 3"]


@given(st.lists(st.sampled_from(["yes", "no", "more"]), min_size=1, max_size=12), st.data())
def test_whatever_is_resent_in_between_each_turn_is_published_once_and_in_order(
    words: list[str], data: st.DataObject
) -> None:
    log, history = Log(), []
    for number, word in enumerate(words):
        history.append(f"u {word}")
        for _ in range(data.draw(st.integers(0, 2))):
            log.ask(*history)
        log.ask(*history, answer=f"a {word} {number}")
        history.append(f"a {word} {number}")
        if data.draw(st.booleans()):
            log.forget_all_but_the_log()
    assert log.said == history


def test_white_space_alone_makes_no_other_message() -> None:
    assert digest_of(Turn("user", "Use  Rust.\n")) == digest_of(Turn("user", "Use Rust."))
    assert digest_of(Turn("user", "Use Rust.")) != digest_of(Turn("assistant", "Use Rust."))


def test_a_conversation_without_a_name_keeps_its_session_as_it_grows() -> None:
    system = Turn("system", "It is 10:04.")
    later = Turn("system", "It is 10:09.")
    first = derived_session([system, *talk("u1")], "Ada")
    assert derived_session([later, *talk("u1", "a1", "u2")], "Ada") == first
    assert derived_session(talk("u2"), "Ada") != first
    assert derived_session(talk("u1"), "Ben") != first


def test_a_conversation_without_a_name_is_known_by_its_pairs_when_its_beginning_is_cut_off() -> None:
    sessions = Sessions()
    name = sessions.named("default", None, talk("u1", "a1", "u2", "a2", "u3"))
    sessions.add(Session("default", name, Course(), set()))
    assert sessions.named("default", None, talk("u2", "a2", "u3", "a3", "u4")) == name
    assert sessions.named("default", None, talk("u4", "a4", "u5")) != name
    assert sessions.named("other", None, talk("u2", "a2", "u3")) != name


def test_sessions_that_were_quiet_longest_are_let_go_of() -> None:
    sessions = Sessions(most_turns=4)
    for name in ("first", "second", "third"):
        sessions.add(Session("default", name, Course((b"1", b"2")), set()))
    assert sessions.get("default", "first") is None
    assert sessions.get("default", "third") is not None
