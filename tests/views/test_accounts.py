"""The pages of accounts: seen, made, deleted, by whom, and what is said when not."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from identities.claims.imports import Import
from identities.claims.limits import OperatorLimits
from identities.models import Account, IssuedToken, Operator, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import changes
from tests import make
from tests.views.account_pages import UNKNOWN, edited, limited, list_url, url

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
PAGES = ["account", "account-jwt", "account-history"]
WRITING = ["account-edit", "account-limits", "account-delete"]


@pytest.fixture
def admin() -> Client:
    return make.client()


@pytest.fixture
def viewer() -> Client:
    return make.client(Role.VIEWER)


@pytest.fixture
def operator() -> Operator:
    return make.operator("Test")


@pytest.fixture
def orders(operator: Operator) -> Account:
    return make.account(operator, "Orders")


def test_the_list_shows_the_accounts_of_one_operator_with_their_users(admin: Client, orders: Account) -> None:
    make.many_users(orders, ["a", "b"])
    make.account(make.operator("Other"), "Elsewhere")
    page = admin.get(list_url(orders.operator)).content.decode()
    assert f'href="{url("account", orders)}"' in page
    assert f'<a href="{url("users", orders)}">2<' in page
    assert "SYS" in page
    assert "system</span>" in page
    assert "Elsewhere" not in page
    assert ">Test</a>" in page


def test_the_list_answers_htmx_with_the_table_alone(admin: Client, orders: Account) -> None:
    part = admin.get(list_url(orders.operator), headers=HTMX).content.decode()
    assert 'id="account-list"' in part
    assert "<html" not in part


@pytest.mark.parametrize("typed", ["ORDE", "{key}", "{part}"])
def test_the_list_is_filtered_by_name_and_key(admin: Client, orders: Account, typed: str) -> None:
    text = typed.format(key=orders.public_key, part=orders.public_key[20:30].lower())
    page = admin.get(list_url(orders.operator), {"q": text}).content.decode()
    assert "Orders" in page
    assert ">SYS<" not in page


def test_a_filter_that_finds_nothing_says_so(admin: Client, orders: Account) -> None:
    page = admin.get(list_url(orders.operator), {"q": "%"}).content.decode()
    assert "Nothing matches" in page


def test_the_list_takes_as_many_queries_for_twice_the_rows(
    admin: Client, operator: Operator, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(3):
        make.account(operator, f"One{number}")
    with django_assert_max_num_queries(8) as before:
        admin.get(list_url(operator))
    for number in range(4):
        make.account(operator, f"Two{number}")
    with django_assert_max_num_queries(8) as after:
        admin.get(list_url(operator))
    assert len(after) == len(before)


def test_an_account_is_made(admin: Client, operator: Operator) -> None:
    answer = admin.post(
        list_url(operator, "account-create"),
        {
            "name": "Orders",
            "description": "two\r\nlines",
            "info_url": "https://example.com",
            "tags": "Env:prod",
            "expires": "1y",
        },
    )
    account = Account.objects.get(name="Orders")
    body = changes.claims_of(account).nats
    assert answer.status_code == 302
    assert (body.description, body.info_url, body.tags) == (
        "two\nlines",
        "https://example.com",
        ("env:prod",),
    )
    assert account.expires
    assert body.limits == OperatorLimits.unlimited()
    page = admin.get(answer["Location"]).content.decode()
    assert "Created account “Orders”" in page
    assert "Now tell the servers" in page


def test_an_account_is_made_with_its_own_public_key_only(admin: Client, operator: Operator) -> None:
    answer = admin.post(
        list_url(operator, "account-create"), {"name": "Far", "public_key": UNKNOWN}, headers=HTMX
    )
    account = Account.objects.get(name="Far")
    assert answer["HX-Redirect"].startswith(url("account", account))
    assert account.public_key == UNKNOWN
    assert not account.keys.filter(sealed__isnull=False).exists()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "orders", "already has an account"),
        ("name", "..", "folder"),
        ("name", "a\tb", "cannot be seen"),
        ("name", "Orders ", "blank"),
        ("public_key", KeyPair.create(KeyKind.USER).public.text, "key of kind user, not account"),
        ("public_key", "ABC", "is not a public key"),
        ("expires", "2020-01-01", "in the past"),
        ("expires", "soon", "no date or span"),
        ("info_url", "no url at all", ""),
        ("description", "x" * 300_000, "at most"),
    ],
)
def test_a_bad_value_is_refused_at_its_field_and_nothing_is_made(
    admin: Client, orders: Account, field: str, value: str, said: str
) -> None:
    before = IssuedToken.objects.count()
    answer = admin.post(list_url(orders.operator, "account-create"), {"name": "New", field: value})
    assert answer.status_code == 422
    assert said in str(answer.context["form"].errors[field])
    assert (Account.objects.count(), IssuedToken.objects.count()) == (2, before)


def test_a_seed_pasted_as_public_key_is_refused_and_not_shown_again(
    admin: Client, operator: Operator
) -> None:
    seed = KeyPair.create(KeyKind.ACCOUNT).seed().reveal().decode()
    answer = admin.post(
        list_url(operator, "account-create"), {"name": "Far", "public_key": seed}, headers=HTMX
    )
    assert answer.status_code == 422
    assert "That is a seed" in answer.content.decode()
    assert seed not in answer.content.decode()


def test_the_page_of_an_account_prints_the_rows_of_nsc_describe(admin: Client, orders: Account) -> None:
    page = admin.get(url("account", orders)).content.decode()
    for label in (
        "Account ID",
        "Issuer ID",
        "Max Connections",
        "Max Msg Payload",
        "Jetstream",
        "Tracing Context",
    ):
        assert f"<dt>{label}</dt>" in page
    assert f'title="{orders.public_key}"' in page
    assert (
        f">{orders.public_key}</code>" in admin.get(url("account", orders), {"ids": "full"}).content.decode()
    )


@pytest.mark.parametrize("resolver", ["MEMORY", "URL", "full", "cache"])
def test_after_a_change_the_page_says_how_each_kind_of_server_learns_of_it(
    admin: Client, orders: Account, resolver: str
) -> None:
    answer = admin.post(url("account-edit", orders), edited(orders, description="new"))
    page = admin.get(answer["Location"]).content.decode()
    assert "Now tell the servers" in page
    assert f"Resolver: {resolver}" in page


def test_the_resolver_that_the_operators_url_speaks_of_stands_first(admin: Client) -> None:
    account = make.account(make.operator("Test", account_server_url="nats://127.0.0.1:4222"), "Orders")
    page = admin.get(url("account", account)).content.decode()
    assert page.index("Resolver: full") < page.index("Resolver: MEMORY")


def test_a_deletion_names_importing_accounts_only_to_those_who_may_see_them(orders: Account) -> None:
    billing = make.account(orders.operator, "Billing")
    make.export(orders, "orders.>")
    make.imported(billing, "orders.new", of=orders)
    narrow = make.client(account=orders).get(url("account-delete", orders)).content.decode()
    assert "Billing" not in narrow
    wide = make.client(operator=orders.operator).get(url("account-delete", orders)).content.decode()
    assert "1 other account imports: Billing" in wide


def test_a_deletion_names_nothing_that_is_not_there(admin: Client, orders: Account) -> None:
    asked = admin.get(url("account-delete", orders)).context["consequences"]
    assert asked == ("the seeds of its keys: nothing can be signed for it any more",)
    bare = make.operator("Bare", system_account=False, generate_signing_key=False)
    asked = admin.get(reverse("operator-delete", args=[bare.public_key])).context["consequences"]
    assert asked == ("1 sealed seed, so nothing can be signed any more",)


def test_a_deletion_shows_what_goes_with_it(admin: Client, orders: Account) -> None:
    make.many_users(orders, [f"u{number}" for number in range(6)])
    buyer = make.account(orders.operator, "Buyer")
    importing(buyer, orders)
    page = admin.get(url("account-delete", orders)).content.decode()
    assert "6 users: “u0”, “u1”, “u2”, “u3”, “u4”, …" in page
    assert "exports that 1 other account imports: Buyer" in page
    orders.refresh_from_db()
    answer = admin.post(url("account-delete", orders), {"version": orders.version, "confirm": "Orders"})
    assert answer["Location"] == list_url(orders.operator)
    assert not Account.objects.live().filter(name="Orders").exists()
    assert not User.objects.live().filter(account=orders).exists()
    assert IssuedToken.objects.filter(subject=orders.public_key).exists()
    assert "Servers go on with the account" in admin.get(answer["Location"]).content.decode()
    assert admin.get(url("account", orders)).status_code == 404


def importing(account: Account, source: Account) -> None:
    """Make `account` import from `source`, as an import of an nsc store would."""
    wanted = Import(name="i", subject="orders.>", account=source.public_key, type="stream")
    change = changes.plan(account, changes.edit_body(imports=(wanted,)), now=0)
    key = account.operator.keys.filter(kind="operator", purpose="signing").get()
    changes.commit(account, change, principal=make.COMMAND, key=key, reason="test")


def test_the_system_account_stays(admin: Client, operator: Operator) -> None:
    system = Account.objects.get(name="SYS")
    assert url("account-delete", system) not in admin.get(url("account", system)).content.decode()
    answer = admin.post(url("account-delete", system), {"version": system.version, "confirm": "SYS"})
    assert answer.status_code == 422
    assert "system account" in answer.content.decode()
    assert Account.objects.live().filter(name="SYS").exists()


def test_the_way_to_the_configuration_is_shown_to_those_who_may_take_it(
    admin: Client, orders: Account
) -> None:
    theirs = make.client(Role.ADMINISTRATOR, account=orders)
    config = list_url(orders.operator, "operator-config")
    shown, told = (each.get(url("account", orders)).content.decode() for each in (admin, theirs))
    assert f'<a href="{config}">' in shown
    assert config not in told
    assert "Admins of the operator can take the configuration from here." in told


def test_the_jwt_is_a_file(viewer: Client, orders: Account) -> None:
    answer = viewer.get(url("account-jwt", orders))
    assert answer.content.decode() == orders.token.text
    assert answer["Content-Type"] == "application/jwt"
    assert answer["Content-Disposition"] == 'attachment; filename="Orders.jwt"'


def test_the_history_shows_what_changed_in_words(admin: Client, orders: Account) -> None:
    admin.post(url("account-limits", orders), limited(orders, conn="7"))
    page = admin.get(url("account-history", orders)).content.decode()
    assert "nats.limits.conn" in page
    assert "<ins>7</ins>" in page
    assert "Created account" in page
    assert "(signing key)" in page


@pytest.mark.parametrize("name", [*PAGES, *WRITING])
def test_an_account_that_is_not_there_or_not_visible_is_not_found(
    admin: Client, orders: Account, name: str
) -> None:
    other = make.operator("Other")
    assert admin.get(url(name, orders, UNKNOWN)).status_code == 404
    assert admin.get(reverse(name, args=[other.public_key, orders.public_key])).status_code == 404
    stranger = make.client(Role.ADMINISTRATOR, operator=other)
    neighbour = make.client(
        Role.ADMINISTRATOR, account=Account.objects.get(name="SYS", operator=orders.operator)
    )
    assert stranger.get(url(name, orders)).status_code == 404
    never = name in (
        "account-limits",
        "account-delete",
    )  # nothing that an account admin holds allows it anywhere
    assert neighbour.get(url(name, orders)).status_code == (403 if never else 404)
    assert neighbour.get(url(name, orders, UNKNOWN)).status_code == (403 if never else 404)


def test_an_account_that_no_key_of_the_operator_signed_is_not_valid(admin: Client, orders: Account) -> None:
    places = url("account", orders), list_url(orders.operator)
    assert all("Not trusted" not in admin.get(place).content.decode() for place in places)
    stranger = make.operator()
    Account.objects.filter(pk=orders.pk).update(issuer=stranger.public_key)
    for place in places:
        assert "Not trusted" in admin.get(place).content.decode()


@pytest.mark.parametrize("name", WRITING)
def test_a_viewer_sees_the_account_but_changes_nothing(viewer: Client, orders: Account, name: str) -> None:
    assert url(name, orders) not in viewer.get(url("account", orders)).content.decode()
    assert viewer.get(url(name, orders)).status_code == 403
    assert viewer.post(url(name, orders), edited(orders, name="X", confirm="Orders")).status_code == 403
    version = orders.version
    orders.refresh_from_db()
    assert (orders.version, orders.deleted_at) == (version, None)


def test_an_administrator_of_one_account_edits_it_and_makes_no_other(orders: Account) -> None:
    client = make.client(Role.ADMINISTRATOR, account=orders)
    assert client.get(url("account", orders)).status_code == 200
    assert client.get(url("account-edit", orders)).status_code == 200
    assert client.get(list_url(orders.operator, "account-create")).status_code == 403
    page = client.get(list_url(orders.operator)).content.decode()
    assert "Orders" in page
    assert ">SYS<" not in page


@pytest.mark.parametrize("name", WRITING)
def test_each_form_is_a_page_alone_and_a_part_for_htmx(admin: Client, orders: Account, name: str) -> None:
    page = admin.get(url(name, orders)).content.decode()
    part = admin.get(url(name, orders), headers=HTMX).content.decode()
    assert "<html" in page
    assert "<html" not in part
    for text in (page, part):
        assert f'<form method="post" action="{url(name, orders)}"' in text
        assert "csrfmiddlewaretoken" in text
