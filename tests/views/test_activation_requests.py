"""Pages of requests for activations: from the import form to the answer, and what neither side is told."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from identities.claims import codec
from identities.claims.imports import Import
from identities.models import Account, ActivationRequest, Grant
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import changes
from tests import make
from tests.pages import Page, Visitor, named

pytestmark = pytest.mark.django_db
STRANGER = KeyPair.create(KeyKind.ACCOUNT).public.text


@pytest.fixture
def orders(db: None) -> Account:
    """Exports `orders.>` privately."""
    account = make.account(make.operator("Test"), "Orders")
    make.export(account, "orders.>", token_req=True)
    return account


@pytest.fixture
def billing(orders: Account) -> Account:
    return make.account(orders.operator, "Billing")


def url(name: str, account: Account, *more: object) -> str:
    return reverse(name, args=[account.operator.public_key, account.public_key, *more])


def held(account: Account) -> tuple[Import, ...]:
    found: tuple[Import, ...] = changes.claims_of(Account.objects.get(pk=account.pk)).nats.imports
    return found


def asked(visitor: Visitor, billing: Account, **typed: Any) -> Page:
    """Somebody fills in the form for a token."""
    form = visitor.open(url("activation-request-create", billing))
    return visitor.send(form, action="/requests/new", **{"type": "stream", "subject": "orders.new", **typed})


def test_from_the_import_form_over_the_request_to_the_import_with_its_token(
    orders: Account, billing: Account
) -> None:
    bob, ann = named("bob", account=billing), named("ann", account=orders)
    form = bob.open(url("import-create", billing))
    typed = {"account": orders.public_key, "type": "stream", "subject": "orders.new", "local_subject": "ours"}
    shown = bob.send(form, action="/imports/new", preview="1", **typed)
    assert "If it is private, a token of that account is needed." in shown.text
    ask = bob.open(shown.link("/requests/new"))
    fields = ask.form(action="/requests/new").values
    assert [fields[name] for name in typed] == [[value] for value in typed.values()]
    page = bob.send(ask, action="/requests/new", reason="For the monthly reports")
    assert page.status == 200
    assert "Asked. Whoever may answer sees it." in page.text
    assert "Waits" in page.text
    assert "Orders" not in page.text
    request = ActivationRequest.objects.get()

    assert "Requests 1" in bob.open(url("imports", billing)).text
    assert "Requests 1" in ann.open(url("exports", orders)).text
    overview = ann.open(url("account", orders))
    assert "1 request waits for an answer: other accounts ask for tokens of private exports." in overview.text
    listed = ann.open(overview.link("/requests/"))
    assert "Asked of us" in listed.text and "Billing" in listed.text
    page = ann.open(listed.link(f"/requests/{request.pk}/"))
    for word in ("Billing", "bob", "For the monthly reports", "orders.new", "orders.>"):
        assert word in page.text
    assert not [address for _, address in page.links if url("account", billing) in address]
    done = ann.send(page, action="/grant", words_along="Until summer")
    assert "Granted: the token is issued, and stands in the import" in done.text
    assert not any(form.action.endswith(("/grant", "/decline")) for form in done.forms)

    (one,) = held(billing)
    assert (one.subject, one.local_subject) == ("orders.new", "ours")
    assert codec.decode(one.token).claims.sub == billing.public_key
    page = bob.open(url("activation-request", billing, request.pk))
    for word in ("Granted by ann", "Until summer", "It stands in the imports of this account."):
        assert word.casefold() in page.text.casefold()
    file = bob.client.get(url("activation-request-jwt", billing, request.pk))
    assert "BEGIN NATS ACTIVATION JWT" in file.content.decode()
    assert one.token in file.content.decode()
    assert "Nothing waits." in bob.open(url("activation-requests", billing)).text
    assert "orders.new" in bob.open(f"{url('activation-requests', billing)}?all=1").text


def test_a_stranger_and_an_account_out_of_sight_get_the_same_answer(
    orders: Account, billing: Account
) -> None:
    bob = named("bob", account=billing)
    told = []
    for number, key in enumerate((STRANGER, orders.public_key)):
        page = asked(bob, billing, account=key)
        request = ActivationRequest.objects.latest("pk")
        told.append(_without(page.text, key, request.pk))
        listed = bob.open(f"{url('activation-requests', billing)}?all=1").text
        assert "Orders" not in listed and "Asked of us" in listed
        assert listed.count("Waits") == number + 1
    assert told[0] == told[1]
    refused = asked(bob, billing, account="Orders")
    assert refused.status == 422
    assert "There is no account “Orders” under “Test” that you may see." in refused.text


def _without(text: str, key: str, number: int) -> str:
    """The page without what differs: the key that was asked, its short form, the number."""
    for word in (key, *(key[:length] for length in range(12, 3, -1)), key[-4:]):
        text = text.replace(word, "KEY")
    return text.replace(f"Request {number}", "Request N").replace(f" {number} ", " N ")


def test_who_may_not_answer_sees_nothing_of_what_was_asked_of_the_account(
    orders: Account, billing: Account
) -> None:
    request = make.activation_request(billing, orders)
    for role in (Role.VIEWER, Role.USER_MANAGER):
        viewer = named(f"{role}", role, account=orders)
        for name in ("activation-requests", "exports", "account"):
            page = viewer.open(url(name, orders))
            assert "Billing" not in page.text and "Asked of us" not in page.text
            assert "Requests 1" not in page.text and "request waits" not in page.text
        assert viewer.client.get(url("activation-request", orders, request.pk)).status_code == 404
        for name in ("grant", "decline"):
            path = url(f"activation-request-{name}", orders, request.pk)
            assert viewer.client.post(path).status_code == 403
    other = named("other", account=make.account(orders.operator, "Other"))
    for account in (orders, billing):
        assert other.client.get(url("activation-request", account, request.pk)).status_code == 404
        assert other.client.get(url("activation-requests", account)).status_code == 404


def test_a_viewer_of_the_asking_account_looks_and_does_nothing(orders: Account, billing: Account) -> None:
    request = make.activation_request(billing, orders)
    viewer = named("eve", Role.VIEWER, account=billing)
    page = viewer.open(url("activation-request", billing, request.pk))
    assert page.status == 200 and "Orders" not in page.text
    assert not [form.action for form in page.forms if "/requests/" in form.action]
    for name in ("activation-request-withdraw", "activation-request-create"):
        more = () if name.endswith("create") else (request.pk,)
        assert viewer.client.post(url(name, billing, *more)).status_code == 403
    assert viewer.client.get(url("activation-request-jwt", billing, request.pk)).status_code == 404


def test_it_is_declined_with_words_and_withdrawn_by_a_button(orders: Account, billing: Account) -> None:
    bob, ann = named("bob", account=billing), named("ann", account=orders)
    first = make.activation_request(billing, orders)
    page = ann.open(url("activation-request", orders, first.pk))
    assert "Declined." in ann.send(page, action="/decline", note="Use the public one").text
    page = bob.open(url("activation-request", billing, first.pk))
    assert "Use the public one" in page.text and "declined by ann" in page.text
    second = make.activation_request(billing, orders)
    stale = ann.open(url("activation-request", orders, second.pk))
    page = bob.open(url("activation-request", billing, second.pk))
    assert "Withdrawn." in bob.send(page, action="/withdraw").text
    late = ann.send(stale, action="/grant")
    assert late.status == 422
    assert "It was withdrawn by bob meanwhile." in late.text
    assert held(billing) == ()


def test_what_can_not_be_asked_is_said_at_its_field(orders: Account, billing: Account) -> None:
    bob = named("bob", account=billing)
    for typed, words in (
        ({"account": STRANGER, "subject": "a..b"}, "is no subject"),
        ({"account": billing.public_key}, "An account needs no token for what it exports itself"),
        ({"account": STRANGER, "subject": "a.*", "local_subject": "b"}, "reference wildcards"),
        ({"account": STRANGER, "reason": "x" * 2001}, "at most 2000 characters"),
    ):
        page = asked(bob, billing, **typed)
        assert page.status == 422
        assert words in page.text
    assert not ActivationRequest.objects.exists()
    asked(bob, billing, account=STRANGER)
    assert "waits for an answer" in asked(bob, billing, account=STRANGER).text


def test_what_stands_in_the_way_is_told_to_the_asking_side_alone(orders: Account, billing: Account) -> None:
    request = make.activation_request(billing, orders)
    Grant.objects.filter(person=request.person).delete()
    ann, bob = named("ann", account=orders), named("bob", account=billing)
    page = ann.send(ann.open(url("activation-request", orders, request.pk)), action="/grant")
    assert "handed over. Who asked adds the import." in page.text
    assert "may not edit" not in page.text
    page = bob.open(url("activation-request", billing, request.pk))
    assert "may not edit what this account imports any more" in page.text
    token = ActivationRequest.objects.get().token
    assert token is not None
    form = bob.open(url("import-create", billing))
    bob.send(
        form,
        action="/imports/new",
        account=orders.public_key,
        type="stream",
        subject="orders.>",
        token=token.text,
    )
    assert [one.token for one in held(billing)] == [token.text]


def test_nothing_to_grant_leaves_only_declining(orders: Account, billing: Account) -> None:
    make.export(orders, "open.>")
    ann = named("ann", account=orders)
    for subject, words in (("other.>", "none covers this"), ("open.a", "public")):
        request = make.activation_request(billing, orders, subject)
        page = ann.open(url("activation-request", orders, request.pk))
        assert words in page.text
        assert [form.action.rpartition("/")[2] for form in page.forms if "/requests/" in form.action] == [
            "decline"
        ]


def test_an_import_without_its_token_leads_to_asking_and_one_that_is_open_does_not(
    orders: Account, billing: Account
) -> None:
    make.export(orders, "open.>")
    person = make.person(username="bob", account=billing)
    bob = Visitor(Client())
    bob.client.force_login(person)
    make.imported(billing, "orders.new", of=orders, by=make.principal(account=billing))
    page = bob.open(bob.open(url("imports", billing)).link("orders.new"))
    assert "subject=orders.new" in page.link("/requests/new")
    make.grant(person, Role.ADMINISTRATOR, account=orders)
    again = bob.open(url("imports", billing))
    page = bob.open(again.link("orders.new"))
    assert not [address for _, address in page.links if "/requests/new" in address]


def test_a_list_of_many_takes_no_more_queries(orders: Account, billing: Account) -> None:
    ann = named("ann", account=orders)
    counts = []
    for subjects in ("a", "bcdef"):
        for letter in subjects:
            make.activation_request(billing, orders, f"orders.{letter}")
            make.activation_request(orders, STRANGER, f"{letter}.>", by=make.COMMAND)
        with CaptureQueriesContext(connection) as caught:
            page = ann.open(url("activation-requests", orders))
        assert page.text.count("Waits") == 2 * ActivationRequest.objects.filter(importer=billing).count()
        counts.append(len(caught))
    assert counts[0] == counts[1]
