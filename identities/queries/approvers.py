"""Who may decide what waits: other people than the author of a proposal, and those who answer for an account."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from identities.models import Account, ActivationRequest, Grant, Key, Person, Proposal, Purpose, TeamMember
from identities.policy import powers
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope, ScopeKind
from identities.queries import access

MOST_NAMED = 5


def others(proposal: Proposal) -> QuerySet[Person]:
    """Everybody who may sign in and approve it, by a grant of their own or of a team, but for who is behind it."""
    needed = {Action.PROPOSAL_DECIDE, Action(proposal.action)}
    accounts = Q(account=proposal.account_id, account__isnull=False)
    return _holding(needed, Q(operator=proposal.operator_id), accounts).exclude(pk=proposal.author_id or 0)


def of_request(request: ActivationRequest) -> QuerySet[Person]:
    """Everybody who may sign in and grant a request at an account whose key it names; nobody, where none stands here.

    Of accounts of several operators with one key it is the people of all: which one is meant is not told here.
    """
    identities = Key.objects.filter(user=None, kind="account", purpose=Purpose.IDENTITY)
    asked = Account.objects.live().filter(
        pk__in=identities.filter(public_key=request.exporter_key).values("account")
    )
    held = list(asked.values_list("pk", "operator"))
    if not held:
        return Person.objects.none()
    needed = {Action.ACTIVATION_ANSWER, Action.ACTIVATION_ISSUE}
    operators = Q(operator__in={operator for _, operator in held})
    return _holding(needed, operators, Q(account__in={account for account, _ in held}))


def told(principal: Principal, proposal: Proposal) -> str:
    """Who they are as a sentence, or which role makes somebody one; two queries at most."""
    names = [str(person) for person in others(proposal)[: MOST_NAMED + 1]]
    if not names:
        scope = Scope(operator=proposal.operator_id, account=proposal.account_id)
        title = access.why(principal, Action(proposal.action), scope).would[0]
        return f"Nobody else may yet: somebody needs the role “{title}” for that."
    *rest, last = [*names[:MOST_NAMED], "others"] if len(names) > MOST_NAMED else names
    return f"Who may: {', '.join(rest)} and {last}." if rest else f"Who may: {last}."


def _holding(needed: set[Action], operators: Q, accounts: Q) -> QuerySet[Person]:
    """People with one grant, their own or a team's, for all that is needed: of everything, or of one of these."""
    places = {ScopeKind.INSTALLATION: Q(), ScopeKind.OPERATOR: operators, ScopeKind.ACCOUNT: accounts}
    reaching = Q(pk=None)
    for (kind, role), allowed in powers.POWERS.items():
        if needed <= allowed and kind in places:
            reaching |= Q(scope_kind=kind, role=role) & places[kind]
    held = Grant.objects.filter(reaching)
    return (
        Person.objects.filter(is_active=True)
        .filter(
            Q(pk__in=held.filter(person__isnull=False).values("person"))
            | Q(pk__in=TeamMember.objects.filter(team__in=held.values("team")).values("person"))
        )
        .order_by("username")
    )
