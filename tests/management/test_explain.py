"""`manage.py explain`."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from identities.claims.permissions import Permission, UserPermissionLimits
from identities.models import User
from identities.nkeys import KeyKind, KeyPair
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    limits = replace(
        UserPermissionLimits.unlimited(),
        pub=Permission(allow=("orders.>",)),
        sub=Permission(allow=("work workers",)),
    )
    return make.user(make.account(make.operator("Op"), "Shop"), "ann", limits=limits)


def run(*args: str, code: int = 0) -> str:
    out = io.StringIO()
    if code:
        with pytest.raises(SystemExit) as ended:
            call_command("explain", *args, stdout=out)
        assert ended.value.code == code
    else:
        call_command("explain", *args, stdout=out)
    return out.getvalue()


def test_it_says_yes_and_by_what(user: User) -> None:
    said = run(user.public_key, "publish", "orders.new")
    assert said.startswith("Yes: ann may publish to `orders.new`.")
    assert f"decided by user {user.public_key}: nats.pub.allow[0] orders.>" in said


def test_it_says_no_and_ends_with_one(user: User) -> None:
    assert run("ann", "publish", "x", code=1).startswith("No: ann may not publish to `x`.")
    assert run("ann", "subscribe", "work", code=1)
    assert run("ann", "subscribe", "work", "--queue", "workers").startswith("Yes")
    said = run("ann", "request", "orders.x", code=1)
    assert "its answer can't arrive" in said


def test_it_writes_json(user: User) -> None:
    said = json.loads(run("ann", "publish", "x", "--json", code=1))
    assert (said["user"], said["verdict"], said["rule"]["path"]) == (user.public_key, "no", "nats.pub.allow")


def test_it_explains_a_log_line(user: User) -> None:
    line = f'cid:6 - Publish Violation - JWT User "{user.public_key}", Subject "x"'
    said = run("--log", line)
    assert said.startswith("Publishing was refused:")
    assert "No: ann may not publish to `x`." in said
    (document,) = json.loads(run("--log", line, "--json"))
    assert (document["user"], document["answer"]["verdict"], document["known"]) == (
        user.public_key,
        "no",
        True,
    )


def test_it_takes_standard_input_and_a_user(user: User, monkeypatch: Any) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('nats: permissions violation for publish to "x"\n'))
    said = run("--log", "-", "ann")
    assert "No: ann may not publish to `x`." in said
    assert "small letters" in said
    assert "Nothing in the user's or account's JWT" in run("--log", "Authorization Violation", "ann")


def test_unknown_text_is_said_to_be_so(user: User) -> None:
    assert "Nothing in this text is known" in run("--log", "hello", code=1)


def test_it_says_what_a_task_needs() -> None:
    said = run("--task", "stream-consume", "--name", "ORDERS", "--consumer", "C")
    assert "pub   $JS.API.CONSUMER.MSG.NEXT.ORDERS.C  Asks for the next messages." in said
    needed = json.loads(run("--task", "request", "--about", "a", "--inbox", "_INBOX_x", "--json"))
    assert [(line["side"], line["subject"]) for line in needed] == [("pub", "a"), ("sub", "_INBOX_x.>")]
    with pytest.raises(CommandError, match="What is it called"):
        run("--task", "kv-read")


def test_what_is_wrong_is_said(user: User) -> None:
    make.user(user.account, "bob")
    make.user(make.account(user.account.operator, "Other"), "bob")
    seed = KeyPair.create(KeyKind.USER).seed().reveal().decode()
    for args, said in (
        ((), "Give USER_KEY"),
        (("ann", "publish"), "Give USER_KEY"),
        (("nobody", "publish", "x"), "No user of this key"),
        (("bob", "publish", "x"), "Several users are called so"),
        (("ann", "publish", "a.*"), "without wildcards"),
        (("--log", seed), "There is a seed"),
    ):
        with pytest.raises(CommandError, match=said) as refused:
            run(*args)
        assert seed not in str(refused.value)
