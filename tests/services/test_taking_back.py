"""Taking back all that somebody received: one plan, one new JWT an account, and nothing that they hold works after."""

from __future__ import annotations

from dataclasses import replace

import pytest

from identities.claims import trust
from identities.claims.drafts import RoleDraft, ShortLivedDraft, SigningKeyDraft, UserDraft, UserEdit
from identities.claims.revocations import EVERYONE
from identities.errors import IdentityError
from identities.models import (
    Account,
    AuditEvent,
    Grant,
    Handover,
    IssuedToken,
    IssuingTerms,
    Job,
    Key,
    Proposal,
    User,
)
from identities.nkeys import KeyKind
from identities.policy.decisions import Forbidden
from identities.policy.principal import Principal, Role
from identities.policy.terms import Terms
from identities.queries import handed_out
from identities.services import (
    accounts,
    changes,
    clock,
    creds,
    four_eyes,
    issuing_terms,
    keys,
    lockouts,
    short_lived,
    signing_keys,
    suspensions,
    taking_back,
    users,
)
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Principal:
    make.installation()
    return make.principal(Role.ADMINISTRATOR)


def fresh(account: Account) -> Account:
    return Account.objects.select_related("operator").get(pk=account.pk)


def role_of(account: Account, name: str = "worker") -> Key:
    row = fresh(account)
    draft = SigningKeyDraft(role=RoleDraft(role=name))
    return signing_keys.add(principal=make.COMMAND, account=row, draft=draft, version=row.version)


def received(account: Account, name: str, by: Principal, **options: object) -> User:
    user = make.user(fresh(account), name, **options)
    creds.creds_file(principal=by, user=user)
    return user


def jobs_of(role: Key, by: Principal, number: int) -> list[str]:
    """The public keys of short-lived creds that `by` took of a role."""
    return [
        short_lived.issue(principal=by, role=role, draft=ShortLivedDraft(name=f"job-{place}")).public_key
        for place in range(number)
    ]


def revocations(account: Account) -> dict[str, int]:
    return dict(changes.claims_of(fresh(account)).nats.revocations)


def states(recipient: str) -> list[str]:
    rows = handed_out.with_state(Handover.objects.filter(recipient=recipient), now=clock.unix())
    return list(rows.order_by("pk").values_list("state", flat=True))


def versions(account: Account) -> int:
    return IssuedToken.objects.filter(subject=account.public_key).count()


def test_all_that_somebody_received_is_revoked_with_one_new_jwt_an_account(alice: Principal) -> None:
    operator = make.operator()
    one, other = make.account(operator), make.account(operator)
    mine = received(one, "mine", alice)
    theirs = received(one, "theirs", make.principal(Role.ADMINISTRATOR))
    there = received(other, "there", alice)
    gone = jobs_of(role_of(one), alice, 2)
    before = versions(one), versions(other)
    done = taking_back.take_back(principal=make.COMMAND, recipient=alice.key)
    assert (done.revoked, done.accounts, done.jobs) == (4, 2, ())
    assert set(revocations(one)) == {mine.public_key, *gone}
    assert set(revocations(other)) == {there.public_key}
    assert theirs.public_key not in revocations(one)
    assert (versions(one), versions(other)) == (before[0] + 1, before[1] + 1)
    assert set(states(alice.key)) == {"revoked"}
    told = AuditEvent.objects.filter(action="user.revoke").order_by("seq").values_list("summary", flat=True)
    assert [f"all that “{alice.name}” received" in summary for summary in told] == [True, True]
    with pytest.raises(IdentityError, match="nothing that still works"):
        taking_back.take_back(principal=make.COMMAND, recipient=alice.key)


def test_a_key_is_revoked_up_to_its_latest_jwt_as_whoever_has_the_seed_may_come_by_that(
    alice: Principal,
) -> None:
    account = make.account()
    user = received(account, "edited", alice)
    newer = users.update(
        principal=make.COMMAND, user=user, edit=UserEdit(name="edited", tags=("a",)), version=user.version
    )
    assert states(alice.key) == ["superseded"]
    taking_back.take_back(principal=make.COMMAND, recipient=alice.key)
    assert revocations(account) == {user.public_key: newer.last_iat}


def test_what_opens_nothing_any_more_needs_no_entry(alice: Principal) -> None:
    account = make.account()
    revoked = received(account, "revoked", alice)
    accounts.revoke(
        principal=make.COMMAND, account=fresh(account), entries={revoked.public_key: revoked.last_iat}
    )
    role = role_of(account)
    jobs_of(role, alice, 1)
    row = fresh(account)
    signing_keys.remove(principal=make.COMMAND, account=row, public_key=role.public_key, version=row.version)
    assert taking_back.plan(principal=make.COMMAND, recipient=alice.key).accounts == ()
    live = received(account, "live", alice)
    accounts.revoke(principal=make.COMMAND, account=fresh(account), entries={EVERYONE: live.last_iat})
    assert taking_back.plan(principal=make.COMMAND, recipient=alice.key).accounts == ()


