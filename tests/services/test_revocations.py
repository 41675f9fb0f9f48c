"""Revoking, clearing and compacting: whom an entry is for, what goes, what stays, and what can't stop it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from identities.claims import codec
from identities.claims.limits import OperatorLimits
from identities.claims.revocations import Verdict
from identities.errors import IdentityError
from identities.models import Account, AuditEvent, IssuedToken, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.decisions import Forbidden
from identities.policy.principal import Role
from identities.services import accounts, changes, clock, revocations, signing, suspensions, users
from tests import make

pytestmark = pytest.mark.django_db
STRANGER = KeyPair.create(KeyKind.USER).public.text


@pytest.fixture
def shop(db: None) -> Account:
    return make.account(make.operator("Test"), "Shop")


def again(account: Account) -> Account:
    return Account.objects.get(pk=account.pk)


def held(account: Account) -> dict[str, int]:
    return dict(changes.claims_of(again(account)).nats.revocations)


def revoke(account: Account, **entries: int) -> None:
    accounts.revoke(principal=make.COMMAND, account=account, entries=entries)


def compact(account: Account) -> None:
    row = again(account)
    revocations.compact(principal=make.COMMAND, account=row, version=row.version)


def delete(user: User) -> None:
    users.delete(principal=make.COMMAND, user=user, version=user.version, revoke=False)


def imported(user: User) -> None:
    """Pretend that the user's first JWT came from elsewhere."""
    token = IssuedToken.objects.filter(subject=user.public_key).earliest("iat")
    token.pk, token.origin, token.iat = None, "imported", token.iat - 1000
    token.save(force_insert=True)


