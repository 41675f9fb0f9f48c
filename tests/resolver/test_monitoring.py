"""What servers tell of connections and usage, read into values: complete, bounded, and without any JWT."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from identities.claims import codec
from identities.claims.common import Claims
from identities.claims.user import UserBody
from identities.nkeys import KeyKind, KeyPair
from identities.resolver import logins, messages, monitoring
from identities.resolver.messages import Answer, Question, Reply

NOW = 1_800_000_000
ACCOUNT = KeyPair.create(KeyKind.ACCOUNT)
USER = KeyPair.create(KeyKind.USER).public.text


def jwt(**fields: Any) -> str:
    claims = Claims(sub=USER, name="beeper", nats=UserBody(), **fields)
    return codec.encode(claims, ACCOUNT, NOW).text


def answer(data: object, server: str = "n1", **more: Any) -> bytes:
    return json.dumps({"server": {"name": server, "id": f"N{server}"}, "data": data, **more}).encode()


def listing(*cids: int, total: int = 0, **fields: Any) -> dict[str, Any]:
    rows = [
        {"cid": cid, "ip": "::1", "port": 7, "start": "2027-01-15T08:00:00.123456789Z", **fields}
        for cid in cids
    ]
    return {"now": "2027-01-15T08:00:10Z", "total": total or len(rows), "connections": rows}


class Pages:
    """A link to one server that has so many connections."""

    def __init__(self, number: int) -> None:
        self.number, self.asked = number, 0

    def ask_all(
        self, questions: Sequence[Question], *, seconds: float | None = None, window: int = 1
    ) -> list[Reply]:
        self.asked += len(questions)
        return [self._answer(json.loads(question.payload)) for question in questions]

    def _answer(self, options: dict[str, Any]) -> Reply:
        start = options["offset"]
        cids = range(start, min(start + options["limit"], self.number))
        return Reply([answer(listing(*cids, total=self.number))])


def test_a_connection_is_read_without_the_jwt_that_it_logged_in_with() -> None:
    text = jwt(exp=NOW + 60)
    shown = monitoring.listing_of(messages.read(answer(listing(4, jwt=text, lang="go", version="1.2"))))
    (one,) = shown.connections
    assert (one.cid, one.user, one.account) == (4, USER, ACCOUNT.public.text)
    assert (one.issued, one.address, one.language) == (NOW, "[::1]:7", "go")
    assert (shown.now - one.since) > 9.8
    whole = json.dumps(asdict(shown))
    assert "eyJ" not in whole
    assert text.split(".")[1] not in whole + repr(shown)


def test_a_presented_jwt_tells_its_times_and_its_account_and_is_dropped() -> None:
    login = logins.presented(jwt(exp=NOW + 60, nbf=NOW + 5))
    assert (login.user, login.name, login.account) == (USER, "beeper", ACCOUNT.public.text)
    assert (login.issued, login.expires, login.not_before) == (NOW, NOW + 60, NOW + 5)
    assert "eyJ" not in repr(login)


def test_a_jwt_that_nobody_signed_names_nobody() -> None:
    head, body, signature = jwt().split(".")
    forged = f"{head}.{body}.{'A' * len(signature)}"
    for text in (forged, "no jwt", "", None, 7, "x" * 10_000_000):
        assert logins.presented(text) == logins.NOBODY


def test_every_page_of_connections_is_read() -> None:
    link = Pages(2500)
    (found,) = monitoring.connections(link, account="A", expect=1)
    assert [one.cid for one in found.connections] == list(range(2500))
    assert link.asked == 5
    assert not found.problem


def test_the_connections_of_one_user_are_picked_here_whatever_the_server_makes_of_the_question() -> None:
    class Mixed(Pages):
        def _answer(self, options: dict[str, Any]) -> Reply:
            assert "user" not in options
            rows = (
                listing(1, authorized_user="U1")["connections"]
                + listing(2, authorized_user="U2")["connections"]
            )
            return Reply([answer({"total": 2, "connections": rows})])

    (found,) = monitoring.connections(Mixed(2), account="A", user="U2", expect=1)
    assert [one.cid for one in found.connections] == [2]


def test_a_list_that_is_too_long_to_read_says_so(monkeypatch: Any) -> None:
    monkeypatch.setattr(monitoring, "MOST_PAGES", 2)
    (found,) = monitoring.connections(Pages(5000), account="A", expect=1)
    assert len(found.connections) == 1024
    assert "too many" in found.problem


def test_a_refusal_is_a_listing_with_the_servers_words() -> None:
    refused = monitoring.listing_of(messages.read(answer(None, error={"code": 500, "description": "busy"})))
    assert (refused.problem, refused.connections) == ("busy", ())
    assert monitoring.listing_of(Answer(problem="no JSON")).problem == "no JSON"


def test_usage_is_read_in_and_out() -> None:
    row = {
        "conns": 3,
        "num_subscriptions": 9,
        "sent": {"msgs": 1, "bytes": 2},
        "received": {"msgs": 3, "bytes": 4},
    }
    usage = monitoring.usage_of(messages.read(answer({"account_statz": [row]})))
    assert usage is not None
    assert (usage.connections, usage.subscriptions) == (3, 9)
    assert (usage.in_messages, usage.in_bytes, usage.out_messages, usage.out_bytes) == (3, 4, 1, 2)
    assert monitoring.usage_of(messages.read(answer({"account_statz": []}))) is None


def test_streams_are_added_up_by_tier() -> None:
    def stream(replicas: int, storage: str, size: int, leader: str = "n1") -> dict[str, Any]:
        return {
            "cluster": {"leader": leader},
            "config": {"num_replicas": replicas, "storage": storage},
            "state": {"bytes": size, "consumer_count": 2},
        }

    here = answer({"stream_detail": [stream(1, "file", 10), stream(3, "memory", 5)]})
    there = answer({"stream_detail": [stream(1, "file", 7, "n2"), stream(3, "memory", 5)]}, "n2")
    one, three = monitoring.tiers_of([messages.read(here), messages.read(there)])
    assert (one.tier, one.disk, one.memory, one.streams, one.consumers) == ("R1", 17, 0, 2, 4)
    assert (three.tier, three.disk, three.memory, three.streams) == ("R3", 0, 5, 1)


def test_a_server_tells_of_itself_and_of_its_operators() -> None:
    data = {
        "start": "2027-01-15T08:00:00Z", "now": "2027-01-15T09:00:00Z", "connections": 5, "remotes": 2, "cpu": 1.5,
        "jetstream": {"stats": {"memory": 1, "storage": 2}},
        "trusted_operators_claim": [{"sub": "O1", "iat": 5, "exp": 6}],
    }  # fmt: skip
    state = monitoring.state_of(messages.read(answer(data)))
    assert state is not None
    assert (state.now - state.started, state.connections, state.routes, state.cpu) == (3600, 5, 2, 1.5)
    assert (state.jetstream, state.js_memory, state.js_disk) == (True, 1, 2)
    assert [(one.key, one.issued, one.expires) for one in state.operators] == [("O1", 5, 6)]


def test_what_an_account_info_says_of_expiry_and_imports() -> None:
    known = monitoring.known_of(messages.read(answer({"expired": True, "complete": False})))
    assert known is not None
    assert (known.expired, known.complete) == (True, False)
    assert monitoring.known_of(messages.read(answer(None, error={"code": 500}))) is None


def test_odd_values_are_taken_for_none() -> None:
    odd = {"cid": -5, "pending_bytes": 10**40, "ip": ["x"], "port": True, "start": "when", "name": "n" * 999}
    (one,) = monitoring.listing_of(messages.read(answer(listing(1, **odd)))).connections
    assert (one.cid, one.pending, one.address, one.since, len(one.name)) == (0, 2**63 - 1, "", 0.0, 200)
    for data in ([], "x", 7, {"connections": {"a": 1}}, {"connections": [1, "x", None]}):
        assert monitoring.listing_of(messages.read(answer(data))).connections == ()
    state = monitoring.state_of(messages.read(answer({"cpu": 10**400, "jetstream": [], "start": 5})))
    assert state is not None
    assert (state.cpu, state.started, state.jetstream) == (1_000_000.0, 0.0, False)
