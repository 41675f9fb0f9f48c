"""Suspending users: out until the suspension is lifted, and then as if nothing had been."""

from __future__ import annotations

from dataclasses import replace

import pytest

from identities.claims.account import ExternalAuthorization
from identities.claims.drafts import UserEdit
from identities.claims.permissions import UserPermissionLimits
from identities.errors import IdentityError
from identities.models import Account, AuditEvent, IssuedToken, User
from identities.policy.actions import Action
from identities.policy.decisions import Forbidden
from identities.services import (
    accounts,
    changes,
    creds,
    kept_out,
    moves,
    signing_keys,
    suspensions,
    user_keys,
    users,
)
from tests import make

pytestmark = pytest.mark.django_db

WHO = {"principal": make.COMMAND}
UNLIMITED = UserPermissionLimits.unlimited()


@pytest.fixture
def user() -> User:
    return make.user(make.account(make.operator("Test"), "Orders"), "bob")


def fresh(user: User) -> User:
    return User.objects.select_related("account__operator", "operator", "token").get(pk=user.pk)


def suspended(user: User) -> User:
    row = fresh(user)
    suspensions.suspend(**WHO, user=row, version=row.version)
    return fresh(user)


def lifted(user: User) -> User:
    row = fresh(user)
    suspensions.lift(**WHO, user=row, version=row.version)
    return fresh(user)


def entry(user: User) -> int:
    """What stands in the account's revocations for the user; 0 for nothing."""
    row = Account.objects.get(pk=user.account_id)
    return int(changes.claims_of(row).nats.revocations.get(user.public_key, 0))


def test_its_jwt_is_refused_from_now_on_and_stays_as_it_is(user: User) -> None:
    row = suspended(user)
    assert row.suspended_at is not None
    assert entry(row) >= row.last_iat
    assert (row.version, row.token_id) == (user.version, user.token_id)


def test_lifting_leaves_no_trace_in_the_account(user: User) -> None:
    lifted(suspended(user))
    assert fresh(user).suspended_at is None
    assert "revocations" not in Account.objects.get(pk=user.account_id).claims


def test_lifting_gives_back_the_earlier_entry(user: User) -> None:
    accounts.revoke(**WHO, account=user.account, entries={user.public_key: 1000})
    lifted(suspended(user))
    assert entry(user) == 1000


@pytest.mark.parametrize("at", [1000, 4_000_000_000])
def test_what_is_revoked_meanwhile_stays_revoked(user: User, at: int) -> None:
    row = suspended(user)
    accounts.revoke(**WHO, account=row.account, entries={user.public_key: at})
    lifted(row)
    assert entry(user) == at


def test_an_entry_that_another_hand_wrote_later_stays(user: User) -> None:
    row = suspended(user)
    account = row.account
    later = {**changes.claims_of(account).nats.revocations, user.public_key: 4_000_000_000}
    accounts.rewrite(
        **WHO,
        account=account,
        plan=lambda held: changes.plan(held, changes.edit_body(revocations=later), now=0),
        version=account.version,
        done="Edited revocations of account",
    )
    lifted(row)
    assert entry(user) == 4_000_000_000


def test_who_was_revoked_before_stays_out_and_that_is_said(user: User) -> None:
    accounts.revoke(**WHO, account=user.account, entries={user.public_key: user.last_iat})
    row = suspended(user)
    assert "stays out all the same" in suspensions.plan_lift(row).consequences[0]
    lifted(row)
    assert entry(user) == user.last_iat


