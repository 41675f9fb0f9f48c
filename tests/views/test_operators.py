"""The pages of operators: seen, made, edited, deleted, by whom, and what is said when not."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from identities.models import Account, AuditEvent, IssuedToken, Operator, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import changes
from tests import make

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
UNKNOWN = KeyPair.create(KeyKind.OPERATOR).public.text


@pytest.fixture
def admin() -> Client:
    return make.client()


@pytest.fixture
def viewer() -> Client:
    return make.client(Role.VIEWER)


def url(name: str, operator: Operator | str) -> str:
    return reverse(name, args=[operator if isinstance(operator, str) else operator.public_key])


def edited(operator: Operator, **changed: str) -> dict[str, str]:
    return {"name": operator.name, "version": str(operator.version), **changed}


PAGES = ["operator", "operator-jwt", "operator-history"]
WRITING = ["operator-edit", "operator-delete", "operator-system-account"]


def test_the_list_shows_every_operator_with_its_accounts(admin: Client) -> None:
    first, second = make.operator("Alpha"), make.operator("Beta", system_account=False)
    page = admin.get(reverse("operators")).content.decode()
    for operator in (first, second):
        assert f'href="{url("operator", operator)}"' in page
        assert operator.public_key in page
    assert "<html" in page


def test_the_list_answers_htmx_with_the_table_alone(admin: Client) -> None:
    make.operator("Alpha")
    part = admin.get(reverse("operators"), headers=HTMX).content.decode()
    assert 'id="operator-list"' in part
    assert "<html" not in part


@pytest.mark.parametrize("typed", ["alp", "LPHA", "{key}", "{tail}"])
def test_the_list_is_filtered_by_name_and_key(admin: Client, typed: str) -> None:
    wanted = make.operator("Alpha")
    make.operator("Beta")
    text = typed.format(key=wanted.public_key, tail=wanted.public_key[-6:])
    page = admin.get(reverse("operators"), {"q": text}).content.decode()
    assert "Alpha" in page
    assert "Beta" not in page


def test_an_empty_list_offers_the_next_action_to_those_who_may(admin: Client, viewer: Client) -> None:
    assert "New operator" in admin.get(reverse("operators")).content.decode()
    page = viewer.get(reverse("operators")).content.decode()
    assert "No operators yet" in page
    assert "New operator" not in page


def test_the_list_takes_as_many_queries_for_twice_the_rows(
    admin: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(3):
        make.operator(f"One{number}", system_account=False)
    with django_assert_max_num_queries(8) as before:
        admin.get(reverse("operators"))
    for number in range(3):
        make.operator(f"Two{number}", system_account=False)
    with django_assert_max_num_queries(8) as after:
        admin.get(reverse("operators"))
    assert len(after) == len(before)


def test_an_operator_is_made_with_the_options_of_nsc(admin: Client) -> None:
    answer = admin.post(
        reverse("operator-create"),
        {
            "name": "Test",
            "generate_signing_key": "on",
            "system_account": "on",
            "require_signing_keys": "on",
            "account_server_url": "nats://127.0.0.1:4222",
            "service_urls": "nats://127.0.0.1:4222\nTLS://nats.example.com",
            "tags": "env:Test",
            "expires": "2046-01-01",
        },
    )
    operator = Operator.objects.get()
    assert answer.status_code == 302
    assert answer["Location"] == url("operator", operator)
    body = changes.claims_of(operator).nats
    assert body.strict_signing_key_usage
    assert body.operator_service_urls == ("nats://127.0.0.1:4222", "tls://nats.example.com")
    assert body.tags == ("env:test",)
    assert body.system_account == Account.objects.get(name="SYS").public_key
    assert User.objects.get().name == "sys"
    assert operator.expires == 2398377600
    assert "Created operator" in admin.get(answer["Location"]).content.decode()


def test_an_operator_made_by_htmx_is_loaded_as_a_page(admin: Client) -> None:
    answer = admin.post(reverse("operator-create"), {"name": "Test"}, headers=HTMX)
    assert answer["HX-Redirect"] == url("operator", Operator.objects.get())


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "", "required"),
        ("name", "a/b", "slash"),
        ("name", " Test", "blank"),
        ("name", "taken", "already an operator"),
        ("name", "x" * 300, "at most 255"),
        ("service_urls", "http://example.com", ""),
        ("account_server_url", "ht tp://x", ""),
        ("expires", "tomorrow", "no date or span"),
        ("expires", "2001-01-01", "in the past"),
        ("require_signing_keys", "on", "also generate a signing key"),
    ],
)
def test_a_bad_value_is_refused_at_its_field_and_nothing_is_made(
    admin: Client, field: str, value: str, said: str
) -> None:
    make.operator("Taken", system_account=False)
    answer = admin.post(reverse("operator-create"), {"name": "Test", field: value}, headers=HTMX)
    assert answer.status_code == 422
    assert answer.context["form"].errors[field]
    assert said in str(answer.context["form"].errors[field])
    assert Operator.objects.count() == 1
    assert "<html" not in answer.content.decode()


def test_a_seed_in_the_name_is_refused_and_not_shown_again(admin: Client) -> None:
    seed = KeyPair.create(KeyKind.OPERATOR).seed().reveal().decode()
    answer = admin.post(reverse("operator-create"), {"name": seed})
    assert answer.status_code == 422
    assert seed not in answer.content.decode()
    assert not Operator.objects.exists()


def test_the_form_is_a_page_without_htmx_and_a_part_with_it(admin: Client) -> None:
    assert "<html" in admin.get(reverse("operator-create")).content.decode()
    part = admin.get(reverse("operator-create"), headers=HTMX).content.decode()
    assert "<html" not in part
    assert f'action="{reverse("operator-create")}"' in part


def test_the_page_of_an_operator_prints_the_rows_of_nsc_describe(admin: Client) -> None:
    operator = make.operator("Test", service_urls=("nats://h:4222",), tags=("a", "b"))
    page = admin.get(url("operator", operator)).content.decode()
    for label in (
        "Operator ID",
        "Issuer ID",
        "Issued",
        "Expires",
        "Tags",
        "Operator Service URLs",
        "System Account",
    ):
        assert f"<dt>{label}</dt>" in page
    assert "Require Signing Keys" in page
    assert f'title="{operator.public_key}"' in page
    assert f">{operator.public_key}</code>" not in page
    full = admin.get(url("operator", operator), {"ids": "full"}).content.decode()
    assert f">{operator.public_key}</code>" in full


def test_the_page_of_an_operator_takes_as_many_queries_for_twice_the_accounts(
    admin: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    operator = make.operator("Test")
    admin.get(url("operator", operator))
    for name in "ab":
        make.account(operator, name)
        with django_assert_max_num_queries(8):
            assert admin.get(url("operator", operator)).status_code == 200


def test_the_page_of_an_operator_counts_what_its_reader_may_see(admin: Client) -> None:
    operator = make.operator("Test")
    orders = make.account(operator, "Orders")
    make.many_users(orders, ["a", "b"])
    seen = admin.get(url("operator", operator)).context
    assert (seen["account_count"], seen["user_count"]) == ("2", "3")
    seen = make.client(Role.VIEWER, account=orders).get(url("operator", operator)).context
    assert (seen["account_count"], seen["user_count"]) == ("1", "2")


def test_an_operator_without_a_system_account_says_so_and_gets_one(admin: Client) -> None:
    operator = make.operator("Test", system_account=False)
    assert "no system account" in admin.get(url("operator", operator)).content.decode()
    form = admin.get(url("operator-system-account", operator)).content.decode()
    assert "a new configuration and a restart" in form.replace("\n", " ")
    answer = admin.post(url("operator-system-account", operator), {"version": operator.version})
    assert answer.status_code == 302
    operator.refresh_from_db()
    assert operator.system_account
    page = admin.get(answer["Location"]).content.decode()
    assert "restart the servers" in page


def test_an_edit_signs_a_new_jwt_and_says_what_servers_need(admin: Client) -> None:
    operator = make.operator("Test")
    answer = admin.post(url("operator-edit", operator), edited(operator, name="Renamed", tags="x"))
    assert answer.status_code == 302
    operator.refresh_from_db()
    assert (operator.name, changes.claims_of(operator).nats.tags) == ("Renamed", ("x",))
    assert "restart the servers" in admin.get(answer["Location"]).content.decode()


def test_an_edit_that_changes_nothing_signs_nothing(admin: Client) -> None:
    operator = make.operator("Test", service_urls=("nats://b:1", "nats://a:1"), tags=("z", "a"))
    before = IssuedToken.objects.count()
    typed = edited(operator, service_urls="nats://b:1\r\nnats://a:1", tags="z\r\na")
    answer = admin.post(url("operator-edit", operator), typed, follow=True)
    assert "Nothing was changed" in answer.content.decode()
    assert IssuedToken.objects.count() == before


def test_a_stale_edit_shows_both_values_keeps_what_was_typed_and_can_be_sent_again(admin: Client) -> None:
    operator = make.operator("Test")
    admin.post(url("operator-edit", operator), edited(operator, tags="theirs"))
    answer = admin.post(url("operator-edit", operator), edited(operator, tags="mine"), headers=HTMX)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "was changed by administrator" in page
    assert "theirs" in page
    assert "mine" in page
    operator.refresh_from_db()
    assert changes.claims_of(operator).nats.tags == ("theirs",)
    assert f'name="version" value="{operator.version}"' in page
    again = admin.post(url("operator-edit", operator), edited(operator, tags="mine"))
    assert again.status_code == 302
    operator.refresh_from_db()
    assert changes.claims_of(operator).nats.tags == ("mine",)


def test_a_deletion_lists_what_goes_asks_for_the_name_and_leaves_tombstones(admin: Client) -> None:
    operator = make.operator("Test")
    make.account(operator, "Orders")
    ask = admin.get(url("operator-delete", operator)).content.decode()
    assert "2 accounts: “Orders”, “SYS”" in ask
    assert "1 user" in ask
    wrong = admin.post(url("operator-delete", operator), {"version": operator.version, "confirm": "Tset"})
    assert wrong.status_code == 422
    assert Operator.objects.live().exists()
    right = admin.post(url("operator-delete", operator), {"version": operator.version, "confirm": "Test"})
    assert (right.status_code, right["Location"]) == (302, reverse("operators"))
    assert not Operator.objects.live().exists()
    assert Operator.objects.exists()
    assert admin.get(url("operator", operator)).status_code == 404


def test_a_deletion_of_what_changed_meanwhile_is_asked_again(admin: Client) -> None:
    operator = make.operator("Test")
    answer = admin.post(
        url("operator-delete", operator), {"version": operator.version - 1, "confirm": "Test"}
    )
    assert answer.status_code == 409
    assert Operator.objects.live().exists()


def test_the_jwt_is_a_file_that_nobody_keeps(viewer: Client) -> None:
    operator = make.operator("Test")
    answer = viewer.get(url("operator-jwt", operator))
    assert answer.content.decode() == operator.token.text
    assert answer["Content-Disposition"] == 'attachment; filename="Test.jwt"'
    assert "no-store" in answer["Cache-Control"]


def test_the_history_shows_each_jwt_what_changed_and_who_did_it(admin: Client) -> None:
    operator = make.operator("Test", system_account=False)
    admin.post(url("operator-edit", operator), edited(operator, name="Renamed"))
    page = admin.get(url("operator-history", operator)).content.decode()
    for token in IssuedToken.objects.all():
        assert token.text in page
    assert "<del>Test</del>" in page
    assert "<ins>Renamed</ins>" in page
    assert "Created operator" in page
    assert AuditEvent.objects.last().summary.split(":")[0] in page.replace("&quot;", '"')


def test_the_history_takes_as_many_queries_for_twice_the_rows(
    admin: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    operator = make.operator("Test", system_account=False)
    counts = []
    for name in ("a", "b", "c"):
        operator.refresh_from_db()
        admin.post(url("operator-edit", operator), edited(operator, name=name))
        admin.get(url("operator-history", operator))  # shows the message, which is forgotten then
        with django_assert_max_num_queries(8) as queries:
            admin.get(url("operator-history", operator))
        counts.append(len(queries))
    assert len(set(counts)) == 1


@pytest.mark.parametrize("name", [*PAGES, *WRITING])
def test_an_operator_that_is_not_there_or_not_visible_is_not_found(admin: Client, name: str) -> None:
    operator = make.operator("Test")
    assert admin.get(url(name, UNKNOWN)).status_code == 404
    stranger = make.client(Role.ADMINISTRATOR, operator=make.operator("Other"))
    assert stranger.get(url(name, operator)).status_code == 404
    assert stranger.post(url(name, operator), {"version": 1}).status_code in (404, 405)


@pytest.mark.parametrize("name", WRITING)
def test_a_viewer_sees_the_operator_but_changes_nothing(viewer: Client, name: str) -> None:
    operator = make.operator("Test", system_account=False)
    version = operator.version
    assert viewer.get(url(name, operator)).status_code == 403
    assert viewer.post(url(name, operator), edited(operator, name="X", confirm="Test")).status_code == 403
    operator.refresh_from_db()
    assert (operator.version, operator.deleted_at) == (version, None)


def test_a_viewer_finds_no_button_that_would_refuse_them(viewer: Client) -> None:
    operator = make.operator("Test")
    page = viewer.get(url("operator", operator)).content.decode()
    for name in WRITING:
        assert url(name, operator) not in page
    assert viewer.get(reverse("operator-create")).status_code == 403
    assert viewer.post(reverse("operator-create"), {"name": "X"}).status_code == 403


def test_an_administrator_of_one_operator_makes_no_other(admin: Client) -> None:
    mine = make.operator("Mine")
    client = make.client(Role.ADMINISTRATOR, operator=mine)
    assert client.post(reverse("operator-create"), {"name": "X"}).status_code == 403
    assert client.get(url("operator-edit", mine)).status_code == 200
    assert "Test" not in client.get(reverse("operators")).content.decode()
