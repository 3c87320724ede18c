"""The socket at which a door listens: where it cannot, what to do is said."""

from __future__ import annotations

import socket

import pytest

from mnemolog.gateway.listener import listening
from mnemolog.schema.errors import CannotListen


def test_a_port_that_another_program_has_is_named_with_what_to_do() -> None:
    with listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=rf"127\.0\.0\.1, port {port}: Address already in use: give another"):
            listening("127.0.0.1", port)


def test_an_address_that_this_machine_does_not_have_is_named() -> None:
    with pytest.raises(CannotListen, match=r"at 192\.0\.2\.1, port 0: Cannot assign requested address$"):
        listening("192.0.2.1", 0)


def test_an_answer_is_not_held_back_by_40_ms() -> None:
    with (
        listening("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
