"""Keys themselves: a missing seed comes in, a spare one is made and used, a seed goes out, one is erased."""

from __future__ import annotations

import pytest

from identities.claims.account import ExternalAuthorization
from identities.claims.drafts import (
    AccountDraft,
    AccountEdit,
    RoleDraft,
    SigningKeyDraft,
    UserDraft,
    UserEdit,
)
from identities.claims.permissions import UserPermissionLimits
from identities.claims.scopes import SigningKey
from identities.errors import IdentityError
from identities.lookup import NotFound
from identities.models import Account, AuditEvent, Key, Operator, Purpose, User
from identities.nkeys import KeyKind, KeyPair, SecretBytes
from identities.policy.decisions import Forbidden
from identities.policy.principal import Role
from identities.services import (
    accounts,
    auth_callout,
    changes,
    clock,
    creds,
    keys,
    operator_keys,
    secrets,
    signing,
    signing_keys,
    users,
)
from tests import make

pytestmark = pytest.mark.django_db
BY = {"principal": make.COMMAND}
UNLIMITED = UserPermissionLimits.unlimited()


@pytest.fixture
def operator(db: None) -> Operator:
    return make.operator("Op")


def seed_of(pair: KeyPair) -> SecretBytes:
    return pair.seed()


def key_of(public_key: str) -> Key:
    return Key.objects.select_related("operator", "account", "user").get(public_key=public_key)


def test_a_users_seed_that_is_added_makes_creds(operator: Operator) -> None:
    pair = KeyPair.create(KeyKind.USER)
    user = make.user(make.account(operator), public_key=pair.public.text)
    with pytest.raises(creds.NoSeed):
        creds.creds_file(**BY, user=user)
    keys.add_seed(**BY, key=key_of(pair.public.text), seed=seed_of(pair))
    user.refresh_from_db()
    assert user.has_seed
    text = creds.creds_file(**BY, user=user).text
    assert pair.seed().reveal().decode() in text


def test_an_operators_accounts_can_be_signed_once_the_seed_is_there(operator: Operator) -> None:
    account = make.account(operator)
    held = Key.objects.get(public_key=account.issuer)
    with secrets.opened(held.sealed, table="key", public_key=held.public_key, purpose="seed") as opened:
        seed = SecretBytes(opened.reveal())
    Key.objects.filter(operator=operator, account=None).update(sealed=None)
    edit = AccountEdit(name="Renamed")
    with pytest.raises(signing.NoSigner):
        accounts.update(**BY, account=account, edit=edit, version=account.version)
    keys.add_seed(**BY, key=key_of(held.public_key), seed=seed)
    saved = accounts.update(**BY, account=account, edit=edit, version=account.version)
    assert (saved.name, saved.issuer) == ("Renamed", held.public_key)


def test_the_seed_of_another_key_is_refused_and_not_repeated(operator: Operator) -> None:
    pair, other = KeyPair.create(KeyKind.ACCOUNT), KeyPair.create(KeyKind.ACCOUNT)
    make.account(operator, public_key=pair.public.text)
    with pytest.raises(IdentityError, match=f"seed of another key, {other.public.text}") as refused:
        keys.add_seed(**BY, key=key_of(pair.public.text), seed=seed_of(other))
    assert other.seed().reveal().decode() not in str(refused.value)
    assert key_of(pair.public.text).sealed is None


@pytest.mark.parametrize("text", [b"SAABC", b"A" * 58, b"x" * 58])
def test_what_is_no_seed_is_refused(operator: Operator, text: bytes) -> None:
    pair = KeyPair.create(KeyKind.ACCOUNT)
    make.account(operator, public_key=pair.public.text)
    with pytest.raises(IdentityError, match="seed") as refused:
        keys.add_seed(**BY, key=key_of(pair.public.text), seed=SecretBytes(text))
    assert text.decode() not in str(refused.value)


def test_a_seed_that_is_here_is_not_replaced(operator: Operator) -> None:
    account = make.account(operator)
    with pytest.raises(IdentityError, match="here already"):
        keys.add_seed(**BY, key=key_of(account.public_key), seed=seed_of(KeyPair.create(KeyKind.ACCOUNT)))


def test_a_deleted_users_seed_is_of_no_use(operator: Operator) -> None:
    pair = KeyPair.create(KeyKind.USER)
    user = make.user(make.account(operator), public_key=pair.public.text)
    users.delete(**BY, user=user, version=user.version)
    with pytest.raises(IdentityError, match="was deleted"):
        keys.add_seed(**BY, key=key_of(pair.public.text), seed=seed_of(pair))


