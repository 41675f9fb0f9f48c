"""The pages of imports: seen, made, edited, renewed, deleted, by whom; every way in which a token comes."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from threading import Thread

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from identities.claims import codec
from identities.claims.drafts import ActivationDraft, Minting
from identities.claims.imports import Import
from identities.claims.sharing import export_handles, import_handles
from identities.formats.creds import parse_creds
from identities.formats.decorated import decorated_jwt
from identities.models import Account, IssuedToken, Operator
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import accounts, activations, changes, clock, creds, exports
from tests import make
from tests.pages import Page, Visitor, saved_all_the_same

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
STRANGER = KeyPair.create(KeyKind.ACCOUNT).public.text


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


def held(account: Account) -> tuple[Import, ...]:
    account.refresh_from_db()
    found: tuple[Import, ...] = changes.claims_of(account).nats.imports
    return found


def handle(account: Account, index: int = 0) -> str:
    return import_handles(held(account))[index]


def values(page: Page, *names: str) -> dict[str, str]:
    return {name: sent[0] for name, sent in page.form(*names).values.items()}


def token_for(orders: Account, target: str, subject: str = "orders.>", **times: int) -> str:
    """An activation, issued on the exporter's side."""
    name = export_handles(changes.claims_of(orders).nats.exports)[0]
    draft = ActivationDraft(target=target, subject=subject, **times)
    made = activations.issue(principal=make.COMMAND, account=orders, handle=name, draft=draft)
    return made.text


def new_import(visitor: Visitor, into: Account, /, **typed: object) -> Page:
    return visitor.send(visitor.open(url("import-create", into)), **typed)


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


# --- tokens given


@pytest.mark.parametrize("dashes", [True, False], ids=["with dashes", "bare"])
def test_a_token_is_pasted(admin: Client, orders: Account, billing: Account, dashes: bool) -> None:
    make.export(orders, "orders.>", token_req=True)
    token = token_for(orders, billing.public_key)
    text = decorated_jwt(token, "activation") if dashes else f"  {token}\n"
    made = new_import(Visitor(admin), billing, account="Orders", subject="orders.new", token=text)
    assert "Added the import" in made.text
    assert held(billing)[0].token == token
    assert IssuedToken.objects.activations().count() == 1


def test_a_token_is_uploaded_and_kept_over_a_refusal(
    admin: Client, orders: Account, billing: Account
) -> None:
    make.export(orders, "orders.>", token_req=True)
    token = token_for(orders, billing.public_key)
    page = Visitor(admin).open(url("import-create", billing))
    sent = {**values(page, "account"), "account": "Orders", "subject": "a..b"}
    file = SimpleUploadedFile("token.jwt", decorated_jwt(token, "activation").encode())
    refused = admin.post(page.url, {**sent, "token_file": file})
    assert refused.status_code == 422
    assert token in refused.content.decode()
    again = admin.post(page.url, {**sent, "subject": "orders.new", "token": token})
    assert again.status_code == 302
    assert held(billing)[0].token == token


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"x" * (64 * 1024 + 1), "larger than 64 KiB"),
        (b"\xff\xfe", "There is no JWT"),
        (b"", "There is no JWT"),
        (b"SAAB" + b"A" * 54, "That is a seed"),
    ],
    ids=["large", "binary", "empty", "seed"],
)
def test_a_bad_file_is_refused(admin: Client, billing: Account, content: bytes, said: str) -> None:
    sent = {
        "account": STRANGER, "type": "stream", "subject": "a", "minting": "if-asked", "version": billing.version,
        "token_file": SimpleUploadedFile("token.jwt", content),
    }  # fmt: skip
    answer = admin.post(url("import-create", billing), sent)
    assert answer.status_code == 422
    assert said in str(answer.context["form"].errors["token_file"])
    assert "SAAB" not in answer.content.decode()


def test_of_creds_pasted_by_mistake_the_seed_is_not_shown_again(admin: Client, billing: Account) -> None:
    user = make.user(billing)
    text = creds.creds_file(principal=make.COMMAND, user=user).text
    seed = parse_creds(text).seed
    assert seed is not None
    billing.refresh_from_db()
    refused = new_import(Visitor(admin), billing, account=STRANGER, subject="a", token=text)
    assert refused.status == 422
    assert "contains an invalid activation token" in refused.text
    assert seed.reveal().decode() not in refused.html


