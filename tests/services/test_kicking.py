"""Whose connections end, and what is made of servers that can't end a single one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from identities.resolver.messages import Question, Reply
from identities.resolver.observed import Connection
from identities.services import kicking
from identities.services.kicking import Whom


class Old:
    """A server that lists connections, and drops `leaves` of them each time it is asked; it knows no KICK."""

    def __init__(self, number: int, leaves: int) -> None:
        self.left, self.leaves, self.kicks = list(range(number)), leaves, 0

    def ask_all(
        self, questions: Sequence[Question], *, seconds: float | None = None, window: int = 1
    ) -> list[Reply]:
        return [self._answer(question) for question in questions]

    def _answer(self, question: Question) -> Reply:
        if question.subject.endswith(".KICK"):
            self.kicks += 1
            return Reply(nobody=True)
        rows: list[dict[str, Any]] = [{"cid": cid, "authorized_user": "U1"} for cid in self.left]
        self.left = self.left[self.leaves :]
        data = {"total": len(rows), "connections": rows}
        return Reply([json.dumps({"server": {"name": "old", "id": "N1"}, "data": data}).encode()])


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kicking, "PAUSE", 0)


def test_where_kick_is_unknown_the_servers_own_drop_is_waited_for() -> None:
    server = Old(2, leaves=1)
    (told,) = kicking.end(server, Whom(entries={"U1": 5}), account="A", expect=1)
    assert (told.found, told.kicked, told.left) == (2, 0, 0)
    assert told.said == kicking.NO_KICK
    assert server.kicks == 2  # asked once each, then never again


def test_who_does_not_leave_is_told() -> None:
    (told,) = kicking.end(Old(3, leaves=0), Whom(entries={"U1": 5}), account="A", expect=1)
    assert told.left == 3


def test_of_a_server_that_is_only_looked_at_nobody_is_kicked() -> None:
    server = Old(1, leaves=0)
    (told,) = kicking.end(server, Whom(entries={"U1": 5}), account="A", expect=1, kick=False)
    assert (told.left, server.kicks) == (1, 0)


def test_a_revocation_includes_what_was_issued_by_then() -> None:
    whom = Whom(entries={"U1": 100, "*": 50})
    for user, issued, ends in (("U1", 100, True), ("U1", 101, False), ("U2", 50, True), ("U2", 51, False)):
        one = Connection(cid=1, user=user, issued=issued)
        assert whom.includes(one, age=9, delivered_for=1) is ends
    assert whom.includes(Connection(cid=1, user="U2"), age=9, delivered_for=1)  # its `iat` is not known
    assert not Whom(entries={"U1": 100}).includes(Connection(cid=1, user="U2"), age=9, delivered_for=1)


def test_a_removed_key_ends_all_and_a_changed_role_those_from_before() -> None:
    whom = Whom(gone=("A1",), changed=("A2",))
    assert whom.includes(Connection(cid=1, issuer="A1"), age=0, delivered_for=5)
    assert whom.includes(Connection(cid=1, issuer="A2"), age=6, delivered_for=5)
    assert not whom.includes(Connection(cid=1, issuer="A2"), age=4, delivered_for=5)
    assert not whom.includes(Connection(cid=1, issuer="A3"), age=9, delivered_for=5)


def test_only_one_user_is_asked_for_where_it_is_about_one() -> None:
    assert Whom(entries={"U1": 5}).one_user == "U1"
    assert Whom(entries={"*": 5}).one_user == ""
    assert Whom(entries={"U1": 5, "U2": 5}).one_user == ""
    assert Whom(entries={"U1": 5}, gone=("A1",)).one_user == ""
