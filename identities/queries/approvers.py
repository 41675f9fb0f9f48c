"""Who else may approve a proposal: told to whoever may not, being behind it themselves."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from identities.models import Grant, Person, Proposal, TeamMember
from identities.policy import powers
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope, ScopeKind
from identities.queries import access

MOST_NAMED = 5


def others(proposal: Proposal) -> QuerySet[Person]:
    """Everybody who may sign in and approve it, by a grant of their own or of a team, but for who is behind it."""
    needed = {Action.PROPOSAL_DECIDE, Action(proposal.action)}
    reaching = Q(pk=None)
    for (kind, role), allowed in powers.POWERS.items():
        if needed <= allowed and kind is not ScopeKind.ROLE:
            reaching |= Q(scope_kind=kind, role=role) & _here(kind, proposal)
    held = Grant.objects.filter(reaching)
    return (
        Person.objects.filter(is_active=True)
        .exclude(pk=proposal.author_id or 0)
        .filter(
            Q(pk__in=held.filter(person__isnull=False).values("person"))
            | Q(pk__in=TeamMember.objects.filter(team__in=held.values("team")).values("person"))
        )
        .order_by("username")
    )


def told(principal: Principal, proposal: Proposal) -> str:
    """Who they are as a sentence, or which role makes somebody one; two queries at most."""
    names = [str(person) for person in others(proposal)[: MOST_NAMED + 1]]
    if not names:
        scope = Scope(operator=proposal.operator_id, account=proposal.account_id)
        title = access.why(principal, Action(proposal.action), scope).would[0]
        return f"Nobody else may yet: somebody needs the role “{title}” for that."
    *rest, last = [*names[:MOST_NAMED], "others"] if len(names) > MOST_NAMED else names
    return f"Who may: {', '.join(rest)} and {last}." if rest else f"Who may: {last}."


def _here(kind: ScopeKind, proposal: Proposal) -> Q:
    if kind is ScopeKind.INSTALLATION:
        return Q()
    if kind is ScopeKind.OPERATOR:
        return Q(operator=proposal.operator_id)
    return Q(account=proposal.account_id, account__isnull=False)
