"""What one signing key signed is signed by another: users keep their rights, and nobody comes back unasked."""

from __future__ import annotations

from typing import Any

import pytest

from identities.claims import trust
from identities.errors import IdentityError
from identities.models import Account, Key, User
from identities.policy.decisions import Forbidden
from identities.policy.principal import Role
from identities.services import accounts, changes, signing_over
from tests import make
from tests.reissued import claims, edited, with_key

pytestmark = pytest.mark.django_db
BY: dict[str, Any] = {"principal": make.COMMAND}


@pytest.fixture
def account(db: None) -> Account:
    return make.account(make.operator("Op"), "App")


def over(account: Account, source: Key, target: Key) -> None:
    row = Account.objects.get(pk=account.pk)
    signing_over.users(**BY, account=row, source=source.public_key, target=target.public_key)


def user_of(account: Account, key: Key, name: str) -> User:
    return make.user(Account.objects.get(pk=account.pk), name, signer=key.public_key)


def test_users_go_from_one_plain_key_to_another(account: Account) -> None:
    first, second = with_key(account), with_key(account)
    user, other = user_of(account, first, "u"), user_of(account, second, "other")
    before = claims(user).nats
    over(account, first, second)
    assert claims(user).iss == second.public_key
    assert claims(user).nats == before
    assert (other.version, User.objects.get(pk=other.pk).version) == (1, 1)


def test_users_of_a_role_go_to_a_role_and_others_to_a_plain_key(account: Account) -> None:
    plain, role, next_role = with_key(account), with_key(account, role="a"), with_key(account, role="b")
    of_role, of_plain = user_of(account, role, "r"), user_of(account, plain, "p")
    with pytest.raises(IdentityError, match="a plain key would leave it none") as refused:
        over(account, role, plain)
    assert refused.value.field == "" or refused.value.field == "target"
    with pytest.raises(IdentityError, match="which a role's users must not have"):
        over(account, plain, role)
    over(account, role, next_role)
    scope = trust.signing_key(claims(account).nats, next_role.public_key)
    assert scope is not None
    assert trust.scoped_signer_issues(scope, claims(of_role)) == []
    assert claims(of_plain).iss == plain.public_key


def test_after_a_key_was_taken_away_its_users_come_in_again_by_the_next(account: Account) -> None:
    gone = with_key(account)
    user = user_of(account, gone, "u")
    edited(account, signing_keys=())
    target = with_key(account)
    row = Account.objects.get(pk=account.pk)
    foreseen = signing_over.plan_users(row, source=gone.public_key, target=target.public_key)
    assert "comes in again" in " ".join(foreseen.stays)
    assert [(one.key, one.known) for one in signing_over.issuers_of_users(row)] == [(gone.public_key, False)]
    over(account, gone, target)
    assert trust.did_sign(claims(account), claims(user))


def test_who_is_revoked_stays_revoked(account: Account) -> None:
    first, second = with_key(account), with_key(account)
    user, fine = user_of(account, first, "u"), user_of(account, first, "fine")
    accounts.revoke(**BY, account=account, entries={user.public_key: user.last_iat})
    over(account, first, second)
    revocations = claims(account).nats.revocations
    assert claims(user).iss == second.public_key
    assert claims(user).iat <= revocations[user.public_key]
    assert fine.public_key not in revocations


@pytest.mark.parametrize("which", ["nobody", "same", "stranger", "seedless"])
def test_what_can_not_be_is_refused(account: Account, which: str) -> None:
    first, second = with_key(account), with_key(account)
    user_of(account, first, "u")
    source, target, said = {
        "nobody": (second.public_key, first.public_key, "Nobody in"),
        "same": (first.public_key, first.public_key, "signed them already"),
        "stranger": (first.public_key, make.account().public_key, "no signing key of this account"),
        "seedless": (first.public_key, second.public_key, "has its seed here"),
    }[which]
    if which == "seedless":
        Key.objects.filter(pk=second.pk).update(sealed=None)
    with pytest.raises(IdentityError, match=said):
        signing_over.users(**BY, account=Account.objects.get(pk=account.pk), source=source, target=target)


def test_an_accounts_administrator_may_a_viewer_not(account: Account) -> None:
    first, second = with_key(account), with_key(account)
    user = user_of(account, first, "u")
    row = Account.objects.get(pk=account.pk)
    asked = {"account": row, "source": first.public_key, "target": second.public_key}
    with pytest.raises(Forbidden):
        signing_over.users(principal=make.principal(Role.VIEWER, account=row), **asked)
    signing_over.users(principal=make.principal(Role.ADMINISTRATOR, account=row), **asked)
    assert changes.claims_of(User.objects.get(pk=user.pk)).iss == second.public_key
