"""The first page as strings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.queries.dashboard import Dashboard
from identities.views import activity_shown, expirations_shown, guards


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One number and where it leads."""

    number: str
    label: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step towards a working client; `url` is where it is done."""

    title: str
    text: str
    done: bool
    url: str = ""
    action: str = ""
    dialog: bool = False


def context(principal: Principal, found: Dashboard, now: int) -> dict[str, Any]:
    """What the template prints."""
    return {
        "tiles": _tiles(found),
        "soon": expirations_shown.rows(found.soon, now),
        "latest": tuple(activity_shown.row(event, hidden=event.pk in found.hidden) for event in found.latest),
        "steps": _steps(principal, found),
    }


def _tiles(found: Dashboard) -> tuple[Tile, ...]:
    operators = reverse("operators")
    only = found.operators[0].public_key if len(found.operators) == 1 else ""
    accounts = reverse("accounts", args=[only]) if only else operators
    numbers = found.numbers
    return (
        Tile(number=f"{numbers.operators:,}", label=_noun("operator", numbers.operators), url=operators),
        Tile(number=f"{numbers.accounts:,}", label=_noun("account", numbers.accounts), url=accounts),
        Tile(number=f"{numbers.users:,}", label=_noun("user", numbers.users), url=reverse("search")),
        Tile(
            number=f"{len(found.soon)}{'+' if len(found.soon) == found.most_soon else ''}",
            label="expired or expiring soon",
            url=reverse("expirations"),
        ),
    )


def _steps(principal: Principal, found: Dashboard) -> tuple[Step, ...]:
    """What is still to do until a client can connect; nothing once there is an account with users of its own."""
    numbers = found.numbers
    system_users = sum(1 for operator in found.operators if operator.system_account)
    if numbers.operators and not numbers.system_only and numbers.users > system_users:
        return ()
    first = found.operators[0] if found.operators else None
    here = first.public_key if first else ""
    may_create = guards.may(principal, Action.OPERATOR_CREATE)
    may_configure = first and guards.may(principal, Action.CONFIG_DOWNLOAD, Scope(operator=first.pk))
    accounts = reverse("accounts", args=[here]) if here else ""
    return (
        Step(
            title="Create an operator",
            text="The root of trust: its key signs accounts, and servers trust what it signs.",
            done=bool(numbers.operators),
            url=reverse("operator-create") if may_create else "",
            action="New operator",
            dialog=True,
        ),
        Step(
            title="Create an account",
            text="A world of subjects of its own. Users of one account see each other's messages, and nobody else's.",
            done=bool(numbers.operators) and not numbers.system_only,
            url=reverse("account-create", args=[here]) if here and may_create else accounts,
            action="New account" if may_create else "Accounts",
            dialog=may_create,
        ),
        Step(
            title="Create a user",
            text="What a client connects as, with a creds file that you download here.",
            done=numbers.users > system_users,
            url=accounts,
            action="Choose its account",
        ),
        Step(
            title="Start a nats-server",
            text="With the configuration that is written here for the operator.",
            done=False,
            url=reverse("operator-config", args=[here]) if may_configure else "",
            action="Server configuration",
        ),
    )


def _noun(noun: str, number: int) -> str:
    return noun if number == 1 else f"{noun}s"