def test_a_spare_account_key_becomes_an_accounts_own_with_its_seed(operator: Operator) -> None:
    spare = keys.generate(**BY, operator=operator, kind=KeyKind.ACCOUNT)
    draft = AccountDraft(name="App", public_key=spare.public_key)
    account = accounts.create(**BY, operator=operator, draft=draft)
    row = key_of(spare.public_key)
    assert (row.pk, row.purpose, row.account) == (spare.pk, Purpose.IDENTITY, account)
    assert row.sealed is not None


def test_a_spare_user_key_makes_a_user_whose_creds_can_be_taken(operator: Operator) -> None:
    spare = keys.generate(**BY, operator=operator, kind=KeyKind.USER)
    user = users.create(
        **BY, account=make.account(operator), draft=UserDraft(name="u", public_key=spare.public_key)
    )
    assert user.has_seed
    assert Key.objects.filter(public_key=spare.public_key).count() == 1
    assert "USER NKEY SEED" in creds.creds_file(**BY, user=user).text


def test_a_spare_key_named_in_claims_signs_from_then_on(operator: Operator) -> None:
    account = make.account(operator)
    spare = keys.generate(**BY, operator=operator, kind=KeyKind.ACCOUNT)
    accounts.rewrite(
        **BY,
        account=account,
        plan=lambda row: changes.plan(
            row, changes.edit_body(signing_keys=(SigningKey(key=spare.public_key),)), now=clock.unix()
        ),
        version=account.version,
        done="Added a signing key to account",
    )
    account.refresh_from_db()
    assert key_of(spare.public_key).purpose == Purpose.SIGNING
    assert make.user(account).issuer == spare.public_key


def test_a_spare_key_of_another_kind_or_operator_is_not_taken(operator: Operator) -> None:
    spare = keys.generate(**BY, operator=operator, kind=KeyKind.ACCOUNT)
    elsewhere = accounts.create(
        **BY, operator=make.operator("Other"), draft=AccountDraft(name="App", public_key=spare.public_key)
    )
    assert Key.objects.get(account=elsewhere, public_key=spare.public_key).sealed is None
    assert key_of_spare(spare).purpose == Purpose.SPARE


def key_of_spare(spare: Key) -> Key:
    return Key.objects.get(pk=spare.pk)


@pytest.mark.parametrize("kind", [KeyKind.SERVER, KeyKind.CLUSTER])
def test_keys_that_nobody_needs_here_are_not_made(operator: Operator, kind: KeyKind) -> None:
    with pytest.raises(IdentityError, match="of no use"):
        keys.generate(**BY, operator=operator, kind=kind)


def test_a_seed_goes_out_as_nsc_keeps_it_and_is_audited(operator: Operator) -> None:
    account = make.account(operator)
    handout = keys.export_seed(**BY, key=key_of(account.public_key))
    assert handout.filename == f"{account.public_key}.nk"
    assert KeyPair.from_seed(handout.text).public.text == account.public_key
    event = AuditEvent.objects.latest("seq")
    assert event.action == "key.export-seed"
    assert handout.text not in event.canonical


def test_without_a_seed_nothing_goes_out(operator: Operator) -> None:
    account = make.account(operator, public_key=KeyPair.create(KeyKind.ACCOUNT).public.text)
    with pytest.raises(creds.NoSeed):
        keys.export_seed(**BY, key=key_of(account.public_key))


def test_a_spare_key_can_be_erased_one_in_use_can_not(operator: Operator) -> None:
    spare = keys.generate(**BY, operator=operator, kind=KeyKind.CURVE)
    erased = keys.erase(**BY, key=spare)
    assert erased.sealed is None
    assert erased.deleted_at is not None
    for public_key in (
        operator.public_key,
        operator_signing_key(operator),
        make.account(operator).public_key,
    ):
        with pytest.raises(IdentityError, match="in use"):
            keys.erase(**BY, key=key_of(public_key))


def operator_signing_key(operator: Operator) -> str:
    return str(changes.claims_of(operator).nats.signing_keys[0])


