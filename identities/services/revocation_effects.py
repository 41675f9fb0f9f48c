"""What revoking somebody, or no longer doing so, means beyond the account's JWT, in words (spec §8.7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from identities.claims.describe_text import date_text
from identities.claims.revocations import EVERYONE, Issued
from identities.models import Account, IssuedToken, User
from identities.services import clock, signing

NAMED = 5
"""How many JWTs are named before they are only counted."""
_CHUNK = 500


def of_revoking(account: Account, entries: Mapping[str, int], asked: int) -> tuple[str, ...]:
    """What revoking means beyond the JWT (spec §8.7). `asked` is the time that was typed, 0 for now.

    The words hold no time of now, so that what somebody accepts is the same a second later.
    """
    lines = []
    until = date_text(asked) if asked else "now"
    for key, at in entries.items():
        users = User.objects.live().filter(account=account)
        if key == EVERYONE:
            number = users.filter(last_iat__lte=at).count()
            lines.append(
                f"Everybody whose creds were issued up to {until} is dropped and let in no more: "
                f"{_counted(number, 'user')} of this account would need new creds."
            )
        else:
            lines.append(_of_one(users.filter(public_key=key).first(), key, until, at))
    if asked > clock.unix() + signing.MOST_AHEAD:
        lines.append(f"That is in the future: new creds issued before {until} are refused too.")
    return tuple(lines)


def _of_one(user: User | None, key: str, until: str, at: int) -> str:
    if user is None:
        return f"This account has no user with the key {key}. JWTs of it issued up to {until} are refused."
    if user.last_iat > at:
        issued = date_text(user.last_iat)
        return f"JWTs of “{user.name}” issued up to {until} are refused. Its current one, of {issued}, goes on working."
    return f"“{user.name}” is dropped, and let in no more with any creds handed out up to {until}."


def of_clearing(account: Account, held: Mapping[str, int], key: str, *, kept_out: int = 0) -> tuple[str, ...]:
    """What works again once the entry of `key` is cleared from `held`.

    `kept_out`: so many deleted users get entries of their own in place of the one for all users.
    """
    at, everyone, now = held[key], held.get(EVERYONE, 0), clock.unix()
    if key == EVERYONE:
        return _of_clearing_all(account, held, at, kept_out)
    if everyone >= at:
        return (f"The entry for all users (*) still refuses the same JWTs, up to {date_text(everyone)}.",)
    issued = jwts_of([key]).get(key, [])
    again = [one for one in issued if everyone < one.iat <= at and one.works(now)]
    lines = [f"These JWTs work again: {_named(again)}."] if again else []
    if not issued or any(one.imported for one in issued):
        lines.append("Other JWTs of this key may exist that are not known here: they work again too.")
    elif not again:
        lines.append("Every JWT that it refuses is known here and has expired: nothing works again.")
    return tuple(lines)


def _of_clearing_all(account: Account, held: Mapping[str, int], at: int, kept_out: int) -> tuple[str, ...]:
    current = User.objects.live().filter(account=account, last_iat__lte=at)
    again = sum(held.get(key, 0) < iat for key, iat in current.values_list("public_key", "last_iat"))
    line = (
        f"All JWTs issued up to {date_text(at)} that no other entry refuses work again: "
        f"the current ones of {_counted(again, 'user')}, and earlier ones."
    )
    if not kept_out:
        return (line,)
    users = _counted(kept_out, "deleted user")
    return (
        line,
        f"{users} that no other entry refuses: kept out by entries of their own, unless you untick that.",
    )


def jwts_of(keys: Iterable[str]) -> dict[str, list[Issued]]:
    """Every JWT of these keys that was ever signed or imported here, the latest first."""
    wanted, found = list(keys), dict[str, list[Issued]]()
    for start in range(0, len(wanted), _CHUNK):
        rows = IssuedToken.objects.filter(subject__in=wanted[start : start + _CHUNK])
        for subject, iat, exp, origin in rows.order_by("-iat").values_list("subject", "iat", "exp", "origin"):
            found.setdefault(subject, []).append(Issued(iat=iat, exp=exp, imported=origin == "imported"))
    return found


def _named(issued: Sequence[Issued]) -> str:
    named = "; ".join(
        f"issued {date_text(one.iat)}" + (f", expires {date_text(one.exp)}" if one.exp else ", never expires")
        for one in issued[:NAMED]
    )
    return named + (f"; and {len(issued) - NAMED:,} more" if len(issued) > NAMED else "")


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
