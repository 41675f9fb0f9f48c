from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from identities.claims import codec
from identities.claims.permissions import Permission, ResponsePermission, UserPermissionLimits
from identities.models import Account, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import users
from tests import make

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
NOWHERE = "U" + "A" * 55


@pytest.fixture
def account() -> Account:
    return make.account(make.operator(name="Test"), "TestAccount")


@pytest.fixture
def admin() -> Client:
    return make.client()


@pytest.fixture
def viewer() -> Client:
    return make.client(Role.VIEWER)


def list_url(account: Account, name: str = "users") -> str:
    return reverse(name, args=[account.operator.public_key, account.public_key])


def url(user: User, name: str = "user") -> str:
    return reverse(name, args=[user.account.operator.public_key, user.account.public_key, user.public_key])


def limits_of(user: User) -> UserPermissionLimits:
    limits: UserPermissionLimits = codec.from_payload(User.objects.get(pk=user.pk).claims).nats.limits
    return limits


def values(client: Client, address: str) -> dict[str, object]:
    """What a browser would send back from a form that nobody touched."""
    form = client.get(address).context["form"]
    sent = {}
    for field in form:
        value = field.value()
        if value not in (None, False, "", (), []):
            sent[field.html_name] = value
    return sent


class TestList:
    def test_shows_every_user_with_what_it_may_do(self, viewer: Client, account: Account) -> None:
        make.user(account, "TestUser")
        page = viewer.get(list_url(account))
        assert page.status_code == 200
        assert "TestUser" in page.content.decode()
        assert "account default" in page.content.decode()

    def test_gives_the_list_alone_to_htmx(self, viewer: Client, account: Account) -> None:
        page = viewer.get(list_url(account), headers=HTMX).content.decode()
        assert 'id="user-list"' in page
        assert "<html" not in page

    def test_filters_by_name_and_by_key(self, viewer: Client, account: Account) -> None:
        alice, bob = make.user(account, "alice"), make.user(account, "bob")
        for wanted in ("lic", alice.public_key, alice.public_key[10:30]):
            page = viewer.get(list_url(account), {"q": wanted}).content.decode()
            assert alice.public_key in page
            assert bob.public_key not in page

    def test_pages_without_gaps_in_both_directions(self, viewer: Client, account: Account) -> None:
        wanted = [f"user-{number:03}" for number in range(120)]
        make.many_users(account, wanted)
        seen: list[str] = []
        address = ""
        while True:
            page = viewer.get(list_url(account) + address).context["page"]
            seen += [user.name for user in page.rows]
            if not page.next:
                break
            address = page.next
        assert seen == wanted
        assert viewer.get(list_url(account) + page.previous).context["page"].rows[-1].name == wanted[99]
        assert viewer.get(list_url(account), {"sort": "-name"}).context["page"].rows[0].name == wanted[-1]

    def test_costs_the_same_queries_for_many_users(
        self, viewer: Client, account: Account, django_assert_max_num_queries: object
    ) -> None:
        make.many_users(account, [f"user-{number}" for number in range(60)])
        with django_assert_max_num_queries(8):  # type: ignore[operator]
            viewer.get(list_url(account), {"q": "user"})

    def test_offers_creating_only_to_who_may(self, admin: Client, viewer: Client, account: Account) -> None:
        assert list_url(account, "user-create") in admin.get(list_url(account)).content.decode()
        assert list_url(account, "user-create") not in viewer.get(list_url(account)).content.decode()

    def test_of_an_account_out_of_sight_is_not_there(self, account: Account) -> None:
        elsewhere = make.client(Role.ADMINISTRATOR, account=make.account())
        assert elsewhere.get(list_url(account)).status_code == 404


