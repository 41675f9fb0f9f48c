"""An account under another key: its users follow, nobody comes back, and the plan says what does not move."""

from __future__ import annotations

from dataclasses import replace

import pytest

from identities import lookup
from identities.claims import codec, trust, validate
from identities.claims.drafts import UserEdit
from identities.claims.exports import Export
from identities.claims.limits import OperatorLimits
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.errors import IdentityError
from identities.models import Account, AuditEvent, AuditTarget, IssuedToken, Key, Operator, Purpose, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.decisions import Forbidden
from identities.policy.principal import Role
from identities.services import (
    accounts,
    audit,
    changes,
    clock,
    creds,
    keys,
    reissuing_accounts,
    secrets,
    suspensions,
    users,
)
from tests import make
from tests.reissued import BEARER, BY, claims, edited, plan, reissue, said, with_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(db: None) -> Operator:
    return make.operator("Op")


@pytest.fixture
def account(operator: Operator) -> Account:
    return make.account(operator, "App")


def test_the_account_keeps_everything_but_its_key(account: Account) -> None:
    with_key(account)
    account = edited(account, limits=replace(OperatorLimits.unlimited(), conn=7), description="About")
    before = claims(account)
    after = reissue(account).account
    now = claims(after)
    assert now.sub == after.public_key != before.sub
    assert now.nats == before.nats
    assert (now.name, after.pk, after.version) == ("App", account.pk, account.version + 1)
    assert not validate.validate(now, now=clock.unix()).blocking
    old, new = (Key.objects.get(public_key=key) for key in (before.sub, now.sub))
    assert old.deleted_at is not None
    assert new.deleted_at is None and new.sealed is not None and new.purpose == Purpose.IDENTITY
    assert after.token is not None and after.token.replaces is not None
    assert after.token.replaces.subject == before.sub


def test_users_stand_behind_the_new_key_with_the_rights_that_they_had(account: Account) -> None:
    plain = make.user(account, "plain", limits=replace(BEARER, pub=Permission(allow=("a.>",))), tags=("x:y",))
    signing_key = with_key(account)
    role = with_key(account, role="clerk")
    by_key = make.user(Account.objects.get(pk=account.pk), "by-key", signer=signing_key.public_key)
    by_role = make.user(Account.objects.get(pk=account.pk), "by-role", signer=role.public_key)
    before = {user.pk: claims(user) for user in (plain, by_key, by_role)}
    after = reissue(account).account
    for user in (plain, by_key, by_role):
        held = claims(user)
        assert trust.did_sign(claims(after), held), user.name
        assert replace(held.nats, issuer_account="") == replace(before[user.pk].nats, issuer_account="")
        assert (held.sub, held.name, held.iat > before[user.pk].iat) == (user.public_key, user.name, True)
        assert user.token is not None and user.token.replaces is not None
        assert user.token.replaces.iat == before[user.pk].iat
    assert by_key.issuer == signing_key.public_key
    assert by_role.issuer == role.public_key
    scope = trust.signing_key(claims(after).nats, role.public_key)
    assert scope is not None and trust.scoped_signer_issues(scope, claims(by_role)) == []
    assert plain.token is not None and plain.token.sealed is not None  # a bearer's JWT stays a secret


def test_creds_are_written_from_the_new_jwt(account: Account) -> None:
    user = make.user(account)
    after = reissue(account).account
    user = User.objects.select_related("token", "account").get(pk=user.pk)
    assert user.has_seed
    text = creds.creds_file(**BY, user=user).text
    held = codec.decode(text.split("\n")[1]).claims
    assert held.iss == after.public_key


def test_nobody_comes_back_by_it(account: Account) -> None:
    revoked, everybody, deleted, fine = (
        make.user(account, name) for name in ("revoked", "all", "gone", "fine")
    )
    accounts.revoke(**BY, account=account, entries={revoked.public_key: revoked.last_iat})
    users.delete(**BY, user=deleted, version=deleted.version)
    accounts.revoke(**BY, account=account, entries={"*": everybody.last_iat})
    fine = users.update(
        **BY, user=fine, edit=UserEdit(name="fine, again"), version=User.objects.get(pk=fine.pk).version
    )
    late = User.objects.get(pk=fine.pk).last_iat
    assert late > everybody.last_iat
    after = reissue(account).account
    body = claims(after).nats
    for user in (revoked, everybody):
        held = claims(user)
        assert trust.did_sign(claims(after), held)
        assert held.iat <= max(body.revocations.get(user.public_key, 0), body.revocations["*"]), user.name
    assert claims(fine).iat > max(body.revocations.get(fine.public_key, 0), body.revocations["*"])
    assert body.revocations[deleted.public_key] >= deleted.last_iat
    assert claims(deleted).iss != after.public_key


def test_a_suspended_user_stays_suspended_and_comes_in_again_once_that_is_lifted(account: Account) -> None:
    user = make.user(account)
    user = suspensions.suspend(**BY, user=user, version=user.version)
    after = reissue(account).account
    held, revocations = claims(user), claims(after).nats.revocations
    assert user.suspended_at is not None
    assert trust.did_sign(claims(after), held)
    assert held.iat <= revocations[user.public_key]
    user = User.objects.get(pk=user.pk)
    suspensions.lift(**BY, user=user, version=user.version)
    assert user.public_key not in claims(after).nats.revocations


def test_a_user_whom_no_key_stands_behind_is_left_out(account: Account) -> None:
    cut_off = with_key(account)
    user = make.user(Account.objects.get(pk=account.pk), "cut-off", signer=cut_off.public_key)
    edited(account, signing_keys=())
    assert "1 user that none of its keys signed" in said(plan(account).stays)
    reissue(account)
    assert claims(user).iss == cut_off.public_key
    assert claims(user).nats.issuer_account == account.public_key


