"""The page that takes back all that somebody ever received: what would happen in each account, then the deed."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from identities import lookup
from identities.forms.taking_back import TakeBackForm
from identities.lookup import principal_for
from identities.services import four_eyes, taking_back
from identities.views import guards, htmx, shown, taking_back_shown

LONGEST = 255


@guards.page("GET", "POST")
def take_back(request: HttpRequest) -> HttpResponse:
    """Revoke every credential that somebody received and that still opens something, in all accounts at once."""
    principal = principal_for(request)
    recipient = request.GET.get("to", "").replace("\x00", "")[:LONGEST]
    sent = request.POST if request.method == "POST" else request.GET
    plan = taking_back.plan(
        principal=principal, recipient=recipient, replacing=frozenset(sent.getlist("replace"))
    )
    if not (plan.accounts or plan.seeds or plan.left) and not plan.known:
        raise lookup.NotFound(f"Nothing was handed out to {recipient[:60]}.")
    offered = [share.key for one in plan.accounts for share in one.offered]
    chosen = [share.key for one in plan.accounts for share in one.replaced]
    data = request.POST if request.method == "POST" else None
    form = TakeBackForm(data, name=plan.name, offered=offered, initial={"replace": chosen})
    ledger = f"{reverse('handed-out')}?{urlencode({'to': recipient})}"
    if form.is_valid():
        with guards.errors_on(form):
            done = taking_back.take_back(
                principal=principal, recipient=recipient, replacing=form.cleaned_data["replace"]
            )
            return htmx.done(request, ledger, taking_back_shown.said(plan.name, done))
    context: dict[str, Any] = {
        **shown.frame(
            title=f"Revoke all that {plan.name} received",
            nav="activity",
            crumbs=[
                shown.Crumb(label="Activity", url=reverse("activity")),
                shown.Crumb(label="Issued creds", url=reverse("handed-out")),
                shown.Crumb(label="Revoke"),
            ],
            cancel_url=ledger,
        ),
        **taking_back_shown.context(plan),
        "form": form,
        "recipient": recipient,
        "at_once": any(four_eyes.asked_of(principal, one.account.operator) for one in plan.workable),
        "action": request.get_full_path(),
    }
    return htmx.render(request, "identities/handed_out/take_back.html", context, status=form.status)