class TestCreate:
    def test_makes_a_user_as_nsc_does(self, admin: Client, account: Account) -> None:
        answer = admin.post(list_url(account, "user-create"), {"name": "TestUser"})
        user = User.objects.get(name="TestUser")
        assert answer.status_code == 302
        assert answer["Location"] == f"{url(user)}?created=1"
        assert limits_of(user) == UserPermissionLimits.unlimited()
        assert user.has_seed

    def test_answers_htmx_with_the_form_alone_and_leads_on_by_a_header(
        self, admin: Client, account: Account
    ) -> None:
        form = admin.get(list_url(account, "user-create"), headers=HTMX).content.decode()
        assert "<html" not in form
        assert 'name="pub_allow"' in form
        answer = admin.post(list_url(account, "user-create"), {"name": "TestUser"}, headers=HTMX)
        assert answer["HX-Redirect"] == f"{url(User.objects.get(name='TestUser'))}?created=1"

    def test_writes_everything_that_was_filled_in(self, admin: Client, account: Account) -> None:
        admin.post(
            list_url(account, "user-create"),
            {
                "name": "full",
                "pub_allow": "orders.>\n\norders.new",
                "pub_deny": "orders.secret",
                "sub_allow": "req.a workers",
                "sub_deny": "private.>",
                "can_request": "on",
                "can_answer": "on",
                "resp_max": "unlimited",
                "resp_ttl": "5s",
                "subs": "100",
                "data": "1 GiB",
                "payload": "64 KiB",
                "src": "192.0.2.0/24, 2001:db8::/32",
                "times": "8:00 - 18:00",
                "times_location": "Europe/Zurich",
                "connection_types": ["STANDARD", "WEBSOCKET"],
                "bearer_token": "on",
                "proxy_required": "on",
                "tags": "Env:Prod",
                "expires": "30d",
                "not_before": "0",
            },
        )
        user = User.objects.get(name="full")
        limits = limits_of(user)
        assert limits.pub == Permission(allow=("orders.>", "orders.new"), deny=("orders.secret",))
        assert limits.sub == Permission(allow=("req.a workers", "_INBOX.>"), deny=("private.>",))
        assert limits.resp == ResponsePermission(max=-1, ttl=5_000_000_000)
        assert (limits.subs, limits.data, limits.payload) == (100, 2**30, 65536)
        assert limits.src == ("192.0.2.0/24", "2001:db8::/32")
        assert [(time.start, time.end) for time in limits.times] == [("08:00:00", "18:00:00")]
        assert limits.times_location == "Europe/Zurich"
        assert limits.allowed_connection_types == ("STANDARD", "WEBSOCKET")
        assert limits.bearer_token
        assert limits.proxy_required
        assert user.bearer
        assert codec.from_payload(user.claims).nats.tags == ("env:prod",)
        assert user.expires > 0

    def test_the_switches_write_the_subjects(self, admin: Client, account: Account) -> None:
        admin.post(
            list_url(account, "user-create"), {"name": "client", "pub_allow": "req.a", "can_request": "on"}
        )
        admin.post(
            list_url(account, "user-create"), {"name": "service", "sub_allow": "req.a", "can_answer": "on"}
        )
        client, service = (
            limits_of(User.objects.get(name="client")),
            limits_of(User.objects.get(name="service")),
        )
        assert (client.pub.allow, client.sub.allow, client.resp) == (("req.a",), ("_INBOX.>",), None)
        assert (service.pub.allow, service.sub.allow) == ((), ("req.a",))
        assert service.resp == ResponsePermission(max=1, ttl=0)

    def test_takes_a_key_of_ones_own(self, admin: Client, account: Account) -> None:
        key = KeyPair.create(KeyKind.USER).public.text
        admin.post(list_url(account, "user-create"), {"name": "own", "public_key": key})
        user = User.objects.get(name="own")
        assert (user.public_key, user.has_seed) == (key, False)
        page = admin.get(url(user)).content.decode()
        assert "added with its public key only" in page
        assert url(user, "user-creds") not in page

    def test_refuses_a_seed_without_repeating_it(self, admin: Client, account: Account) -> None:
        seed = KeyPair.create(KeyKind.USER).seed().reveal().decode()
        answer = admin.post(list_url(account, "user-create"), {"name": "own", "public_key": seed})
        assert answer.status_code == 422
        assert "private key" in answer.content.decode()
        assert seed not in answer.content.decode()
        assert not User.objects.filter(name="own").exists()

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("name", ""),
            ("name", "a/b"),
            ("name", "taken"),
            ("pub_allow", "a..b"),
            ("pub_allow", "a b"),
            ("sub_allow", "a.>.b"),
            ("sub_deny", ".a"),
            ("subs", "-2"),
            ("payload", "much"),
            ("src", "192.0.2.0/99"),
            ("times", "morning"),
            ("times", "25:00-26:00"),
            ("times_location", "Mars/Olympus"),
            ("resp_ttl", "soon"),
            ("expires", "2001-01-01"),
            ("expires", "soon"),
            ("public_key", "U" * 56),
            ("connection_types", "PIGEON"),
            ("signer", "A" * 56),
            ("tags", "x" * 300_001),
        ],
    )
    def test_says_at_the_field_what_is_wrong(
        self, admin: Client, account: Account, field: str, value: str
    ) -> None:
        make.user(account, "taken")
        sent = {"name": "new", "can_answer": "on", field: value}
        answer = admin.post(list_url(account, "user-create"), sent)
        assert answer.status_code == 422
        assert list(answer.context["form"].errors) == [field]
        assert User.objects.live().filter(account=account).count() == 1

    def test_offers_the_keys_that_may_sign(self, admin: Client, account: Account) -> None:
        form = admin.get(list_url(account, "user-create")).context["form"]
        assert [signer.key for signer in form.signers.values()] == [account.public_key]

    def test_under_a_strict_operator_the_identity_key_signs_nothing(self, admin: Client) -> None:
        strict = make.account(make.operator(require_signing_keys=True))
        form = admin.get(list_url(strict, "user-create")).context["form"]
        assert list(form.signers)
        assert strict.public_key not in form.signers

    def test_warns_of_names_that_escape_into_subjects(self, admin: Client, account: Account) -> None:
        page = admin.post(list_url(account, "user-create"), {"name": "a.b"}, follow=True)
        assert "becomes several tokens" in page.content.decode()

    def test_is_not_for_viewers(self, viewer: Client, account: Account) -> None:
        assert viewer.get(list_url(account, "user-create")).status_code == 403
        assert viewer.post(list_url(account, "user-create"), {"name": "x"}).status_code == 403
        assert not User.objects.filter(name="x").exists()


