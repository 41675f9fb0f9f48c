"""The ledger of hand-overs: whatever leaves leaves a row, and rows follow the account's revocations."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db import DatabaseError, connection, transaction

from identities.claims.drafts import RoleDraft, SigningKeyDraft, UserDraft
from identities.claims.permissions import UserPermissionLimits
from identities.claims.revocations import EVERYONE
from identities.models import Account, Handover, Key, User
from identities.policy.principal import Role
from identities.services import (
    account_creds,
    accounts,
    creds,
    exporting,
    handovers,
    keys,
    revocations,
    signing_keys,
)
from tests import make

pytestmark = pytest.mark.django_db

BEARER = replace(UserPermissionLimits.unlimited(), bearer_token=True)


def role_of(account: Account, name: str = "reader") -> Key:
    """A role of `account`, whose row is refreshed."""
    draft = RoleDraft(role=name, description="", template=UserPermissionLimits.unlimited())
    key = signing_keys.add(
        principal=make.COMMAND, account=account, draft=SigningKeyDraft(role=draft), version=account.version
    )
    account.refresh_from_db()
    return key


def revoked(user: User) -> list[bool]:
    rows = Handover.objects.filter(subject=user.public_key).order_by("pk")
    return list(rows.values_list("revoked", flat=True))


def test_downloaded_creds_leave_a_row_that_says_who_what_and_until_when() -> None:
    account = make.account()
    key = role_of(account)
    user = make.user(account, "alice", signer=key.public_key, expires=4_000_000_000)
    who = make.principal(Role.ADMINISTRATOR)
    creds.creds_file(principal=who, user=user)
    row = Handover.objects.get()
    assert (row.kind, row.subject, row.name, row.way) == ("user", user.public_key, "alice", "creds")
    assert (row.role, row.issuer, row.iat, row.exp) == (
        "reader",
        key.public_key,
        user.last_iat,
        4_000_000_000,
    )
    assert (row.recipient, row.recipient_name, row.by) == (who.key, who.name, who.key)
    assert (row.account, row.operator, row.user, row.token) == (
        account,
        account.operator,
        user,
        user.token,
    )
    assert row.door == "page"


def test_a_bearer_jwt_leaves_a_row_and_an_ordinary_one_does_not() -> None:
    account = make.account()
    creds.user_jwt(principal=make.COMMAND, user=make.user(account, "plain"))
    assert not Handover.objects.exists()
    creds.user_jwt(principal=make.COMMAND, user=make.user(account, "bearer", limits=BEARER))
    assert list(Handover.objects.values_list("way", "name")) == [("bearer-jwt", "bearer")]


def test_creds_of_many_leave_a_row_each_and_none_for_whom_nothing_was_given() -> None:
    account = make.account()
    make.many_users(account, ["a", "b"])
    make.user(account, "elsewhere", public_key="UCXFAAVMCPTATZUZX6H24YF6FI3NKPQBPLM6BNN2EDFPNSUUEZPNFKEL")
    account_creds.prepare(principal=make.COMMAND, account=account)
    assert sorted(Handover.objects.values_list("way", "name")) == [
        ("account-creds", "a"),
        ("account-creds", "b"),
    ]
    creds.creds_files(
        principal=make.COMMAND, account=account, users=list(User.objects.select_related("token"))
    )
    assert Handover.objects.count() == 4
    creds.issue(principal=make.COMMAND, account=account, drafts=[UserDraft(name="new")])
    assert Handover.objects.filter(way="new-users").values_list("name", flat=True).get() == "new"


def test_a_store_with_seeds_leaves_a_row_for_every_key_and_one_without_leaves_none() -> None:
    account = make.account()
    role = role_of(account)
    make.user(account, "alice")
    operator = account.operator
    exporting.prepare(principal=make.COMMAND, operator=operator, with_keys=False)
    assert not Handover.objects.exists()
    exporting.prepare(principal=make.COMMAND, operator=operator, with_keys=True)
    held = Key.objects.filter(operator=operator, deleted_at=None, sealed__isnull=False)
    assert set(Handover.objects.values_list("subject", flat=True)) == set(
        held.values_list("public_key", flat=True)
    )
    assert Handover.objects.get(subject=role.public_key).role == "reader"
    assert set(Handover.objects.values_list("kind", flat=True)) == {"operator", "account", "user"}


def test_an_exported_seed_leaves_a_row() -> None:
    account = make.account()
    key = Key.objects.get(public_key=account.public_key)
    keys.export_seed(principal=make.COMMAND, key=key)
    row = Handover.objects.get()
    assert (row.way, row.kind, row.subject) == ("seed", "account", account.public_key)
    assert row.name == f"account “{account.name}”"


def test_rows_follow_the_revocations_of_their_account() -> None:
    account = make.account()
    one, other = make.user(account, "one"), make.user(account, "other")
    for user in (one, other):
        creds.creds_file(principal=make.COMMAND, user=user)
    accounts.revoke(principal=make.COMMAND, account=account, entries={one.public_key: one.last_iat})
    assert (revoked(one), revoked(other)) == ([True], [False])
    account.refresh_from_db()
    revocations.clear(principal=make.COMMAND, account=account, key=one.public_key, version=account.version)
    assert revoked(one) == [False]
    accounts.revoke(principal=make.COMMAND, account=account, entries={one.public_key: one.last_iat - 1})
    assert revoked(one) == [False], "what was issued later is good"


def test_rows_follow_the_entry_for_all_users_and_what_remains_when_it_goes() -> None:
    account = make.account()
    one, other = make.user(account, "one"), make.user(account, "other")
    for user in (one, other):
        creds.creds_file(principal=make.COMMAND, user=user)
    accounts.revoke(principal=make.COMMAND, account=account, entries={one.public_key: one.last_iat})
    accounts.revoke(
        principal=make.COMMAND, account=account, entries={EVERYONE: max(one.last_iat, other.last_iat)}
    )
    assert (revoked(one), revoked(other)) == ([True], [True])
    account.refresh_from_db()
    revocations.clear(
        principal=make.COMMAND,
        account=account,
        key=EVERYONE,
        version=account.version,
        keep_deleted=False,
    )
    assert (revoked(one), revoked(other)) == ([True], [False])


def test_the_database_refuses_to_rewrite_or_forget_a_hand_over() -> None:
    creds.creds_file(principal=make.COMMAND, user=make.user())
    row = Handover.objects.get()
    for attempt in (
        lambda: Handover.objects.filter(pk=row.pk).update(recipient="person:1"),
        lambda: Handover.objects.filter(pk=row.pk).delete(),
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            attempt()
    assert connection.vendor in ("sqlite", "postgresql")


def test_a_hand_over_that_cannot_be_noted_does_not_happen(monkeypatch: pytest.MonkeyPatch) -> None:
    user = make.user()

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no ledger")

    monkeypatch.setattr(handovers, "record", broken)
    with pytest.raises(RuntimeError, match="no ledger"):
        creds.creds_file(principal=make.COMMAND, user=user)
