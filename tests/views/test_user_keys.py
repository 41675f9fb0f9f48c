from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.models import Account, IssuedToken, Key, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import changes, signing_keys, suspensions, user_keys
from tests import make
from tests.pages import Visitor, saved_all_the_same

pytestmark = pytest.mark.django_db

TEMPLATE = UserPermissionLimits(pub=Permission(allow=("orders.{{name()}}.>",)), subs=-1, data=-1, payload=-1)


@pytest.fixture
def account() -> Account:
    return make.account(make.operator("Test"), "Orders")


@pytest.fixture
def admin() -> Client:
    return make.client()


@pytest.fixture
def visitor(admin: Client) -> Visitor:
    return Visitor(admin)


def fresh(user: User) -> User:
    return User.objects.select_related("account__operator", "operator", "token").get(pk=user.pk)


def role(account: Account) -> Key:
    row = Account.objects.select_related("operator").get(pk=account.pk)
    draft = SigningKeyDraft(role=RoleDraft(role="worker", template=TEMPLATE))
    return signing_keys.add(principal=make.COMMAND, account=row, draft=draft, version=row.version)


def user_of(account: Account, key: Key | None = None) -> User:
    row = Account.objects.select_related("operator").get(pk=account.pk)
    return make.user(row, "bob", **({"signer": key.public_key} if key else {}))


def url(user: User, name: str = "user") -> str:
    account = user.account
    return reverse(name, args=[account.operator.public_key, account.public_key, user.public_key])


class TestItsPage:
    def test_says_which_key_issued_it(self, visitor: Visitor, account: Account) -> None:
        user = user_of(account)
        page = visitor.open(url(user))
        assert "Issued by the account's identity key" in page.text
        assert visitor.open(page.link("the account's identity key")).status == 200

    def test_of_a_role_says_that_it_carries_nothing_of_its_own_and_what_it_gets(
        self, visitor: Visitor, account: Account
    ) -> None:
        page = visitor.open(url(user_of(account, role(account))))
        assert "Issued by the role “worker”: it carries no permissions and no limits of its own" in page.text
        assert "orders.bob.>" in page.text

    def test_says_when_its_role_is_gone(self, visitor: Visitor, account: Account) -> None:
        key = role(account)
        user = user_of(account, key)
        row = fresh(user).account
        signing_keys.remove(
            principal=make.COMMAND, account=row, public_key=key.public_key, version=row.version
        )
        page = visitor.open(url(user))
        assert "Key removed" in page.text
        assert "The role that issued this user was removed" in page.text
        listed = visitor.open(reverse("users", args=[row.operator.public_key, row.public_key]))
        assert "Key removed" in listed.text

    def test_offers_move_rotate_and_suspend_only_to_who_may(self, account: Account) -> None:
        user = user_of(account)
        names = ("user-move", "user-rotate", "user-suspend")
        html = make.client().get(url(user)).content.decode()
        assert all(url(user, name) in html for name in names)
        viewer = make.client(Role.VIEWER)
        html = viewer.get(url(user)).content.decode()
        assert not any(url(user, name) in html for name in names)
        for name in (*names, "user-lift"):
            assert viewer.get(url(user, name)).status_code == 403
            assert viewer.post(url(user, name)).status_code == 403
        elsewhere = make.client(Role.ADMINISTRATOR, account=make.account())
        for name in (*names, "user-lift"):
            assert elsewhere.get(url(user, name)).status_code == 404


