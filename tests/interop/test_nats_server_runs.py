from __future__ import annotations

from tests import natsserver


def test_a_server_starts_reloads_and_comes_back_on_its_port(nats: natsserver.Stable) -> None:
    server = nats.start("authorization { token: one }")
    server.reload("authorization { token: two }")
    port = server.port
    server.restart()
    assert server.port == port
    assert "Server is ready" in server.log