@pytest.fixture
def served() -> Iterator[list[bytes]]:
    """Answers of a web server on a loopback port; the last entry is its port."""
    answers: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asked: list[int] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    if answers and answers[0] == b"end":
                        return
                    asked.append(1)
                    connection.sendall(answers[0])

        thread = Thread(target=serve)
        thread.start()
        served_at.update(port=int(listener.getsockname()[1]), asked=asked)
        yield answers
        answers[:] = [b"end"]
        with socket.create_connection(("127.0.0.1", served_at["port"])) as last:
            last.sendall(b"bye")
        thread.join(5)


served_at: dict[str, object] = {}


def test_a_token_is_fetched_once_when_the_import_is_saved(
    admin: Client, orders: Account, billing: Account, served: list[bytes]
) -> None:
    make.export(orders, "orders.>", token_req=True)
    token = token_for(orders, billing.public_key, exp := "orders.>", expires=clock.unix() + 3600)
    served[:] = [b"HTTP/1.0 200 OK\r\n\r\n" + decorated_jwt(token, "activation").encode()]
    at = f"http://127.0.0.1:{served_at['port']}/orders.jwt"
    visitor = Visitor(admin)
    form = visitor.open(url("import-create", billing))
    shown = visitor.send(form, account="Orders", subject=exp, token_url=at, preview="1")
    assert "The token is fetched when this is saved." in shown.text
    assert served_at["asked"] == []
    page = values(form, "account")
    sent = {**page, "account": "Orders", "subject": "elsewhere", "token_url": at}
    refused = admin.post(
        form.url, sent
    )  # the token does not fit: it is kept in the form, and not fetched again
    assert refused.status_code == 422
    assert token in refused.content.decode()
    assert at not in refused.content.decode()
    assert len(served_at["asked"]) == 1  # type: ignore[arg-type]
    made = visitor.send(form, account="Orders", subject=exp, token_url=at)
    assert "Added the import" in made.text
    assert held(billing)[0].token == token
    assert "token_url" not in str(changes.document(changes.claims_of(billing)))


def test_what_is_no_activation_is_not_shown_to_who_asked_for_it(
    admin: Client, orders: Account, billing: Account, served: list[bytes]
) -> None:
    other = IssuedToken.objects.get(pk=orders.token_id).text
    at = f"http://127.0.0.1:{served_at['port']}/secret"
    for answer, said in (
        (b"HTTP/1.0 200 OK\r\n\r\n" + other.encode(), "is no activation token"),
        (b"HTTP/1.0 200 OK\r\n\r\ntop secret", "There is no JWT in this"),
        (b"HTTP/1.0 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n", "not followed"),
    ):
        served[:] = [answer]
        refused = new_import(Visitor(admin), billing, account=STRANGER, subject="a", token_url=at)
        assert refused.status == 422
        assert said in refused.text
        assert other not in refused.html
        assert "top secret" not in refused.html
    assert held(billing) == ()


# --- edited


def test_an_untouched_form_signs_nothing_and_keeps_the_token(
    admin: Client, orders: Account, billing: Account
) -> None:
    make.export(orders, "orders.*", token_req=True)
    one = make.imported(
        billing,
        "orders.*",
        of=orders,
        local_subject="eu.$1",
        name="two\nlines",
        allow_trace=True,
        extra={"later": 1},
    )
    signed = IssuedToken.objects.count()
    visitor = Visitor(admin)
    form = visitor.open(url("import-edit", billing, handle(billing)))
    assert "As it is: valid" in form.text
    page = visitor.send(form, action="/edit")
    assert "Nothing was changed, so nothing was signed." in page.text
    assert IssuedToken.objects.count() == signed
    assert held(billing) == (one,)


def test_everything_can_be_edited_and_cleared_again(admin: Client, orders: Account, billing: Account) -> None:
    make.export(orders, "api", type="service")
    make.imported(
        billing,
        "api",
        of=orders,
        type="service",
        local_subject="ask",
        share=True,
        extra={"later": 1},
        name="n",
    )
    visitor = Visitor(admin)
    form = visitor.open(url("import-edit", billing, handle(billing)))
    page = visitor.send(form, local_subject="", share=False, name="")
    assert "Saved the import api" in page.text
    assert held(billing) == (
        Import(subject="api", account=orders.public_key, type="service", extra={"later": 1}),
    )
    assert page.url.startswith(url("import", billing, handle(billing)))


def test_the_token_can_be_cleared_issued_anew_and_replaced(
    admin: Client, orders: Account, billing: Account
) -> None:
    make.export(orders, "orders.>", token_req=True)
    first = make.imported(billing, "orders.new", of=orders).token
    visitor = Visitor(admin)
    at = url("import-edit", billing, handle(billing))
    saved_all_the_same(admin, at, {**values(visitor.open(at), "account"), "minting": "none"})
    assert held(billing)[0].token == ""
    assert "None, and none is asked for" not in visitor.open(url("import", billing, handle(billing))).text
    visitor.send(visitor.open(at), minting="anew")
    second = held(billing)[0].token
    assert second not in ("", first)
    visitor.send(visitor.open(at), token=first)
    assert held(billing)[0].token == first