class TestDetail:
    def test_describes_the_user(self, viewer: Client, account: Account) -> None:
        user = make.user(account, "TestUser")
        page = viewer.get(url(user))
        assert page.status_code == 200
        assert user.public_key in page.content.decode()

    def test_subjects_stand_out_from_words(self, viewer: Client, account: Account) -> None:
        permission = Permission(allow=("orders.new", "audit.*"))
        limits = UserPermissionLimits(pub=permission, sub=Permission(deny=("secret",)))
        page = viewer.get(url(make.user(account, limits=limits))).content.decode()
        for subject in ("orders.new", "audit.*", "secret"):
            assert f"<code>{subject}</code>" in page

    def test_unknown_or_deleted_is_not_found(self, viewer: Client, account: Account) -> None:
        user = make.user(account)
        users.delete(principal=make.COMMAND, user=user, version=user.version)
        assert viewer.get(url(user)).status_code == 404
        assert viewer.get(url(user).replace(user.public_key, NOWHERE)).status_code == 404

    def test_shows_viewers_no_button_they_may_not_press(self, viewer: Client, account: Account) -> None:
        user = make.user(account)
        page = viewer.get(url(user)).content.decode()
        for name in ("user-edit", "user-delete", "user-creds", "user-test", "user-revoke-earlier"):
            assert f'"{url(user, name)}"' not in page
        assert url(user, "user-jwt") in page

    def test_needs_few_queries(
        self, viewer: Client, account: Account, django_assert_max_num_queries: object
    ) -> None:
        user = make.user(account)
        with django_assert_max_num_queries(8):  # type: ignore[operator]
            viewer.get(url(user))

    def test_says_when_the_user_is_revoked(self, viewer: Client, account: Account) -> None:
        from identities.services import accounts

        user = make.user(account)
        accounts.revoke(principal=make.COMMAND, account=account, entries={"*": user.last_iat})
        assert "Revoked" in viewer.get(list_url(account)).content.decode()
        for name in ("user", "user-test", "user-context"):
            assert "Revoked" in make.client().get(url(user, name)).content.decode(), name


