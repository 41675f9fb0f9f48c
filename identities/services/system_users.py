"""The user that nscweb logs in to a cluster's system account as, with the rights that nscweb uses and no more.

Source: nats-jwt.md §8.2 to §8.6.
"""

from __future__ import annotations

from dataclasses import replace

from django.db.models import QuerySet

from identities.claims import subjects
from identities.claims.drafts import UserDraft
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.errors import IdentityError
from identities.models import Account, Cluster, Mode, Operator, User
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.resolver import client_events
from identities.resolver.system import INBOX
from identities.services import accounts, changes, signing, users

NAME = "nscweb"
PUBLISH = (
    "$SYS.REQ.USER.INFO",
    "$SYS.REQ.CLAIMS.UPDATE",
    "$SYS.REQ.CLAIMS.DELETE",
    "$SYS.REQ.CLAIMS.LIST",
    "$SYS.REQ.ACCOUNT.NSUBS",
    *(f"$SYS.REQ.ACCOUNT.*.{verb}" for verb in ("INFO", "JSZ", "STATZ", "CLAIMS.LOOKUP", "CLAIMS.UPDATE")),
    *(f"$SYS.REQ.SERVER.*.{verb}" for verb in ("STATSZ", "VARZ", "CONNZ", "KICK")),
)
"""What nscweb asks; `*` is an account, a server's id, or PING for every server."""
SUBSCRIBE = (f"{INBOX}.>", *client_events.SUBJECTS)
"""Answers, and the events that are collected."""


class NoSystemAccount(IdentityError):
    """No system user can be made here; the message says what to do."""

    code = "no-system-account"


def limits() -> UserPermissionLimits:
    """The rights of a system user that is made here."""
    return replace(
        UserPermissionLimits.unlimited(), pub=Permission(allow=PUBLISH), sub=Permission(allow=SUBSCRIBE)
    )


def obstacle(operator: Operator) -> str:
    """Why no system user can be made for the operator's clusters, and what to do; "" when one can."""
    if not operator.system_account:
        return (
            "The operator has no system account. Add one on the operator's page; its servers take it over with a new "
            "configuration and a restart."
        )
    account = account_of(operator)
    if account is None:
        return (
            f"The system account {operator.system_account} is known here by its key only. Import its JWT, with the "
            "seed of a key that signs its users."
        )
    try:
        signing.user_signer(account, changes.claims_of(account), strict=operator.strict)
    except signing.NoSigner as missing:
        return f"No user of the system account can be signed here. {missing.user_message}"
    return ""


def account_of(operator: Operator) -> Account | None:
    """The operator's system account, when it is here."""
    rows = Account.objects.live().filter(operator=operator, public_key=operator.system_account or "-")
    return rows.select_related("operator").first()


def candidates(operator: Operator) -> QuerySet[User]:
    """The users that a cluster could be logged in to as: of the system account, with their seed here."""
    rows = User.objects.live().filter(
        operator=operator,
        account__public_key=operator.system_account or "-",
        account__deleted_at=None,
        has_seed=True,
        suspended_at=None,
    )
    return rows.select_related("account__operator", "operator", "token").order_by("name")


def clusters_of(user: User) -> QuerySet[Cluster]:
    """The live clusters that are logged in to as this user."""
    rows: QuerySet[Cluster] = Cluster.objects.live().filter(user=user).order_by("name")
    return rows


def told_of(user: User) -> tuple[str, ...]:
    """What it means for clusters when this user can't log in any more, in words; () for other users."""
    return tuple(
        f"nscweb logs in to the cluster “{cluster.name}” as this user: its servers could not be asked any more, and "
        "nothing would be delivered to them, until another system user is made or chosen there."
        for cluster in clusters_of(user)
    )


def lacking(user: User) -> tuple[str, ...]:
    """What nscweb uses and this user's own JWT does not allow; what a role gives is not looked at."""
    if user.pub_mode == Mode.ROLE:
        return ()
    held = changes.claims_of(user).nats.limits
    wanted = ((held.pub, PUBLISH), (held.sub, SUBSCRIBE))
    return tuple(subject for rules, uses in wanted for subject in uses if not _allows(rules, subject))


def make_unaudited(*, principal: Principal, operator: Operator, expires: int) -> User:
    """A new system user, for a service that audits a larger whole; runs in its transaction.

    Raises: NoSystemAccount, Forbidden.
    """
    account = account_of(operator)
    if (why := obstacle(operator)) or account is None:
        raise NoSystemAccount(why)
    decisions.require(principal, Action.USER_CREATE, accounts.scope(account))
    row = changes.locked(account, None)
    row.operator = operator
    draft = UserDraft(name=_free_name(row), limits=limits(), expires=expires)
    return users.create_unaudited(principal=principal, account=row, drafts=[draft])[0]


def _free_name(account: Account) -> str:
    taken = set(
        User.objects.live().filter(account=account, name__startswith=NAME).values_list("name", flat=True)
    )
    free, number = NAME, 1
    while free in taken:
        number += 1
        free = f"{NAME}-{number}"
    return free


def _allows(rules: Permission, subject: str) -> bool:
    allowed = not rules.allow or any(subjects.is_subset(subject, held) for held in rules.allow)
    return allowed and not any(subjects.overlaps(held, subject) for held in rules.deny)