class TestMoving:
    def test_into_a_role_shows_what_goes_and_is_accepted_first(self, admin: Client, account: Account) -> None:
        user, key = user_of(account), role(account)
        page = Visitor(admin).open(url(user, "user-move"))
        assert "Now it is issued by the account's identity key." in page.text
        answer = admin.post(page.url, {"signer": key.public_key, "version": user.version})
        html = answer.content.decode()
        assert answer.status_code == 422
        assert "nats.subs" in html and "alone says what “bob” may do" in html
        saved_all_the_same(admin, page.url, {"signer": key.public_key, "version": user.version})
        assert fresh(user).issuer == key.public_key

    def test_out_of_a_role_asks_what_it_starts_from(self, admin: Client, account: Account) -> None:
        user = user_of(account, role(account))
        sent = {"signer": account.public_key, "version": user.version}
        answer = admin.post(url(user, "user-move"), sent)
        assert answer.status_code == 422
        assert list(answer.context["form"].errors) == ["start"]
        saved_all_the_same(admin, url(user, "user-move"), {**sent, "start": "template"})
        assert changes.claims_of(fresh(user)).nats.limits.pub.allow == ("orders.bob.>",)

    def test_the_start_is_asked_for_only_of_users_of_roles(self, admin: Client, account: Account) -> None:
        role(account)
        form = admin.get(url(user_of(account), "user-move")).context["form"]
        assert set(form.fields) == {"signer", "revoke", "version"}

    def test_it_can_revoke_the_old_jwt_at_once_and_leads_on_to_the_servers(
        self, admin: Client, account: Account
    ) -> None:
        user, key = user_of(account), role(account)
        sent = {"signer": key.public_key, "version": user.version, "revoke": "on"}
        answer = saved_all_the_same(admin, url(user, "user-move"), sent)
        assert answer["Location"].endswith("?revoked=1")
        row = fresh(user)
        assert changes.claims_of(row.account).nats.revocations[user.public_key] >= user.last_iat

    def test_without_revoking_its_page_offers_it(self, admin: Client, account: Account) -> None:
        user, key = user_of(account), role(account)
        sent = {"signer": key.public_key, "version": user.version}
        saved_all_the_same(admin, url(user, "user-move"), sent)
        page = admin.get(f"{url(user)}?changed=1").content.decode()
        assert "1 earlier version of this user's JWT can still log in" in page
        assert url(user, "user-revoke-earlier") in page

    def test_a_missing_choice_and_a_stale_page_are_refused(self, visitor: Visitor, account: Account) -> None:
        user, key = user_of(account), role(account)
        page = visitor.open(url(user, "user-move"))
        refused = visitor.send(page, signer="")
        assert refused.status == 422
        assert list(refused.response.context["form"].errors) == ["signer"]
        visitor.send(visitor.open(url(user, "user-edit")), tags="x")
        assert visitor.send(page, signer=key.public_key).status == 409


class TestRotating:
    def test_says_what_stops_working_before_anything_is_typed(
        self, visitor: Visitor, account: Account
    ) -> None:
        page = visitor.open(url(user_of(account), "user-rotate"))
        assert "What changes in the account's JWT" in page.text
        assert "Creds of “bob” that were handed out stop working" in page.text

    def test_the_old_address_leads_to_the_new_one(
        self, admin: Client, visitor: Visitor, account: Account
    ) -> None:
        user = user_of(account)
        saved_all_the_same(admin, url(user, "user-rotate"), {"version": user.version})
        row = fresh(user)
        assert row.public_key != user.public_key
        assert admin.get(url(user))["Location"] == url(row)
        assert admin.get(url(user, "user-history") + "?x=1")["Location"] == url(row, "user-history") + "?x=1"
        page = visitor.open(url(user))
        assert page.status == 200 and row.public_key in page.html
        assert admin.post(url(user, "user-creds")).status_code == 404
        assert make.client(Role.VIEWER, account=make.account()).get(url(user)).status_code == 404

    def test_history_tells_both_keys_and_each_event_once(
        self, admin: Client, visitor: Visitor, account: Account
    ) -> None:
        user = user_of(account)
        saved_all_the_same(admin, url(user, "user-rotate"), {"version": user.version})
        page = visitor.open(url(fresh(user), "user-history"))
        assert "Rotated key" in page.text and "Created user" in page.text
        assert user.public_key in page.html
        assert page.text.count("Gave user “bob” of “Orders” the new key") == 1

    def test_the_former_key_is_found_by_search_and_by_the_inspector(
        self, admin: Client, visitor: Visitor, account: Account
    ) -> None:
        user = user_of(account)
        old = IssuedToken.objects.get(subject=user.public_key).text
        saved_all_the_same(admin, url(user, "user-rotate"), {"version": user.version})
        page = visitor.open(reverse("search"), {"q": user.public_key})
        assert "former key" in page.text
        assert page.link("bob").endswith(url(fresh(user)))
        page = visitor.send(visitor.open(reverse("inspector")), text=old)
        assert "User “bob” had this key, and has another one since" in page.text

    def test_a_user_with_its_own_key_must_bring_the_new_one(self, visitor: Visitor, account: Account) -> None:
        public = KeyPair.create(KeyKind.USER).public.text
        user = make.user(account, "bob", public_key=public)
        page = visitor.open(url(user, "user-rotate"))
        refused = visitor.send(page, public_key="")
        assert list(refused.response.context["form"].errors) == ["public_key"]
        refused = visitor.send(page, public_key=public)
        assert "already a key" in refused.text
        new = KeyPair.create(KeyKind.USER).public.text
        sent = {"public_key": new, "version": user.version}
        saved_all_the_same(visitor.client, page.url, sent)
        assert (fresh(user).public_key, fresh(user).has_seed) == (new, False)

    def test_the_new_creds_are_offered(self, admin: Client, visitor: Visitor, account: Account) -> None:
        user = user_of(account)
        saved_all_the_same(admin, url(user, "user-rotate"), {"version": user.version})
        page = visitor.open(url(fresh(user)) + "?revoked=1")
        assert "Signed. Now tell the servers" in page.text
        assert page.form(action="/creds")


