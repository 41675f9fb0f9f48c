"""What a person takes away for a user: creds, the JWT, a context for the `nats` command line."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed

from identities import lookup
from identities.errors import IdentityError
from identities.formats import k8s_secret
from identities.forms.handouts import SecretForm
from identities.lookup import principal_for
from identities.models import User
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import clock, kept_out, users
from identities.services import creds as handing
from identities.views import guards, handouts_shown, htmx, proving, shown, users_shown

NAV = "operators"


@guards.page("POST")
def creds(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    """The user's creds file, as a plain download: a secret never enters a page."""
    principal = principal_for(request)
    user = lookup.user(principal, operator_key, account_key, user_key)
    try:
        handout = handing.creds_file(principal=principal, user=user)
    except handing.NoSeed as missing:
        context = _refused(principal, user, "Creds", f"No creds for {user.name}", missing)
        return htmx.render(request, "identities/users/no_seed.html", context, status=422)
    except kept_out.Suspended as suspended:
        context = _refused(principal, user, "Creds", f"No creds for {user.name}", suspended)
        return htmx.render(request, "identities/users/not_now.html", context, status=422)
    return htmx.download(handouts_shown.file_name(handout.filename), handout.text, "application/x-nats-creds")


@guards.page("GET", "POST")
def jwt(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    """The user's JWT alone. A bearer user's logs in by itself, so it is handed out as creds are: by POST only, to who
    has just shown who they are, and recorded.
    """
    principal = principal_for(request)
    user = lookup.user(principal, operator_key, account_key, user_key)
    if user.jwt_is_secret and request.method != "POST":
        guards.require(principal, Action.JWT_DOWNLOAD, users.scope(user))
        return HttpResponseNotAllowed(["POST"])
    if user.jwt_is_secret and not proving.is_fresh(request):
        guards.require(principal, Action.BEARER_DOWNLOAD, users.scope(user))
        return proving.ask(request)
    try:
        handout = handing.user_jwt(principal=principal, user=user)
    except kept_out.Suspended as suspended:
        context = _refused(principal, user, "JWT", f"No JWT for {user.name}", suspended)
        return htmx.render(request, "identities/users/not_now.html", context, status=422)
    return htmx.download(handouts_shown.file_name(handout.filename), handout.text, "application/jwt")


@guards.page("POST")
def secret(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    """The user's creds as the manifest of a Kubernetes Secret, handed out as a creds file is."""
    principal = principal_for(request)
    user = lookup.user(principal, operator_key, account_key, user_key)
    form = SecretForm(request.POST)
    if form.is_valid():
        with guards.errors_on(form):
            name, namespace = form.cleaned_data["name"], form.cleaned_data["namespace"]
            k8s_secret.check(name=name, namespace=namespace)
            handout = handing.creds_file(principal=principal, user=user)
            text = k8s_secret.render(handout.text, name=name, namespace=namespace)
            return htmx.download(f"{name}.yaml", text, "application/yaml")
    return _context_page(request, principal, user, form)


@guards.page()
def context(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    """A context of the `nats` command line, which names the creds file and holds no secret itself."""
    principal = principal_for(request)
    user = lookup.user(principal, operator_key, account_key, user_key)
    guards.require(principal, Action.JWT_DOWNLOAD, users.scope(user))
    written = handouts_shown.context(user, request.GET)
    if request.GET.get("download") == "1":
        return htmx.download(f"{written['name']}.json", written["text"], "application/json")
    if request.GET.get("download") == "profile":
        return htmx.download(f"{written['name']}.profile.json", written["profile"], "application/json")
    name = k8s_secret.name_for(user.account.name, user.name)
    return _context_page(request, principal, user, SecretForm(initial={"name": name}))


def _context_page(request: HttpRequest, principal: Principal, user: User, form: SecretForm) -> HttpResponse:
    page = {
        **_frame(user, "Context for nats", f"Context for {user.name}"),
        **handouts_shown.context(user, request.GET),
        "can": users_shown.can(principal, user),
        "tab": "context",
        "form": form,
        "secret_url": shown.user_url("user-secret", user),
    }
    return htmx.render(request, "identities/users/context.html", page, status=form.status)


def _refused(
    principal: Principal, user: User, step: str, title: str, refused: IdentityError
) -> dict[str, object]:
    """The page that says why nothing is handed out."""
    can = users_shown.can(principal, user)
    return {**_frame(user, step, title), "can": can, "reason": refused.user_message}


def _frame(user: User, step: str, title: str) -> dict[str, object]:
    return {
        **shown.frame(title=title, nav=NAV, crumbs=shown.user_crumbs(user, step)),
        **users_shown.page_of(user, clock.unix()),
    }
