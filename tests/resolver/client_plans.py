"""Plans of a client test against a server on this machine, and the users who make it."""

from __future__ import annotations

from identities.resolver.plan import ClientPlan, Step, TestUser

Users = dict[str, TestUser]


def plan(url: str, step: Step, partner: Step | None = None, **options: object) -> ClientPlan:
    return ClientPlan(url=url, step=step, partner=partner, allow_loopback=True, **options)  # type: ignore[arg-type]
