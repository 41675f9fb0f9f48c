"""Deleting an account here leads on to its servers: what hangs on it, and deleting it there once that is meant."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from django.urls import reverse

from identities.models import Account, Delivery, Holding, Job, Operator, Snapshot
from identities.policy.principal import Role
from identities.services import accounts, clock, removing, stakes
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Client:
    return make.client()


@pytest.fixture
def operator() -> Operator:
    operator = make.operator()
    cluster = make.cluster(operator, name="Production")
    make.server(cluster, resolver="full", allow_delete=True)
    return operator


def url(operator: Operator, key: str, name: str = "account-removal") -> str:
    return reverse(name, args=[operator.public_key, key])


def deleted(operator: Operator, name: str = "Old") -> Account:
    account = make.account(operator, name=name)
    accounts.delete(principal=make.COMMAND, account=account, version=account.version)
    return account


def test_deleting_an_account_leads_on_to_its_servers(admin: Client, operator: Operator) -> None:
    account = make.account(operator, name="Old")
    sent = {"confirm": "Old", "version": account.version}
    address = reverse("account-delete", args=[operator.public_key, account.public_key])
    answer = admin.post(address, sent)
    assert answer.headers["Location"] == url(operator, account.public_key)
    assert Job.objects.get(kind=stakes.KIND).state == "queued"
    page = admin.get(url(operator, account.public_key)).content.decode()
    assert "no answer yet" in page
    assert "Delete from the servers" in page
    assert not Delivery.objects.filter(wish="delete").exists()


def test_without_a_cluster_it_ends_as_before(admin: Client) -> None:
    account = make.account(name="Old")
    sent = {"confirm": "Old", "version": account.version}
    answer = admin.post(
        reverse("account-delete", args=[account.operator.public_key, account.public_key]), sent
    )
    assert answer.headers["Location"] == reverse("accounts", args=[account.operator.public_key])


def test_what_the_servers_said_and_who_imports_is_shown(admin: Client, operator: Operator) -> None:
    exporter = make.account(operator, name="Old")
    make.export(exporter, "orders.>")
    importer = make.account(operator, name="Reader")
    make.imported(importer, "orders.>", of=exporter)
    accounts.delete(principal=make.COMMAND, account=exporter, version=exporter.version)
    job = stakes.ask(principal=make.COMMAND, operator=operator, public_key=exporter.public_key)
    told = {
        "name": "Production", "problem": "", "servers": 1, "connections": 3, "leafnodes": 0,
        "bytes": 2048, "streams": ["ORDERS", "<b>"],
    }  # fmt: skip
    Job.objects.filter(pk=job.pk).update(state="done", result=json.dumps({"clusters": [told]}))
    page = admin.get(url(operator, exporter.public_key)).content.decode()
    assert "3 clients connected" in page
    assert "2 streams of 2 KiB: ORDERS, &lt;b&gt;" in page
    assert "Reader" in page


def test_who_did_not_answer_is_named_and_all_streams_are_counted(admin: Client, operator: Operator) -> None:
    account = deleted(operator)
    job = stakes.ask(principal=make.COMMAND, operator=operator, public_key=account.public_key)
    told = {
        "name": "Production", "problem": "", "servers": 2, "silent": ["n3"], "connections": 0, "leafnodes": 0,
        "bytes": 0, "streams": ["S0", "S1"], "stream_count": 60,
    }  # fmt: skip
    Job.objects.filter(pk=job.pk).update(state="done", result=json.dumps({"clusters": [told]}))
    page = admin.get(url(operator, account.public_key)).content.decode()
    assert "60 streams of 0 B: S0, S1 and 58 more" in page
    assert "not known: n3 did not answer" in page


def test_before_the_deletion_here_what_was_last_known_is_told(admin: Client, operator: Operator) -> None:
    account = make.account(operator, name="Old")
    address = reverse("account-delete", args=[operator.public_key, account.public_key])
    page = admin.get(address).content.decode()
    assert reverse("account-live", args=[operator.public_key, account.public_key]) in page
    assert "Look first who is connected" in page
    assert "what Production had" not in page
    body = {
        "usage": [{"connections": 2}, {"connections": 1}],
        "tiers": [{"streams": 2, "memory": 0, "disk": 2048}],
    }
    Snapshot.objects.create(
        cluster=operator.clusters.get(), subject=account.public_key, account_key=account.public_key,
        wanted_until=clock.now(), taken_at=clock.now(), body=json.dumps(body),
    )  # fmt: skip
    page = admin.get(address).content.decode()
    assert "what Production had at" in page
    assert "3 connections, 2 streams of 2.0 KiB" in page
    lone = make.account()
    page = admin.get(
        reverse("account-delete", args=[lone.operator.public_key, lone.public_key])
    ).content.decode()
    assert "Look first" not in page


def test_it_is_deleted_there_once_the_name_is_typed(admin: Client, operator: Operator) -> None:
    account = deleted(operator)
    address = url(operator, account.public_key)
    wrong = admin.post(address, {"confirm": "new", "version": account.version})
    assert wrong.status_code == 422
    assert not Delivery.objects.filter(wish="delete").exists()
    sent = {"confirm": "Old", "version": account.version}
    assert admin.post(address, sent).headers["Location"] == address
    row = Delivery.objects.get(wish="delete")
    assert (row.account_key, row.state) == (account.public_key, "waiting")


def test_where_no_server_allows_it_that_is_said(admin: Client, operator: Operator) -> None:
    account = deleted(operator)
    operator.clusters.get().servers.update(allow_delete=False)
    answer = admin.post(url(operator, account.public_key), {"confirm": "Old", "version": account.version})
    assert answer.status_code == 422
    assert "allow_delete: true" in answer.content.decode()


def test_live_accounts_strangers_and_viewers_are_refused(admin: Client, operator: Operator) -> None:
    live, gone = make.account(operator), deleted(operator)
    assert admin.get(url(operator, live.public_key)).status_code == 404
    assert admin.get(url(make.operator(), gone.public_key)).status_code == 404
    assert make.client(Role.VIEWER).get(url(operator, gone.public_key)).status_code == 403
    assert make.client(None).get(url(operator, gone.public_key)).status_code in (403, 404)
    assert (
        make.client(Role.VIEWER).post(url(operator, gone.public_key, "account-removal-ask")).status_code
        == 403
    )


def test_the_servers_are_asked_again_and_the_part_is_quiet_until_something_changes(
    admin: Client, operator: Operator
) -> None:
    account = deleted(operator)
    address = url(operator, account.public_key)
    first = admin.get(address, headers={"HX-Request": "true"})
    seen = first.context["seen"]
    assert admin.get(f"{address}?seen={seen}", headers={"HX-Request": "true"}).status_code == 204
    answer = admin.post(url(operator, account.public_key, "account-removal-ask"))
    assert answer.headers["Location"] == address
    assert admin.get(f"{address}?seen={seen}", headers={"HX-Request": "true"}).status_code == 200


def test_before_anything_was_asked_nothing_counts_as_delivered(admin: Client, operator: Operator) -> None:
    account = make.account(operator, "Old")
    Delivery.objects.filter(account_key=account.public_key).update(state="done")
    holds(operator, account, "same")
    accounts.delete(principal=make.COMMAND, account=account, version=account.version)
    page = admin.get(url(operator, account.public_key)).content.decode()
    assert "Still there" in page
    assert "nothing was asked of its servers" in page
    assert "Delivered" not in page


@pytest.mark.parametrize("state", ["missing", "deleted", None])
def test_what_is_gone_everywhere_is_done(admin: Client, operator: Operator, state: str | None) -> None:
    account = deleted(operator)
    address = url(operator, account.public_key)
    removing.remove(principal=make.COMMAND, operator=operator, public_key=account.public_key)
    first = admin.get(address)
    page, before = first.content.decode(), first.context["seen"]
    assert "Delete it there" in page
    assert "Waiting" in page
    Delivery.objects.filter(account_key=account.public_key).update(state="done")
    if state is not None:
        holds(operator, account, state)
    page = admin.get(address).content.decode()
    assert "It is deleted on every server." in page
    assert "Delete it there" not in page
    assert "Waiting" not in page
    part = admin.get(f"{address}?seen={before}", headers={"HX-Request": "true"})
    assert part.headers["HX-Refresh"] == "true"
    part = admin.get(f"{address}?seen={part.context['seen']}", headers={"HX-Request": "true"})
    assert part.status_code == 204
    assert "Deleted there" in page


def holds(operator: Operator, account: Account, state: str) -> None:
    server = operator.clusters.get().servers.get()
    Holding.objects.create(server=server, account_key=account.public_key, state=state, at=clock.now())