class TestSuspending:
    def test_it_is_shown_before_and_afterwards_everywhere(self, visitor: Visitor, account: Account) -> None:
        user = user_of(account)
        page = visitor.open(url(user, "user-suspend"))
        assert "What changes in the account's JWT" in page.text
        assert "Who is connected as “bob” is dropped" in page.text
        page = visitor.send(page, action="/suspend")
        assert "Suspended user “bob”." in page.text
        assert "Signed. Now tell the servers" in page.text
        assert "its key stands revoked in the account" in page.text
        row = fresh(user)
        listed = visitor.open(
            reverse("users", args=[row.account.operator.public_key, row.account.public_key])
        )
        assert "Suspended" in listed.text

    def test_nothing_is_offered_or_handed_out_meanwhile(self, visitor: Visitor, account: Account) -> None:
        user = user_of(account)
        page = visitor.send(visitor.open(url(user, "user-suspend")), action="/suspend")
        for name in ("user-edit", "user-move", "user-rotate", "user-jwt"):
            assert url(user, name) not in page.html
        assert not [form for form in page.forms if form.action.endswith("/creds")]
        for name in ("user-creds", "user-jwt"):
            answer = visitor.client.post(url(user, name))
            assert answer.status_code == 422
            assert "Lift the suspension first" in answer.content.decode()
        edit = visitor.open(url(user, "user-edit"))
        refused = visitor.send(edit, tags="x")
        assert refused.status == 422 and "is suspended" in refused.text

    def test_lifting_gives_everything_back(self, visitor: Visitor, account: Account) -> None:
        user = user_of(account)
        page = visitor.send(visitor.open(url(user, "user-suspend")), action="/suspend")
        page = visitor.open(page.link("/lift-suspension"))
        assert "“bob” can log in again, with the creds it has" in page.text
        page = visitor.send(page, action="/lift-suspension")
        assert "Lifted the suspension of “bob”." in page.text
        assert page.form(action="/creds")
        assert visitor.client.post(url(user, "user-creds")).status_code == 200

    def test_what_is_not_suspended_says_so(self, visitor: Visitor, account: Account) -> None:
        page = visitor.open(url(user_of(account), "user-lift"))
        assert page.status == 200
        assert "“bob” is not suspended (any more)." in page.text
        assert visitor.send(page, action="/lift-suspension").status == 422

    def test_deleting_a_suspended_user_leaves_nothing_to_untick(
        self, visitor: Visitor, account: Account
    ) -> None:
        user = user_of(account)
        visitor.send(visitor.open(url(user, "user-suspend")), action="/suspend")
        page = visitor.open(url(user, "user-delete"))
        assert "revoke" not in page.response.context["form"].fields
        page = visitor.send(page, confirm="bob")
        assert "Deleted and revoked user “bob”." in page.text


def test_lists_cost_the_same_queries_with_suspended_and_moved_users(
    account: Account, django_assert_max_num_queries: object
) -> None:
    row = role(account).account
    made = make.many_users(row, [f"user-{number}" for number in range(60)])
    user_keys.rotate(principal=make.COMMAND, user=fresh(made[0]), version=made[0].version)
    suspensions.suspend(principal=make.COMMAND, user=fresh(made[1]), version=made[1].version)
    client = make.client(Role.VIEWER)
    with django_assert_max_num_queries(8):  # type: ignore[operator]
        client.get(reverse("users", args=[row.operator.public_key, row.public_key]))