class TestEdit:
    def test_saves_what_changed_and_nothing_else(self, admin: Client, account: Account) -> None:
        user = make.user(
            account, "TestUser", limits=UserPermissionLimits(subs=-1, data=0, payload=5, src=("10.0.0.0/8",))
        )
        sent = values(admin, url(user, "user-edit"))
        answer = admin.post(url(user, "user-edit"), {**sent, "pub_allow": "orders.>"})
        assert answer["Location"] == f"{url(user)}?changed=1"
        assert limits_of(user) == UserPermissionLimits(
            subs=-1, data=0, payload=5, src=("10.0.0.0/8",), pub=Permission(allow=("orders.>",))
        )

    def test_sent_back_untouched_signs_nothing(self, admin: Client, account: Account) -> None:
        limits = UserPermissionLimits(
            pub=Permission(allow=("b", "a")),
            sub=Permission(allow=("_INBOX.>", "x q")),
            resp=ResponsePermission(max=3, ttl=-5),
            subs=7,
            payload=-1,
            allowed_connection_types=("WEBSOCKET", "STANDARD"),
        )
        user = make.user(account, "TestUser", limits=limits, tags=("b", "a"))
        before = user.claims
        page = admin.post(url(user, "user-edit"), values(admin, url(user, "user-edit")), follow=True)
        assert "Nothing was changed" in page.content.decode()
        assert User.objects.get(pk=user.pk).claims == before

    def test_the_page_then_says_that_creds_handed_out_keep_their_rights(
        self, admin: Client, account: Account
    ) -> None:
        user = make.user(account, "TestUser")
        sent = values(admin, url(user, "user-edit"))
        page = admin.post(url(user, "user-edit"), {**sent, "pub_allow": "a"}, follow=True).content.decode()
        assert "changes nothing for creds already handed out" in page
        assert "1 earlier version" in page
        assert url(user, "user-revoke-earlier") in page

    def test_switching_requests_off_takes_the_inbox_out(self, admin: Client, account: Account) -> None:
        limits = UserPermissionLimits(sub=Permission(allow=("a", "_INBOX.>")), subs=-1, data=-1, payload=-1)
        user = make.user(account, "TestUser", limits=limits)
        sent = values(admin, url(user, "user-edit"))
        assert sent["can_request"]
        del sent["can_request"]
        admin.post(url(user, "user-edit"), sent)
        assert limits_of(user).sub.allow == ("a",)

    def test_taking_the_inbox_out_by_hand_wins_over_an_untouched_switch(
        self, admin: Client, account: Account
    ) -> None:
        limits = UserPermissionLimits(sub=Permission(allow=("a", "_INBOX.>")), subs=-1, data=-1, payload=-1)
        user = make.user(account, "TestUser", limits=limits)
        admin.post(url(user, "user-edit"), {**values(admin, url(user, "user-edit")), "sub_allow": "a"})
        assert limits_of(user).sub.allow == ("a",)

    def test_second_of_two_people_sees_both_values_and_loses_nothing(
        self, admin: Client, account: Account
    ) -> None:
        user = make.user(account, "TestUser")
        sent = values(admin, url(user, "user-edit"))
        make.client().post(url(user, "user-edit"), {**sent, "pub_allow": "theirs"})
        answer = admin.post(url(user, "user-edit"), {**sent, "pub_allow": "mine"})
        page = answer.content.decode()
        assert answer.status_code == 409
        assert "theirs" in page
        assert "mine" in page
        again = {**sent, "pub_allow": "mine", "version": str(User.objects.get(pk=user.pk).version)}
        assert admin.post(url(user, "user-edit"), again).status_code == 302
        assert limits_of(user).pub.allow == ("mine",)

    def test_refuses_bad_input_and_leaves_the_user(self, admin: Client, account: Account) -> None:
        user = make.user(account, "TestUser")
        sent = values(admin, url(user, "user-edit"))
        answer = admin.post(url(user, "user-edit"), {**sent, "pub_allow": "a..b"}, headers=HTMX)
        assert answer.status_code == 422
        assert "<html" not in answer.content.decode()
        assert User.objects.get(pk=user.pk).version == user.version

    def test_is_not_for_viewers(self, viewer: Client, account: Account) -> None:
        assert viewer.get(url(make.user(account), "user-edit")).status_code == 403


