"""Pages of clusters: the list, one with its servers and system user, adding, editing, removing."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from identities import lookup
from identities.errors import IdentityError
from identities.forms.base import ConfirmForm, VersionForm
from identities.forms.clusters import ChooseUserForm, ClusterForm, NewClusterForm, RenewForm
from identities.lookup import principal_for
from identities.models import Cluster
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Scope
from identities.services import clock, cluster_tests, cluster_users, clusters, system_users
from identities.views import cluster_tests_shown, clusters_shown, guards, htmx, polling, shown

NAV = "operators"
SERVERS = "identities/clusters/servers.html"
DEFAULTS = {"connect_seconds": 3, "request_seconds": 2}


@guards.page()
def index(request: HttpRequest, operator_key: str) -> HttpResponse:
    """The clusters of an operator."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    context = shown.frame(
        title=f"Clusters of {operator.name}",
        nav=NAV,
        crumbs=shown.operator_crumbs(operator, "Clusters"),
        can=guards.can(principal, Scope(operator=operator.pk), Action.CLUSTER_CREATE),
        operator=operator.name,
        new_url=shown.operator_url("cluster-create", operator),
        rows=clusters_shown.rows(principal, operator),
        **shown.operator_tabs(principal, operator),
    )
    return htmx.render(request, "identities/clusters/index.html", context)


