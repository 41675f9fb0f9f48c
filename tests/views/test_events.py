"""Pages of what happened to clients: by name, with the cause in plain words and the way to mend it."""

from __future__ import annotations

import html
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from identities.claims.drafts import AccountEdit
from identities.claims.permissions import UserPermissionLimits
from identities.models import Account, Cluster, EventKind, Operator, ServerEvent, User
from identities.policy.principal import Role
from identities.queries import server_events
from identities.queries.server_events import Why
from identities.services import accounts, clock, suspensions, user_keys, users
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def cluster() -> Cluster:
    return make.cluster()


@pytest.fixture
def account(cluster: Cluster) -> Account:
    return make.account(cluster.operator, "Orders")


def refused(cluster: Cluster, user: User | None = None, **columns: Any) -> ServerEvent:
    """A refused login with the user's current JWT."""
    told: dict[str, Any] = {}
    if user is not None:
        told = {
            "account_key": user.account.public_key,
            "user_key": user.public_key,
            "issued": user.last_iat,
            "expires": user.expires,
        }
    values = {
        "kind": EventKind.AUTH_FAILED, "server": "n1", "reason": "Authentication Failure", "at": clock.now(),
        "address": "192.0.2.7", **told, **columns,
    }  # fmt: skip
    return ServerEvent.objects.create(cluster=cluster, **values)


def why(event: ServerEvent) -> server_events.Cause:
    operator: Operator = event.cluster.operator
    return server_events.cause(event, server_events.background(operator, [event]))


def page(client: Client, cluster: Cluster, **query: str) -> str:
    address = reverse("cluster-events", args=[cluster.operator.public_key, cluster.pk])
    answer = client.get(address, query)
    assert answer.status_code == 200
    return html.unescape(" ".join(answer.content.decode().split()))


def test_an_expired_jwt_is_told_with_how_long_ago_and_leads_to_a_later_expiry(
    cluster: Cluster, account: Account
) -> None:
    user = make.user(account, "late")
    refused(cluster, user, expires=clock.unix() - 3 * 3600 - 5)
    text = page(make.client(Role.VIEWER), cluster)
    assert "Its JWT had expired 3 hours before." in text
    assert (
        reverse("user-edit", args=[account.operator.public_key, account.public_key, user.public_key]) in text
    )
    assert "Give it a later expiry" in text
    assert "late" in text
    assert "Authentication Failure" in text


def test_where_a_newer_jwt_exists_its_creds_are_to_be_handed_out(cluster: Cluster, account: Account) -> None:
    user = make.user(account, "late")
    refused(cluster, user, issued=user.last_iat - 100, expires=user.last_iat - 50)
    text = page(make.client(Role.VIEWER), cluster)
    assert "It has had a newer JWT since" in text
    assert "Hand out its creds" in text


def test_each_cause_is_found(cluster: Cluster, account: Account) -> None:
    deleted, suspended, rotated, revoked, plain = (make.user(account) for _ in range(5))
    early = make.user(account)
    events = {
        Why.NO_JWT: refused(cluster),
        Why.STRANGE_ACCOUNT: refused(cluster, plain, account_key=make.account().public_key),
        Why.NOT_YET: refused(cluster, early, not_before=clock.unix() + 60),
        Why.DELETED: refused(cluster, deleted),
        Why.SUSPENDED: refused(cluster, suspended),
        Why.FORMER_KEY: refused(cluster, rotated),
        Why.REVOKED: refused(cluster, revoked),
        Why.UNKNOWN: refused(cluster, plain, issued=clock.unix() + 9),
        Why.STRANGE_USER: refused(cluster, plain, user_key=make.user().public_key, issued=clock.unix() + 9),
    }
    users.delete(principal=make.COMMAND, user=deleted, version=deleted.version)
    suspensions.suspend(principal=make.COMMAND, user=suspended, version=suspended.version)
    user_keys.rotate(principal=make.COMMAND, user=rotated, version=rotated.version)
    accounts.revoke(principal=make.COMMAND, account=account, entries={revoked.public_key: revoked.last_iat})
    assert {wanted: why(event).why for wanted, event in events.items()} == {one: one for one in events}
    assert "known here" in page(make.client(Role.VIEWER), cluster)