def expire(account: Account, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    later = clock.unix() + 1000
    monkeypatch.setattr(clock, "unix", lambda: later)


def test_a_user_is_found_by_name_and_by_key_also_when_it_was_deleted(shop: Account) -> None:
    user = make.user(shop, "alice")
    now = clock.unix()
    by_name = revocations.entries_for(shop, user="alice")
    assert set(by_name) == {user.public_key}
    assert by_name[user.public_key] >= max(now, user.last_iat)
    assert revocations.entries_for(shop, user=user.public_key, at=77) == {user.public_key: 77}
    delete(user)
    assert set(revocations.entries_for(shop, user="alice")) == {user.public_key}
    assert set(revocations.entries_for(shop, user=STRANGER)) == {STRANGER}


def test_a_name_that_nobody_or_several_had_is_refused(shop: Account) -> None:
    with pytest.raises(IdentityError, match="has and had no user “bob”"):
        revocations.entries_for(shop, user="bob")
    for _ in range(2):
        delete(make.user(shop, "bob"))
    with pytest.raises(IdentityError, match="Several deleted users were called “bob”"):
        revocations.entries_for(shop, user="bob")
    live = make.user(shop, "bob")
    assert set(revocations.entries_for(shop, user="bob")) == {live.public_key}


def test_all_users_are_revoked_with_the_jwts_that_run_ahead_of_the_clock(shop: Account) -> None:
    ahead, far = make.user(shop, "ahead"), make.user(shop, "far")
    now = clock.unix()
    User.objects.filter(pk=ahead.pk).update(last_iat=now + signing.MOST_AHEAD)
    User.objects.filter(pk=far.pk).update(last_iat=now + 5000)
    found = revocations.entries_for(shop)
    assert found["*"] == now + signing.MOST_AHEAD
    assert found[far.public_key] == now + 5000
    assert set(found) == {"*", far.public_key}


def test_what_else_is_wrong_with_the_account_stops_none_of_it(shop: Account) -> None:
    broken = replace(OperatorLimits.unlimited(), imports=-5, exports=-5, conn=-9)
    claims = changes.claims_of(shop)
    text = codec.payload_text(replace(claims, nats=replace(claims.nats, limits=broken, info_url="::")))
    Account.objects.filter(pk=shop.pk).update(claims=text)
    row = again(shop)
    assert changes.check(changes.claims_of(row), None, now=clock.unix()).blocking
    assert not revocations.plan_revoke(row, {"*": 9}).report.blocking
    revoke(row, **{"*": 9, STRANGER: 5})
    compact(shop)
    assert held(shop) == {"*": 9}
    row = again(shop)
    revocations.clear(principal=make.COMMAND, account=row, key="*", version=row.version)
    assert held(shop) == {}


def test_a_key_that_revokes_nobody_is_refused_when_it_is_planned(shop: Account) -> None:
    assert revocations.plan_revoke(shop, {"nonsense": 5}).report.blocking


def test_an_entry_that_is_already_later_stays_and_nothing_is_signed(shop: Account) -> None:
    revoke(shop, **{STRANGER: 100})
    signed = IssuedToken.objects.count()
    assert revocations.plan_revoke(again(shop), {STRANGER: 50}).is_empty
    revoke(shop, **{STRANGER: 50})
    assert held(shop) == {STRANGER: 100}
    assert IssuedToken.objects.count() == signed


def test_compacting_drops_what_all_users_covers_and_what_has_expired(
    shop: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.unix()
    brief, lasting, foreign, early = (
        make.user(shop, name, expires=now + 60 if name != "lasting" else 0)
        for name in ("brief", "lasting", "foreign", "early")
    )
    imported(foreign)
    entries = {user.public_key: user.last_iat for user in (brief, lasting, foreign)}
    revoke(shop, **entries, **{early.public_key: 40, STRANGER: now, "*": 50})
    assert {key for key, why in revocations.verdicts(again(shop)).items() if why.drops} == {early.public_key}
    expire(shop, brief, monkeypatch)
    plan = revocations.plan_compact(again(shop))
    assert plan.dropped == 2
    assert plan.verdicts == {
        Verdict.COVERED: 1,
        Verdict.EXPIRED: 1,
        Verdict.ALL_USERS: 1,
        Verdict.IMPORTED: 1,
        Verdict.LASTING: 1,
        Verdict.UNKNOWN: 1,
    }
    compact(shop)
    assert set(held(shop)) == {"*", STRANGER, lasting.public_key, foreign.public_key}
    event = AuditEvent.objects.latest("seq")
    assert (event.action, event.summary) == (
        "revocation.edit",
        "Compacted the revocations in “Shop”: 2 fewer",
    )
    signed = IssuedToken.objects.count()
    compact(shop)
    assert IssuedToken.objects.count() == signed


def test_an_entry_stays_while_one_earlier_jwt_of_the_key_still_works(
    shop: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    from identities.claims.drafts import UserEdit

    user = make.user(shop, "alice")
    edit = UserEdit(name="alice", limits=changes.claims_of(user).nats.limits, expires=clock.unix() + 60)
    user = users.update(principal=make.COMMAND, user=user, edit=edit, version=user.version)
    revoke(shop, **{user.public_key: user.last_iat})
    expire(shop, user, monkeypatch)
    assert revocations.verdicts(again(shop)) == {user.public_key: Verdict.LASTING}


def test_clearing_says_what_works_again(shop: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    user = make.user(shop, "alice", expires=clock.unix() + 60)
    revoke(shop, **{user.public_key: user.last_iat, STRANGER: 5})
    (line,) = revocations.plan_clear(again(shop), user.public_key).consequences
    assert line.startswith("These JWTs work again: issued ")
    (line,) = revocations.plan_clear(again(shop), STRANGER).consequences
    assert "that are not known here" in line
    expire(shop, user, monkeypatch)
    (line,) = revocations.plan_clear(again(shop), user.public_key).consequences
    assert "nothing works again" in line
    revoke(shop, **{"*": user.last_iat})
    (line,) = revocations.plan_clear(again(shop), user.public_key).consequences
    assert "still refuses the same JWTs" in line


def test_clearing_the_entry_for_all_users_keeps_deleted_ones_out(shop: Account) -> None:
    gone, live, own = make.user(shop, "gone"), make.user(shop, "live"), make.user(shop, "own")
    delete(gone)
    users.delete(principal=make.COMMAND, user=own, version=own.version)
    at = clock.unix() + 1
    revoke(again(shop), **{"*": at})
    row = again(shop)
    lines = revocations.plan_clear(row, "*").consequences
    assert "the current ones of 1 user" in lines[0]
    assert "1 deleted user" in lines[1]
    revocations.clear(principal=make.COMMAND, account=row, key="*", version=row.version)
    assert held(shop)[gone.public_key] == at
    assert live.public_key not in held(shop)
    assert "*" not in held(shop)


def test_clearing_the_entry_for_all_users_may_let_deleted_ones_in(shop: Account) -> None:
    delete(make.user(shop, "gone"))
    revoke(again(shop), **{"*": clock.unix() + 1})
    row = again(shop)
    assert len(revocations.plan_clear(row, "*", keep_deleted=False).consequences) == 1
    revocations.clear(principal=make.COMMAND, account=row, key="*", version=row.version, keep_deleted=False)
    assert held(shop) == {}


def test_consequences_of_revoking_name_whom_and_hold_no_time_of_now(shop: Account) -> None:
    user = make.user(shop, "alice")

    def lines(**wish: object) -> tuple[str, ...]:
        entries = revocations.entries_for(shop, **wish)  # type: ignore[arg-type]  # as forms give them
        asked = int(str(wish.get("at", 0)))
        return revocations.plan_revoke(shop, entries, asked=asked).consequences

    assert lines(user="alice") == (
        "“alice” is dropped, and let in no more with any creds handed out up to now.",
    )
    assert "Its current one, of" in lines(user="alice", at=user.last_iat - 1)[0]
    assert "1 user of this account" in lines()[0]
    assert "has no user with the key" in lines(user=STRANGER)[0]
    assert "in the future" in lines(user="alice", at=clock.unix() + 500)[1]


def test_the_size_told_beforehand_is_that_of_the_jwt_signed(shop: Account) -> None:
    revoke(shop, **{STRANGER: 5, "*": 1_700_000_000})
    row = again(shop)
    assert row.token is not None
    assert revocations.token_size(changes.claims_of(row)) == len(row.token.text)


def test_compacting_keeps_what_keeps_a_suspended_user_out(
    shop: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = make.user(shop, "away", expires=clock.unix() + 60)
    suspensions.suspend(principal=make.COMMAND, user=away, version=away.version)
    expire(shop, away, monkeypatch)
    assert revocations.verdicts(again(shop))[away.public_key] is Verdict.SUSPENDED
    assert revocations.plan_compact(again(shop)).dropped == 0


def test_a_viewer_clears_and_compacts_nothing(shop: Account) -> None:
    viewer = make.principal(Role.VIEWER)
    with pytest.raises(Forbidden):
        revocations.compact(principal=viewer, account=shop, version=shop.version)
    with pytest.raises(Forbidden):
        revocations.clear(principal=viewer, account=shop, key="*", version=shop.version)


def test_a_user_made_in_the_second_of_a_revocation_is_not_refused_with_the_others(
    shop: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.unix() + 100
    monkeypatch.setattr(clock, "unix", lambda: now)
    brought = KeyPair.create(KeyKind.USER).public.text
    revoke(shop, **{"*": now, brought: now + 2})
    assert make.user(again(shop)).last_iat == now + 1
    assert make.user(again(shop), public_key=brought).last_iat == now + 3
    revoke(again(shop), **{"*": now + 5000})
    assert make.user(again(shop)).last_iat == now
