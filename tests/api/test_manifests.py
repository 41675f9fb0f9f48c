"""Manifests over the API: read, tried, applied once; refused with every line."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from identities.models import Account, IssuedToken, Operator
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import manifests
from tests import make
from tests.api.calls import ROOT, Caller, caller

pytestmark = pytest.mark.django_db

TEXT = """\
operator: {name: acme}
accounts:
  - name: orders
    limits: {conn: 10}
    signing_keys: [{role: worker}]
    users: [{name: alice, role: worker}, {name: bob, pub: {allow: [orders.>]}}]
"""


@pytest.fixture
def acme() -> Operator:
    return make.operator("acme")


def path(operator: Operator) -> str:
    return f"operators/{operator.public_key}/manifest"


def test_it_is_tried_applied_and_read_back(acme: Operator) -> None:
    called, tokens = caller(), IssuedToken.objects.count()
    tried = called("PUT", path(acme) + "?dry_run=true", {"manifest": TEXT})
    assert (tried.status_code, tried.data["dry_run"], tried.data["created"]) == (200, True, 3)
    orders, alice, bob = tried.data["changes"]
    assert {"path": "nats.limits.conn", "before": "unlimited", "after": "10"} in orders["fields"]
    assert [field["path"] for field in alice["fields"]] == ["name"]
    assert sorted(field["path"] for field in bob["fields"]) == ["name", "nats.pub.allow"]
    assert tried.data["left"] == ["account “SYS”"]
    assert IssuedToken.objects.count() == tokens
    done = called("PUT", path(acme), {"manifest": TEXT, "plan": tried.data["plan"]})
    assert (done.status_code, done.data["dry_run"]) == (200, False)
    read = called.get(path(acme))
    assert read["Content-Type"] == "text/plain; charset=utf-8"
    assert read.content.decode() == manifests.text(make.COMMAND, acme)
    assert "key: U" in called.get(path(acme) + "?keys=true").content.decode()
    tokens = IssuedToken.objects.count()
    again = called("PUT", path(acme), {"manifest": read.content.decode(), "prune": True})
    assert (again.status_code, again.data["changes"]) == (200, [])
    assert IssuedToken.objects.count() == tokens


def test_what_was_read_is_sent_back_as_it_is(acme: Operator) -> None:
    called = caller()
    assert called("PUT", path(acme), {"manifest": TEXT}).status_code == 200
    read, tokens = called.get(path(acme)).content.decode(), IssuedToken.objects.count()
    for media in ("application/yaml", "text/yaml; charset=utf-8"):
        again = as_it_is(called, acme, read.encode(), media)
        assert (again.status_code, again.json()["changes"]) == (200, [])
    assert IssuedToken.objects.count() == tokens
    changed = as_it_is(called, acme, read.replace("conn: 10", "conn: 11").encode(), query="?dry_run=true")
    assert [each["name"] for each in changed.json()["changes"]] == ["orders"]


def test_of_yaml_only_manifests_are_taken_and_no_seed(acme: Operator) -> None:
    called = caller()
    assert as_it_is(called, acme, b"\xff").json()["code"] == "bad-request"
    assert as_it_is(called, acme, b"accounts: [").status_code == 422
    seed = KeyPair.create(KeyKind.USER).seed().reveal()
    assert as_it_is(called, acme, b"accounts: [{name: " + seed + b"}]").json()["code"] == "seed"
    plain = as_it_is(called, acme, b"accounts: []", "text/plain")
    assert plain.status_code == 415 and "application/yaml" in plain.json()["detail"]
    other = Client().post(
        f"{ROOT}operators",
        b"name: x",
        content_type="application/yaml",
        headers={"Authorization": f"Bearer {called.token}"},
    )
    assert other.status_code == 415 and "yaml" not in other.json()["detail"]


def as_it_is(
    called: Caller, operator: Operator, text: bytes, media: str = "application/yaml", query: str = ""
) -> Any:
    return Client().put(
        f"{ROOT}{path(operator)}{query}",
        text,
        content_type=media,
        headers={"Authorization": f"Bearer {called.token}"},
    )


def test_a_plan_is_applied_to_what_it_was_made_of(acme: Operator) -> None:
    called = caller()
    plan = called("PUT", path(acme) + "?dry_run=true", {"manifest": TEXT}).data["plan"]
    make.account(acme, "meanwhile")
    stale = called("PUT", path(acme), {"manifest": TEXT, "plan": plan})
    assert (stale.status_code, stale.data["code"]) == (412, "stale")
    assert not Account.objects.filter(name="orders").exists()


def test_every_mistake_is_told_with_its_line(acme: Operator) -> None:
    called = caller()
    text = "operator: {nam: acme}\naccounts:\n  - name: a\n    limits: {conns: 1}\n"
    answer = called("PUT", path(acme), {"manifest": text})
    assert (answer.status_code, answer.data["code"]) == (422, "unreadable-manifest")
    assert [one["message"].partition(",")[0] for one in answer.data["errors"]] == [
        "Line 1",
        "Line 1",
        "Line 4",
    ]
    refused = called("PUT", path(acme), {"manifest": TEXT.replace("alice, role: worker", "alice, role: w")})
    assert (refused.status_code, refused.data["code"]) == (422, "manifest-refused")
    assert refused.data["detail"].startswith("Line 6: User “alice” of “orders”: there is no role “w”")
    for body in ({}, {"manifest": ""}, {"manifest": TEXT, "prun": True}, {"manifest": TEXT, "plan": "x"}):
        assert called("PUT", path(acme), body).status_code == 422
    assert not Account.objects.filter(name="orders").exists()


def test_others_do_not_find_it_and_viewers_change_nothing(acme: Operator) -> None:
    stranger = caller(Role.ADMINISTRATOR, operator=make.operator("other"))
    assert stranger.get(path(acme)).status_code == 404
    assert stranger("PUT", path(acme), {"manifest": TEXT}).status_code == 404
    viewer = caller(Role.VIEWER, operator=acme)
    read = viewer.get(path(acme))
    assert read.status_code == 200
    assert viewer("PUT", path(acme) + "?dry_run=true", {"manifest": read.content.decode()}).status_code == 200
    refused = viewer("PUT", path(acme), {"manifest": TEXT})
    assert refused.status_code == 403 and "needs the role" in refused.data["detail"]
