"""An operator's signing keys: added, brought, removed; accounts signed anew by another key; the system account."""

from __future__ import annotations

from dataclasses import replace

import pytest

from identities.claims import codec
from identities.claims.drafts import OperatorEdit
from identities.claims.limits import OperatorLimits
from identities.claims.trust import did_sign
from identities.errors import IdentityError
from identities.models import Account, AuditEvent, IssuedToken, Key, Operator, Purpose
from identities.nkeys import KeyKind, KeyPair
from identities.policy.decisions import Forbidden
from identities.policy.principal import Role
from identities.services import (
    accounts,
    changes,
    operator_keys,
    operators,
    signing,
    signing_over,
    system_accounts,
)
from tests import make

pytestmark = pytest.mark.django_db
WHO = {"principal": make.COMMAND}
FOREIGN = KeyPair.create(KeyKind.OPERATOR).public.text


@pytest.fixture
def acme(db: None) -> Operator:
    return make.operator("Acme")


def again(operator: Operator) -> Operator:
    return Operator.objects.get(pk=operator.pk)


def keys(operator: Operator) -> tuple[str, ...]:
    found: tuple[str, ...] = changes.claims_of(again(operator)).nats.signing_keys
    return found


def add(operator: Operator, public_key: str = "") -> str:
    row = again(operator)
    operator_keys.add(**WHO, operator=row, version=row.version, public_key=public_key)
    return keys(operator)[-1]


def test_a_key_is_made_here_and_comes_last_so_that_new_accounts_are_signed_as_before(acme: Operator) -> None:
    first = keys(acme)[0]
    made = add(acme)
    assert keys(acme) == (first, made)
    key = Key.objects.get(public_key=made)
    assert (key.purpose, key.kind, key.account_id) == (Purpose.SIGNING, "operator", None)
    with signing.signer_for(key) as pair:
        assert pair.public.text == made
    assert make.account(again(acme)).issuer == first
    event = AuditEvent.objects.get(action="operator-key.edit")
    assert event.summary == f"Added the signing key {made} to “Acme”"


def test_a_brought_key_has_no_seed_here_and_signs_nothing(acme: Operator) -> None:
    (line,) = operator_keys.plan_add(acme, FOREIGN).consequences
    assert "Whoever holds its seed" in line
    assert add(acme, FOREIGN) == FOREIGN
    assert Key.objects.get(public_key=FOREIGN).sealed is None
    assert FOREIGN not in operator_keys.signers(acme, changes.claims_of(again(acme)))


def test_the_first_key_says_what_servers_make_of_it(db: None) -> None:
    bare = make.operator("Bare", generate_signing_key=False)
    change = operator_keys.plan_add(bare)
    assert "New accounts are signed by it from now on" in change.consequences[0]
    assert [(one.path, one.after) for one in change.diff] == [("nats.signing_keys", operator_keys.MADE_LATER)]
    assert not Key.objects.filter(operator=bare, kind="operator", purpose=Purpose.SIGNING).exists()
    add(bare)
    assert operator_keys.plan_add(again(bare)).consequences == ()


@pytest.mark.parametrize("text", [KeyPair.create(KeyKind.ACCOUNT).public.text, "nonsense"])
def test_what_is_no_operator_key_is_refused(acme: Operator, text: str) -> None:
    with pytest.raises(IdentityError):
        add(acme, text)


def test_a_key_that_is_there_is_refused(acme: Operator) -> None:
    for known in (acme.public_key, keys(acme)[0]):
        with pytest.raises(IdentityError, match="already"):
            add(acme, known)


def test_removing_a_key_names_its_accounts_and_may_re_sign_them_first(acme: Operator) -> None:
    first = keys(acme)[0]
    second = add(acme)
    shop = make.account(again(acme), "Shop")
    row = again(acme)
    (line,) = operator_keys.plan_remove(row, first).consequences
    assert "It signed 2 accounts (“Shop”, “SYS”)" in line
    claims = changes.claims_of(shop)
    operator_keys.remove(**WHO, operator=row, public_key=first, version=row.version, resign_by=second)
    assert keys(acme) == (second,)
    assert Key.objects.get(public_key=first).deleted_at is not None
    shop.refresh_from_db()
    after = changes.claims_of(shop)
    assert (shop.issuer, after.iss, after.nats) == (second, second, claims.nats)
    assert after.iat > claims.iat
    assert did_sign(changes.claims_of(again(acme)), after)
    token = IssuedToken.objects.get(pk=shop.token_id)
    assert (token.reason, token.issuer, token.replaces_id is not None) == (
        "Re-signed by another key",
        second,
        True,
    )
    assert codec.decode(token.text).claims.iss == second
    event = AuditEvent.objects.latest("seq")
    assert event.summary.endswith(f"and re-signed its 2 accounts by {second}")
    assert event.targets.count() == 3


def test_a_key_may_go_and_leave_its_accounts_as_they_are(acme: Operator) -> None:
    first = keys(acme)[0]
    row = again(acme)
    operator_keys.remove(**WHO, operator=row, public_key=first, version=row.version)
    assert keys(acme) == ()
    assert Account.objects.get(name="SYS").issuer == first
    row = again(acme)
    operator_keys.remove(**WHO, operator=row, public_key=first, version=row.version)
    assert AuditEvent.objects.filter(action="operator-key.edit").count() == 1


