"""Pages of presets, and filling users and roles from them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from identities.claims.drafts import RoleDraft, SigningKeyDraft, UserEdit
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.models import Account, Filling, OwnPreset, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import changes, presets, signing_keys, users
from tests import make

pytestmark = pytest.mark.django_db
LIMITS = replace(UserPermissionLimits.unlimited(), pub=Permission(allow=("old",)))
HTMX = {"HX-Request": "true"}
LINES = {"name": "Devices", "about": "For `devices`.", "pub_allow": "a.${name} # What it says"}


@pytest.fixture
def account() -> Account:
    return make.account(make.operator("Op"), "Shop")


@pytest.fixture
def user(account: Account) -> User:
    return make.user(account, "ann", limits=LIMITS)


@pytest.fixture
def browser() -> Client:
    return make.client()


def url(user: User, name: str = "user-preset") -> str:
    return reverse(name, args=[user.account.operator.public_key, user.account.public_key, user.public_key])


def limits_of(user: User) -> UserPermissionLimits:
    limits: UserPermissionLimits = changes.claims_of(User.objects.get(pk=user.pk)).nats.limits
    return limits


def send(browser: Client, address: str, **values: str) -> tuple[int, str]:
    answer = browser.post(address, values)
    return answer.status_code, answer.content.decode()


def fill(browser: Client, user: User, preset: str, **values: str) -> tuple[int, str]:
    row = User.objects.get(pk=user.pk)
    address = f"{url(user)}?preset={preset}"
    status, page = send(browser, address, version=str(row.version), **values)
    if "accept-" in page:
        code = page.partition('name="accept" value="')[2].partition('"')[0]
        status, page = send(browser, address, version=str(row.version), accept=code, **values)
    return status, page


def make_own(browser: Client, **values: str) -> str:
    status, page = send(browser, reverse("preset-create"), version="0", **{**LINES, **values})
    assert status == 302, page
    return presets.key_of(OwnPreset.objects.latest("pk"))


def edit_own(browser: Client, key: str, **values: str) -> tuple[int, str]:
    version = str(presets.row_of(key).version)
    return send(browser, reverse("preset-edit", args=[key]), **{**LINES, "version": version, **values})


def test_the_list_and_each_built_in_one_say_what_they_give(browser: Client, user: User) -> None:
    page = browser.get(reverse("presets")).content.decode()
    for preset in presets.known():
        assert preset.title in page
        address = reverse("preset", args=[preset.key])
        assert address in page
        assert browser.get(address).status_code == 200
    page = browser.get(reverse("preset", args=["kv-reader"])).content.decode()
    assert "$JS.API.STREAM.INFO.KV_${bucket}" in page and "Opens the bucket." in page
    page = browser.get(reverse("preset", args=["mqtt-device"])).content.decode()
    assert "It connects as MQTT, MQTT_WS alone." in page and "whoever has it is this user" in page
    assert browser.get(reverse("preset", args=["nothing"])).status_code == 404
    assert browser.get(reverse("preset-edit", args=["observer"])).status_code == 404


def test_a_preset_is_chosen_then_its_subjects_are_shown_and_nothing_is_saved(
    browser: Client, user: User
) -> None:
    page = browser.get(url(user)).content.decode()
    assert "?preset=requester" in page
    page = browser.get(f"{url(user)}?preset=requester").content.decode()
    assert "${subject}" in page and "Requests go here." in page
    status, page = send(
        browser, f"{url(user)}?preset=requester", version="1", with_subject="orders.get", preview="1"
    )
    assert status == 200
    assert "<code>orders.get</code>" in page
    assert "“ann” may no longer publish to <code>old</code>." in page
    assert limits_of(user) == LIMITS
    assert not Filling.objects.exists()
    assert browser.get(f"{url(user)}?preset=nothing").status_code == 404


def test_what_goes_is_accepted_first(browser: Client, user: User) -> None:
    status, page = send(browser, f"{url(user)}?preset=requester", version="1", with_subject="a")
    assert status == 422
    assert "Nothing was saved yet" in page
    assert fill(browser, user, "requester", with_subject="a")[0] == 302
    assert limits_of(user).pub.allow == ("a",)


@pytest.mark.parametrize(
    ("values", "said"),
    [({}, "Give the subject."), ({"with_subject": "a b"}, "no subject"),
     ({"with_subject": "a", "with_inbox": "x.>"}, "no beginning of an inbox")],
)  # fmt: skip
def test_what_is_missing_or_wrong_is_said_beside_its_field(
    browser: Client, user: User, values: dict[str, str], said: str
) -> None:
    status, page = fill(browser, user, "requester", **values)
    assert status == 422
    assert said in page
    assert limits_of(user) == LIMITS


def test_a_seed_is_refused(browser: Client, user: User) -> None:
    seed = KeyPair.create(KeyKind.USER).seed().reveal().decode()
    status, page = fill(browser, user, "requester", with_subject=seed)
    assert status == 422
    assert seed not in page
    status, page = send(browser, reverse("preset-create"), version="0", **{**LINES, "about": seed})
    assert status == 422
    assert seed not in page


def test_the_user_s_page_says_where_its_permissions_come_from_and_that_they_were_changed(
    browser: Client, user: User
) -> None:
    fill(browser, user, "requester", with_subject="a")
    page = browser.get(url(user, "user")).content.decode()
    assert "Filled from" in page and "Up to date" in page
    row = User.objects.select_related("account__operator").get(pk=user.pk)
    edit = UserEdit(name="ann", limits=LIMITS)
    users.update(principal=make.COMMAND, user=row, edit=edit, version=row.version)
    assert "Changed since" in browser.get(url(user, "user")).content.decode()
    page = browser.get(f"{url(user)}?preset=requester").content.decode()
    assert 'value="a"' in page, "what was given the last time is there"


def test_a_stale_page_is_told_so(browser: Client, user: User) -> None:
    fill(browser, user, "requester", with_subject="a")
    status, _ = send(browser, f"{url(user)}?preset=observer", version="1")
    assert status == 409


def test_a_role_is_filled_and_its_users_are_sent_there(browser: Client, account: Account) -> None:
    draft = SigningKeyDraft(role=RoleDraft(role="worker"))
    role = signing_keys.add(
        principal=make.COMMAND, account=account, draft=draft, version=account.version
    ).public_key
    account.refresh_from_db()
    bob = make.user(account, "bob", signer=role, limits=None)
    assert "fill the role instead" in browser.get(url(bob)).content.decode()
    at = [account.operator.public_key, account.public_key, role]
    address = reverse("role-preset", args=at)
    assert address in browser.get(reverse("signing-key", args=at)).content.decode()
    values = {"version": str(account.version), "with_subject": "orders.{{name()}}"}
    _, page = send(browser, f"{address}?preset=requester", **values)
    code = page.partition('name="accept" value="')[2].partition('"')[0]
    status, page = send(browser, f"{address}?preset=requester", accept=code, **values)
    assert status == 302, page
    page = browser.get(reverse("signing-key", args=at)).content.decode()
    assert "orders.bob" in page and "Filled from" in page
    assert ">worker</a>" in browser.get(reverse("preset", args=["requester"])).content.decode()


def test_an_own_preset_is_made_edited_and_deleted(browser: Client, user: User) -> None:
    key = make_own(browser)
    page = browser.get(reverse("preset", args=[key])).content.decode()
    assert "a.${name}" in page and "What it says" in page and "It subscribes to nothing." in page
    form = browser.get(reverse("preset-edit", args=[key])).content.decode()
    assert "a.${name} # What it says" in form
    status, _ = edit_own(browser, key, news="Listens too", sub_allow="b.${name}")
    assert status == 302
    page = browser.get(reverse("preset", args=[key])).content.decode()
    assert "version 2" in page and "New in version 2: Listens too" in page and "Version 1" in page
    address = reverse("preset-delete", args=[key])
    assert send(browser, address, version="2", confirm="Other")[0] == 422
    assert send(browser, address, version="2", confirm="Devices")[0] == 302
    assert browser.get(reverse("preset", args=[key])).status_code == 404


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"name": ""}, "required"),
        ({"name": "Requester"}, "already"),
        ({"pub_allow": "a..b"}, "no subject"),
        ({"pub_allow": "a.${B}"}, "is no parameter"),
        ({"sub_deny": "a b c"}, "no subject"),
        ({"answers": "-1"}, "greater than or equal to 0"),
        ({"connection_types": "CARRIER_PIGEON"}, "valid choice"),
    ],
)
def test_a_preset_that_can_t_be_is_refused_beside_its_field(
    browser: Client, user: User, values: dict[str, str], said: str
) -> None:
    status, page = send(browser, reverse("preset-create"), version="0", **{**LINES, **values})
    assert status == 422
    assert said in page
    assert not OwnPreset.objects.exists()


def test_what_a_newer_version_would_change_is_shown_and_applied_to_who_is_ticked(
    browser: Client, account: Account
) -> None:
    key = make_own(browser)
    ann, bob, eve = (make.user(account, name) for name in ("ann", "bob", "eve"))
    for user in (ann, bob, eve):
        assert fill(browser, user, key, with_name=user.name)[0] == 302
    row = User.objects.select_related("account__operator").get(pk=eve.pk)
    users.update(
        principal=make.COMMAND, user=row, edit=UserEdit(name="eve", limits=LIMITS), version=row.version
    )
    edit_own(browser, key, sub_allow="b.${name}")
    address = reverse("preset-renew", args=[key])
    assert address in browser.get(reverse("preset", args=[key])).content.decode()
    page = browser.get(address).content.decode()
    assert "may subscribe to <code>b.ann</code> from now on" in page
    assert page.count('name="fillings"') == 2, "who was changed by hand can't be ticked"
    assert "Fill it in anew" in page
    of_bob = str(Filling.objects.get(user=bob).pk)
    assert send(browser, address, number="2")[0] == 422
    assert send(browser, address, number="1", fillings=of_bob)[0] == 422
    answer = browser.post(address, {"number": "2", "fillings": of_bob}, follow=True)
    assert "Applied version 2 to 1 user or role." in answer.content.decode()
    assert limits_of(bob).sub.allow == ("b.bob",)
    assert limits_of(ann).sub.deny == (">",)
    assert send(browser, address, number="2", fillings=str(Filling.objects.get(user=eve).pk))[0] == 422


def test_who_may_not_see_or_change_is_not_shown_and_not_let(browser: Client, user: User) -> None:
    key = make_own(browser)
    fill(browser, user, key, with_name="x")
    viewer = make.client(Role.VIEWER)
    assert "ann" in viewer.get(reverse("preset", args=[key])).content.decode()
    for address in (
        reverse("preset-create"), reverse("preset-edit", args=[key]), reverse("preset-renew", args=[key]), url(user),
    ):  # fmt: skip
        assert viewer.get(address).status_code == 403
    stranger = make.client(account=make.account(None, "Else"))
    page = stranger.get(reverse("preset", args=[key])).content.decode()
    assert ">ann</a>" not in page and "No user and no role yet." in page
    assert stranger.get(url(user)).status_code == 404
    assert make.client(None).get(reverse("presets")).status_code == 403


def test_more_fillings_take_no_more_queries(browser: Client, account: Account) -> None:
    key = make_own(browser)
    seen = []
    for start in (0, 4):
        for number in range(start, start + 4):
            fill(browser, make.user(account, f"u{number}"), key, with_name="x")
        with CaptureQueriesContext(connection) as queries:
            browser.get(reverse("preset", args=[key]))
        seen.append(len(queries))
    assert seen[0] == seen[1]


def test_the_form_answers_htmx_with_a_part(browser: Client, user: User) -> None:
    answer = browser.get(f"{url(user)}?preset=observer", headers=HTMX)
    assert b"<html" not in answer.content
    assert b"form-panel" in answer.content
