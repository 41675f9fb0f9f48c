"""The pages of exports: seen, made, edited, deleted, by whom; activations revoked and cleared."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from identities.claims.exports import Export, ServiceLatency
from identities.claims.sharing import export_handles
from identities.models import Account, IssuedToken, Operator
from identities.policy.principal import Role
from identities.services import changes
from tests import make
from tests.pages import Page, Visitor, saved_all_the_same

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
SERVICE = {"subject": "a", "type": "service"}
OWN = {"subject": "a.*"}


@pytest.fixture
def admin() -> Client:
    return make.client()


@pytest.fixture
def operator() -> Operator:
    return make.operator("Test")


@pytest.fixture
def orders(operator: Operator) -> Account:
    return make.account(operator, "Orders")


@pytest.fixture
def billing(operator: Operator) -> Account:
    return make.account(operator, "Billing")


def url(name: str, account: Account, *more: object) -> str:
    return reverse(name, args=[account.operator.public_key, account.public_key, *more])


def held(account: Account) -> tuple[Export, ...]:
    account.refresh_from_db()
    found: tuple[Export, ...] = changes.claims_of(account).nats.exports
    return found


def handle(account: Account, index: int = 0) -> str:
    return export_handles(held(account))[index]


def values(page: Page, *names: str) -> dict[str, str]:
    return {name: sent[0] for name, sent in page.form(*names).values.items()}


def test_the_list_shows_each_export_with_who_may_import_it(
    admin: Client, orders: Account, billing: Account
) -> None:
    make.export(orders, "orders.>", name="events", token_req=True)
    make.export(orders, "own.*", account_token_position=2)
    make.imported(billing, "orders.new", of=orders)
    page = Visitor(admin).open(url("exports", orders))
    assert "events stream orders.> private: by activation 1 OK" in page.text
    assert "own.* stream own.* each account its own key as word 2" in page.text
    assert "2 exports" in page.text
    assert page.link("events").endswith(url("export", orders, handle(orders, 0)))


def test_the_list_is_filtered_and_answers_htmx_with_the_table_alone(admin: Client, orders: Account) -> None:
    make.export(orders, "orders.>")
    make.export(orders, "stock.>")
    part = admin.get(url("exports", orders), {"q": "STOCK"}, headers=HTMX).content.decode()
    assert part.lstrip().startswith('<div id="export-list"')
    assert "stock.&gt;" in part
    assert "orders.&gt;" not in part
    assert "1 of 2 exports" in part
    assert "Nothing matches" in admin.get(url("exports", orders), {"q": "%"}).content.decode()


def test_more_than_fit_are_counted(admin: Client, orders: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("identities.views.sharing_shown.MOST_ROWS", 1)
    make.export(orders, "a")
    make.export(orders, "b")
    assert "1 of 2 exports: filter them" in Visitor(admin).open(url("exports", orders)).text


def test_the_list_and_the_page_of_one_take_as_many_queries_for_twice_the_importers(
    admin: Client, operator: Operator, orders: Account, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    make.export(orders, "orders.>", token_req=True)
    addresses = [url("exports", orders), url("export", orders, handle(orders))]
    counts = []
    for number in range(2):
        for _ in range(number + 1):
            make.imported(make.account(operator), "orders.new", of=orders)
        counts.append([])
        for address in addresses:
            with django_assert_max_num_queries(12) as asked:
                admin.get(address)
            counts[-1].append(len(asked))
    assert counts[0] == counts[1]


def test_an_export_is_made_with_everything_that_nsc_can_say(admin: Client, orders: Account) -> None:
    visitor = Visitor(admin)
    form = visitor.open(visitor.open(url("exports", orders)).link("/exports/new"))
    made = visitor.send(
        form,
        type="service",
        subject="orders.api.>",
        name="api",
        token_req=True,
        response_type="Chunked",
        response_threshold="5s",
        latency_sampling="50%",
        latency_results="latency.orders",
        allow_trace=True,
        advertise=True,
        description="Orders\nof the shop",
        info_url="https://example.com",
    )
    assert "Added the export orders.api.>" in made.text
    assert "Now tell the servers" in made.text
    assert held(orders) == (
        Export(
            name="api",
            subject="orders.api.>",
            type="service",
            token_req=True,
            response_type="Chunked",
            response_threshold=5_000_000_000,
            service_latency=ServiceLatency(sampling=50, results="latency.orders"),
            allow_trace=True,
            advertise=True,
            description="Orders\nof the shop",
            info_url="https://example.com",
        ),
    )
    for words in ("in parts", "5s", "50%", "latency.orders", "private: by activation"):
        assert words in made.text


def test_a_new_export_is_called_by_its_subject(admin: Client, orders: Account) -> None:
    visitor = Visitor(admin)
    visitor.send(visitor.open(url("export-create", orders)), subject="orders.>")
    assert held(orders) == (Export(name="orders.>", subject="orders.>", type="stream"),)


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"subject": ""}, "subject", "required"),
        ({"subject": "a..b"}, "subject", "consecutive"),
        ({"subject": "a.>.b"}, "subject", "nats-server takes no subject"),
        ({"subject": "orders.new"}, "", "already exports"),
        ({"subject": "a", "response_type": "Stream"}, "response_type", "Invalid response type"),
        ({"subject": "a", "response_threshold": "5s"}, "response_threshold", "only valid for services"),
        ({"subject": "a", "response_threshold": "soon"}, "response_threshold", "no duration"),
        ({"subject": "a", "latency_sampling": "5", "latency_results": "l"}, "latency_sampling", "only permitted"),
        ({"subject": "a", "latency_sampling": "many"}, "latency_sampling", "percentage"),
        ({"subject": "a", "latency_sampling": "5"}, "latency_results", "where the measures go"),
        ({"subject": "a", "latency_results": "l"}, "latency_sampling", "which requests"),
        ({**SERVICE, "latency_sampling": "500", "latency_results": "l"}, "latency_sampling", "1 to 100"),
        ({**SERVICE, "latency_sampling": "5", "latency_results": "l.*"}, "latency_results", "wildcards"),
        ({"subject": "a.*", "account_token_position": "1"}, "account_token_position", "must match a *"),
        ({"subject": "a.*", "account_token_position": "-1"}, "account_token_position", "greater than"),
        ({**OWN, "account_token_position": "2", "token_req": "on"}, "account_token_position", "for public"),
        ({"subject": "a", "allow_trace": "on"}, "allow_trace", "only valid for service"),
        ({"subject": "a", "info_url": "nowhere"}, "info_url", "hostname"),
        ({"subject": "a", "type": "Nonsense"}, "type", "not one of the available"),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_beside_its_field_and_nothing_is_signed(
    admin: Client, orders: Account, typed: dict[str, str], field: str, said: str
) -> None:
    make.export(orders, "orders.>")
    signed = IssuedToken.objects.count()
    sent = {"type": "stream", "version": orders.version, **typed}
    answer = admin.post(url("export-create", orders), sent)
    assert answer.status_code == 422
    errors = answer.context["form"].errors
    assert said in str(errors[field or "__all__"]), errors
    assert IssuedToken.objects.count() == signed


def test_what_is_wrong_with_another_export_is_said_to_be(admin: Client, orders: Account) -> None:
    make.export(orders, "orders.new")
    sent = {"type": "stream", "subject": "orders.>", "version": orders.version}
    answer = admin.post(url("export-create", orders), sent)
    assert "already exports" in str(answer.context["form"].errors["subject"])
    wide = make.export(orders, "stock.>")
    assert wide.subject == "stock.>"
    sent = {"type": "stream", "subject": "stock.new", "version": orders.version}
    answer = admin.post(url("export-create", orders), sent)
    assert "Another export: stream export subject" in str(answer.context["form"].non_field_errors())


def test_an_untouched_form_signs_nothing_whatever_stands_there(admin: Client, orders: Account) -> None:
    full = make.export(
        orders, "api", type="service", token_req=True, response_type="Stream", response_threshold=1_500_000_000,
        service_latency=ServiceLatency(sampling=0, results="l"), revocations={"*": 5}, allow_trace=True,
        description="two\nlines", extra={"later": True},
    )  # fmt: skip
    signed = IssuedToken.objects.count()
    visitor = Visitor(admin)
    page = visitor.send(visitor.open(url("export-edit", orders, handle(orders))), action="/edit")
    assert "Nothing was changed, so nothing was signed." in page.text
    assert IssuedToken.objects.count() == signed
    assert held(orders) == (full,)


def test_odd_values_of_other_tools_are_shown_and_stay(admin: Client, orders: Account) -> None:
    make.export(orders, "a.>", type="service", extra={"later": True})
    text = orders.claims.replace('"type":"service"', '"type":"service","response_type":"Nonsense"')
    Account.objects.filter(pk=orders.pk).update(claims=text)
    visitor = Visitor(admin)
    form = visitor.open(url("export-edit", orders, handle(orders)))
    assert form.form("response_type").values["response_type"] == ["Nonsense"]
    shown = visitor.send(form, description="new", preview="1")
    assert "Invalid response type" in shown.text  # Go's library refuses it, whoever wrote it
    mended = visitor.send(form, description="new", response_type="")
    assert "Saved the export" in mended.text
    (one,) = held(orders)
    assert (one.response_type, one.description, one.extra) == ("", "new", {"later": True})


def test_everything_can_be_cleared_again(admin: Client, orders: Account) -> None:
    make.export(
        orders, "api", type="service", response_type="Stream", response_threshold=5,
        service_latency=ServiceLatency(sampling=5, results="l"), description="d", info_url="https://example.com",
        allow_trace=True, advertise=True,
    )  # fmt: skip
    make.export(orders, "own.*", account_token_position=2, token_req=False)
    visitor = Visitor(admin)
    visitor.send(
        visitor.open(url("export-edit", orders, handle(orders, 0))), name="", response_type="",
        response_threshold="", latency_sampling="", latency_results="", description="", info_url="",
        allow_trace=False, advertise=False,
    )  # fmt: skip
    visitor.send(visitor.open(url("export-edit", orders, handle(orders, 1))), account_token_position="")
    assert held(orders) == (
        Export(subject="api", type="service"),
        Export(subject="own.*", type="stream", name="own.*"),
    )


def test_the_subject_can_change_and_the_page_moves_along(admin: Client, orders: Account) -> None:
    make.export(orders, "orders.>")
    visitor = Visitor(admin)
    page = visitor.send(visitor.open(url("export-edit", orders, handle(orders))), subject="stock.>")
    assert page.status == 200
    assert page.url.startswith(url("export", orders, handle(orders)))


def test_whose_import_an_edit_breaks_is_accepted_first(
    admin: Client, orders: Account, billing: Account
) -> None:
    make.export(orders, "orders.>")
    make.imported(billing, "orders.new", of=orders)
    page = Visitor(admin).open(url("export-edit", orders, handle(orders)))
    sent = {**values(page, "subject"), "subject": "stock.>"}
    refused = admin.post(page.url, sent)
    assert "“Billing” can no longer import orders.new" in refused.content.decode()
    assert held(orders)[0].subject == "orders.>"
    saved_all_the_same(admin, page.url, sent)
    assert held(orders)[0].subject == "stock.>"
    importing = Visitor(admin).open(url("imports", billing))
    assert "Warning" in importing.text


def test_a_stale_edit_shows_both_values(admin: Client, orders: Account) -> None:
    make.export(orders, "orders.>")
    visitor = Visitor(admin)
    mine = visitor.open(url("export-edit", orders, handle(orders)))
    visitor.send(visitor.open(mine.url), description="theirs")
    stale = visitor.send(mine, description="mine")
    assert stale.status == 409
    assert re.search("Description theirs mine", stale.text)
    visitor.send(stale, action="/edit")
    assert held(orders)[0].description == "mine"


def test_deleting_asks_for_the_subject_and_names_the_importers(
    admin: Client, orders: Account, billing: Account
) -> None:
    make.export(orders, "orders.>")
    make.imported(billing, "orders.new", of=orders)
    visitor = Visitor(admin)
    page = visitor.open(visitor.open(url("export", orders, handle(orders))).link("/delete"))
    assert "“Billing” can no longer import orders.new" in page.text
    assert visitor.send(page, confirm="else").status == 422
    gone = visitor.send(page, confirm="orders.>")
    assert "Deleted the export orders.>" in gone.text
    assert held(orders) == ()


def test_what_may_not_be_seen_is_not_named_anywhere(orders: Account, billing: Account) -> None:
    make.export(orders, "orders.>", token_req=True)
    make.imported(billing, "orders.new", of=orders)
    narrow = Visitor(make.client(account=orders))
    for name in ("export", "export-delete", "export-edit"):
        page = narrow.open(url(name, orders, handle(orders)))
        assert page.status == 200
        assert "Billing" not in page.text
    shown = narrow.send(narrow.open(url("export-edit", orders, handle(orders))), subject="a", preview="1")
    assert "Billing" not in shown.text
    assert "Accounts that you may not see" in narrow.open(url("export", orders, handle(orders))).text
    assert narrow.open(url("exports", billing)).status == 404


def test_a_viewer_sees_the_pages_without_their_buttons_and_may_not_use_them(orders: Account) -> None:
    make.export(orders, "orders.>", token_req=True, revocations={"*": 5})
    viewer = make.client(Role.VIEWER)
    page = Visitor(viewer).open(url("exports", orders))
    assert "New export" not in page.text
    page = Visitor(viewer).open(url("export", orders, handle(orders)))
    assert not [words for words, _ in page.links if words in ("Edit", "Delete", "New activation", "Revoke")]
    for name in ("export-edit", "export-delete", "export-revoke", "activation-create"):
        assert viewer.get(url(name, orders, handle(orders))).status_code == 403
    assert viewer.get(url("export-create", orders)).status_code == 403
    assert viewer.get(url("export-clear", orders, handle(orders), "*")).status_code == 403


def test_an_export_that_is_not_there_is_not_found(admin: Client, orders: Account) -> None:
    for name in ("export", "export-edit", "export-delete", "export-revoke", "activation-create"):
        assert admin.get(url(name, orders, "0" * 12)).status_code == 404
    make.export(orders, "a")
    assert admin.get(url("export-clear", orders, handle(orders), "*")).status_code == 404


def test_activations_are_revoked_by_name_by_key_and_for_all(
    admin: Client, orders: Account, billing: Account
) -> None:
    make.export(orders, "orders.>", token_req=True)
    make.imported(billing, "orders.new", of=orders)
    visitor = Visitor(admin)
    at = url("export-revoke", orders, handle(orders))
    sent: dict[str, Any] = {**values(visitor.open(at), "target"), "target": "billing", "at": "1h"}
    refused = admin.post(at, sent)
    assert "“Billing” can no longer import orders.new" in refused.content.decode()
    saved_all_the_same(admin, at, sent)
    assert list(held(orders)[0].revocations) == [billing.public_key]
    page = visitor.open(url("export", orders, handle(orders)))
    assert "Billing" in page.text
    page = visitor.send(visitor.open(at), target="*", at="2020-01-01")
    assert "every account" in page.text
    cleared = visitor.open(page.link("Clear the revocation of every account"))
    assert "count again" in cleared.text
    visitor.send(cleared, action="/clear")
    assert list(held(orders)[0].revocations) == [billing.public_key]


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"target": ""}, "target", "required"),
        ({"target": "Nobody"}, "target", "no account “Nobody”"),
        ({"target": "U" + "A" * 55}, "target", "no account"),
        ({"target": "A" + "B" * 55}, "target", "not a public key"),
        ({"target": "*", "at": "later"}, "at", "no date or span"),
        ({"target": "*", "at": "2000-01-01"}, "at", "Later activations"),
    ],
)
def test_a_bad_revocation_is_refused_beside_its_field(
    admin: Client, orders: Account, typed: dict[str, str], field: str, said: str
) -> None:
    make.export(orders, "orders.>", token_req=True, revocations={"*": 1_700_000_000})
    answer = admin.post(url("export-revoke", orders, handle(orders)), {"version": orders.version, **typed})
    assert answer.status_code == 422
    assert said in str(answer.context["form"].errors[field])


def test_an_entry_that_holds_nothing_is_shown_and_can_be_deleted(admin: Client, orders: Account) -> None:
    make.export(orders, "a")
    text = orders.claims.replace('"exports":[', '"exports":[null,')
    Account.objects.filter(pk=orders.pk).update(claims=text)
    visitor = Visitor(admin)
    page = visitor.open(url("exports", orders))
    assert "(nothing)" in page.text
    gone = visitor.send(visitor.open(page.link("Delete")), confirm="nothing")
    assert "Deleted the export" in gone.text
    assert [one.subject for one in held(orders)] == ["a"]
