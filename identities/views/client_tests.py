"""Pages of client tests: connect as a user, and see what a server does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect

from identities import lookup
from identities.errors import IdentityError
from identities.forms.client_tests import ClientTestForm
from identities.lookup import principal_for
from identities.models import User
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import client_tests, clock, users
from identities.views import client_tests_shown, guards, htmx, shown, users_shown

NAV = "operators"
FIELDS = "identities/client_tests/fields.html"


@guards.page("GET", "POST")
def start(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    """Fill in a client test; sending it starts one, and leads to its result."""
    principal = principal_for(request)
    user = lookup.user(principal, operator_key, account_key, user_key)
    guards.require(principal, Action.CLIENT_TEST, users.scope(user))
    clusters = client_tests_shown.clusters_to_choose(principal, user)
    form = ClientTestForm(
        request.POST if request.method == "POST" else None,
        others=client_tests_shown.names_to_suggest(principal, user),
        clusters=clusters,
        initial=_initial(request, user, clusters),
    )
    if form.is_valid():
        with guards.errors_on(form):
            wish = client_tests.wish(form.to_values())
            other = (
                client_tests.other_user(principal, user, form.cleaned_data["other"])
                if wish.trial.is_pair
                else None
            )
            job = client_tests.start(principal=principal, user=user, wish=wish, other=other)
            return _go_on(request, _result_url(user, job.pk))
    context = {
        **_frame(principal, user, "Client test", f"Client test as {user.name}"),
        "can_connect": user.has_seed or user.bearer,
        "form": form,
        "submit": "Run the test",
        "body": FIELDS,
        "action": request.path,
        "cancel_url": shown.user_url("user", user),
        "intro": "Connects to a server with this user's own credentials, and shows what the server does. The result, "
        "with the messages, is kept for a week.",
    }
    return htmx.render(
        request,
        "identities/client_tests/start.html",
        context,
        part=htmx.FORM,
        status=form.status,
    )


@guards.page()
def result(
    request: HttpRequest, operator_key: str, account_key: str, user_key: str, job_id: int
) -> HttpResponse:
    """What came of a client test; while it runs, what has happened so far."""
    principal = principal_for(request)
    user = lookup.user(principal, operator_key, account_key, user_key)
    guards.require(principal, Action.CLIENT_TEST, users.scope(user))
    job = client_tests.of_user(user, job_id)
    context = {
        **_frame(principal, user, "Client test", f"Client test as {user.name}"),
        **client_tests_shown.result(job),
        "url": request.path,
        "again_url": f"{shown.user_url('user-test', user)}?again={job.pk}",
    }
    return htmx.render(
        request,
        "identities/client_tests/result.html",
        context,
        part="identities/client_tests/outcome.html",
    )


def _initial(request: HttpRequest, user: User, clusters: Sequence[tuple[int, str]]) -> dict[str, Any]:
    """An empty form for the operator's first cluster or server, or a test that was run before (`?again=`)."""
    again = request.GET.get("again", "")
    if again.isascii() and again.isdigit() and len(again) < 18:
        try:
            return dict(client_tests_shown.wish_of(client_tests.of_user(user, int(again))))
        except IdentityError:
            pass
    url = client_tests.default_url(user.account.operator)
    return {"url": url, "cluster": clusters[0][0] if clusters else ""}


def _frame(principal: Principal, user: User, step: str, title: str) -> dict[str, Any]:
    return {
        **shown.frame(title=title, nav=NAV, crumbs=shown.user_crumbs(user, step)),
        **users_shown.page_of(user, clock.unix()),
        "can": users_shown.can(principal, user),
        "tab": "test",
    }


def _result_url(user: User, job_id: int) -> str:
    account = user.account
    return reverse(
        "user-test-result",
        args=[account.operator.public_key, account.public_key, user.public_key, job_id],
    )


def _go_on(request: HttpRequest, url: str) -> HttpResponse:
    """On to the result, which says by itself what happens: no message."""
    return HttpResponseClientRedirect(url) if htmx.wants_part(request) else redirect(url)
