"""Of whom an installation demands a second factor."""

from __future__ import annotations

from enum import StrEnum

from identities.policy.principal import Principal, Role, ScopeKind


class Demand(StrEnum):
    """The installation's choice."""

    NOBODY = "nobody"
    ADMINISTRATORS = "administrators"
    EVERYBODY = "everybody"


DEMAND_WORDS = {
    Demand.NOBODY: "nobody",
    Demand.ADMINISTRATORS: "owners of the installation and admins of operators",
    Demand.EVERYBODY: "everybody",
}


def demands(demand: Demand, principal: Principal) -> bool:
    """Whether `principal` must have a second factor."""
    if demand is Demand.ADMINISTRATORS:
        return any(
            held.role is Role.ADMINISTRATOR and held.kind in {ScopeKind.INSTALLATION, ScopeKind.OPERATOR}
            for held in principal.roles
        )
    return demand is Demand.EVERYBODY