@guards.page("GET", "POST")
def create(request: HttpRequest, operator_key: str) -> HttpResponse:
    """Add a cluster, and the system user that it is logged in to as."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    guards.require(principal, Action.CLUSTER_CREATE, Scope(operator=operator.pk))
    data = request.POST if request.method == "POST" else None
    form = NewClusterForm(data, now=clock.unix(), initial={**DEFAULTS, **clusters_shown.suggested(operator)})
    obstacle = system_users.obstacle(operator)
    if obstacle:
        del form.fields["expires"]
        form.warnings.append(obstacle)
    if form.is_valid():
        with guards.errors_on(form):
            cluster = clusters.create(
                principal=principal,
                operator=operator,
                draft=form.to_draft(),
                expires=form.cleaned_data.get("expires", 0),
            )
            return htmx.done(request, _url(cluster), f"Added cluster “{cluster.name}”.")
    context = shown.frame(
        title="New cluster",
        nav=NAV,
        crumbs=(
            *shown.operator_crumbs(operator, "")[:2],
            shown.Crumb(label="Clusters", url=shown.operator_url("clusters", operator), noun=True),
            shown.Crumb(label="New cluster"),
        ),
        cancel_url=shown.operator_url("clusters", operator),
        submit="Add cluster",
        intro="The nats-servers that run with this operator. A system user with just the rights that nscweb uses is "
        "made for it; its key stays sealed here.",
    )
    return htmx.render_form(request, form, "", context)


@guards.page()
def detail(request: HttpRequest, operator_key: str, cluster_id: int) -> HttpResponse:
    """How the cluster is, its servers, and who we log in as."""
    principal = principal_for(request)
    cluster = lookup.cluster(principal, operator_key, cluster_id)
    live = clusters_shown.live(cluster)
    context = {
        **shown.frame(title=cluster.name, nav=NAV, crumbs=shown.cluster_crumbs(cluster)),
        **clusters_shown.page(principal, cluster),
        "live": live,
    }
    return polling.render(request, "identities/clusters/detail.html", context, part=SERVERS, live=live)


@guards.page("GET", "POST")
def edit(request: HttpRequest, operator_key: str, cluster_id: int) -> HttpResponse:
    """Edit how a cluster is reached."""
    cluster = _found(request, operator_key, cluster_id, Action.CLUSTER_EDIT)
    form = ClusterForm(
        request.POST if request.method == "POST" else None,
        now=clock.unix(),
        has_key=cluster.client_key is not None,
        initial={**ClusterForm.values_of(cluster), "version": cluster.version},
    )
    if form.is_valid():
        with guards.errors_on(form, ClusterForm.values_of):
            saved = clusters.update(
                principal=principal_for(request),
                cluster=cluster,
                draft=form.to_draft(),
                version=form.version,
            )
            done = f"Saved cluster “{saved.name}”."
            if saved.version == cluster.version:
                done = "Nothing was changed."
            return htmx.done(request, _url(saved), done)
    return htmx.render_form(request, form, "", _frame(cluster, "Edit", f"Edit cluster {cluster.name}"))


@guards.page("GET", "POST")
def delete(request: HttpRequest, operator_key: str, cluster_id: int) -> HttpResponse:
    """Ask for the name, then remove the cluster from here."""
    cluster = _found(request, operator_key, cluster_id, Action.CLUSTER_DELETE)
    data = request.POST if request.method == "POST" else None
    form = ConfirmForm(data, name=cluster.name, initial={"version": cluster.version})
    if form.is_valid():
        with guards.errors_on(form):
            clusters.delete(principal=principal_for(request), cluster=cluster, version=form.version)
            url = shown.operator_url("clusters", cluster.operator)
            return htmx.done(request, url, f"Removed cluster “{cluster.name}”.")
    context = {
        **_frame(cluster, "Remove", f"Remove cluster {cluster.name}"),
        **clusters_shown.what_goes(cluster),
    }
    return htmx.render_form(request, form, "", context, panel=htmx.CONFIRM)


@guards.page("GET", "POST")
def make_user(request: HttpRequest, operator_key: str, cluster_id: int) -> HttpResponse:
    """Make a new system user for the cluster."""
    cluster = _found(request, operator_key, cluster_id, Action.CLUSTER_EDIT)
    form = _renew_form(request, cluster)
    if obstacle := system_users.obstacle(cluster.operator):
        form.warnings.append(obstacle)
    if form.is_valid():
        with guards.errors_on(form):
            saved = cluster_users.make(
                principal=principal_for(request),
                cluster=cluster,
                version=form.version,
                expires=form.to_expires(),
            )
            return htmx.done(request, _url(saved), f"Made system user “{clusters_shown.user_name(saved)}”.")
    context = {
        **_frame(cluster, "New system user", f"Make a system user for {cluster.name}"),
        "submit": "Make system user",
        "intro": "In the operator's system account, with just the rights that nscweb uses. The one before stays: "
        "delete it on its own page when no other cluster needs it.",
    }
    return htmx.render_form(request, form, "", context)


@guards.page("GET", "POST")
def renew_user(request: HttpRequest, operator_key: str, cluster_id: int) -> HttpResponse:
    """Sign the system user anew, with a later issue time and the expiry that is chosen."""
    cluster = _found(request, operator_key, cluster_id, Action.CLUSTER_EDIT)
    form = _renew_form(request, cluster)
    if form.is_valid():
        with guards.errors_on(form):
            saved = cluster_users.renew(
                principal=principal_for(request),
                cluster=cluster,
                version=form.version,
                expires=form.to_expires(),
            )
            return htmx.done(
                request, _url(saved), f"Renewed system user “{clusters_shown.user_name(saved)}”."
            )
    context = {
        **_frame(cluster, "Renew", f"Renew the system user of {cluster.name}"),
        "submit": "Renew",
        "intro": "The same user with the same key gets a new JWT, which is used from the next connection on.",
    }
    return htmx.render_form(request, form, "", context)


@guards.page("GET", "POST")
def choose_user(request: HttpRequest, operator_key: str, cluster_id: int) -> HttpResponse:
    """Choose a user of the system account that is there already."""
    cluster = _found(request, operator_key, cluster_id, Action.CLUSTER_EDIT)
    data = request.POST if request.method == "POST" else None
    initial = {"version": cluster.version, "user": cluster.user.public_key if cluster.user else ""}
    form = ChooseUserForm(data, choices=clusters_shown.user_choices(cluster.operator), initial=initial)
    if form.is_valid():
        with guards.errors_on(form):
            saved = cluster_users.choose(
                principal=principal_for(request),
                cluster=cluster,
                public_key=form.cleaned_data["user"],
                version=form.version,
            )
            return htmx.done(request, _url(saved), f"Chose system user “{clusters_shown.user_name(saved)}”.")
    context = {
        **_frame(cluster, "Choose a system user", f"Choose the system user of {cluster.name}"),
        "submit": "Log in as this user",
        "intro": clusters_shown.CHOOSE,
    }
    return htmx.render_form(request, form, "", context)


@guards.page("POST")
def test(request: HttpRequest, operator_key: str, cluster_id: int) -> HttpResponse:
    """Have the worker test the connection, and lead to what comes of it."""
    cluster = _found(request, operator_key, cluster_id, Action.CLUSTER_TEST)
    try:
        job = cluster_tests.start(principal=principal_for(request), cluster=cluster)
    except decisions.Forbidden:
        raise
    except IdentityError as refused:
        messages.error(request, refused.user_message)
        return redirect(_url(cluster))
    return redirect(shown.cluster_url("cluster-test-result", cluster, job.pk))


@guards.page()
def test_result(request: HttpRequest, operator_key: str, cluster_id: int, job_id: int) -> HttpResponse:
    """What came of a connection test; while it runs, what is known so far."""
    cluster = _found(request, operator_key, cluster_id, Action.CLUSTER_TEST)
    context = {
        **shown.frame(
            title=f"Connection test of {cluster.name}",
            nav=NAV,
            crumbs=shown.cluster_crumbs(cluster, "Connection test"),
        ),
        **clusters_shown.page(principal_for(request), cluster),
        **cluster_tests_shown.result(cluster_tests.of_cluster(cluster, job_id)),
        "url": request.path,
    }
    return htmx.render(
        request,
        "identities/clusters/test.html",
        context,
        part="identities/clusters/test_outcome.html",
    )


@guards.page("GET", "POST")
def forget_server(request: HttpRequest, operator_key: str, cluster_id: int, server_id: int) -> HttpResponse:
    """Take a server that will not come back off the roster."""
    cluster = _found(request, operator_key, cluster_id, Action.CLUSTER_EDIT)
    server = cluster.servers.filter(pk=server_id).first()
    if server is None:
        raise lookup.NotFound("There is no such server on this cluster's roster (any more).")
    data = request.POST if request.method == "POST" else None
    form = VersionForm(data, initial={"version": cluster.version})
    if form.is_valid():
        with guards.errors_on(form):
            clusters.forget_server(principal=principal_for(request), cluster=cluster, server=server)
            return htmx.done(request, _url(cluster), f"Forgot server “{server.name}”.")
    context = {
        **_frame(cluster, "Forget a server", f"Forget server {server.name}"),
        "submit": "Forget server",
        "danger": True,
        "intro": "Nothing waits for it any more, and what it was seen to hold is forgotten. When it answers again, it "
        "is back on the roster.",
    }
    return htmx.render_form(request, form, "", context)


def _found(request: HttpRequest, operator_key: str, number: int, action: Action) -> Cluster:
    principal = principal_for(request)
    cluster = lookup.cluster(principal, operator_key, number)
    guards.require(principal, action, clusters.scope(cluster))
    return cluster


def _renew_form(request: HttpRequest, cluster: Cluster) -> RenewForm:
    data = request.POST if request.method == "POST" else None
    expires = cluster.user.expires if cluster.user else 0
    now = clock.unix()
    initial = {"version": cluster.version, "expires": expires if expires > now else 0}
    return RenewForm(data, now=now, initial=initial)


def _frame(cluster: Cluster, step: str, title: str) -> dict[str, Any]:
    return shown.frame(
        title=title, nav=NAV, crumbs=shown.cluster_crumbs(cluster, step), cancel_url=_url(cluster)
    )


def _url(cluster: Cluster) -> str:
    return shown.cluster_url("cluster", cluster)
