"""Drift of a cluster: what its servers hold beside what they are to hold, and mending it both ways."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from identities import lookup
from identities.forms.base import VersionForm
from identities.lookup import principal_for
from identities.models import Cluster
from identities.policy.actions import Action
from identities.policy.principal import Scope
from identities.services import drifting
from identities.views import drift_shown, guards, htmx, polling, shown

NAV = "operators"
PART = "identities/clusters/drift_live.html"
_LONGEST_KEY = 56


@guards.page()
def index(request: HttpRequest, operator_key: str, cluster_id: int) -> HttpResponse:
    """Counts for every server, and the accounts that somebody should look at."""
    principal = principal_for(request)
    cluster = lookup.cluster(principal, operator_key, cluster_id)
    state = request.GET.get("state", "")
    state = state if state in drift_shown.STATES else ""
    live = drift_shown.live(cluster, state, request.GET.get("after", "")[:_LONGEST_KEY])
    context = {
        **shown.frame(
            title=f"Drift of {cluster.name}",
            nav=NAV,
            crumbs=shown.cluster_crumbs(cluster, "Drift"),
            can=guards.can(
                principal,
                Scope(operator=cluster.operator_id),
                Action.CLUSTER_COMPARE,
                Action.ACCOUNT_EDIT,
                Action.ACCOUNT_DELETE,
                Action.ACCOUNT_DELIVER,
                Action.JWT_ADOPT,
            ),
        ),
        "cluster_name": cluster.name,
        "url": request.get_full_path(),
        "poll_url": shown.cluster_url("cluster-drift", cluster),
        "state_here": state,
        "after": request.GET.get("after", "")[:_LONGEST_KEY],
        "urls": {
            "compare": shown.cluster_url("cluster-compare", cluster),
            "deliver": shown.cluster_url("cluster-deliver", cluster),
        },
        "live": live,
        **shown.cluster_tabs(cluster),
    }
    return polling.render(request, "identities/clusters/drift.html", context, part=PART, live=live)


@guards.page("POST")
def compare(request: HttpRequest, operator_key: str, cluster_id: int) -> HttpResponse:
    """Have the worker compare now."""
    cluster = _found(request, operator_key, cluster_id, Action.CLUSTER_COMPARE)
    drifting.compare(principal=principal_for(request), cluster=cluster)
    return htmx.done(request, _home(cluster), "The servers are being compared.")


@guards.page("POST")
def deliver(request: HttpRequest, operator_key: str, cluster_id: int) -> HttpResponse:
    """Deliver what is missing there, was deleted there, or is older."""
    cluster = _found(request, operator_key, cluster_id, Action.ACCOUNT_EDIT)
    number = drifting.deliver(principal=principal_for(request), cluster=cluster)
    return htmx.done(request, _home(cluster), f"{shown.plural(number, 'account')} will be delivered.")


@guards.page("POST")
def adopt(request: HttpRequest, operator_key: str, cluster_id: int, adopted_key: str) -> HttpResponse:
    """Take over what the servers hold of one account."""
    cluster = _found(request, operator_key, cluster_id, Action.JWT_ADOPT)
    form = VersionForm()
    with guards.errors_on(form):
        job = drifting.adopt(principal=principal_for(request), cluster=cluster, account_key=adopted_key)
        said = f"The JWT of {shown.short(adopted_key)} is being fetched and taken over (job {job.pk})."
        return htmx.done(request, _home(cluster), said)
    raise lookup.NotFound("This is no account's key.")


def _found(request: HttpRequest, operator_key: str, cluster_id: int, action: Action) -> Cluster:
    principal = principal_for(request)
    cluster = lookup.cluster(principal, operator_key, cluster_id)
    guards.require(principal, action, Scope(operator=cluster.operator_id))
    return cluster


def _home(cluster: Cluster) -> str:
    return shown.cluster_url("cluster-drift", cluster)
