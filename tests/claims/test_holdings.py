"""What a server's JWT of an account is, beside the one it is to hold."""

from __future__ import annotations

import hashlib

import pytest

from identities.claims import codec
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.holdings import Judged, Seen, State, digest, judge
from identities.nkeys import KeyKind, KeyPair

NOW = 1_000_000
OPERATOR = KeyPair.create(KeyKind.OPERATOR)
ACCOUNT = KeyPair.create(KeyKind.ACCOUNT).public.text


def jwt(iat: int = NOW, exp: int = 0, name: str = "a") -> str:
    return codec.encode(Claims(nats=AccountBody(), sub=ACCOUNT, name=name, exp=exp), OPERATOR, iat).text


OURS = jwt()
EXPIRED = jwt(exp=NOW)
ENDED = Judged(state=State.EXPIRED, digest="d", jti="j", iat=NOW - 9, exp=NOW)


@pytest.mark.parametrize(
    ("wanted", "seen", "state"),
    [
        (OURS, Seen(listed=True, text=OURS), State.SAME),
        (OURS, Seen(listed=False, text=OURS), State.SAME),
        (OURS, Seen(listed=True, text=jwt(NOW - 1)), State.OLDER),
        (OURS, Seen(listed=True, text=jwt(NOW + 1)), State.NEWER),
        (OURS, Seen(listed=True, text=jwt(NOW, name="b")), State.DIFFERENT),
        (OURS, Seen(listed=False), State.MISSING),
        (OURS, Seen(listed=False, text=""), State.MISSING),
        (OURS, Seen(listed=False, before=True), State.DELETED),
        (OURS, Seen(listed=False, text="", before=True), State.DELETED),
        (OURS, Seen(listed=False, text=OURS, before=True), State.SAME),
        (OURS, Seen(listed=True, before=True), State.UNKNOWN),
        (OURS, Seen(listed=None, before=True), State.UNKNOWN),
        (OURS, Seen(listed=True), State.UNKNOWN),
        (OURS, Seen(listed=True, text=""), State.UNKNOWN),
        (OURS, Seen(listed=None), State.UNKNOWN),
        (OURS, Seen(listed=None, sought=True), State.MISSING),
        (EXPIRED, Seen(listed=None, sought=True), State.EXPIRED),
        (None, Seen(listed=None, sought=True), State.SAME),
        (OURS, Seen(listed=None, text=OURS, sought=True), State.SAME),
        (OURS, Seen(listed=None, text=OURS), State.SAME),
        (OURS, Seen(listed=None, text=jwt(NOW - 1)), State.OLDER),
        (EXPIRED, Seen(listed=False), State.EXPIRED),
        (EXPIRED, Seen(listed=False, text=EXPIRED), State.EXPIRED),
        (EXPIRED, Seen(listed=False, before=True), State.EXPIRED),
        (EXPIRED, Seen(listed=True, text=EXPIRED), State.SAME),
        (jwt(exp=NOW + 1), Seen(listed=False), State.MISSING),
        (OURS, Seen(listed=False, before=True, ended=ENDED), State.EXPIRED),
        (OURS, Seen(listed=False, text="", before=True, ended=ENDED), State.EXPIRED),
        (OURS, Seen(listed=False, text=jwt(NOW - 1, exp=NOW), before=True), State.EXPIRED),
        (OURS, Seen(listed=False, text=jwt(NOW - 1, exp=NOW + 1), before=True), State.OLDER),
        (OURS, Seen(listed=True, text=jwt(NOW - 1, exp=NOW), before=True, ended=ENDED), State.OLDER),
        (OURS, Seen(listed=True, text=OURS, before=True, ended=ENDED), State.SAME),
        (OURS, Seen(listed=None, before=True, ended=ENDED), State.UNKNOWN),
        (None, Seen(listed=False, before=True, ended=ENDED), State.EXPIRED),
        (None, Seen(listed=False, text=EXPIRED), State.EXPIRED),
        (None, Seen(listed=True, text=EXPIRED, before=True, ended=ENDED), State.EXTRA),
        (None, Seen(listed=None, before=True, ended=ENDED), State.UNKNOWN),
        (None, Seen(listed=True, text=OURS), State.EXTRA),
        (None, Seen(listed=True), State.EXTRA),
        (None, Seen(listed=False), State.SAME),
        (None, Seen(listed=False, before=True), State.SAME),
        (OURS, Seen(listed=True, text="no jwt"), State.OLDER),
    ],
)
def test_what_is_there_is_judged_by_its_text(wanted: str | None, seen: Seen, state: State) -> None:
    assert judge(wanted, seen, now=NOW).state is state


def test_the_version_there_is_told() -> None:
    there = jwt(NOW + 7, exp=NOW + 9)
    assert judge(OURS, Seen(listed=True, text=there), now=NOW) == Judged(
        state=State.NEWER,
        digest=hashlib.sha256(there.encode()).hexdigest(),
        jti=codec.decode(there).claims.jti,
        iat=NOW + 7,
        exp=NOW + 9,
    )
    assert digest(there) != digest(OURS)


def test_of_what_expired_there_the_version_that_was_there_is_told() -> None:
    gone = Seen(listed=False, before=True, ended=ENDED)
    assert judge(OURS, gone, now=NOW) == ENDED
    there = jwt(NOW - 5, exp=NOW)
    told = judge(OURS, Seen(listed=False, text=there), now=NOW)
    assert (told.state, told.digest, told.iat, told.exp) == (State.EXPIRED, digest(there), NOW - 5, NOW)


def test_two_versions_of_one_second_share_a_jti_and_are_different() -> None:
    other = codec.encode(
        Claims(nats=AccountBody(description="other"), sub=ACCOUNT, name="a"), OPERATOR, NOW
    ).text
    assert codec.decode(OURS).claims.jti == codec.decode(other).claims.jti
    assert judge(OURS, Seen(listed=True, text=other), now=NOW).state is State.DIFFERENT