def test_the_plan_tells_sizes_users_and_who_else_has_the_same_creds(alice: Principal) -> None:
    account = make.account()
    bob = make.principal(Role.ADMINISTRATOR)
    shared = received(account, "shared", alice)
    creds.creds_file(principal=bob, user=shared)
    jobs_of(role_of(account), alice, 3)
    before = fresh(account).token_id
    (plan,) = taking_back.plan(principal=make.COMMAND, recipient=alice.key).accounts
    assert (len(plan.held), len(plan.entries)) == (4, 4)
    assert plan.users == ("shared",)
    assert plan.others == (bob.name,)
    assert plan.offered == (), "three entries are no reason for another key"
    token = IssuedToken.objects.get(pk=before)
    assert abs(plan.size_before - len(token.text)) <= 4
    assert fresh(account).token_id == before, "a plan writes nothing"
    taking_back.take_back(principal=make.COMMAND, recipient=alice.key)
    after = IssuedToken.objects.get(pk=fresh(account).token_id)
    assert abs(plan.size_after - len(after.text)) <= 4


def test_another_key_for_a_role_spares_the_entries_and_keeps_its_people(
    alice: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_back, "OFFERED_FROM", 3)
    account = make.account()
    role = role_of(account)
    issuing_terms.edit(principal=make.COMMAND, key=role, terms=Terms(usual=120))
    machine = make.person(None)
    make.issuer(machine, role)
    stays = make.user(fresh(account), "stays", signer=role.public_key)
    held = received(account, "held", alice, signer=role.public_key)
    gone = jobs_of(role, alice, 3)
    (plan,) = taking_back.plan(principal=make.COMMAND, recipient=alice.key).accounts
    assert [(share.name, share.entries, share.users) for share in plan.offered] == [("worker", 3, 2)]
    before = versions(account)
    (other,) = taking_back.plan(
        principal=make.COMMAND, recipient=alice.key, replacing={role.public_key}
    ).accounts
    assert other.size_after < plan.size_after
    taking_back.take_back(principal=make.COMMAND, recipient=alice.key, replacing={role.public_key})
    assert versions(account) == before + 1
    row = fresh(account)
    body = changes.claims_of(row).nats
    (entry,) = body.signing_keys
    assert entry.role == "worker"
    assert entry.key != role.public_key
    new = Key.objects.get(account=account, public_key=entry.key, deleted_at=None)
    assert IssuingTerms.objects.get(key=new).usual == 120
    assert Grant.objects.get(person=machine).signing_key == new
    for user in (stays, held):
        user.refresh_from_db()
        assert user.issuer == new.public_key
    assert set(revocations(account)) == {held.public_key}
    assert revocations(account)[held.public_key] >= held.last_iat, "who is kept out stays out"
    assert trust.signing_key(body, role.public_key) is None
    assert set(states(alice.key)) == {"key-removed", "revoked"}
    assert Handover.objects.filter(subject__in=gone, revoked=False).count() == 3
    assert short_lived.issue(principal=alice, role=new, draft=ShortLivedDraft(name="again")).lifetime == 120
    with pytest.raises(IdentityError, match="no such role"):
        short_lived.issue(principal=alice, role=role, draft=ShortLivedDraft(name="again"))


def test_four_eyes_of_several_operators_do_not_hold_it_up_and_nobody_gets_more_rights_by_it(
    alice: Principal,
) -> None:
    one, other = make.account(), make.account()
    role = role_of(one)
    stays = make.user(fresh(one), "stays", signer=role.public_key)
    jobs_of(role, alice, 2)
    there = received(other, "there", alice)
    before = changes.claims_of(fresh(one)).nats
    for account in (one, other):
        make.four_eyes(fresh(account).operator)
    alone = make.principal(Role.ADMINISTRATOR)
    done = taking_back.take_back(principal=alone, recipient=alice.key, replacing={role.public_key})
    assert (done.revoked, done.accounts) == (3, 2)
    assert set(states(alice.key)) == {"key-removed", "revoked"}
    assert revocations(other) == {there.public_key: there.last_iat}
    assert not Proposal.objects.exists()
    after = changes.claims_of(fresh(one)).nats
    assert [replace(entry, key="") for entry in after.signing_keys] == [
        replace(entry, key="") for entry in before.signing_keys
    ]
    assert replace(after, signing_keys=(), revocations={}) == replace(before, signing_keys=(), revocations={})
    was, is_now = changes.claims_of(stays).nats, changes.claims_of(User.objects.get(pk=stays.pk)).nats
    assert is_now == was
    with pytest.raises(four_eyes.SecondPersonNeeded):
        creds.issue(principal=alone, account=fresh(one), drafts=[UserDraft(name="more")])