class TestRevokeEarlier:
    def test_revokes_up_to_the_version_before(self, admin: Client, account: Account) -> None:
        user = make.user(account, "TestUser")
        first = user.last_iat
        admin.post(url(user, "user-edit"), {**values(admin, url(user, "user-edit")), "pub_allow": "a"})
        answer = admin.post(
            url(user, "user-revoke-earlier"), values(admin, url(user, "user-revoke-earlier")), follow=True
        )
        page = answer.content.decode()
        assert "Now tell the servers" in page
        account.refresh_from_db()
        assert codec.from_payload(account.claims).nats.revocations == {user.public_key: first}
        assert (
            "earlier version"
            not in admin.get(url(user)).content.decode().split('<div class="columns')[0].split("tabs")[1]
        )

    def test_says_when_there_is_nothing_earlier(self, admin: Client, account: Account) -> None:
        user = make.user(account)
        answer = admin.post(url(user, "user-revoke-earlier"), {"version": user.version})
        assert answer.status_code == 422
        assert "one JWT only" in answer.content.decode()

    def test_is_not_for_viewers(self, viewer: Client, account: Account) -> None:
        assert viewer.post(url(make.user(account), "user-revoke-earlier")).status_code == 403


class TestDelete:
    def test_asks_for_the_name_and_says_what_it_means(self, admin: Client, account: Account) -> None:
        user = make.user(account, "TestUser")
        page = admin.get(url(user, "user-delete")).content.decode()
        assert "does not stop creds" in page.replace("\n", " ")
        wrong = admin.post(
            url(user, "user-delete"), {"version": user.version, "confirm": "Test", "revoke": "on"}
        )
        assert wrong.status_code == 422
        assert User.objects.live().filter(pk=user.pk).exists()

    def test_revokes_unless_that_is_unticked(self, admin: Client, account: Account) -> None:
        one, two = make.user(account, "one"), make.user(account, "two")
        sent = {"version": one.version, "confirm": "one", "revoke": "on"}
        page = admin.post(url(one, "user-delete"), sent, follow=True).content.decode()
        assert "Now tell the servers" in page
        page = admin.post(url(two, "user-delete"), {"version": two.version, "confirm": "two"}, follow=True)
        assert "Creds handed out still work" in page.content.decode()
        account.refresh_from_db()
        assert set(codec.from_payload(account.claims).nats.revocations) == {one.public_key}
        assert not User.objects.live().filter(account=account).exists()

    def test_a_stale_page_deletes_nothing(self, admin: Client, account: Account) -> None:
        user = make.user(account, "one")
        sent = {"version": user.version - 1, "confirm": "one", "revoke": "on"}
        assert admin.post(url(user, "user-delete"), sent).status_code == 409
        assert User.objects.live().filter(pk=user.pk).exists()

    def test_is_not_for_viewers(self, viewer: Client, account: Account) -> None:
        assert viewer.post(url(make.user(account), "user-delete")).status_code == 403


class TestHistory:
    def test_shows_every_jwt(self, viewer: Client, admin: Client, account: Account) -> None:
        user = make.user(account, "TestUser")
        admin.post(url(user, "user-edit"), {**values(admin, url(user, "user-edit")), "pub_allow": "orders.x"})
        page = viewer.get(url(user, "user-history")).content.decode()
        assert "Created user" in page
        assert "orders.x" in page

    def test_never_shows_a_bearer_users_jwt(self, admin: Client, account: Account) -> None:
        bearer = UserPermissionLimits(subs=-1, data=-1, payload=-1, bearer_token=True)
        user = make.user(account, "sensor", limits=bearer)
        assert "eyJ0eXAi" not in admin.get(url(user, "user-history")).content.decode()
        assert "eyJ0eXAi" not in admin.get(url(user)).content.decode()
