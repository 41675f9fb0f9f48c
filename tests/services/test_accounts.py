"""Accounts: limits, names, revocation, deletion."""

from __future__ import annotations

from dataclasses import replace

import pytest

from identities.claims.drafts import AccountDraft, AccountEdit
from identities.claims.limits import OperatorLimits
from identities.claims.permissions import UserPermissionLimits
from identities.errors import IdentityError
from identities.models import Account, AuditEvent, AuditTarget, Key, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.decisions import Forbidden
from identities.policy.principal import Principal
from identities.services import accounts, changes, signing
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Principal:
    make.installation()
    return make.principal("administrator")


def test_a_new_account_has_the_limits_that_nsc_gives(admin: Principal) -> None:
    account = make.account(make.operator())
    assert changes.claims_of(account).nats.limits == OperatorLimits.unlimited()
    assert not account.jetstream


def test_the_first_plain_signing_key_signs_before_the_identity_key(admin: Principal) -> None:
    operator = make.operator()
    assert make.account(operator).issuer == changes.claims_of(operator).nats.signing_keys[0]


def test_without_a_signing_key_the_identity_key_signs(admin: Principal) -> None:
    operator = make.operator(generate_signing_key=False, system_account=False)
    assert make.account(operator).issuer == operator.public_key


def test_editing_limits_changes_limits_only(admin: Principal) -> None:
    account = make.account(make.operator())
    before = changes.claims_of(account)
    limits = replace(before.nats.limits, conn=5, mem_storage=1024, disk_storage=-1)
    account = accounts.update_limits(principal=admin, account=account, limits=limits, version=account.version)
    after = changes.claims_of(account)
    assert after.nats.limits == limits
    assert replace(after.nats, limits=before.nats.limits) == before.nats
    assert account.jetstream
    assert after.iat > before.iat
    assert after.jti != before.jti


def test_limits_below_minus_one_are_refused(admin: Principal) -> None:
    account = make.account(make.operator())
    limits = replace(OperatorLimits.unlimited(), conn=-2)
    with pytest.raises(changes.InvalidClaims):
        accounts.update_limits(principal=admin, account=account, limits=limits, version=account.version)


def test_jetstream_is_refused_on_the_system_account(admin: Principal) -> None:
    operator = make.operator()
    system = Account.objects.get(operator=operator)
    with pytest.raises(IdentityError, match="system account can't have JetStream"):
        accounts.update_limits(
            principal=admin,
            account=system,
            limits=replace(OperatorLimits.unlimited(), mem_storage=-1),
            version=system.version,
        )


def test_bearer_users_must_go_before_they_are_forbidden(admin: Principal) -> None:
    account = make.account(make.operator())
    make.user(account, limits=replace(UserPermissionLimits.unlimited(), bearer_token=True))
    limits = replace(OperatorLimits.unlimited(), disallow_bearer=True)
    account.refresh_from_db()
    with pytest.raises(IdentityError, match="bearer user"):
        accounts.update_limits(principal=admin, account=account, limits=limits, version=account.version)


def test_account_names_are_unique_ignoring_case_beyond_ascii(admin: Principal) -> None:
    operator = make.operator()
    make.account(operator, name="Größe")
    with pytest.raises(IdentityError, match="already has an account named"):
        make.account(operator, name="GRÖSSE")


def test_the_same_name_may_stand_under_two_operators(admin: Principal) -> None:
    make.account(make.operator(name="One"), name="App")
    make.account(make.operator(name="Two"), name="App")
    assert Account.objects.filter(name="App").count() == 2


def test_a_public_key_alone_can_be_brought(admin: Principal) -> None:
    pair = KeyPair.create(KeyKind.ACCOUNT)
    account = accounts.create(
        principal=admin, operator=make.operator(), draft=AccountDraft(name="Own", public_key=pair.public.text)
    )
    assert account.public_key == pair.public.text
    assert Key.objects.get(public_key=pair.public.text).sealed is None


def test_a_user_key_is_no_account_key(admin: Principal) -> None:
    pair = KeyPair.create(KeyKind.USER)
    with pytest.raises(IdentityError):
        make.account(make.operator(), public_key=pair.public.text)


def test_a_seed_where_a_public_key_belongs_is_refused_without_repeating_it(admin: Principal) -> None:
    seed = KeyPair.create(KeyKind.ACCOUNT).seed().reveal().decode()
    with pytest.raises(IdentityError) as refused:
        make.account(make.operator(), public_key=seed)
    assert seed not in str(refused.value)


def test_a_rename_keeps_key_and_users(admin: Principal) -> None:
    account = make.account(make.operator(), name="Before")
    user = make.user(account)
    account.refresh_from_db()
    renamed = accounts.update(
        principal=admin, account=account, edit=AccountEdit(name="After"), version=account.version
    )
    assert (renamed.name, renamed.public_key) == ("After", account.public_key)
    assert User.objects.get(pk=user.pk).account_id == account.pk


def test_revoking_is_not_blocked_by_what_else_is_wrong(admin: Principal) -> None:
    account = make.account(make.operator())
    invalid = account.claims.replace('"type":"account"', '"info_url":"no url","type":"account"')
    Account.objects.filter(pk=account.pk).update(claims=invalid)
    row = accounts.revoke(principal=admin, account=account, entries={"*": 1_700_000_000})
    assert changes.claims_of(row).nats.revocations == {"*": 1_700_000_000}
    assert changes.claims_of(row).nats.info_url == "no url"


def test_a_later_revocation_is_not_moved_back(admin: Principal) -> None:
    account = make.account(make.operator())
    accounts.revoke(principal=admin, account=account, entries={"*": 200})
    row = accounts.revoke(principal=admin, account=account, entries={"*": 100})
    assert changes.claims_of(row).nats.revocations == {"*": 200}


def test_deleting_an_account_takes_its_users_along_and_names_them_in_the_audit(admin: Principal) -> None:
    account = make.account(make.operator(), name="Gone")
    user = make.user(account)
    account.refresh_from_db()
    accounts.delete(principal=admin, account=account, version=account.version)
    account.refresh_from_db()
    user.refresh_from_db()
    assert account.deleted_at is not None and user.deleted_at is not None
    assert account.token is not None
    assert AuditTarget.objects.filter(key=user.public_key, event=AuditEvent.objects.latest("seq")).exists()


def test_iat_rises_strictly_and_refuses_to_run_far_ahead(
    admin: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "MOST_AHEAD", 5)  # as it is, not as hurried tests have it
    account = make.account(make.operator())
    seen = [account.last_iat]
    with pytest.raises(IdentityError, match="Wait a moment"):
        for number in range(20):
            account = accounts.update(
                principal=admin, account=account, edit=AccountEdit(name=f"n{number}"), version=account.version
            )
            seen.append(account.last_iat)
    assert seen == sorted(set(seen))
    assert len(seen) > 3


def test_a_viewer_may_not_edit(admin: Principal) -> None:
    account = make.account(make.operator())
    with pytest.raises(Forbidden):
        accounts.update(
            principal=make.principal("viewer"), account=account, edit=AccountEdit(name="x"), version=1
        )
