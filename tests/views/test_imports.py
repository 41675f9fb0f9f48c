"""The pages of imports: seen, made, chosen from what others export, by whom."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from identities.claims import codec
from identities.claims.imports import Import
from identities.claims.sharing import export_handles
from identities.models import Account, IssuedToken, Operator
from identities.policy.principal import Role
from identities.services import changes, clock, exports
from tests import make
from tests.pages import Visitor, saved_all_the_same
from tests.views.import_pages import STRANGER, handle, held, new_import, token_for, url, values

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


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


# --- the list and the page of one


def test_the_list_shows_each_import_with_its_token_and_state(
    admin: Client, orders: Account, billing: Account
) -> None:
    make.export(orders, "orders.*", token_req=True)
    make.imported(billing, "orders.*", of=orders, name="events", local_subject="eu.$1")
    make.imported(billing, "far.>", of=STRANGER)
    page = Visitor(admin).open(url("imports", billing))
    assert re.search(r"far\.> stream \S+ far\.> far\.> none Not known here", page.text)
    assert re.search(r"events stream Orders\S+ orders\.\* eu\.\* Valid OK", page.text)
    assert "2 imports" in page.text


def test_the_list_is_filtered_by_account_name_too(admin: Client, orders: Account, billing: Account) -> None:
    make.export(orders, "orders.>")
    make.imported(billing, "orders.new", of=orders)
    make.imported(billing, "far.>", of=STRANGER)
    part = admin.get(url("imports", billing), {"q": "ORDERS"}, headers=HTMX).content.decode()
    assert part.lstrip().startswith('<div id="import-list"')
    assert "1 of 2 imports" in part
    assert "far." not in part


def test_the_list_takes_as_many_queries_for_twice_the_rows(
    admin: Client, operator: Operator, billing: Account, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    counts = []
    for number in range(2):
        for _ in range(number + 1):
            other = make.account(operator)
            make.export(other, "a", token_req=True)
            make.imported(billing, "a", of=other)
        for address in (url("imports", billing), url("import", billing, handle(billing))):
            with django_assert_max_num_queries(12) as asked:
                admin.get(address)
            counts.append(len(asked))
    assert counts[:2] == counts[2:]


def test_the_page_of_one_says_what_is_wrong_and_what_it_is_called(
    admin: Client, orders: Account, billing: Account
) -> None:
    make.export(orders, "orders.*.*", token_req=True)
    make.imported(billing, "orders.*.*", of=orders, local_subject="eu.$2.$1")
    page = Visitor(admin).open(url("import", billing, handle(billing)))
    assert "A message on this subject arrives here on orders.A.B → eu.B.A" in page.text
    name = export_handles(changes.claims_of(orders).nats.exports)[0]
    exports.revoke(
        principal=make.COMMAND,
        account=orders,
        handle=name,
        target="*",
        at=clock.unix() + 1,
        version=orders.version,
    )
    page = Visitor(admin).open(url("import", billing, handle(billing)))
    assert "“Orders” has revoked this activation token" in page.text
    assert "Revoked" in page.text
    assert page.link("Renew token")


# --- made


def test_a_public_export_is_imported_by_the_accounts_name(
    admin: Client, orders: Account, billing: Account
) -> None:
    make.export(orders, "orders.>")
    made = new_import(
        Visitor(admin),
        billing,
        account="orders",
        subject="orders.new",
        local_subject="mine",
        allow_trace=True,
    )
    assert "Added the import orders.new" in made.text
    assert "Now tell the servers" in made.text
    assert held(billing) == (
        Import(
            name="orders.new",
            subject="orders.new",
            account=orders.public_key,
            local_subject="mine",
            type="stream",
            allow_trace=True,
        ),
    )


def test_a_private_one_gets_its_token_along(admin: Client, orders: Account, billing: Account) -> None:
    make.export(orders, "api.*", type="service", token_req=True)
    visitor = Visitor(admin)
    form = visitor.open(url("import-create", billing))
    shown = visitor.send(
        form, account="Orders", type="service", subject="api.*", local_subject="ask.$1", share=True,
        token_expires="60d", preview="1",
    )  # fmt: skip
    assert "Clients here ask on ask.*" in shown.text
    assert "A request on this subject is asked there on ask.A → api.A" in shown.text
    assert "“Orders” issues a token for api.* when this is saved" in shown.text
    assert "token an activation token, once this is saved" in shown.text
    assert not IssuedToken.objects.activations().exists()
    made = visitor.send(shown, action="/imports/new")
    assert "Valid" in made.text
    (one,) = held(billing)
    claims = codec.decode(one.token).claims
    assert one.share
    assert clock.unix() + 59 * 86_400 < claims.exp < clock.unix() + 61 * 86_400
    assert IssuedToken.objects.activations().get().text == one.token


def test_what_is_typed_is_checked_while_typing_even_where_it_is_refused(
    admin: Client, orders: Account, billing: Account
) -> None:
    make.export(orders, "orders.*", type="service")
    visitor = Visitor(admin)
    form = visitor.open(url("import-create", billing))
    shown = visitor.send(form, account="Orders", subject="orders.*", local_subject="$1.$1", preview="1")
    assert shown.status == 422
    assert "as a service, not as a stream" in shown.text
    assert 'class="import-check"' in shown.html
    unknown = visitor.send(form, account=STRANGER, subject="far.>", preview="1")
    assert "No account with this key stands here that you may see" in unknown.text
    assert "What changes in the JWT" in unknown.text


def test_the_live_check_reaches_htmx_inside_the_part_that_it_takes(
    admin: Client, orders: Account, billing: Account
) -> None:
    make.export(orders, "orders.>")
    page = Visitor(admin).open(url("import-create", billing))
    sent = {**values(page, "account"), "account": "Orders", "subject": "orders.new", "preview": "1"}
    text = admin.post(page.url, sent, headers=HTMX).content.decode()
    part = text[text.index('class="form-preview"') :]
    assert "“Orders” exports this" in part[: part.index("panel-foot")]
    assert 'hx-encoding="multipart/form-data"' in part


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"account": ""}, "account", "required"),
        ({"account": "Nobody"}, "account", "no account “Nobody”"),
        ({"account": "SAAB" + "A" * 54}, "account", "That is a seed"),
        ({"subject": ""}, "subject", "required"),
        ({"subject": "a..b"}, "subject", "consecutive"),
        ({"subject": "orders.>", "local_subject": "mine"}, "local_subject", "need to end or not end in"),
        ({"subject": "orders.*.*", "local_subject": "$1.$1"}, "local_subject", "leaves out $2"),
        ({"share": "on"}, "share", "only valid for services"),
        ({"type": "service", "allow_trace": "on"}, "allow_trace", "only valid for stream"),
        ({"token": "no token"}, "token", "There is no JWT in this"),
        ({"token": "SUAB" + "A" * 54}, "token", "That is a seed"),
        ({"token": "a.b.c", "token_url": "http://x/y"}, "token_url", "Give the token once"),
        ({"minting": "none", "token_url": "http://x/y"}, "minting", "“None” is chosen"),
        ({"token_expires": "2020-01-01"}, "token_expires", "in the past"),
        ({"token_expires": "1d", "token_url": "http://x/y"}, "token_expires", "its own expiry"),
        ({"token_url": "ftp://x/y"}, "token_url", "Only http and https"),
        ({"token_url": "http://169.254.169.254/latest"}, "token_url", "metadata"),
    ],
)
def test_a_bad_value_is_refused_beside_its_field_and_nothing_is_signed(
    admin: Client, orders: Account, billing: Account, typed: dict[str, str], field: str, said: str
) -> None:
    make.export(orders, ">", token_req=True)
    make.export(orders, "svc", type="service")
    signed = IssuedToken.objects.count()
    sent = {
        "account": "Orders", "type": "stream", "subject": "orders.new", "minting": "if-asked",
        "version": billing.version, **typed,
    }  # fmt: skip
    if typed.get("type") == "service":
        sent["subject"] = "svc"
    answer = admin.post(url("import-create", billing), sent)
    assert answer.status_code == 422
    errors = answer.context["form"].errors
    assert said in str(errors.get(field, "")), errors
    assert IssuedToken.objects.count() == signed
    assert "SUAB" not in answer.content.decode()


def test_what_waits_for_the_exporter_is_accepted_first(
    admin: Client, orders: Account, billing: Account
) -> None:
    page = Visitor(admin).open(url("import-create", billing))
    sent = {**values(page, "account"), "account": "Orders", "subject": "orders.new"}
    saved_all_the_same(admin, page.url, sent)
    assert held(billing)[0].subject == "orders.new"
    assert "Warning" in Visitor(admin).open(url("imports", billing)).text


def test_without_the_right_to_issue_a_token_it_is_said_who_can(orders: Account, billing: Account) -> None:
    make.export(orders, "orders.>", token_req=True)
    person = make.person(account=billing)
    make.grant(person, Role.VIEWER, account=orders)
    browser = Client()
    browser.force_login(person)
    refused = new_import(Visitor(browser), billing, account="Orders", subject="orders.new")
    assert refused.status == 422
    assert "you may not issue its activation tokens" in refused.text
    token = token_for(orders, billing.public_key)
    made = new_import(Visitor(browser), billing, account="Orders", subject="orders.new", token=token)
    assert "Added the import" in made.text


def test_an_exporter_that_may_not_be_seen_is_not_told_from_one_that_is_not_there(
    orders: Account, billing: Account
) -> None:
    make.export(orders, "orders.>", token_req=True)
    visitor = Visitor(make.client(account=billing))
    for key in (orders.public_key, STRANGER):
        form = visitor.open(url("import-create", billing))
        shown = visitor.send(form, account=key, subject="orders.new", preview="1")
        assert shown.status == 200
        assert "Orders" not in shown.text
        assert "No account with this key stands here that you may see" in shown.text
    assert "no account “Orders”" in new_import(visitor, billing, account="Orders", subject="a").text
    assert "Orders" not in visitor.open(url("imports-available", billing)).text


# --- exports to choose from


def test_exports_are_chosen_from_a_list_and_fill_the_form(
    admin: Client, orders: Account, billing: Account
) -> None:
    make.export(orders, "orders.>", name="events", description="All orders")
    make.export(orders, "own.*.x", account_token_position=2, type="service")
    visitor = Visitor(admin)
    page = visitor.open(visitor.open(url("imports", billing)).link("Exports to import"))
    assert "Orders events stream orders.> public All orders" in page.text
    form = visitor.open(page.link("Import orders.> of Orders"))
    assert "Added the import" in visitor.send(form, local_subject="from.>").text
    page = visitor.open(url("imports-available", billing))
    assert "imported" in page.text
    form = visitor.open(page.link("Import own.*.x of Orders"))
    filled = form.form("account").values
    assert filled["subject"] == [f"own.{billing.public_key}.x"]
    assert filled["local_subject"] == ["own.x"]
    assert "Clients here ask on own.x" in form.text
    assert "“Orders” exports this" in form.text
    assert "Added the import" in visitor.send(form, account="Orders").text
    assert "OK" in visitor.open(url("imports", billing)).text


@pytest.mark.parametrize(("q", "count"), [("ORD", 2), ("stock", 1), (">", 2), ("nothing", 0)])
def test_the_list_of_exports_is_filtered(
    admin: Client, orders: Account, billing: Account, q: str, count: int
) -> None:
    make.export(orders, "events.>")
    make.export(orders, "stock.new")
    part = admin.get(url("imports-available", billing), {"q": q}, headers=HTMX).content.decode()
    assert part.count("data-dialog") == count
    assert part.lstrip().startswith('<div id="offer-list"')


def test_the_list_of_exports_takes_as_many_queries_for_twice_the_accounts(
    admin: Client, operator: Operator, billing: Account, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    counts = []
    for number in range(2):
        for _ in range(number + 1):
            make.export(make.account(operator), "a")
        with django_assert_max_num_queries(9) as asked:
            admin.get(url("imports-available", billing))
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_a_choice_that_is_gone_leaves_an_empty_form(admin: Client, orders: Account, billing: Account) -> None:
    for query in (f"?from={orders.public_key}&export={'0' * 12}", f"?from={STRANGER}&export=x", "?from=x"):
        page = Visitor(admin).open(url("import-create", billing) + query)
        assert page.form("account").values["subject"] == [""]


# --- who may


def test_a_viewer_sees_the_pages_without_their_buttons_and_may_not_use_them(
    orders: Account, billing: Account
) -> None:
    make.export(orders, "orders.>", token_req=True)
    make.imported(billing, "orders.new", of=orders)
    viewer = make.client(Role.VIEWER)
    visitor = Visitor(viewer)
    for name, more in (("imports", ()), ("imports-available", ()), ("import", (handle(billing),))):
        page = visitor.open(url(name, billing, *more))
        assert page.status == 200
        words = {text for text, _ in page.links}
        assert not words & {"New import", "Edit", "Delete", "Renew token", "From an account elsewhere"}
    for name in ("import-edit", "import-renew", "import-delete"):
        assert viewer.get(url(name, billing, handle(billing))).status_code == 403
    assert viewer.get(url("import-create", billing)).status_code == 403


def test_an_import_that_is_not_there_is_not_found(admin: Client, orders: Account, billing: Account) -> None:
    for name in ("import", "import-edit", "import-renew", "import-delete"):
        assert admin.get(url(name, billing, "0" * 12)).status_code == 404
    assert make.client(account=orders).get(url("imports", billing)).status_code == 404
