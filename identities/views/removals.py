"""The page of an account that was deleted here: what servers still hold, what hangs on it, deleting it there."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from identities import lookup
from identities.forms.base import ConfirmForm, VersionForm
from identities.lookup import principal_for
from identities.models import Account, Key, Operator
from identities.policy.actions import Action
from identities.policy.principal import Scope
from identities.services import removing, stakes
from identities.views import deliveries_shown, guards, htmx, polling, removals_shown, shown

NAV = "operators"
PART = "identities/removals/stakes.html"


@guards.page("GET", "POST")
def detail(request: HttpRequest, operator_key: str, removed_key: str) -> HttpResponse:
    """What is at stake; with the name typed, the account is deleted from the servers."""
    operator, row = _found(request, operator_key, removed_key)
    principal = principal_for(request)
    name = row.name
    form = ConfirmForm(
        request.POST if request.method == "POST" else None, name=name, initial={"version": row.version}
    )
    url = removals_shown.url(operator, removed_key)
    if form.is_valid():
        with guards.errors_on(form):
            removing.remove(principal=principal, operator=operator, public_key=removed_key)
            return htmx.done(request, url, f"“{name}” is being deleted from the servers.")
    live = (
        removals_shown.stakes_of(operator, removed_key),
        deliveries_shown.panel_of_removed(principal, operator, removed_key),
    )
    context = shown.frame(
        title=f"Delete {name} from the servers",  # nosec B608 - words, not SQL
        nav=NAV,
        crumbs=shown.operator_crumbs(operator, "Deleted account"),
        name=name,
        key=shown.chip(removed_key),
        form=form,
        live=live[1],
        stakes=live[0],
        importing=removals_shown.importing(principal, row, removed_key),
        url=url,
        ask_url=removals_shown.url(operator, removed_key, "account-removal-ask"),
        cancel_url=shown.operator_url("accounts", operator),
    )
    if request.method == "POST":
        return htmx.render(request, "identities/removals/index.html", context, status=form.status)
    answer = polling.render(request, "identities/removals/index.html", context, part=PART, live=live)
    if live[1].gone and answer.status_code == 200 and htmx.wants_part(request):
        answer["HX-Refresh"] = "true"  # it is over: the form goes too
    return answer


@guards.page("POST")
def ask(request: HttpRequest, operator_key: str, removed_key: str) -> HttpResponse:
    """Have the servers asked what hangs on the account."""
    operator, _ = _found(request, operator_key, removed_key)
    with guards.errors_on(VersionForm()):
        stakes.ask(principal=principal_for(request), operator=operator, public_key=removed_key)
    return htmx.done(request, removals_shown.url(operator, removed_key), "The servers are asked.")


def _found(request: HttpRequest, operator_key: str, key: str) -> tuple[Operator, Account]:
    """The operator, and the account that had this key: deleted since, or under another key now."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    guards.require(principal, Action.ACCOUNT_DELETE, Scope(operator=operator.pk))
    rows = Account.objects.filter(operator=operator)
    row = rows.filter(public_key=key).order_by("-deleted_at").first()
    if row is None:
        former = Key.objects.filter(operator=operator, public_key=key, kind="account", user=None)
        row = rows.filter(pk__in=former.values("account")).first()
    elif row.deleted_at is None:
        row = None
    if row is None:
        raise lookup.NotFound(f"No account {key[:60]} was deleted under this operator.")
    return operator, row
