"""Whose connections end, and what is made of servers that can't end a single one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
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


class Returning:
    """A server whose client comes back at once, under another number, whenever it is kicked."""

    def __init__(self, *, began: float = 100.0, now: float = 200.0) -> None:
        self.cid, self.began, self.now, self.kicked = 1, began, now, list[int]()

    def ask_all(
        self, questions: Sequence[Question], *, seconds: float | None = None, window: int = 1
    ) -> list[Reply]:
        return [self._answer(question) for question in questions]

    def _answer(self, question: Question) -> Reply:
        data: dict[str, Any] = {}
        if question.subject.endswith(".KICK"):
            self.kicked.append(self.cid)
            self.cid, self.began = self.cid + 1, self.now
        else:
            row = {"cid": self.cid, "authorized_user": "U1", "issuer_key": "A2", "start": _time(self.began)}
            data = {"total": 1, "connections": [row], "now": _time(self.now)}
        return Reply([json.dumps({"server": {"name": "new", "id": "N1"}, "data": data}).encode()])


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


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
        assert whom.includes(one, age=9, edited_for=1) is ends
    assert whom.includes(Connection(cid=1, user="U2"), age=9, edited_for=1)  # its `iat` is not known
    assert not Whom(entries={"U1": 100}).includes(Connection(cid=1, user="U2"), age=9, edited_for=1)


def test_a_removed_key_ends_all_and_a_changed_role_those_from_before() -> None:
    whom = Whom(gone=("A1",), changed=("A2",))
    assert whom.includes(Connection(cid=1, issuer="A1"), age=0, edited_for=5)
    assert whom.includes(Connection(cid=1, issuer="A2"), age=6, edited_for=5)
    assert not whom.includes(Connection(cid=1, issuer="A2"), age=4, edited_for=5)
    assert not whom.includes(Connection(cid=1, issuer="A3"), age=9, edited_for=5)


def test_only_one_user_is_asked_for_where_it_is_about_one() -> None:
    assert Whom(entries={"U1": 5}).one_user == "U1"
    assert Whom(entries={"*": 5}).one_user == ""
    assert Whom(entries={"U1": 5, "U2": 5}).one_user == ""
    assert Whom(entries={"U1": 5}, gone=("A1",)).one_user == ""


def test_who_was_merely_disconnected_and_came_back_is_left_alone() -> None:
    server = Returning()
    (told,) = kicking.end(server, Whom(entries={"U1": 5}), account="A", expect=1, may_return=True)
    assert (told.found, told.kicked, told.left, told.others) == (1, 1, 0, 1)
    assert server.kicked == [1]


def test_who_is_to_stay_out_is_kicked_again() -> None:
    server = Returning()
    (told,) = kicking.end(server, Whom(entries={"U1": 5}), account="A", expect=1)
    assert server.kicked == [1, 2, 3]
    assert told.left == 1


@pytest.mark.parametrize(("edited_for", "kicked"), [(50.0, [1]), (150.0, [])])
def test_who_began_after_a_role_changed_is_left_alone(edited_for: float, kicked: list[int]) -> None:
    server = Returning()  # its client began 100 seconds ago
    (told,) = kicking.end(server, Whom(changed=("A2",)), account="A", expect=1, edited_for=edited_for)
    assert (server.kicked, told.left) == (kicked, 0)
