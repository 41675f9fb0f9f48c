from __future__ import annotations

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from identities.claims import codec
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.claims.scopes import USER_SCOPE, SigningKey
from identities.models import Account, Purpose, User
from identities.nkeys import KeyKind
from identities.services import changes, clock, signing
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    """An account with a role “service” beside its identity key."""
    account = make.account(make.operator(), "TestAccount")
    key, pair = signing.new_key(KeyKind.ACCOUNT, purpose=Purpose.ROLE, role="service")
    pair.wipe()
    key.operator, key.account = account.operator, account
    key.save()
    template = UserPermissionLimits(sub=Permission(allow=("req.a",)), subs=-1, data=-1, payload=-1)
    entry = SigningKey(kind=USER_SCOPE, key=key.public_key, role="service", template=template)
    with transaction.atomic():
        row = changes.locked(account, None)
        change = changes.plan(row, changes.edit_body(signing_keys=(entry,)), now=clock.unix())
        signer = signing.account_signer(row.operator, changes.claims_of(row.operator))
        return changes.commit(row, change, principal=make.COMMAND, key=signer, reason="Added a role")


@pytest.fixture
def admin() -> Client:
    return make.client()


def role_key(account: Account) -> str:
    key: str = changes.claims_of(account).nats.signing_keys[0].key
    return key


def create_url(account: Account) -> str:
    return reverse("user-create", args=[account.operator.public_key, account.public_key])


def url(user: User, name: str = "user") -> str:
    return reverse(name, args=[user.account.operator.public_key, user.account.public_key, user.public_key])


def test_a_role_can_be_chosen_by_its_name(admin: Client, account: Account) -> None:
    page = admin.get(create_url(account)).content.decode()
    assert "role “service”" in page
    admin.post(create_url(account), {"name": "worker", "signer": role_key(account)})
    claims = codec.from_payload(User.objects.get(name="worker").claims)
    assert claims.iss == role_key(account)
    assert claims.nats.limits == UserPermissionLimits()


def test_permissions_beside_a_role_are_refused_at_the_signer(admin: Client, account: Account) -> None:
    sent = {"name": "worker", "signer": role_key(account), "pub_allow": "a"}
    answer = admin.post(create_url(account), sent)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["signer"]


def test_its_page_says_what_the_role_gives(admin: Client, account: Account) -> None:
    user = make.user(account, "worker", signer=role_key(account))
    page = admin.get(url(user)).content.decode()
    assert "req.a" in page


def test_only_name_tags_and_times_are_edited(admin: Client, account: Account) -> None:
    user = make.user(account, "worker", signer=role_key(account))
    form = admin.get(url(user, "user-edit")).context["form"]
    assert set(form.fields) == {"name", "tags", "expires", "not_before", "version"}
    admin.post(url(user, "user-edit"), {"name": "worker", "tags": "env:prod", "version": user.version})
    claims = codec.from_payload(User.objects.get(pk=user.pk).claims)
    assert claims.nats.tags == ("env:prod",)
    assert claims.nats.limits == UserPermissionLimits()
    assert claims.iss == role_key(account)
