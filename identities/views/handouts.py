"""What a person takes away for a user: creds, the JWT, a context for the `nats` command line."""

from __future__ import annotations

import re

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed

from identities import lookup
from identities.formats import nats_context
from identities.lookup import principal_for
from identities.models import User
from identities.policy.actions import Action
from identities.services import changes, users
from identities.services import creds as handing
from identities.views import guards, htmx, shown, users_shown

NAV = "operators"
_UNFIT = re.compile(r"[/\\:*?\"<>|\x00-\x1f\x7f]|\.\.+")
_LONGEST = 1000


@guards.page("POST")
def creds(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    """The user's creds file, as a plain download: a secret never enters a page."""
    principal = principal_for(request)
    user = lookup.user(principal, operator_key, account_key, user_key)
    try:
        handout = handing.creds_file(principal=principal, user=user)
    except handing.NoSeed as missing:
        context = _frame(user, "Creds", f"No creds for {user.name}")
        context |= {"can": users_shown.can(principal, user), "reason": missing.user_message}
        return htmx.render(request, "identities/users/no_seed.html", context, status=422)
    return htmx.download(file_name(handout.filename), handout.text, "application/x-nats-creds")


@guards.page("GET", "POST")
def jwt(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    """The user's JWT alone. A bearer user's logs in by itself, so it is handed out by POST only, and recorded."""
    principal = principal_for(request)
    user = lookup.user(principal, operator_key, account_key, user_key)
    if user.bearer and request.method != "POST":
        guards.require(principal, Action.JWT_DOWNLOAD, users.scope(user))
        return HttpResponseNotAllowed(["POST"])
    handout = handing.user_jwt(principal=principal, user=user)
    return htmx.download(file_name(handout.filename), handout.text, "application/jwt")


@guards.page()
def context(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    """A context of the `nats` command line, which names the creds file and holds no secret itself."""
    principal = principal_for(request)
    user = lookup.user(principal, operator_key, account_key, user_key)
    guards.require(principal, Action.JWT_DOWNLOAD, users.scope(user))
    name = _context_name(user)
    path = request.GET.get("creds", "").strip()[:_LONGEST] or f"~/{file_name(f'{user.name}.creds')}"
    urls = changes.claims_of(user.account.operator).nats.operator_service_urls
    url = request.GET.get("url", "").strip()[:_LONGEST] or ",".join(urls) or "nats://localhost:4222"
    description = f"{user.name} of {user.account.name}, operator {user.account.operator.name}"
    text = nats_context.render(url=url, description=description, creds=path)
    if request.GET.get("download") == "1":
        return htmx.download(f"{name}.json", text, "application/json")
    page = {
        **_frame(user, "Context for nats", f"Context for {user.name}"),
        "can": users_shown.can(principal, user),
        "tab": "context",
        "name": name,
        "text": text,
        "url": url,
        "path": path,
        "save": f"mkdir -p ~/.config/nats/context && mv {name}.json ~/.config/nats/context/",
        "use": f"nats --context {name} rtt",
    }
    return htmx.render(request, "identities/users/context.html", page)


def file_name(text: str) -> str:
    """A name of a file and never a path, whatever a name that was imported holds."""
    return _UNFIT.sub("_", text).lstrip(". ") or "user"


def _context_name(user: User) -> str:
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", f"{user.account.name}_{user.name}")
    return nats_context.check_name(re.sub(r"\.\.+", "_", plain).strip(".") or "user")


def _frame(user: User, step: str, title: str) -> dict[str, object]:
    return {
        **shown.frame(title=title, nav=NAV, crumbs=shown.user_crumbs(user, step)),
        **users_shown.page_of(user),
    }
