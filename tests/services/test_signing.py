"""Who signs, when a token may be issued, and what is kept of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from identities.claims import codec
from identities.claims.common import Claims
from identities.claims.drafts import UserDraft, UserEdit
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.claims.scopes import USER_SCOPE, SigningKey
from identities.errors import IdentityError
from identities.models import Account, AuditTarget, IssuedToken, Key, Purpose, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import accounts, changes, creds, operators, signing, suspensions, user_keys, users
from identities.services.secrets import opened
from identities.vault.errors import VaultError
from tests import make

pytestmark = pytest.mark.django_db

TEMPLATE = replace(UserPermissionLimits.unlimited(), pub=Permission(allow=("orders.{{name()}}",)))


@pytest.fixture
def admin() -> Principal:
    make.installation()
    return make.principal("administrator")


def with_role(account: Account, template: UserPermissionLimits = TEMPLATE, role: str = "clerk") -> Key:
    """Give `account` a role: a scoped signing key whose seed is here."""
    key, pair = signing.new_key(KeyKind.ACCOUNT, purpose=Purpose.ROLE, role=role)
    pair.wipe()
    key.operator, key.account = account.operator, account
    key.save()
    scope = SigningKey(kind=USER_SCOPE, key=key.public_key, role=role, template=template)
    _sign(account, signing_keys=(*changes.claims_of(account).nats.signing_keys, scope))
    return key


def _sign(account: Account, **body: object) -> None:
    row = changes.locked(account, None)
    change = changes.plan(row, changes.edit_body(**body), now=signing.clock.unix())
    key = Key.objects.get(public_key=row.issuer)
    changes.commit(row, change, principal=make.COMMAND, key=key, reason="test")
    account.refresh_from_db()


@pytest.mark.parametrize(("last", "iat"), [(0, 1000), (999, 1000), (1000, 1001), (1003, 1004), (1004, 1005)])
def test_the_issue_time_rises_strictly(last: int, iat: int) -> None:
    assert signing.next_iat(last, 1000) == iat


@pytest.mark.parametrize("last", [1005, 2000])
def test_the_issue_time_runs_five_seconds_ahead_at_most(last: int) -> None:
    with pytest.raises(signing.TooSoon, match="save again"):
        signing.next_iat(last, 1000)


@pytest.mark.parametrize(("last", "iat"), [(999, 1000), (1005, 1006), (87_400, 87_401)])
def test_what_locks_somebody_out_follows_the_last_one_whatever_the_clock_says(last: int, iat: int) -> None:
    assert signing.next_iat(last, 1000, urgent=True) == iat


def test_but_no_further_than_calendars_go() -> None:
    for last in (signing.LAST_IAT, 2**63 - 1):
        with pytest.raises(signing.TooSoon, match="save again"):
            signing.next_iat(last, 1000, urgent=True)


def test_whoever_has_to_be_out_gets_out_however_many_edits_there_were_just_now(
    admin: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = make.account()
    leaver, suspect, leaked = (make.user(account, name) for name in ("leaver", "suspect", "leaked"))
    account.refresh_from_db()
    now = account.last_iat
    Account.objects.filter(pk=account.pk).update(last_iat=now + signing.MOST_AHEAD)
    monkeypatch.setattr(signing.clock, "unix", lambda: now)
    account.refresh_from_db()
    limits = replace(changes.claims_of(account).nats.limits, conn=7)
    with pytest.raises(signing.TooSoon):
        accounts.update_limits(principal=admin, account=account, limits=limits, version=account.version)
    accounts.revoke(principal=admin, account=account, entries={leaver.public_key: now})
    suspensions.suspend(principal=admin, user=suspect, version=suspect.version)
    user_keys.rotate(principal=admin, user=leaked, version=leaked.version)
    account.refresh_from_db()
    assert account.last_iat == now + signing.MOST_AHEAD + 3
    revoked = changes.claims_of(account).nats.revocations
    assert set(revoked) == {leaver.public_key, suspect.public_key, leaked.public_key}
    with pytest.raises(signing.TooSoon, match="issued 8 seconds from now"):
        accounts.update_limits(principal=admin, account=account, limits=limits, version=account.version)


def test_many_saves_within_a_second_end_in_a_refusal_that_changes_nothing(
    admin: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = make.account()
    monkeypatch.setattr(signing.clock, "unix", lambda: account.last_iat)
    limits = changes.claims_of(account).nats.limits
    iats = [account.last_iat]
    for conn in range(signing.MOST_AHEAD):
        account = accounts.update_limits(
            principal=admin, account=account, limits=replace(limits, conn=conn), version=account.version
        )
        iats.append(account.last_iat)
    assert iats == list(range(iats[0], iats[0] + signing.MOST_AHEAD + 1))
    monkeypatch.setattr(signing.clock, "unix", lambda: iats[0])
    with pytest.raises(signing.TooSoon):
        accounts.update_limits(
            principal=admin, account=account, limits=replace(limits, conn=99), version=account.version
        )
    account.refresh_from_db()
    assert account.last_iat == iats[-1]
    assert len(set(IssuedToken.objects.filter(subject=account.public_key).values_list("jti"))) == len(iats)


def test_an_account_is_signed_by_its_previous_issuer_else_by_a_signing_key(admin: Principal) -> None:
    operator = make.operator()
    claims = changes.claims_of(operator)
    (plain,) = claims.nats.signing_keys
    assert signing.account_signer(operator, claims).public_key == plain
    by_identity = signing.account_signer(operator, claims, previous=operator.public_key)
    assert by_identity.public_key == operator.public_key
    assert signing.account_signer(operator, claims, previous="A" * 56).public_key == plain
    Key.objects.filter(public_key=plain).update(sealed=None)
    assert signing.account_signer(operator, claims, previous=plain).public_key == operator.public_key


def test_under_a_strict_operator_no_identity_key_signs(admin: Principal) -> None:
    operator = make.operator(require_signing_keys=True)
    claims = changes.claims_of(operator)
    account = make.account(operator)
    body = changes.claims_of(account)
    assert account.issuer in claims.nats.signing_keys
    assert len(body.nats.signing_keys) == 1
    user = make.user(account)
    assert user.issuer == body.nats.signing_keys[0].key
    assert changes.claims_of(user).nats.issuer_account == account.public_key
    with pytest.raises(IdentityError, match="no signing key"):
        signing.user_signer(account, body, strict=True, chosen=account.public_key)
    Key.objects.filter(public_key__in=claims.nats.signing_keys).update(sealed=None)
    with pytest.raises(signing.NoSigner, match="seed"):
        signing.account_signer(operator, claims, previous=operator.public_key)


def test_a_role_signs_only_when_it_is_chosen(admin: Principal) -> None:
    account = make.account()
    role = with_role(account)
    body = changes.claims_of(account)
    assert signing.user_signer(account, body, strict=False).public_key == account.public_key
    assert signing.user_signer(account, body, strict=False, chosen=role.public_key) == role
    assert signing.user_signer(account, body, strict=False, previous=role.public_key) == role
    with pytest.raises(signing.NoSigner, match="add a signing key"):
        signing.user_signer(account, body, strict=True)


@pytest.mark.parametrize("gone", ["seed", "role"])
def test_a_user_of_a_role_whose_key_is_gone_gets_no_other_rights(admin: Principal, gone: str) -> None:
    account = make.account()
    role = with_role(account)
    user = make.user(account, signer=role.public_key)
    if gone == "seed":
        Key.objects.filter(pk=role.pk).update(sealed=None)
    else:
        _sign(account, signing_keys=())
    with pytest.raises(signing.NoSigner, match="role"):
        users.update(principal=admin, user=user, edit=UserEdit(name="renamed"), version=user.version)
    user.refresh_from_db()
    assert user.issuer == role.public_key


def test_a_bearer_role_makes_its_users_jwts_secret(admin: Principal) -> None:
    account = make.account()
    role = with_role(account, replace(TEMPLATE, bearer_token=True))
    user = make.user(account, signer=role.public_key)
    user = users.update(principal=admin, user=user, edit=UserEdit(name="renamed"), version=user.version)
    assert user.bearer
    tokens = IssuedToken.objects.filter(subject=user.public_key)
    assert [(token.text, token.sealed is not None) for token in tokens] == [("", True)] * 2
    handout = creds.user_jwt(principal=admin, user=user)
    assert codec.decode(handout.text).claims.iss == role.public_key


def test_a_seed_in_the_wrong_row_signs_nothing(admin: Principal) -> None:
    one, other = make.account(), make.account()
    theirs = Key.objects.get(public_key=other.public_key).sealed
    Key.objects.filter(public_key=one.public_key).update(sealed=theirs)
    with (
        pytest.raises(VaultError, match="wrong row"),
        signing.signer_for(Key.objects.get(public_key=one.public_key)),
    ):
        pytest.fail("it signed")
    assert not User.objects.filter(account=one).exists()


def test_the_pair_is_wiped_behind_the_block(admin: Principal) -> None:
    key = Key.objects.get(public_key=make.account().public_key)
    with signing.signer_for(key) as pair:
        assert pair.public.text == key.public_key
        pair.sign(b"x")
    with pytest.raises(ValueError, match="wiped"):
        pair.sign(b"x")


def test_a_key_known_from_elsewhere_goes_on_rising(admin: Principal) -> None:
    key = KeyPair.create(KeyKind.ACCOUNT).public.text
    first = make.account(public_key=key)
    IssuedToken.objects.create(
        **{
            **IssuedToken.objects.filter(pk=first.token_id).values(
                "kind", "subject", "name", "issuer", "text", "by", "by_name", "reason", "created_at"
            )[0],
            "iat": first.last_iat + 3,
            "jti": "elsewhere",
        }
    )
    second = make.account(public_key=key)
    assert second.operator != first.operator
    assert second.last_iat > first.last_iat + 3


def test_a_users_key_known_from_elsewhere_goes_on_rising(admin: Principal) -> None:
    key = KeyPair.create(KeyKind.USER).public.text
    account = make.account()
    first = make.user(account, public_key=key)
    second = make.user(public_key=key)
    assert second.last_iat > first.last_iat
    assert codec.from_payload(second.claims).iat == second.last_iat
    twice = KeyPair.create(KeyKind.USER).public.text
    drafts = [UserDraft(name=name, public_key=twice) for name in ("a", "b")]
    with pytest.raises(IdentityError, match="two users"):
        users.create_many(principal=admin, account=account, drafts=drafts)


def test_the_key_of_a_deleted_account_does_not_come_back(admin: Principal) -> None:
    operator = make.operator()
    key = KeyPair.create(KeyKind.ACCOUNT).public.text
    account = make.account(operator, "Gone", public_key=key)
    accounts.delete(principal=admin, account=account, version=account.version)
    with pytest.raises(IdentityError, match="Gone") as refused:
        make.account(operator, "Back", public_key=key)
    assert refused.value.field == "public_key"
    make.account(operator, "gone")


def test_long_names_fit_into_the_ledger(admin: Principal) -> None:
    user = make.user(name="n" * 255)
    users.delete(principal=admin, user=user, version=user.version)
    reason = IssuedToken.objects.filter(subject=user.account.public_key).latest("pk").reason
    assert reason.startswith("Deleted user nnn")
    assert len(reason) == signing.LONGEST_REASON


def test_a_deleted_operator_leaves_a_target_for_each_object(admin: Principal) -> None:
    user = make.user()
    operator = user.account.operator
    operators.delete(principal=admin, operator=operator, version=operator.version)
    named = AuditTarget.objects.filter(event__action=Action.OPERATOR_DELETE).values_list("kind", "key")
    assert ("user", user.public_key) in named
    assert ("account", user.account.public_key) in named
    assert IssuedToken.objects.filter(subject=user.public_key).exists()
    user.refresh_from_db()
    assert user.deleted_at is not None
    assert not user.has_seed
    assert not Key.objects.filter(user=user, sealed__isnull=False).exists()


def test_a_bearer_jwt_is_sealed_and_opens_again(admin: Principal) -> None:
    bearer = replace(UserPermissionLimits.unlimited(), bearer_token=True)
    user = make.user(limits=bearer)
    token = user.token
    assert token is not None
    assert token.text == ""
    assert token.sealed is not None
    with opened(token.sealed, table="token", public_key=user.public_key, purpose="bearer") as text:
        claims: Claims[object] = codec.decode(text.reveal().decode()).claims
    assert claims.sub == user.public_key