def test_an_expired_and_a_deleted_account_are_told(cluster: Cluster, account: Account) -> None:
    user = make.user(account)
    event = refused(cluster, user, at=clock.now() + timedelta(minutes=30))
    edit = AccountEdit(
        name=account.name, expires=clock.unix() + 600, not_before=0, tags=(), description="", info_url=""
    )
    account = accounts.update(principal=make.COMMAND, account=account, edit=edit, version=account.version)
    assert why(event).why is Why.ACCOUNT_EXPIRED
    accounts.delete(principal=make.COMMAND, account=account, version=account.version)
    assert why(event).why is Why.ACCOUNT_DELETED


def test_a_user_that_is_bound_to_networks_leads_to_its_limits(cluster: Cluster, account: Account) -> None:
    from dataclasses import replace

    user = make.user(account, limits=replace(UserPermissionLimits.unlimited(), src=("192.0.2.0/24",)))
    assert why(refused(cluster, user)).why is Why.RESTRICTED


def test_events_are_filtered_by_kind_name_key_and_address(cluster: Cluster, account: Account) -> None:
    alice, bob = make.user(account, "alice"), make.user(account, "bob")
    refused(cluster, alice, name="billing")
    refused(cluster, bob, kind=EventKind.DISCONNECTED, reason="Slow Consumer (Pending Bytes)", address="::1")
    client = make.client(Role.VIEWER)

    def names(**query: str) -> set[str]:
        text = page(client, cluster, **query).partition('id="event-list"')[2]
        return {name for name in ("alice", "bob") if f">{name}<" in text}

    assert names() == {"alice", "bob"}
    assert names(kind="disconnected") == {"bob"}
    assert names(kind="nonsense") == {"alice", "bob"}
    assert names(text="billing") == {"alice"}
    assert names(text="bob") == {"bob"}
    assert names(text=alice.public_key) == {"alice"}
    assert names(text="192.0.2") == {"alice"}
    assert "Nothing matches" in page(client, cluster, text="nobody of that name")
    assert "did not read fast enough" in page(client, cluster)


def test_too_many_connections_lead_to_the_limits_and_a_strange_account_to_whose_it_is(
    cluster: Cluster, account: Account
) -> None:
    user, strange = make.user(account, "alice"), make.account().public_key
    refused(cluster, user, reason="Maximum Account Connections Exceeded")
    refused(cluster, user, account_key=strange)
    text = page(make.client(Role.VIEWER), cluster)
    assert "more connections than its limits allow" in text
    limits = reverse("account-limits", args=[account.operator.public_key, account.public_key])
    assert f'<a href="{limits}">Look at the account\'s limits</a>' in text
    assert f'<a href="{reverse("whose")}">What is this key?</a>' in text
    assert strange in text


def test_an_account_and_a_user_have_their_own_events_in_all_clusters(
    cluster: Cluster, account: Account
) -> None:
    alice, bob = make.user(account, "alice"), make.user(account, "bob")
    refused(cluster, alice)
    refused(make.cluster(cluster.operator), bob)
    refused(make.cluster(), alice)  # somebody else's servers may say what they like
    client = make.client(Role.VIEWER)
    keys = [account.operator.public_key, account.public_key]
    answer = client.get(reverse("account-events", args=keys))
    assert [row.name for row in answer.context["rows"]] == ["bob", "alice"]
    answer = client.get(reverse("user-events", args=[*keys, alice.public_key]))
    assert [row.name for row in answer.context["rows"]] == ["alice"]
    assert "May it" in answer.content.decode()


def test_what_was_lost_is_told(cluster: Cluster) -> None:
    ServerEvent.objects.create(cluster=cluster, kind=EventKind.LOST, server="", reason="42", at=clock.now())
    assert "42 events came at once that were too many to be kept." in page(make.client(Role.VIEWER), cluster)


def test_pages_of_events_cost_the_same_whatever_they_hold(cluster: Cluster, account: Account) -> None:
    client = make.client(Role.VIEWER)
    counts = []
    for number in (1, 60):
        for _ in range(number):
            refused(cluster, make.user(make.account(account.operator)))
        with CaptureQueriesContext(connection) as queries:
            text = page(client, cluster)
        counts.append(len(queries))
    assert counts[1] <= counts[0] + 1  # the total is counted once there is more than one page
    assert "Next" in text


def test_strangers_see_no_events(cluster: Cluster, account: Account) -> None:
    user = make.user(account)
    stranger = make.client(Role.VIEWER, operator=make.operator())
    keys = [account.operator.public_key, account.public_key]
    for address in (
        reverse("cluster-events", args=[keys[0], cluster.pk]),
        reverse("account-events", args=keys),
        reverse("user-events", args=[*keys, user.public_key]),
    ):
        assert stranger.get(address).status_code == 404