def test_nothing_is_signed_or_handed_out_meanwhile(user: User) -> None:
    row = suspended(user)
    edit = UserEdit(name="other", limits=UNLIMITED)
    signing_keys.add(
        **WHO,
        account=row.account,
        draft=signing_keys.SigningKeyDraft(),
        version=row.account.version,
    )
    row = fresh(user)
    key = changes.claims_of(row.account).nats.signing_keys[0].key
    before = IssuedToken.objects.filter(subject=user.public_key).count()
    for refused in (
        lambda: users.update(**WHO, user=row, edit=edit, version=row.version),
        lambda: moves.move(**WHO, user=row, wanted=moves.Move(signer=key), version=row.version),
        lambda: user_keys.rotate(**WHO, user=row, version=row.version),
        lambda: creds.creds_file(**WHO, user=row),
        lambda: creds.user_jwt(**WHO, user=row),
    ):
        with pytest.raises(kept_out.Suspended, match="Lift the suspension first"):
            refused()
    assert creds.creds_files(**WHO, account=row.account, users=[row]) == []
    assert IssuedToken.objects.filter(subject=user.public_key).count() == before


def test_no_edit_of_the_account_lets_it_in(user: User) -> None:
    account = suspended(user).account
    with pytest.raises(kept_out.Suspended, match="keeps it out"):
        accounts.rewrite(
            **WHO,
            account=account,
            plan=lambda held: changes.plan(held, changes.edit_body(revocations={}), now=0),
            version=account.version,
            done="Cleared revocations of account",
        )
    assert entry(user)


def test_its_entry_may_go_where_all_users_are_revoked(user: User) -> None:
    row = suspended(user)
    accounts.revoke(**WHO, account=row.account, entries={"*": row.last_iat})
    account = Account.objects.get(pk=row.account_id)
    compact = {"*": changes.claims_of(account).nats.revocations["*"]}
    accounts.rewrite(
        **WHO,
        account=account,
        plan=lambda held: changes.plan(held, changes.edit_body(revocations=compact), now=0),
        version=account.version,
        done="Compacted revocations of account",
    )
    assert entry(user) == 0
    assert fresh(user).suspended_at is not None


def test_deleting_it_revokes_whatever_is_ticked(user: User) -> None:
    row = suspended(user)
    users.delete(**WHO, user=row, version=row.version, revoke=False)
    assert entry(user) >= user.last_iat
    assert "and revoked its key" in AuditEvent.objects.latest("seq").summary


def test_it_is_not_blocked_by_what_else_is_wrong_with_the_account(user: User) -> None:
    account = user.account
    wrong = ExternalAuthorization(allowed_accounts=("*",))
    broken = changes.plan(account, changes.edit_body(authorization=wrong), now=0)
    assert broken.report.blocking
    lenient = replace(broken, report=type(broken.report)())
    accounts.commit_revocations(account, lenient, principal=make.COMMAND, reason="Imported as it was")
    lifted(suspended(user))
    assert entry(user) == 0


def test_a_second_suspension_and_a_second_lifting_are_refused(user: User) -> None:
    with pytest.raises(IdentityError, match="is not suspended"):
        suspensions.lift(**WHO, user=user, version=user.version)
    row = suspended(user)
    with pytest.raises(IdentityError, match="was suspended by"):
        suspensions.suspend(**WHO, user=row, version=row.version)


def test_an_auth_user_of_the_callout_is_warned_of(user: User) -> None:
    callout = ExternalAuthorization(auth_users=(user.public_key,))
    account = user.account
    accounts.rewrite(
        **WHO,
        account=account,
        plan=lambda held: changes.plan(held, changes.edit_body(authorization=callout), now=0),
        version=account.version,
        done="Edited account",
    )
    assert "nobody else can log in" in suspensions.plan_suspend(fresh(user)).consequences[-1]


def test_both_are_in_the_audit_and_not_for_viewers(user: User) -> None:
    with pytest.raises(Forbidden):
        suspensions.suspend(principal=make.principal("viewer"), user=user, version=user.version)
    lifted(suspended(user))
    events = AuditEvent.objects.filter(action=Action.USER_SUSPEND).order_by("seq")
    assert [event.summary for event in events] == [
        "Suspended user “bob” of “Orders”",
        "Lifted the suspension of user “bob” of “Orders”",
    ]