def test_a_key_that_comes_back_has_its_seed_again(acme: Operator) -> None:
    first = keys(acme)[0]
    row = again(acme)
    operator_keys.remove(**WHO, operator=row, public_key=first, version=row.version)
    add(acme, first)
    assert operator_keys.signers(acme, changes.claims_of(again(acme)))[0] == first
    assert make.account(again(acme)).issuer == first


def test_the_last_key_of_a_strict_operator_stays(db: None) -> None:
    strict = make.operator("Strict", require_signing_keys=True)
    only = keys(strict)[0]
    with pytest.raises(changes.InvalidClaims, match="no account of this operator is trusted"):
        operator_keys.remove(**WHO, operator=strict, public_key=only, version=strict.version)
    assert "No other key that may sign accounts" in operator_keys.plan_remove(strict, only).consequences[-1]


def test_accounts_of_the_identity_key_are_re_signed_so_that_signing_keys_can_be_required(db: None) -> None:
    bare = make.operator("Bare", generate_signing_key=False)
    account = make.account(bare, "Shop")
    assert account.issuer == bare.public_key
    made = add(bare)
    row = again(bare)
    edit = OperatorEdit(name="Bare", require_signing_keys=True)
    with pytest.raises(IdentityError, match="Re-sign it by a signing key first"):
        operators.update(**WHO, operator=row, edit=edit, version=row.version)
    assert signing_over.accounts_of(**WHO, operator=row, source=bare.public_key, target=made).job is None
    account.refresh_from_db()
    assert account.issuer == made
    limits = replace(OperatorLimits.unlimited(), conn=5)
    saved = accounts.update_limits(**WHO, account=account, limits=limits, version=account.version)
    assert saved.issuer == made


@pytest.mark.parametrize("to", [FOREIGN, KeyPair.create(KeyKind.OPERATOR).public.text])
def test_accounts_are_re_signed_only_by_keys_that_may_and_are_here(acme: Operator, to: str) -> None:
    add(acme, FOREIGN)
    row, first = again(acme), keys(acme)[0]
    with pytest.raises(IdentityError):
        operator_keys.remove(**WHO, operator=row, public_key=first, resign_by=to, version=row.version)
    assert Account.objects.get(name="SYS").issuer == first


def test_the_identity_key_of_a_strict_operator_re_signs_nothing(db: None) -> None:
    strict = make.operator("Strict", require_signing_keys=True)
    first = keys(strict)[0]
    add(strict)
    row = again(strict)
    with pytest.raises(IdentityError, match="requires signing keys: its identity key may not sign"):
        operator_keys.remove(
            **WHO, operator=row, public_key=first, resign_by=strict.public_key, version=row.version
        )


def test_a_viewer_changes_no_keys(acme: Operator) -> None:
    viewer = make.principal(Role.VIEWER)
    with pytest.raises(Forbidden):
        operator_keys.add(principal=viewer, operator=acme, version=acme.version)
    with pytest.raises(Forbidden):
        operator_keys.remove(principal=viewer, operator=acme, public_key=FOREIGN, version=acme.version)


def test_the_system_account_is_changed_and_taken_away(acme: Operator) -> None:
    shop = make.account(acme, "Shop")
    lines = system_accounts.plan_choose(acme, shop.public_key).consequences
    assert "users of “Shop” see the events of all accounts" in lines[0]
    assert "Users of “SYS” can do none of that any more" in lines[1]
    row = system_accounts.choose(**WHO, operator=acme, account=shop.public_key, version=acme.version)
    assert again(acme).system_account == shop.public_key
    lines = system_accounts.plan_choose(row, "").consequences
    assert "don't start without a system account" in lines[0]
    system_accounts.choose(**WHO, operator=row, account="", version=row.version)
    assert again(acme).system_account == ""
    assert "system_account" not in again(acme).claims


def test_an_account_with_jetstream_is_no_system_account(acme: Operator) -> None:
    shop = make.account(acme, "Shop", limits=replace(OperatorLimits.unlimited(), disk_storage=-1))
    with pytest.raises(IdentityError, match="switch it off first"):
        system_accounts.plan_choose(acme, shop.public_key)


def test_a_system_account_is_named_or_given_by_a_key_that_is_not_known(acme: Operator) -> None:
    shop = make.account(acme, "Shop")
    stranger = KeyPair.create(KeyKind.ACCOUNT).public.text
    assert system_accounts.key_of(acme, "shop") == shop.public_key
    assert system_accounts.key_of(acme, stranger) == stranger
    assert system_accounts.key_of(acme, "") == ""
    assert "is known here" in system_accounts.plan_choose(acme, stranger).consequences[0]
    with pytest.raises(IdentityError, match="has no account “Nowhere”"):
        system_accounts.key_of(acme, "Nowhere")


def test_an_asserted_server_version_says_who_stays_out(acme: Operator) -> None:
    edit = OperatorEdit(name="Acme", assert_server_version="2.11.0")
    change = operators.plan_edit(acme, edit)
    assert change.consequences == (
        "A nats-server older than 2.11.0 does not start with this operator's JWT.",
    )
    assert operators.plan_edit(acme, replace(edit, assert_server_version="")).is_empty
