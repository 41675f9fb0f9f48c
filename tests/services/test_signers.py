"""Who signs an edit: the issuer while its seed is here, then only whom a person chose; revoking waits for nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from identities.claims.drafts import AccountEdit, OperatorEdit, UserEdit
from identities.claims.permissions import UserPermissionLimits
from identities.claims.scopes import USER_SCOPE, SigningKey
from identities.errors import IdentityError
from identities.models import Account, IssuedToken, Key, User
from identities.nkeys import KeyKind, KeyPair
from identities.services import (
    accounts,
    adopting,
    adopting_users,
    changes,
    operators,
    signers,
    signing,
    users,
)
from tests import make
from tests.elsewhere import Elsewhere, seeds_of

pytestmark = pytest.mark.django_db

WHO: Any = {"principal": make.COMMAND}


@pytest.fixture
def there(db: None) -> Elsewhere:
    make.installation()
    return Elsewhere()


def described(account: Account, **options: Any) -> Account:
    edit = AccountEdit(name=account.name, description="described")
    return accounts.update(**WHO, account=account, edit=edit, version=account.version, **options)


def tagged(user: User, **options: Any) -> User:
    edit = UserEdit(name=user.name, tags=("a:b",))
    return users.update(**WHO, user=user, edit=edit, version=user.version, **options)


def imported(there: Elsewhere, *seeds: KeyPair, signing_keys: int = 2) -> tuple[Account, list[KeyPair]]:
    """An account by the first of the operator's signing keys; only `seeds` came along."""
    keys = [KeyPair.create(KeyKind.OPERATOR) for _ in range(signing_keys)]
    text = there.operator_jwt(signing_keys=tuple(key.public.text for key in keys))
    operator = adopting.adopt_operator(**WHO, text=text, seeds=seeds_of(there.operator, *keys[1:])).row
    return adopting.adopt_account(**WHO, operator=operator, text=there.account_jwt(by=keys[0])).row, keys


def user_of(there: Elsewhere, *, seeds: Any, by: KeyPair, keys: tuple[SigningKey, ...]) -> User:
    _, account = there.adopted(seeds=seeds, signing_keys=keys)
    text = there.user_jwt(
        by=by,
        issuer_account=account.public_key,
        limits=UserPermissionLimits()
        if any(key.is_scoped for key in keys)
        else UserPermissionLimits.unlimited(),
    )
    return adopting_users.adopt_users(**WHO, account=account, texts=[text])[0].row


def test_an_issuer_whose_seed_is_here_signs_again_unasked(there: Elsewhere) -> None:
    _, account = there.adopted(seeds=seeds_of(there.operator, there.account))
    assert signers.choice(account) is None
    assert described(account).issuer == there.operator.public.text


def test_without_it_nobody_else_signs_unless_chosen(there: Elsewhere) -> None:
    account, keys = imported(there)
    issued = IssuedToken.objects.count()
    with pytest.raises(signing.NoSigner, match="whose seed is not here") as refused:
        described(account)
    assert refused.value.field == "signed_by"
    assert keys[0].public.text in refused.value.user_message
    assert "page “Keys” of operator “Op”" in refused.value.user_message
    assert IssuedToken.objects.count() == issued
    choice = signers.choice(account)
    assert choice is not None
    offered = [key.public_key for key in choice.keys]
    assert offered == [keys[1].public.text, there.operator.public.text]
    for chosen in offered:
        account = described(replace_description(account), signer=chosen)
        assert account.issuer == chosen
        assert changes.claims_of(account).iss == chosen


def replace_description(account: Account) -> Account:
    """The account with another description and the issuer as it was, so that the next edit is one again."""
    fresh = Account.objects.get(pk=account.pk)
    Account.objects.filter(pk=account.pk).update(
        claims=fresh.claims.replace('"description":"described",', "")
    )
    return Account.objects.get(pk=account.pk)


def test_a_key_that_may_not_sign_or_is_not_here_can_t_be_chosen(there: Elsewhere) -> None:
    account, keys = imported(there)
    with pytest.raises(IdentityError, match="may not sign “Acc”"):
        described(account, signer=KeyPair.create(KeyKind.OPERATOR).public.text)
    with pytest.raises(signing.NoSigner, match=f"seed of {keys[0].public.text} is not here"):
        described(account, signer=keys[0].public.text)


def test_without_any_seed_it_is_said_which_would_do(there: Elsewhere) -> None:
    _, account = there.adopted()
    assert signers.choice(account) is not None
    with pytest.raises(signing.NoSigner, match="No key that may sign it has its seed here") as refused:
        described(account)
    assert there.operator.public.text in refused.value.user_message
    with pytest.raises(signing.NoSigner, match=r"operator's own JWT .* page “Keys” of operator “Op”"):
        operators.update(
            **WHO, operator=account.operator, edit=OperatorEdit(name="New"), version=account.operator.version
        )


def test_an_added_seed_makes_the_issuer_sign_again(there: Elsewhere) -> None:
    account, keys = imported(there)
    Key.objects.filter(public_key=keys[0].public.text).update(
        sealed=signing.seal_seed(keys[0].seed(), keys[0].public.text)
    )
    assert signers.choice(account) is None
    assert described(account).issuer == keys[0].public.text


