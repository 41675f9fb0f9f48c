"""The activity page's filters, the page of one event, and the way out as JSON Lines: what they tell, and to whom."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from identities.claims.diff import FieldChange
from identities.claims.drafts import AccountEdit
from identities.models import Account, AuditEvent, append_only
from identities.nkeys import KeyKind, KeyPair
from identities.policy.actions import Action
from identities.policy.principal import Role
from identities.services import accounts, audit, audit_exporting
from identities.views import shown
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    made = make.account(name="Shop")
    edit = AccountEdit(name="Shop", description="Sells things")
    return accounts.update(principal=make.COMMAND, account=made, edit=edit, version=made.version)


def get(browser: Client, **query: str) -> str:
    answer = browser.get(reverse("activity"), query)
    assert answer.status_code == 200
    return answer.content.decode().partition('id="event-list"')[2]  # the filter bar names every action


def lines(browser: Client, **filters: str) -> list[dict[str, Any]]:
    answer = browser.post(reverse("activity-export"), filters)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/jsonl"
    assert answer["Cache-Control"] == "no-store"
    return [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]  # type: ignore[attr-defined]


def edited(account: Account) -> AuditEvent:
    return AuditEvent.objects.get(action="account.edit", targets__key=account.public_key)


def test_filters_by_class_of_actions_way_and_summary(account: Account) -> None:
    make.account(account.operator, "Hers", by=make.principal())
    browser = make.client()
    about = get(browser, action="account.")
    assert "Created account “Shop”" in about
    assert "Edited account “Shop”" in about
    assert "Created operator" not in about
    on_page = get(browser, way="page")
    assert "Created account “Hers”" in on_page
    assert "Created account “Shop”" not in on_page
    said = get(browser, q="edited ACC")
    assert "Edited account “Shop”" in said
    assert "Created account" not in said


def test_filters_by_day_both_included(account: Account) -> None:
    append_only.remove(connection)
    wanted = edited(account)
    AuditEvent.objects.filter(pk=wanted.pk).update(at=datetime(2001, 2, 3, 23, 59, 59, tzinfo=UTC))
    browser = make.client()
    day = get(browser, since="2001-02-03", until="2001-02-03")
    assert wanted.summary in day
    assert "Created account" not in day
    assert wanted.summary not in get(browser, since="2001-02-04")
    assert "No event fits" in get(browser, until="2001-02-02")
    assert "Created account" in get(browser, since="no day", until="9999-12-31")


def test_the_price_does_not_grow_with_the_events(
    account: Account, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    browser = make.client(Role.ADMINISTRATOR, operator=account.operator)
    make.user(account, "user-0")
    get(browser, q="user")
    with CaptureQueriesContext(connection) as before:
        assert "user-0" in get(browser, q="user")
    assert len(before) <= 9
    for number in range(1, 40):
        make.user(account, f"user-{number}")
    with django_assert_num_queries(len(before)):
        assert "user-39" in get(browser, q="user")


def test_an_event_tells_what_was_there_before_and_after(account: Account) -> None:
    event = edited(account)
    page = make.client().get(reverse("activity-event", args=[event.seq])).content.decode()
    assert "nats.description" in page
    assert "<ins>Sells things</ins>" in page
    assert event.hash in page
    assert event.prev in page


def test_an_event_out_of_sight_does_not_exist(account: Account) -> None:
    other = make.account()
    viewer = make.client(Role.VIEWER, account=other)
    assert viewer.get(reverse("activity-event", args=[edited(account).seq])).status_code == 404
    assert viewer.get(reverse("activity-event", args=[10**30])).status_code == 404
    assert make.client(None).get(reverse("activity-event", args=[1])).status_code == 403


def test_objects_out_of_sight_are_not_named_nor_what_changed_there(account: Account) -> None:
    """An event about two accounts, seen by somebody who may see one of them."""
    other = make.account(account.operator, "Hidden one")
    told = [FieldChange("nats.secret_of_the_other", "", "x")]
    with transaction.atomic():
        both = [accounts.target(account), accounts.target(other)]
        event = audit.record(make.COMMAND, Action.ACCOUNT_EDIT, both, "Edited two", changes=told)
    narrow = make.client(Role.ADMINISTRATOR, account=account)
    for page in (
        get(narrow, action=Action.ACCOUNT_EDIT.value),
        narrow.get(reverse("activity-event", args=[event.seq])).content.decode(),
        json.dumps(lines(narrow)),
    ):
        assert "Shop" in page
        assert "Edited two" not in page  # a summary may name the other one too
        assert "Hidden one" not in page
        assert "secret_of_the_other" not in page
    number = f"activity/{event.seq}"
    assert number in get(narrow, object="Shop")
    assert number not in get(narrow, object="Hidden")
    assert number not in get(narrow, q="Edited two")
    assert number in get(make.client(Role.VIEWER), q="Edited two")
    wide = make.client(Role.VIEWER).get(reverse("activity-event", args=[event.seq])).content.decode()
    assert "Hidden one" in wide
    assert "secret_of_the_other" in wide


def test_a_user_of_ones_account_is_named(account: Account) -> None:
    make.user(account, "ann")
    assert "ann</a>" in get(make.client(Role.VIEWER, account=account), action="user.create")


def test_what_is_told_by_its_key_alone_is_shown_by_it(account: Account) -> None:
    asked = KeyPair.create(KeyKind.ACCOUNT).public.text
    make.activation_request(account, asked)
    page = get(make.client(), action="activation.ask")
    assert f'<a href="{reverse("search")}?q={asked}">{shown.short(asked)}</a>' in page


def test_the_export_holds_all_that_fits_in_order_and_is_an_event_itself(account: Account) -> None:
    make.many_users(account, [f"user-{number}" for number in range(3)])
    for number in range(audit_exporting.CHUNK + 5):
        audit.record(make.COMMAND, Action.CLIENT_TEST, [], f"event {number}")
    browser = make.client()
    found = lines(browser)
    newest = AuditEvent.objects.latest("seq")
    assert newest.summary == "Exported the audit"
    assert newest.way == "page"
    assert [line["seq"] for line in found] == list(range(1, newest.seq))
    edit = next(line for line in found if line["action"] == "account.edit")
    assert edit["objects"] == [
        {
            "kind": "account",
            "key": account.public_key,
            "name": "Shop",
            "operator_key": account.operator.public_key,
        }
    ]
    assert {"path": "nats.description", "before": "", "after": "Sells things"} in edit["changes"]
    assert edit["hash"] == edited(account).hash
    made = next(line for line in found if line["action"] == "user.create")
    assert [one["name"] for one in made["objects"] if one["kind"] == "user"] == ["user-0", "user-1", "user-2"]


def test_a_filtered_export_says_by_what(account: Account) -> None:
    found = lines(make.client(), action="account.", q="Shop")
    assert {line["action"] for line in found} == {"account.create", "account.edit"}
    assert AuditEvent.objects.latest("seq").summary == (
        "Exported the audit where action “account.”, q “Shop”"
    )


def test_who_only_looks_does_not_export(account: Account) -> None:
    viewer = make.client(Role.VIEWER)
    assert viewer.post(reverse("activity-export")).status_code == 403
    assert reverse("activity-export") not in get(viewer)
    assert reverse("activity-export") in get(make.client())
    assert make.client().get(reverse("activity-export")).status_code == 405
    assert not AuditEvent.objects.filter(action="audit.export").exists()