def test_a_key_may_be_given_and_a_spare_one_brings_its_seed(operator: Operator, account: Account) -> None:
    spare = keys.generate(**BY, operator=operator, kind=KeyKind.ACCOUNT)
    make.user(account)
    after = reissue(account, spare.public_key).account
    assert after.public_key == spare.public_key
    assert Key.objects.get(pk=spare.pk).account == after


def test_under_a_public_key_alone_a_signing_key_has_to_sign_the_users(account: Account) -> None:
    given = KeyPair.create(KeyKind.ACCOUNT).public.text
    user = make.user(account)
    with pytest.raises(IdentityError, match="Add a signing key first"):
        reissue(account, given)
    signing_key = with_key(account)
    after = reissue(account, given).account
    assert after.public_key == given
    user.refresh_from_db()
    assert (user.issuer, claims(user).nats.issuer_account) == (signing_key.public_key, given)


def test_a_role_without_its_seed_stands_against_it_with_the_remedy(account: Account) -> None:
    role = with_key(account, role="clerk")
    make.user(Account.objects.get(pk=account.pk), signer=role.public_key)
    Key.objects.filter(pk=role.pk).update(sealed=None)
    (refusal,) = plan(account).refusals
    assert "The role “clerk” signs 1 user" in refusal
    assert "page “Keys”" in refusal
    with pytest.raises(IdentityError, match="The role “clerk”"):
        reissue(account)
    assert Account.objects.get(pk=account.pk).public_key == account.public_key


def test_without_an_operator_key_nothing_is_signed(account: Account) -> None:
    Key.objects.filter(operator=account.operator, account=None).update(sealed=None)
    assert "page “Keys”" in said(plan(account).refusals)
    with pytest.raises(IdentityError, match="can't be signed"):
        reissue(account)


@pytest.mark.parametrize("which", ["own", "user", "taken", "former", "seed"])
def test_a_key_that_can_not_be_the_next_is_refused(operator: Operator, account: Account, which: str) -> None:
    former = account.public_key
    if which == "former":
        account = reissue(account).account
    given = {
        "own": account.public_key,
        "user": make.user(account).public_key,
        "taken": make.account(operator).public_key,
        "former": former,
        "seed": KeyPair.create(KeyKind.ACCOUNT).seed().reveal().decode(),
    }[which]
    with pytest.raises(IdentityError) as refused:
        reissue(account, given)
    assert refused.value.field == "public_key" or which in ("user", "seed")
    if which == "seed":
        assert given not in str(refused.value)


def test_a_stale_page_changes_nothing(account: Account) -> None:
    with pytest.raises(changes.StaleWrite):
        reissuing_accounts.reissue(**BY, account=account, version=account.version + 1)


def test_only_who_administers_the_operator_may(account: Account) -> None:
    for who in (make.principal(Role.VIEWER), make.principal(Role.ADMINISTRATOR, account=account)):
        with pytest.raises(Forbidden):
            reissuing_accounts.reissue(principal=who, account=account, version=account.version)


def test_the_event_names_old_and_new_key_and_everybody_signed(operator: Operator, account: Account) -> None:
    user = make.user(account)
    after = reissue(account).account
    event = AuditEvent.objects.latest("seq")
    assert event.action == "account.reissue"
    named = set(AuditTarget.objects.filter(event=event).values_list("key", flat=True))
    assert {account.public_key, after.public_key, user.public_key} <= named
    assert audit.first_broken() is None


def test_the_old_key_leads_to_the_new_page(operator: Operator, account: Account) -> None:
    after = reissue(account).account
    asked = {"operator_key": operator.public_key, "account_key": account.public_key}
    assert lookup.moved(make.COMMAND, asked) == {**asked, "account_key": after.public_key}
    assert lookup.moved(make.COMMAND, {**asked, "account_key": after.public_key}) is None
    stranger = make.principal(Role.VIEWER, operator=make.operator())
    assert lookup.moved(stranger, asked) is None


def test_the_plan_names_what_does_not_move(operator: Operator, account: Account) -> None:
    make.user(account, "creds")
    make.user(account, "bearer", limits=BEARER)
    make.user(account, "own", public_key=KeyPair.create(KeyKind.USER).public.text)
    make.user(
        account,
        "watcher",
        limits=replace(
            UserPermissionLimits.unlimited(),
            sub=Permission(allow=(f"$SYS.ACCOUNT.{account.public_key}.>",)),
        ),
    )
    account = edited(
        account,
        limits=replace(OperatorLimits.unlimited(), disk_storage=-1),
        exports=(Export(name="n", subject="news", type="stream"),),
    )
    text = said(plan(account).stays)
    for words in (
        "2 users, for whom new ones can be downloaded",
        "Bearer JWTs, wherever they are: 1 user",
        "1 user with a seed that is elsewhere",
        "JetStream",
        "Importers that are not kept here",
        "1 subject in permissions that hold the old key",
        "until it is deleted there",
    ):
        assert words in text, (words, text)
    assert IssuedToken.objects.filter(reason=reissuing_accounts.REASON).count() == 0


def test_sealed_seeds_of_the_old_key_can_be_erased_afterwards(operator: Operator, account: Account) -> None:
    reissue(account)
    old = keys.find(make.COMMAND, operator, account.public_key)
    assert keys.erase(**BY, key=old).sealed is None
    assert secrets.is_sealed() is False
