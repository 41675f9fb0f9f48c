"""A new key for a user: old creds stop working, the former key stays known."""

from __future__ import annotations

import pytest

from identities.claims import codec
from identities.claims.account import ExternalAuthorization
from identities.claims.drafts import RoleDraft, SigningKeyDraft, UserEdit
from identities.claims.permissions import UserPermissionLimits
from identities.errors import IdentityError
from identities.models import Account, AuditEvent, AuditTarget, IssuedToken, Key, Permission, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.actions import Action
from identities.policy.decisions import Forbidden
from identities.services import accounts, changes, creds, signing_keys, user_keys, users
from tests import make

pytestmark = pytest.mark.django_db

WHO = {"principal": make.COMMAND}


@pytest.fixture
def account() -> Account:
    return make.account(make.operator("Test"), "Orders")


def fresh(user: User) -> User:
    return User.objects.select_related("account__operator", "operator", "token").get(pk=user.pk)


def rotated(user: User, public_key: str = "") -> User:
    row = fresh(user)
    user_keys.rotate(**WHO, user=row, version=row.version, public_key=public_key)
    return fresh(user)


def test_it_gets_a_new_key_and_jwt_that_say_what_the_old_ones_said(account: Account) -> None:
    user = make.user(account, "bob", tags=("team:a",))
    before = changes.claims_of(user)
    row = rotated(user)
    after = changes.claims_of(row)
    assert row.public_key == after.sub != before.sub
    assert (after.name, after.nats, after.iss) == (before.name, before.nats, before.iss)
    assert after.iat > before.iat
    lines = creds.creds_file(**WHO, user=row).text.splitlines()
    assert codec.decode(lines[1]).claims.sub == row.public_key
    assert KeyPair.from_seed(lines[9]).public.text == row.public_key


def test_the_old_key_is_revoked_and_its_seed_erased(account: Account) -> None:
    user = make.user(account, "bob")
    row = rotated(user)
    revocations = changes.claims_of(row.account).nats.revocations
    assert revocations[user.public_key] >= user.last_iat
    assert row.public_key not in revocations
    old = Key.objects.get(public_key=user.public_key)
    assert (old.user_id, old.sealed, old.deleted_at is None) == (row.pk, None, False)


def test_ledger_and_audit_tell_both_keys(account: Account) -> None:
    user = make.user(account, "bob")
    row = rotated(user)
    token = IssuedToken.objects.get(subject=row.public_key)
    assert token.replaces is not None
    assert (token.replaces.subject, token.reason) == (user.public_key, "Rotated key")
    event = AuditEvent.objects.latest("seq")
    assert event.action == Action.USER_ROTATE
    assert user.public_key in event.summary and row.public_key in event.summary
    named = set(AuditTarget.objects.filter(event=event).values_list("kind", "key"))
    assert named == {
        ("user", user.public_key),
        ("user", row.public_key),
        ("account", account.public_key),
    }


def test_a_public_key_can_be_brought_and_then_no_seed_is_here(account: Account) -> None:
    user = make.user(account, "bob")
    public = KeyPair.create(KeyKind.USER).public.text
    row = rotated(user, public)
    assert (row.public_key, row.has_seed) == (public, False)


def test_a_user_with_its_own_key_must_bring_the_new_one_too(account: Account) -> None:
    user = make.user(account, "bob", public_key=KeyPair.create(KeyKind.USER).public.text)
    with pytest.raises(IdentityError, match="give the public half") as refused:
        rotated(user)
    assert refused.value.field == "public_key"
    public = KeyPair.create(KeyKind.USER).public.text
    assert rotated(user, public).public_key == public


def test_nobody_gets_a_key_that_is_or_was_anybodys(account: Account) -> None:
    user, other = make.user(account, "bob"), make.user(account, "other")
    gone = make.user(account, "gone")
    users.delete(**WHO, user=gone, version=gone.version)
    former = user.public_key
    row = rotated(user)
    for taken, why in (
        (other.public_key, "already a key"),
        (gone.public_key, "belonged to the deleted user “gone”"),
        (former, "was the key of “bob”"),
        (row.public_key, "already a key"),
    ):
        with pytest.raises(IdentityError, match=why):
            rotated(user, taken)
    with pytest.raises(IdentityError, match="was the key of “bob”"):
        make.user(account, "new", public_key=former)


def test_a_user_of_a_role_stays_one(account: Account) -> None:
    draft = SigningKeyDraft(role=RoleDraft(role="service"))
    key = signing_keys.add(**WHO, account=account, draft=draft, version=account.version)
    user = make.user(Account.objects.get(pk=account.pk), "bob", signer=key.public_key)
    row = rotated(user)
    assert changes.claims_of(row).nats.limits == UserPermissionLimits()
    assert (row.issuer, row.pub_mode) == (key.public_key, "role")


def test_an_auth_user_of_the_callout_keeps_its_place_with_the_new_key(account: Account) -> None:
    user = make.user(account, "bob")
    callout = ExternalAuthorization(auth_users=(user.public_key,))
    accounts.rewrite(
        **WHO,
        account=account,
        plan=lambda held: changes.plan(held, changes.edit_body(authorization=callout), now=0),
        version=account.version,
        done="Edited account",
    )
    assert "auth callout" in user_keys.plan(fresh(user)).consequences[-1]
    row = rotated(user)
    assert changes.claims_of(row.account).nats.authorization.auth_users == (row.public_key,)


def test_there_is_no_earlier_version_of_the_new_key_to_revoke(account: Account) -> None:
    row = rotated(make.user(account, "bob"))
    with pytest.raises(IdentityError, match="one JWT only"):
        users.revoke_earlier(**WHO, user=row)


def test_deleting_it_leaves_both_tombstones_and_revokes_the_key_it_has(account: Account) -> None:
    user = make.user(account, "bob")
    row = rotated(user)
    old = Key.objects.get(public_key=user.public_key).deleted_at
    users.delete(**WHO, user=row, version=row.version)
    revocations = changes.claims_of(Account.objects.get(pk=account.pk)).nats.revocations
    assert {user.public_key, row.public_key} <= set(revocations)
    assert Key.objects.get(public_key=user.public_key).deleted_at == old


def test_rules_and_edits_go_on_under_the_new_key(account: Account) -> None:
    from identities.claims.permissions import Permission as Subjects

    limits = UserPermissionLimits(pub=Subjects(allow=("a",)), subs=-1, data=-1, payload=-1)
    row = rotated(make.user(account, "bob", limits=limits))
    assert Permission.objects.filter(user=row).count() == 1
    edit = UserEdit(name="bob", limits=limits, tags=("x",))
    users.update(**WHO, user=row, edit=edit, version=row.version)
    assert IssuedToken.objects.filter(subject=row.public_key).count() == 2


def test_it_is_not_for_viewers(account: Account) -> None:
    user = make.user(account, "bob")
    with pytest.raises(Forbidden):
        user_keys.rotate(principal=make.principal("viewer"), user=user, version=user.version)