def test_the_deprecated_to_is_shown_where_it_stands_and_can_be_cleared(
    admin: Client, orders: Account, billing: Account
) -> None:
    make.export(orders, "orders.>")
    accounts.rewrite(
        principal=make.COMMAND,
        account=billing,
        plan=lambda row: changes.plan(
            row,
            changes.edit_body(
                imports=(Import(subject="orders.>", to="from", account=orders.public_key, type="stream"),)
            ),
            now=0,
        ),
        version=billing.version,
        done="Imported",
    )
    visitor = Visitor(admin)
    at = url("import-edit", billing, handle(billing))
    form = visitor.open(at)
    assert form.form("to").values["to"] == ["from"]
    assert "from.orders.>" in form.text
    visitor.send(form, to="", local_subject="from.orders.>")
    (one,) = held(billing)
    assert (one.to, one.local_subject) == ("", "from.orders.>")
    assert "to" not in visitor.open(url("import-edit", billing, handle(billing))).form("account").names


def test_a_stale_edit_shows_both_values(admin: Client, orders: Account, billing: Account) -> None:
    make.export(orders, "orders.>")
    make.imported(billing, "orders.new", of=orders)
    visitor = Visitor(admin)
    mine = visitor.open(url("import-edit", billing, handle(billing)))
    visitor.send(visitor.open(mine.url), name="theirs")
    stale = visitor.send(mine, name="mine")
    assert stale.status == 409
    assert "Name theirs mine" in stale.text


def test_an_expired_token_is_offered_to_be_renewed(admin: Client, orders: Account, billing: Account) -> None:
    make.export(orders, "orders.>", token_req=True)
    make.imported(billing, "orders.new", of=orders, minting=Minting.IF_ASKED)
    visitor = Visitor(admin)
    listed = visitor.open(url("imports", billing))
    assert "Renew" not in listed.text
    old = held(billing)[0].token
    soon = token_for(orders, billing.public_key, "orders.new", expires=clock.unix() + 3600)
    visitor.send(visitor.open(url("import-edit", billing, handle(billing))), token=soon)
    listed = visitor.open(url("imports", billing))
    assert "Expires in" in listed.text
    form = visitor.open(listed.link("Renew the token of orders.new"))
    page = visitor.send(form, token_expires="1y")
    assert "Renewed the token of orders.new" in page.text
    renewed = held(billing)[0].token
    assert renewed not in (old, soon)
    assert codec.decode(renewed).claims.exp > clock.unix() + 300 * 86_400
    refused = visitor.send(
        visitor.open(url("import-renew", billing, handle(billing))), token_expires="2020-01-01"
    )
    assert refused.status == 422


def test_deleting_shows_what_goes(admin: Client, orders: Account, billing: Account) -> None:
    make.export(orders, "orders.>")
    make.imported(billing, "orders.new", of=orders, local_subject="mine")
    visitor = Visitor(admin)
    page = visitor.open(url("import-delete", billing, handle(billing)))
    assert "Clients of “Billing” can no longer receive mine." in page.text
    gone = visitor.send(page, action="/delete")
    assert "Deleted the import orders.new" in gone.text
    assert held(billing) == ()


def test_an_entry_that_holds_nothing_is_shown_and_can_be_deleted(admin: Client, billing: Account) -> None:
    make.imported(billing, "a", of=STRANGER)
    text = billing.claims.replace('"imports":[', '"imports":[null,')
    Account.objects.filter(pk=billing.pk).update(claims=text)
    visitor = Visitor(admin)
    page = visitor.open(url("imports", billing))
    assert "(nothing)" in page.text
    gone = visitor.send(visitor.open(page.link("Delete")), action="/delete")
    assert "Deleted the import" in gone.text
    assert [one.subject for one in held(billing)] == ["a"]


def test_odd_values_of_other_tools_stay_in_an_untouched_form(admin: Client, billing: Account) -> None:
    make.imported(billing, "a", of=STRANGER, name="two\nlines ")
    signed = IssuedToken.objects.count()
    visitor = Visitor(admin)
    form = visitor.open(url("import-edit", billing, handle(billing)))
    page = visitor.send(form, name="twolines")  # what an input of one line makes of it
    assert "Nothing was changed" in page.text
    assert IssuedToken.objects.count() == signed


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