def test_a_removed_signing_keys_seed_can_be_erased(operator: Operator) -> None:
    account = Account.objects.get(operator=operator)  # the system account has a signing key
    held = changes.claims_of(account).nats.signing_keys[0].key
    plan = changes.edit_body(signing_keys=())
    accounts.rewrite(
        **BY,
        account=account,
        plan=lambda row: changes.plan(row, plan, now=clock.unix()),
        version=account.version,
        done="Removed a signing key of account",
    )
    assert keys.erase(**BY, key=key_of(held)).sealed is None


@pytest.mark.parametrize("role", [Role.VIEWER, None])
def test_only_administrators_touch_seeds(operator: Operator, role: Role | None) -> None:
    who = make.principal(role)
    key = key_of(make.account(operator).public_key)
    with pytest.raises(Forbidden):
        keys.generate(principal=who, operator=operator, kind=KeyKind.USER)
    with pytest.raises(Forbidden):
        keys.export_seed(principal=who, key=key)
    with pytest.raises(Forbidden):
        keys.add_seed(principal=who, key=key, seed=seed_of(KeyPair.create(KeyKind.ACCOUNT)))
    with pytest.raises(Forbidden):
        keys.erase(principal=who, key=key)


def test_an_accounts_administrator_sees_and_takes_its_keys_alone(operator: Operator) -> None:
    mine, theirs = make.account(operator), make.account(operator)
    user = make.user(mine)
    who = make.principal(Role.ADMINISTRATOR, account=mine)
    assert keys.export_seed(principal=who, key=keys.find(who, operator, mine.public_key)).text
    assert keys.find(who, operator, user.public_key).user == user
    for hidden in (theirs.public_key, operator.public_key):
        with pytest.raises(NotFound):
            keys.find(who, operator, hidden)
    with pytest.raises(Forbidden):
        keys.export_seed(principal=who, key=key_of(theirs.public_key))


def test_the_live_key_is_found_before_its_namesake_that_was_deleted(operator: Operator) -> None:
    pair = KeyPair.create(KeyKind.ACCOUNT)
    first = make.account(operator)
    Key.objects.create(
        operator=operator, account=first, public_key=pair.public.text, kind="account",
        purpose=Purpose.SIGNING, created_at=clock.now(), deleted_at=clock.now(),
    )  # fmt: skip
    second = make.account(operator, public_key=pair.public.text)
    assert keys.find(make.COMMAND, operator, pair.public.text).account == second


def test_a_rename_leaves_a_users_key_where_it_is(operator: Operator) -> None:
    user = make.user(make.account(operator))
    users.update(**BY, user=user, edit=UserEdit(name="new"), version=user.version)
    assert keys.find(make.COMMAND, operator, user.public_key).user == User.objects.get(pk=user.pk)


def test_a_spare_key_can_be_added_as_a_signing_key_of_each_kind(operator: Operator) -> None:
    account = make.account(operator)
    plain, role = (keys.generate(**BY, operator=operator, kind=KeyKind.ACCOUNT) for _ in range(2))
    signing_keys.add(
        **BY, account=account, draft=SigningKeyDraft(public_key=plain.public_key), version=account.version
    )
    account.refresh_from_db()
    draft = SigningKeyDraft(public_key=role.public_key, role=RoleDraft(role="clerk", template=UNLIMITED))
    signing_keys.add(**BY, account=account, draft=draft, version=account.version)
    above = keys.generate(**BY, operator=operator, kind=KeyKind.OPERATOR)
    row = Operator.objects.get(pk=operator.pk)
    operator_keys.add(**BY, operator=row, public_key=above.public_key, version=row.version)
    for spare, purpose in ((plain, "signing"), (role, "role"), (above, "signing")):
        found = keys.find(make.COMMAND, Operator.objects.get(pk=operator.pk), spare.public_key)
        assert (found.pk, found.purpose) == (spare.pk, purpose)
        assert found.here and found.referenced  # type: ignore[attr-defined]


def test_a_spare_curve_key_can_be_the_auth_callouts(operator: Operator) -> None:
    account = make.account(operator)
    user = make.user(account)
    account.refresh_from_db()
    spare = keys.generate(**BY, operator=operator, kind=KeyKind.CURVE)
    callout = ExternalAuthorization(auth_users=(user.public_key,), xkey=spare.public_key)
    auth_callout.update(**BY, account=account, callout=callout, version=account.version)
    found = keys.find(make.COMMAND, operator, spare.public_key)
    assert (found.pk, found.purpose, found.account) == (spare.pk, "curve", account)
    assert found.referenced  # type: ignore[attr-defined]
