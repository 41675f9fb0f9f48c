"""What an account shares or listens to in vain: subjects that nobody may publish, services that nobody may answer.

Told only where it is certain: every allow list of the accounts around is taken at its widest, denies are left aside.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from identities.claims import codec
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.effective import effective_permissions
from identities.claims.findings import Finding, Kind
from identities.claims.reaching import Net, Way
from identities.claims.subjects import is_strict_valid, overlaps
from identities.models import Account, Mode, Permission, User
from identities.policy.principal import Principal
from identities.queries import reach, who_can

MOST_SUBJECTS = 300
"""Distinct subjects of one account that are looked after."""
_OF_CLIENTS = ("_INBOX", "_R_")
_WIDE = ">"
_UNLESS = ", unless JetStream delivers it (a push consumer, or what a stream republishes)"


@dataclass(slots=True)
class _Allowed:
    """The subjects that anybody in an account may publish or subscribe to, by direction."""

    pub: set[str] = field(default_factory=set)
    sub: set[str] = field(default_factory=set)


def of(principal: Principal, account: Account, *, now: int) -> Iterator[tuple[str, Finding]]:
    """Each finding with the JSON path in the account's claims that it is about ("" for users' own lists).

    Three queries. Where accounts around may be out of the principal's sight or are too many, it says just that:
    whether there are any is not told.
    """
    rows, cut = who_can.around(principal, account)
    unseen = not reach.whole_operator(principal, account.operator_id) and any(map(_shares, rows.values()))
    if cut or unseen:
        why = who_can.CUT if cut else "Accounts with which this one may share are out of your sight."
        text = f"{why} So nothing is said of what nobody can publish, answer or reach here."
        yield "", Finding(kind=Kind.UNJUDGED, path="", entry=_WIDE, text=text)
        return
    claims: dict[str, Claims[AccountBody]] = {
        key: codec.from_payload(row.claims) for key, row in rows.items()
    }
    net, here = Net(accounts=claims, now=now), claims[account.public_key]
    allowed = _allowed(rows.values(), claims)
    unless = _UNLESS if any(one.nats.limits.jetstream_enabled for one in claims.values()) else ""
    by_key = {key: allowed[row.pk] for key, row in rows.items()}
    for subject in sorted(_plain(by_key[account.public_key].sub))[:MOST_SUBJECTS]:
        if not _somebody(net.publishers(here, subject), by_key, "pub"):
            text = f"May subscribe to `{subject}`, where nobody may publish: nothing ever arrives{unless}."
            yield "", Finding(kind=Kind.UNHEARD, path="sub.allow", entry=subject, text=text)
    for index, export in enumerate(here.nats.exports[:MOST_SUBJECTS]):
        if export is None or not is_strict_valid(export.subject) or export.subject.startswith("$"):
            continue
        path = f"nats.exports[{index}]"
        if export.type == "stream" and not _somebody(net.publishers(here, export.subject), by_key, "pub"):
            text = (
                f"The stream `{export.subject}` is exported, but nobody may publish to it: "
                f"allow somebody to{unless}."
            )
            yield path, Finding(kind=Kind.UNSENT, path="", entry=export.subject, text=text)
        if export.type == "service" and not _somebody(net.hearers(here, export.subject), by_key, "sub"):
            text = (
                f"The service `{export.subject}` is exported, but nobody may subscribe to it: nobody answers."
            )
            yield path, Finding(kind=Kind.UNANSWERED, path="", entry=export.subject, text=text)


def _shares(row: Account) -> bool:
    """Whether others may take from the account, or it takes from others."""
    body: AccountBody = codec.from_payload(row.claims).nats
    return bool(body.exports or body.imports)


def _allowed(rows: Collection[Account], claims: Mapping[str, Claims[AccountBody]]) -> dict[int, _Allowed]:
    """What is allowed in each account, by its number: two queries."""
    numbers = [row.pk for row in rows]
    found: defaultdict[int, _Allowed] = defaultdict(_Allowed)
    lists = Permission.objects.filter(account__in=numbers, effect="allow").order_by()
    for number, direction, text in lists.values_list("account_id", "direction", "pattern__text").distinct():
        getattr(found[number], direction).add(who_can.widened(text))
    open_by_default = {row.pk: (row.default_pub == Mode.OPEN, row.default_sub == Mode.OPEN) for row in rows}
    users = User.objects.live().filter(account__in=numbers).order_by()
    for number, pub, sub in users.values_list("account_id", "pub_mode", "sub_mode").distinct():
        by_default = open_by_default[number]
        if pub == Mode.OPEN or (pub == Mode.DEFAULT and by_default[0]):
            found[number].pub.add(_WIDE)
        if sub == Mode.OPEN or (sub == Mode.DEFAULT and by_default[1]):
            found[number].sub.add(_WIDE)
    for row in rows:
        body = claims[row.public_key].nats
        for entry in body.signing_keys:
            if entry.is_scoped and entry.template is not None:
                given = effective_permissions(entry.template, body.default_permissions, entry.template)
                found[row.pk].pub.update(map(who_can.widened, given.pub_allow))
                found[row.pk].sub.update(who_can.widened(text.partition(" ")[0]) for text in given.sub_allow)
    return found


def _plain(subjects: Iterable[str]) -> set[str]:
    """Those that other clients publish on: no inboxes, nothing that the server itself answers."""
    return {
        text
        for text in subjects
        if text != _WIDE and not text.startswith(("$", *_OF_CLIENTS)) and is_strict_valid(text)
    }


def _somebody(ways: Iterable[Way], allowed: dict[str, _Allowed], direction: str) -> bool:
    """Whether anybody at the end of a way may do it, taken at its widest."""
    return any(
        overlaps(subject, entry)
        for way in ways
        for subject in (way.subject, *way.written)
        for entry in getattr(allowed[way.account], direction)
    )
