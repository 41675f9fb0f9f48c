"""The tab “May it …?” of a user, and the page “Why was this denied?”; nothing is stored, no seed is shown."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from identities.claims import codec
from identities.claims.account import ExternalAuthorization
from identities.claims.drafts import RoleDraft, SigningKeyDraft, UserEdit
from identities.claims.imports import Import
from identities.claims.mappings import WeightedMapping
from identities.claims.permissions import Permission, Permissions, UserPermissionLimits
from identities.models import Account, AuditEvent, IssuedToken, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import accounts, changes, clock, signing_keys, users
from tests import make

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
LIMITS = replace(
    UserPermissionLimits.unlimited(),
    pub=Permission(allow=("orders.>",), deny=("orders.secret",)),
    sub=Permission(allow=("work workers", "_INBOX.>")),
)
SEED = KeyPair.create(KeyKind.USER).seed().reveal().decode()


@pytest.fixture
def account() -> Account:
    return make.account(make.operator("Op"), "Shop")


@pytest.fixture
def user(account: Account) -> User:
    return make.user(account, "ann", limits=LIMITS)


def url(user: User, name: str = "user-explain") -> str:
    return reverse(name, args=[user.account.operator.public_key, user.account.public_key, user.public_key])


def asked(browser: Client, user: User, **question: str) -> str:
    answer = browser.post(url(user), {"verb": "publish", **question})
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


class TestTester:
    def test_says_yes_with_the_rule_and_a_link_to_its_field(self, user: User) -> None:
        page = asked(make.client(), user, subject="orders.new")
        assert "Yes: ann may publish to <code>orders.new</code>." in page
        assert "nats.pub.allow[0]" in page
        assert f'href="{url(user, "user-edit")}#id_pub_allow"' in page

    def test_says_no_with_the_deny(self, user: User) -> None:
        page = asked(make.client(), user, subject="orders.secret")
        assert "No: ann may not publish" in page
        assert "nats.pub.deny[0]" in page
        assert "#id_pub_deny" in page

    def test_knows_queue_groups_requests_and_inboxes(self, user: User) -> None:
        browser = make.client()
        assert "Yes: ann may subscribe" in asked(
            browser, user, verb="subscribe", subject="work", queue="workers"
        )
        assert "No: ann may not subscribe" in asked(browser, user, verb="subscribe", subject="work")
        assert "Yes: ann may make requests" in asked(browser, user, verb="request", subject="orders.x")
        page = asked(browser, user, verb="request", subject="orders.x", inbox="_INBOX_ann")
        assert "can&#x27;t arrive" in page

    def test_a_link_may_ask_and_the_page_stands_without_a_question(self, user: User) -> None:
        browser = make.client(Role.VIEWER)
        assert "What is looked at" in browser.get(url(user)).content.decode()
        page = browser.get(url(user), {"verb": "publish", "subject": "x"}).content.decode()
        assert "No: ann may not publish" in page

    def test_a_viewer_is_led_to_what_it_may_see(self, user: User) -> None:
        page = asked(make.client(Role.VIEWER), user, subject="orders.new")
        assert url(user, "user-edit") not in page
        assert "Show the user" in page

    def test_htmx_gets_the_tester_alone(self, user: User) -> None:
        answer = make.client().post(url(user), {"verb": "publish", "subject": "x"}, headers=HTMX)
        page = answer.content.decode()
        assert 'id="tester"' in page
        assert "<html" not in page

    @pytest.mark.parametrize(
        ("question", "said"),
        [
            ({"verb": "publish", "subject": ""}, "required"),
            ({"verb": "publish", "subject": "a.*"}, "Messages go to subjects without wildcards"),
            ({"verb": "publish", "subject": "a..b"}, "is no subject"),
            ({"verb": "subscribe", "subject": "a", "queue": "q q"}, "is no name of a queue group"),
            ({"verb": "request", "subject": "a", "inbox": "x.>"}, "is no beginning of an inbox"),
            ({"verb": "fly", "subject": "a"}, "valid choice"),
        ],
    )
    def test_what_can_t_be_asked_is_refused_beside_its_field(
        self, user: User, question: dict[str, str], said: str
    ) -> None:
        answer = make.client().post(url(user), question)
        assert answer.status_code == 422
        assert said in answer.content.decode()

    def test_a_seed_is_refused_and_not_shown_again(self, user: User) -> None:
        answer = make.client().post(url(user), {"verb": "publish", "subject": SEED})
        assert answer.status_code == 422
        assert SEED not in answer.content.decode()
        assert "That is a seed" in answer.content.decode()

    def test_whoever_does_not_see_the_user_finds_no_page(self, user: User) -> None:
        stranger = make.client(Role.VIEWER, account=make.account())
        assert stranger.get(url(user)).status_code == 404
        assert make.client(Role.VIEWER, account=user.account).get(url(user)).status_code == 200
        assert make.client(None).get(url(user)).status_code in (403, 404)

    def test_an_exporter_that_may_not_be_seen_is_not_known(self, account: Account, user: User) -> None:
        other = make.account(account.operator, "Secret")
        imported_from(account, other)
        user = User.objects.select_related("account__operator").get(pk=user.pk)
        page = asked(make.client(Role.VIEWER, account=account), user, subject="orders.help")
        assert "is not known here" in page
        assert "Secret" not in page
        assert "Secret" in asked(make.client(Role.VIEWER), user, subject="orders.help")

    def test_queries_do_not_grow_with_entries(
        self, account: Account, django_assert_max_num_queries: Any
    ) -> None:
        allow = tuple(f"a.{number}" for number in range(300))
        many = make.user(account, "many", limits=replace(LIMITS, pub=Permission(allow=allow)))
        browser = make.client()
        browser.get(url(many))
        with django_assert_max_num_queries(8):
            asked(browser, many, subject="a.299")


def imported_from(account: Account, other: Account) -> None:
    """Export a service in one account and import it in the other, past the editors of both."""
    from identities.claims.exports import Export

    export = changes.edit_body(exports=(Export(name="help", subject="orders.help", type="service"),))
    accounts.rewrite(
        principal=make.COMMAND,
        account=other,
        plan=lambda row: changes.plan(row, export, now=clock.unix()),
        version=other.version,
        done="Exported",
    )
    one = Import(name="help", subject="orders.help", account=other.public_key, type="service")
    take = changes.edit_body(imports=(one,))
    accounts.rewrite(
        principal=make.COMMAND,
        account=account,
        plan=lambda row: changes.plan(row, take, now=clock.unix()),
        version=account.version,
        done="Imported",
    )


def explained(text: str, user: str = "", browser: Client | None = None, status: int = 200) -> str:
    answer = (browser or make.client(Role.VIEWER)).post(reverse("denied"), {"text": text, "user": user})
    assert answer.status_code == status, answer.content
    return answer.content.decode()


def line(user: User, what: str) -> str:
    key = f"{user.account.public_key}/{user.account.name}/jwt:{user.public_key}"
    return f'[1] 2026/11/26 20:05:14.789236 [ERR] 127.0.0.1:47596 - cid:6 - "v1:py" - "{key}" - {what}'


class TestExplainer:
    def test_a_log_line_is_enough(self, user: User) -> None:
        page = explained(line(user, 'Publish Violation - Subject "orders.secret"'))
        assert "Publishing was refused" in page
        assert "ann of Shop" in page
        assert "deny publishing to <code>orders.secret</code>" in page
        assert "nats.pub.deny[0]" in page

    def test_a_client_s_error_needs_a_user_by_key_or_name(self, user: User) -> None:
        text = 'nats: permissions violation for subscription to "_inbox.x" using queue "q"'
        assert "The text names no user" in explained(text)
        for who in (user.public_key, "ann", " ann "):
            page = explained(text, who)
            assert "ann of Shop" in page
            assert "_INBOX.x" in page
        assert "No user of this key or name" in explained(text, "nobody", status=422)

    def test_namesakes_are_chosen_from(self, account: Account, user: User) -> None:
        other = make.user(make.account(account.operator, "Other"), "ann")
        page = explained('Permissions Violation for Publish to "x"', "ann", status=422)
        assert f'value="{user.public_key}"' in page
        assert f'value="{other.public_key}"' in page
        assert "Permissions Violation for Publish" in page  # what was pasted is sent along by the choice

    def test_what_is_allowed_here_points_to_older_creds_and_servers(self, user: User) -> None:
        page = explained(line(user, 'Publish Violation - Subject "orders.new"'))
        assert "By what stands here it may" in page

    def test_a_user_that_is_not_known_is_said_so(self, user: User) -> None:
        stranger = KeyPair.create(KeyKind.USER).public.text
        page = explained(f'Publish Violation - JWT User "{stranger}", Subject "a"')
        assert "not known here" in page
        other = make.client(Role.VIEWER, account=make.account())
        page = explained(line(user, 'Publish Violation - Subject "a"'), browser=other)
        assert "ann of Shop" not in page
        assert "not known here" in page

    def test_refused_logins_are_looked_into(self, account: Account, user: User) -> None:
        text = "nats: authorization violation"
        assert "Nothing in the user" in explained(text, "ann")
        entries = {user.public_key: clock.unix() + 5}
        accounts.revoke(principal=make.COMMAND, account=account, entries=entries)
        assert "The account has revoked JWTs of this user" in explained(text, "ann")
        assert "ann" not in explained("nats: no responders available for request")

    def test_a_time_out_leads_to_the_question(self, user: User) -> None:
        page = explained("nats: timeout", "ann")
        assert f"{url(user)}?verb=request" in page

    def test_unknown_text_is_answered_honestly(self, user: User) -> None:
        page = explained("it does not work")
        assert "so nothing is said about it rather than guessed" in page
        assert "required" in explained("", status=422)
        assert "Paste a line of a log" in explained("  \n ", status=422)

    def test_seeds_are_refused_and_nothing_is_stored(self, user: User) -> None:
        before = (IssuedToken.objects.count(), AuditEvent.objects.count())
        page = explained(f"my creds are {SEED}", status=422)
        assert SEED not in page
        explained(line(user, 'Publish Violation - Subject "a"'))
        assert (IssuedToken.objects.count(), AuditEvent.objects.count()) == before

    def test_htmx_gets_the_explainer_alone(self, user: User) -> None:
        answer = make.client().post(reverse("denied"), {"text": "nats: timeout"}, headers=HTMX)
        assert 'id="explainer"' in answer.content.decode()
        assert "<html" not in answer.content.decode()

    def test_ten_lines_take_no_more_queries_than_one_a_user(
        self, user: User, django_assert_max_num_queries: Any
    ) -> None:
        text = "\n".join(line(user, f'Publish Violation - Subject "a.{number}"') for number in range(10))
        browser = make.client()
        explained("nats: timeout", browser=browser)
        with django_assert_max_num_queries(8):
            assert explained(text, browser=browser).count("No: ann may not publish") == 10

    def test_who_may_ask(self, user: User) -> None:
        assert make.client(Role.VIEWER, account=user.account).get(reverse("denied")).status_code == 200
        assert make.client(None).get(reverse("denied")).status_code == 403
        assert Client().get(reverse("denied")).status_code == 302


def test_the_answer_follows_an_edit(user: User) -> None:
    limits = replace(LIMITS, pub=Permission(allow=("new.>",)))
    edit = UserEdit(name="ann", limits=limits)
    users.update(principal=make.COMMAND, user=user, edit=edit, version=user.version)
    assert "Yes: ann may publish" in asked(make.client(), user, subject="new.x")


EDITORS: list[tuple[dict[str, Any], str, str]] = [
    ({"default_permissions": Permissions(pub=Permission(allow=("d",)))}, "x", "default-permissions"),
    ({"mappings": {"x": (WeightedMapping(subject="y"),)}}, "x", "mappings/"),
    ({"imports": (Import(name="i", subject="x", account="A" * 56, type="service"),)}, "x", "imports/"),
    ({"revocations": {"*": 2**31}}, "x", "revocations/"),
    ({"authorization": ExternalAuthorization(auth_users=("U" * 56,))}, "$SYS.REQ.USER.AUTH", "auth-callout"),
]


@pytest.mark.parametrize(("fields", "subject", "editor"), EDITORS)
def test_each_field_of_the_account_leads_to_where_it_is_edited(
    account: Account, fields: dict[str, Any], subject: str, editor: str
) -> None:
    plain = make.user(account, "plain", limits=UserPermissionLimits.unlimited())
    claims = changes.edit_body(**fields)(changes.claims_of(account))
    Account.objects.filter(pk=account.pk).update(claims=codec.payload_text(claims))
    plain = User.objects.select_related("account__operator").get(pk=plain.pk)
    page = asked(make.client(), plain, subject=subject)
    address = reverse("account", args=[account.operator.public_key, account.public_key])
    links = re.findall(f'href="({re.escape(address)}{editor}[^"]*)"', page)
    assert links, page
    assert make.client().get(links[0]).status_code == 200
    seen = asked(make.client(Role.VIEWER), plain, subject=subject)
    assert (address + editor in seen) is (editor in ("imports/", "revocations/"))
    assert "Edit " not in seen


def test_a_role_s_rule_leads_to_the_role_and_its_field_in_the_account(account: Account) -> None:
    template = replace(UserPermissionLimits.unlimited(), pub=Permission(allow=("a.{{name()}}",)))
    draft = SigningKeyDraft(role=RoleDraft(role="service", template=template))
    role = signing_keys.add(principal=make.COMMAND, account=account, draft=draft, version=account.version)
    bob = make.user(account, "bob", signer=role.public_key, limits=None)
    bob = User.objects.select_related("account__operator").get(pk=bob.pk)
    page = asked(make.client(), bob, subject="a.bob")
    assert "made of <code>a.{{name()}}</code>" in page
    address = reverse("role-edit", args=[account.operator.public_key, account.public_key, role.public_key])
    assert f'href="{address}"' in page
    assert "Allow it to" not in page
