"""The search page: names, keys, subjects, and who may publish or subscribe by nats-server's rules."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from identities.claims.account import AccountBody
from identities.claims.drafts import AccountDraft
from identities.claims.permissions import (
    Permission,
    Permissions,
    ResponsePermission,
    UserPermissionLimits,
)
from identities.claims.scopes import USER_SCOPE, SigningKey
from identities.models import Account, Operator, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.queries import candidates, effective
from identities.services import accounts, changes, clock, signing, users
from tests import make

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
FREE = UserPermissionLimits.unlimited()


def rules(
    pub: tuple[str, ...] = (),
    sub: tuple[str, ...] = (),
    not_pub: tuple[str, ...] = (),
    not_sub: tuple[str, ...] = (),
    resp: ResponsePermission | None = None,
) -> UserPermissionLimits:
    return replace(
        FREE, pub=Permission(allow=pub, deny=not_pub), sub=Permission(allow=sub, deny=not_sub), resp=resp
    )


def rules_of_role(**changed: object) -> UserPermissionLimits:
    return replace(FREE, **changed)  # type: ignore[arg-type]


def with_body(operator: Operator, name: str, body: AccountBody) -> Account:
    with transaction.atomic():
        return accounts.create_unaudited(
            principal=make.COMMAND, operator=operator, draft=AccountDraft(name=name), body=body
        )


def with_role(account: Account, role: str, template: UserPermissionLimits) -> str:
    """Give the account a role; returns its key."""
    with transaction.atomic():
        key, pair = signing.new_key(KeyKind.ACCOUNT, purpose="role", role=role)
        pair.wipe()
        key.operator, key.account = account.operator, account
        key.save()
        row = changes.locked(account, None)
        scope = SigningKey(kind=USER_SCOPE, key=key.public_key, role=role, template=template)
        held = changes.claims_of(row).nats.signing_keys
        change = changes.plan(row, changes.edit_body(signing_keys=(*held, scope)), now=clock.unix())
        signer = signing.account_signer(row.operator, changes.claims_of(row.operator))
        changes.commit(row, change, principal=make.COMMAND, key=signer, reason="role")
    return key.public_key


def who(subject: str, direction: candidates.Direction = "pub") -> dict[str, str]:
    """Names of everybody who may, with how much."""
    operators = tuple(Operator.objects.live())
    found, place = {}, None
    while True:
        page = effective.holders(make.COMMAND, subject, direction, operators, after=place)
        found.update({row.user.name: row.coverage.value for row in page.rows})
        if page.next is None:
            return found
        place = page.next


@pytest.fixture
def shop() -> Account:
    return make.account(make.operator("Op", system_account=False), "Shop")


def search(browser: Client, **query: str) -> str:
    return browser.get(reverse("search"), query).content.decode()


# --- who may


def test_own_rules_count_and_denies_are_taken_away(shop: Account) -> None:
    make.user(shop, "all", limits=rules(pub=("orders.>",)))
    make.user(shop, "new", limits=rules(pub=("orders.new",)))
    make.user(shop, "but", limits=rules(pub=("orders.*",), not_pub=("orders.new",)))
    make.user(shop, "none", limits=rules(pub=("orders.>",), not_pub=("orders.>",)))
    make.user(shop, "else", limits=rules(pub=("billing.>",)))
    make.user(shop, "star", limits=rules(pub=("*.new",)))
    assert who("orders.new") == {"all": "all", "new": "all", "star": "all"}
    assert who("orders.>") == {"all": "all", "new": "part", "but": "part", "star": "part"}
    assert who("orders") == {}


def test_no_publish_rule_means_everywhere_unless_replies_only(shop: Account) -> None:
    make.user(shop, "silent")
    make.user(shop, "listener", limits=rules(sub=("news",)))
    make.user(shop, "denied", limits=rules(not_pub=("orders.>",)))
    make.user(shop, "answers", limits=rules(resp=ResponsePermission(max=1, ttl=1)))
    assert who("orders.new") == {"silent": "all", "listener": "all"}
    assert who("orders.new", "sub") == {"silent": "all", "denied": "all", "answers": "all"}


def test_account_defaults_count_only_for_users_without_any_rule() -> None:
    operator = make.operator("Op", system_account=False)
    defaults = Permissions(pub=Permission(allow=("public.>",), deny=("public.secret",)))
    account = with_body(operator, "Shop", AccountBody(default_permissions=defaults))
    make.user(account, "silent")
    make.user(account, "listener", limits=rules(sub=("news",)))
    make.user(account, "own", limits=rules(pub=("public.news",)))
    assert who("public.news") == {"silent": "all", "listener": "all", "own": "all"}
    assert who("public.secret") == {"listener": "all"}
    assert who("public.>") == {"silent": "part", "listener": "all", "own": "part"}
    assert who("orders.new") == {"listener": "all"}


def test_roles_are_expanded_for_each_of_their_users(shop: Account) -> None:
    template = rules_of_role(pub=Permission(allow=("orders.{{name()}}.>", "team.{{tag(team)}}")))
    key = with_role(shop, "seller", template)
    shop = Account.objects.select_related("operator").get(pk=shop.pk)
    make.user(shop, "ann", signer=key, tags=("team:red", "team:blue"))
    make.user(shop, "bob", signer=key)
    assert who("orders.ann.new") == {"ann": "all"}
    assert who("orders.>") == {"ann": "part", "bob": "part"}
    assert who("team.blue") == {"ann": "all"}
    assert who("team.green") == {}


def test_a_role_without_a_publish_rule_publishes_everywhere_and_one_for_replies_nowhere(
    shop: Account,
) -> None:
    sub_only = with_role(shop, "reader", rules_of_role(sub=Permission(allow=("news",))))
    replies = with_role(shop, "answerer", rules_of_role(resp=ResponsePermission(max=1, ttl=1)))
    shop = Account.objects.select_related("operator").get(pk=shop.pk)
    make.user(shop, "reader-1", signer=sub_only)
    make.user(shop, "answerer-1", signer=replies)
    assert who("orders.new") == {"reader-1": "all"}
    assert who("orders.new", "sub") == {"answerer-1": "all"}


def test_a_denied_queue_group_leaves_the_subject_free(shop: Account) -> None:
    make.user(shop, "worker", limits=rules(sub=("jobs.* pool",), not_sub=("jobs.one other",)))
    assert who("jobs.one", "sub") == {"worker": "all"}


def test_who_may_subscribe_to_one_token_more_reaches_all_below_as_nats_server_has_it(shop: Account) -> None:
    make.user(shop, "star", limits=rules(sub=("orders.*",)))
    make.user(shop, "held", limits=rules(sub=("orders.*",), not_sub=("orders.*.secret",)))
    make.user(shop, "barred", limits=rules(sub=("orders.*",), not_sub=("orders.>",)))
    make.user(shop, "inside", limits=rules(sub=("*.new",)))
    assert who("orders.eu.new", "sub") == {"star": "all", "held": "all"}
    assert who("orders.eu.secret", "sub") == {"star": "all"}
    assert who("orders.a.b.c.d.e.f.g.h", "sub") == {"star": "all", "held": "all"}
    assert who("orders.>", "sub") == {"star": "all", "held": "part", "inside": "part"}
    assert who("orders.eu.new", "pub") == {"barred": "all", "held": "all", "inside": "all", "star": "all"}
    assert "orders.*" in search(make.client(), q="orders.eu.new", look="subscribe")


def test_deleted_users_and_accounts_may_nothing(shop: Account) -> None:
    gone = make.user(shop, "gone")
    users.delete(principal=make.COMMAND, user=gone, version=gone.version)
    assert who("orders.new") == {}


def test_every_page_goes_on_where_the_last_one_ended(shop: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effective, "LOOKED_AT", 7)
    names = [f"user-{number:02}" for number in range(30)]
    for number, name in enumerate(names):
        limits = [rules(pub=("orders.new",)), rules(pub=("x",)), FREE][number % 3]
        make.user(shop, name, limits=limits)
    assert list(who("orders.new")) == [name for number, name in enumerate(names) if number % 3 != 1]


def test_many_holders_of_one_rule_are_found_as_well_as_few(
    shop: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    from identities.queries import patterns

    make.many_users(shop, [f"user-{number:02}" for number in range(12)], limits=rules(pub=("orders.*",)))
    few = who("orders.new")
    monkeypatch.setattr(patterns, "OFTEN", 3)
    assert who("orders.new") == few
    monkeypatch.setattr(patterns, "MOST", 0)
    assert who("orders.new") == few
    assert who("orders.>") == dict.fromkeys(few, "part")
    assert len(few) == 12


def test_accounts_with_many_users_are_gone_through_by_name(
    shop: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "FEW_USERS", 1)
    make.many_users(shop, ["a", "b", "c"])
    assert who("orders.new") == {"a": "all", "b": "all", "c": "all"}


def test_only_what_may_be_seen_is_looked_at(shop: Account) -> None:
    other = make.account(shop.operator, "Other")
    make.user(shop, "seen")
    make.user(other, "unseen")
    browser = make.client(Role.VIEWER, account=shop)
    page = search(browser, q="orders.new", look="publish")
    assert "seen</a>" in page
    assert "unseen" not in page
    assert "unseen</a>" not in search(browser, q="unseen")


# --- the page


def test_names_are_found_by_their_beginning_and_then_anywhere(shop: Account) -> None:
    make.many_users(shop, ["client-1", "client-2", "my-client", "other"])
    browser = make.client()
    page = search(browser, q="client")
    assert "client-1</a>" in page
    assert "my-client</a>" not in page
    assert "my-client</a>" in search(browser, q="client", inside="1")
    assert "other</a>" in search(browser, q="ther")  # nobody begins so
    assert "Shop</a>" in search(browser, q="sHo")
    assert "Op</a>" in search(browser, q="op")
    assert "Nothing found" in search(browser, q="zzz")


def test_a_key_leads_to_its_holder_whole_or_in_part(shop: Account) -> None:
    user = make.user(shop, "ann")
    browser = make.client()
    address = reverse("user", args=[shop.operator.public_key, shop.public_key, user.public_key])
    for text in (user.public_key, user.public_key[:9], f"{user.public_key[:4]}…{user.public_key[-4:]}"):
        assert f'href="{address}"' in search(browser, q=text, look="keys")
    users.delete(principal=make.COMMAND, user=user, version=user.version)
    page = search(browser, q=user.public_key)
    assert "(deleted)" in page
    assert address not in page


def test_a_subject_leads_to_the_questions_about_it(shop: Account) -> None:
    make.user(shop, "ann", limits=rules(pub=("orders.new",)))
    page = search(make.client(), q="orders.")
    assert "<code>orders.new</code>" in page
    assert "look=publish" in page
    assert "Is <code>orders.&gt;</code> a subject?" in search(make.client(), q="orders.>")


def test_a_seed_is_neither_looked_for_nor_shown(shop: Account) -> None:
    from identities.nkeys import KeyPair

    seed = KeyPair.create(KeyKind.USER).seed().reveal().decode()
    answer = make.client().get(reverse("search"), {"q": seed})
    assert answer.status_code == 422
    assert seed not in answer.content.decode()


@pytest.mark.parametrize("text", ["a b", "a..b", ".a", "a.>.b"])
def test_what_is_no_subject_is_said_to_be_none(text: str) -> None:
    answer = make.client().get(reverse("search"), {"q": text, "look": "publish"})
    assert answer.status_code == 422
    assert "is no subject" in answer.content.decode()
    assert "<code>*</code> for one token" in answer.content.decode()


def test_odd_questions_are_answered(shop: Account) -> None:
    browser = make.client()
    for query in (
        {"q": "x" * 5000},
        {"q": "%_'\"\\"},
        {"q": "a\x00b"},
        {"q": "x", "after": "1~2"},
        {"q": "x", "after": "9~~9"},
        {"q": "x", "look": "?", "operator": "?"},
        {"q": "{{name()}}", "look": "publish"},
        {"q": ">", "look": "publish"},
        {"q": ".".join("abcdefghijkl"), "look": "publish"},
        {"q": "*.b.>", "look": "subscribe"},
    ):
        assert browser.get(reverse("search"), query).status_code in {200, 422}


def test_the_page_comes_whole_or_in_part_and_to_those_who_may_see_anything(shop: Account) -> None:
    assert "<html" in search(make.client(Role.VIEWER), q="Shop")
    part = make.client().get(reverse("search"), {"q": "Shop"}, headers=HTMX).content.decode()
    assert "<html" not in part
    assert 'id="search-results"' in part
    assert make.client(None).get(reverse("search")).status_code == 403
    assert Client().get(reverse("search")).status_code == 302


def test_no_question_takes_more_than_eight_queries(
    shop: Account, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    browser = make.client()
    make.many_users(shop, [f"user-{number:02}" for number in range(60)], limits=rules(pub=("orders.*",)))
    make.user(shop, "silent")
    key = User.objects.get(name="user-01").public_key
    for query in (
        {"q": "user"},
        {"q": "ser-0"},
        {"q": key},
        {"q": key[:6]},
        {"q": "orders.*"},
        {"q": "orders.new", "look": "publish"},
        {"q": "orders.>", "look": "subscribe"},
    ):
        with django_assert_max_num_queries(8):
            browser.get(reverse("search"), query)


def test_the_next_page_of_users_is_a_link(shop: Account) -> None:
    make.many_users(shop, [f"user-{number:03}" for number in range(60)])
    browser = make.client()
    page = search(browser, q="user")
    assert "user-049</a>" in page
    assert "user-050</a>" not in page
    last = User.objects.get(name="user-049")
    following = search(browser, q="user", after=f"{shop.operator_id}~user-049~{last.pk}")
    assert "user-050</a>" in following
    assert "user-059</a>" in following
    assert "user-049</a>" not in following


def test_a_server_is_found_by_its_id() -> None:
    server, other = (KeyPair.create(KeyKind.SERVER).public.text for _ in range(2))
    cluster = make.cluster(name="Main")
    make.server(cluster, "seventh-server", server_id=server)
    address = reverse("search")
    page = make.client().get(address, {"q": server}).content.decode()
    assert "seventh-server" in page
    assert reverse("cluster", args=[cluster.operator.public_key, cluster.pk]) in page
    assert "Nothing found" in make.client().get(address, {"q": other}).content.decode()
    stranger = make.client(Role.VIEWER, operator=make.operator())
    assert "seventh-server" not in stranger.get(address, {"q": server}).content.decode()
