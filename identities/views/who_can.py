"""Who can publish, subscribe or answer on a subject of an account, also from other accounts."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from identities import lookup
from identities.forms.search import place
from identities.forms.who_can import WhoCanForm
from identities.lookup import principal_for
from identities.services import clock
from identities.views import guards, htmx, shown, who_can_shown

PART = "identities/who_can/answer.html"


@guards.page()
def index(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """`?deed=publish&subject=…` asks; `way` chooses whose users are listed, `after` their page."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    form = WhoCanForm(request.GET if "subject" in request.GET else None, initial={"deed": "publish"})
    answer = None
    if form.is_valid():
        way = request.GET.get("way", "")
        answer = who_can_shown.answer(
            principal,
            account,
            form.cleaned_data["deed"],
            form.cleaned_data["subject"],
            chosen=int(way) if way.isascii() and way.isdigit() and len(way) < 5 else 0,
            after=place(request.GET.get("after", "")),
            now=clock.unix(),
        )
    context = shown.frame(
        title=f"Who can … in {account.name}",
        nav="operators",
        crumbs=shown.account_crumbs(account, "Who can …"),
        account=account.name,
        url=shown.account_url("who-can", account),
        findings_url=shown.account_url("findings", account),
        form=form,
        answer=answer,
        **shown.account_tabs(account),
    )
    return htmx.render(request, "identities/who_can/index.html", context, part=PART, status=form.status)