def test_what_changes_nothing_needs_nobody_to_sign(there: Elsewhere) -> None:
    _, account = there.adopted()
    same = accounts.update(**WHO, account=account, edit=AccountEdit(name="Acc"), version=account.version)
    assert same.version == account.version
    user = adopting_users.adopt_users(**WHO, account=account, texts=[there.user_jwt()])[0].row
    limits = changes.claims_of(user).nats.limits
    kept = users.update(**WHO, user=user, edit=UserEdit(name="U", limits=limits), version=user.version)
    assert kept.version == user.version


def test_revoking_is_never_blocked_by_a_missing_seed(there: Elsewhere) -> None:
    account, keys = imported(there)
    revoked = accounts.revoke(**WHO, account=account, entries={"*": 1_700_000_000})
    assert revoked.issuer == keys[1].public.text
    text = there.user_jwt()
    user = adopting_users.adopt_users(**WHO, account=revoked, texts=[text])[0].row
    users.delete(**WHO, user=user, version=user.version)
    assert user.public_key in changes.claims_of(Account.objects.get(pk=account.pk)).nats.revocations


def test_an_identity_key_that_may_not_sign_any_more_is_followed_as_before(there: Elsewhere) -> None:
    signer = KeyPair.create(KeyKind.OPERATOR)
    text = there.operator_jwt(strict_signing_key_usage=True, signing_keys=(signer.public.text,))
    operator = adopting.adopt_operator(**WHO, text=text, seeds=seeds_of(there.operator, signer)).row
    account = adopting.adopt_account(**WHO, operator=operator, text=there.account_jwt(), foreign=True).row
    choice = signers.choice(account)
    assert choice is not None
    assert [key.public_key for key in choice.keys] == [signer.public.text]
    assert "may not sign it (any more)" in choice.why
    assert described(account).issuer == signer.public.text


def test_a_removed_signing_key_is_not_followed_silently(there: Elsewhere) -> None:
    account, keys = imported(there)
    text = there.operator_jwt(signing_keys=(keys[1].public.text,))
    operator = account.operator
    operator.claims = adopting.read(text, KeyKind.OPERATOR).payload
    operator.save()
    account = Account.objects.get(pk=account.pk)
    with pytest.raises(signing.NoSigner, match=r"which may not sign it \(any more\)"):
        described(account)
    assert described(account, signer=keys[1].public.text).issuer == keys[1].public.text


def test_a_user_keeps_its_issuer_or_gets_the_chosen_one(there: Elsewhere) -> None:
    gone, kept = KeyPair.create(KeyKind.ACCOUNT), KeyPair.create(KeyKind.ACCOUNT)
    keys = (SigningKey(key=gone.public.text), SigningKey(key=kept.public.text))
    user = user_of(there, seeds=seeds_of(there.operator, there.account, kept), by=gone, keys=keys)
    with pytest.raises(signing.NoSigner, match="whose seed is not here"):
        tagged(user)
    choice = signers.choice(user)
    assert choice is not None
    assert [key.public_key for key in choice.keys] == [kept.public.text, there.account.public.text]
    saved = tagged(user, signer=kept.public.text)
    assert saved.issuer == kept.public.text
    assert changes.claims_of(saved).nats.issuer_account == there.account.public.text
    assert signers.choice(saved) is None


def test_an_identity_key_that_takes_over_leaves_the_rest_as_it_was(there: Elsewhere) -> None:
    gone = KeyPair.create(KeyKind.ACCOUNT)
    keys = (SigningKey(key=gone.public.text),)
    user = user_of(there, seeds=seeds_of(there.operator, there.account), by=gone, keys=keys)
    before = changes.claims_of(user)
    after = changes.claims_of(tagged(user, signer=there.account.public.text))
    assert after.iss == there.account.public.text
    assert after.nats == replace(before.nats, tags=("a:b",))


def test_a_role_s_user_is_signed_by_its_role_alone(there: Elsewhere) -> None:
    role, plain = KeyPair.create(KeyKind.ACCOUNT), KeyPair.create(KeyKind.ACCOUNT)
    scope = SigningKey(
        kind=USER_SCOPE, key=role.public.text, role="r", template=UserPermissionLimits.unlimited()
    )
    keys = (scope, SigningKey(key=plain.public.text))
    user = user_of(there, seeds=seeds_of(there.operator, there.account, plain), by=role, keys=keys)
    choice = signers.choice(user)
    assert choice is not None
    assert choice.keys == ()
    with pytest.raises(signing.NoSigner, match="role whose key is not here"):
        tagged(user)
    with pytest.raises(IdentityError, match="may not sign “U”"):
        tagged(user, signer=plain.public.text)


def test_whom_somebody_chose_stays_chosen_when_the_row_is_locked(there: Elsewhere) -> None:
    account, keys = imported(there)
    account.chosen_signer = keys[1].public.text
    assert described(account).issuer == keys[1].public.text
    assert Account.objects.get(pk=account.pk).chosen_signer == ""


def test_a_general_edit_of_a_user_changes_what_it_is_told_to(there: Elsewhere) -> None:
    _, account = there.adopted(seeds=seeds_of(there.operator, there.account))
    user = adopting_users.adopt_users(**WHO, account=account, texts=[there.user_jwt()])[0].row
    saved = users.rewrite(
        **WHO,
        user=user,
        plan=lambda row: changes.plan(row, lambda claims: replace(claims, aud="somebody"), now=0),
        version=user.version,
        done="Said for whom",
    )
    assert changes.claims_of(saved).aud == "somebody"
    with pytest.raises(changes.StaleWrite):
        users.rewrite(**WHO, user=user, plan=lambda row: pytest.fail("asked"), version=user.version, done="x")