def test_whoever_may_not_edit_signing_keys_is_offered_no_other_key(
    alice: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_back, "OFFERED_FROM", 1)
    account = make.account()
    role = role_of(account)
    jobs_of(role, alice, 2)
    manager = make.principal(Role.USER_MANAGER, account=account)
    (plan,) = taking_back.plan(principal=manager, recipient=alice.key, replacing={role.public_key}).accounts
    assert (plan.offered, plan.replaced, len(plan.entries)) == ((), (), 2)
    taking_back.take_back(principal=manager, recipient=alice.key, replacing={role.public_key})
    assert len(revocations(account)) == 2
    assert Key.objects.get(pk=role.pk).deleted_at is None


def test_nobody_revokes_where_they_may_not_and_sees_what_is_out_of_sight(alice: Principal) -> None:
    operator = make.operator()
    mine, other = make.account(operator), make.account(operator)
    received(mine, "mine", alice)
    received(other, "other", alice)
    admin = make.principal(Role.ADMINISTRATOR, account=mine)
    done = taking_back.take_back(principal=admin, recipient=alice.key)
    assert (done.revoked, done.accounts) == (1, 1)
    assert revocations(other) == {}
    auditor = make.principal(Role.AUDITOR)
    plan = taking_back.plan(principal=auditor, recipient=alice.key)
    assert (plan.accounts, plan.left) == ((), (other.name,))
    with pytest.raises(IdentityError):
        taking_back.take_back(principal=auditor, recipient=alice.key)
    viewer = make.principal(Role.VIEWER)
    assert taking_back.plan(principal=viewer, recipient=alice.key).known is False


def test_seeds_that_sign_are_told_of_and_stay(alice: Principal) -> None:
    operator = make.operator()
    account = make.account(operator)
    key = Key.objects.get(public_key=account.public_key)
    keys.export_seed(principal=alice, key=key)
    received(account, "user", alice)
    plan = taking_back.plan(principal=make.COMMAND, recipient=alice.key)
    assert [seed.subject for seed in plan.seeds] == [account.public_key]
    taking_back.take_back(principal=make.COMMAND, recipient=alice.key)
    assert states(alice.key) == ["valid", "revoked"]


def test_an_account_that_cannot_be_signed_here_is_told_and_left(alice: Principal) -> None:
    operator = make.operator()
    here, strange = make.account(operator), make.account(make.operator())
    received(here, "here", alice)
    received(strange, "strange", alice)
    Key.objects.filter(operator=strange.operator, kind=KeyKind.OPERATOR.value).update(sealed=None)
    plan = taking_back.plan(principal=make.COMMAND, recipient=alice.key)
    assert [bool(one.refusal) for one in sorted(plan.accounts, key=lambda one: one.account.pk)] == [
        False,
        True,
    ]
    assert taking_back.take_back(principal=make.COMMAND, recipient=alice.key).accounts == 1
    assert revocations(strange) == {}
    with pytest.raises(IdentityError, match="seed"):
        taking_back.take_back(principal=make.COMMAND, recipient=alice.key)


def test_an_account_that_would_grow_too_large_is_refused_with_what_to_do(
    alice: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = make.account()
    jobs_of(role_of(account), alice, 2)
    size = taking_back.plan(principal=make.COMMAND, recipient=alice.key).accounts[0].size_before
    monkeypatch.setattr(taking_back.revocations, "MOST_BYTES", size + 10)
    with pytest.raises(IdentityError, match="give its roles other keys"):
        taking_back.take_back(principal=make.COMMAND, recipient=alice.key)
    assert revocations(account) == {}


def test_lockouts_follow_and_a_suspended_user_stays_revoked_when_the_suspension_goes(
    alice: Principal,
) -> None:
    operator = make.operator()
    account = make.account(operator)
    make.cluster(operator)
    user = received(account, "user", alice)
    user = suspensions.suspend(principal=make.COMMAND, user=user, version=user.version)
    suspended = revocations(account)
    job = jobs_of(role_of(account), alice, 1)
    taking_back.take_back(principal=make.COMMAND, recipient=alice.key)
    assert set(revocations(account)) == {*suspended, *job}
    assert Job.objects.filter(kind=lockouts.KIND, payload__contains=job[0]).count() == 1


def test_without_its_event_nothing_is_taken_back(alice: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    account = make.account()
    received(account, "user", alice)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no audit")

    monkeypatch.setattr("identities.services.audit.record", broken)
    with pytest.raises(RuntimeError, match="no audit"):
        taking_back.take_back(principal=make.COMMAND, recipient=alice.key)
    assert revocations(account) == {}
    assert states(alice.key) == ["valid"]


def test_who_holds_nothing_is_refused_whatever_is_asked() -> None:
    with pytest.raises((IdentityError, Forbidden)):
        taking_back.take_back(principal=make.principal(None), recipient="person:1")
