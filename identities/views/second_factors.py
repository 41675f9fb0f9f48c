"""Your second factors: an authenticator app, passkeys, recovery codes. Recovery codes are shown once, in the answer to
the form that made them; the QR code and the key of an app are answers of their own, never parts of a page.
"""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from qrcode.image.svg import SvgPathFillImage
from qrcode.main import QRCode

from identities.forms.second_factors import AddPasskeyForm, CodeForm
from identities.forms.you import NothingForm
from identities.lookup import principal_for
from identities.policy import second_factor
from identities.services import passkeys, people
from identities.services import second_factors as service
from identities.views import guards, htmx, second_factors_shown, shown

INDEX = "identities/you/second_factors.html"
APP = "identities/you/add_app.html"
PASSKEY = "identities/you/add_passkey.html"
CODES = "identities/you/recovery_codes.html"
_PENDING = "totp_pending"
_STATE = "passkey_creation_state"


@guards.page()
def index(request: HttpRequest) -> HttpResponse:
    """What there is, and what can be added."""
    principal = principal_for(request)
    factors = service.of(people.of(principal))
    context = _frame(
        "",
        **second_factors_shown.context(factors),
        demanded=second_factor.demands(service.demanded(), principal),
        possible=passkeys.possible(),
        host=urlsplit(settings.NSCWEB_URL).hostname,
    )
    return htmx.render(request, INDEX, context)


@sensitive_post_parameters("code")
@guards.page("GET", "POST")
def add_app(request: HttpRequest) -> HttpResponse:
    """Set up an authenticator app: it takes effect with its first code."""
    principal = principal_for(request)
    person = people.of(principal)
    if service.TOTP in {factor.kind for factor in service.of(person)}:
        return redirect("second-factors")
    form = CodeForm(request.POST if request.method == "POST" else None)
    pending = request.session.get(_PENDING)
    if pending is None:
        pending = request.session[_PENDING] = service.new_secret(principal)
    if form.is_valid():
        with guards.errors_on(form):
            codes = service.add_app(principal=principal, pending=pending, code=form.cleaned_data["code"])
            del request.session[_PENDING]
            return _added(request, codes, "The authenticator app is in use.")
    htmx.focus(form)
    return TemplateResponse(
        request,
        APP,
        _frame("Authenticator app", title="Add an authenticator app", form=form),
        status=form.status,
    )


@guards.page()
def app_qr(request: HttpRequest) -> HttpResponse:
    """The QR code of the app that is being set up: an SVG that nothing keeps."""
    code = QRCode(image_factory=SvgPathFillImage)
    code.add_data(service.app_address(principal_for(request), _pending(request)))  # type: ignore[no-untyped-call]
    drawn = BytesIO()
    code.make_image().save(drawn)  # type: ignore[no-untyped-call]
    return _kept_by_nobody(HttpResponse(drawn.getvalue(), content_type="image/svg+xml"))


@guards.page()
def app_key(request: HttpRequest) -> HttpResponse:
    """The same as text, for apps that have no camera."""
    key = service.key_of(principal_for(request), _pending(request))
    spaced = " ".join(key[at : at + 4] for at in range(0, len(key), 4))
    return _kept_by_nobody(HttpResponse(f"{spaced}\n", content_type="text/plain; charset=utf-8"))


@sensitive_post_parameters("credential")
@guards.page("GET", "POST")
def add_passkey(request: HttpRequest) -> HttpResponse:
    """Make a passkey in this browser, or register a security key."""
    principal = principal_for(request)
    form = AddPasskeyForm(request.POST if request.method == "POST" else None)
    state = request.session.pop(_STATE, None) if request.method == "POST" else None
    if request.method == "POST" and state is None:
        form.add_error(None, passkeys.REFUSED)
    elif state is not None and form.is_valid():
        with guards.errors_on(form):
            codes = passkeys.add(
                principal=principal,
                name=form.cleaned_data["name"],
                state=state,
                credential=form.cleaned_data["credential"],
            )
            return _added(request, codes, "The passkey is in use.")
    options, request.session[_STATE] = passkeys.begin_adding(principal=principal)
    context = _frame("Passkey", title="Add a passkey", form=form, options=json.dumps(options))
    return TemplateResponse(request, PASSKEY, context, status=form.status)


@guards.page("GET", "POST")
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """Make new recovery codes in the place of the old ones."""
    principal = principal_for(request)
    form = NothingForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        with guards.errors_on(form):
            return _codes(request, service.new_recovery_codes(principal=principal))
    context = _frame(
        "Recovery codes",
        title="Make new recovery codes",
        intro="The ones you have now stop working. The new ones are shown once: have a place for them ready.",
        submit="Make new codes",
        plain=True,
    )
    return htmx.render_form(request, form, "", context)


@guards.page("GET", "POST")
def remove(request: HttpRequest, factor_id: int) -> HttpResponse:
    """Remove an app or a passkey; with the last one the recovery codes go."""
    principal = principal_for(request)
    factors = {factor.pk: factor for factor in service.of(people.of(principal))}
    factor = factors.get(factor_id)
    if factor is None or factor.kind == service.RECOVERY:
        raise Http404("There is no such second factor.")
    form = NothingForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        with guards.errors_on(form):
            words = service.remove(principal=principal, pk=factor_id)
            return htmx.done(request, reverse("second-factors"), f"Removed {words}.")
    named = second_factors_shown.named(factor)
    context = _frame(
        "Remove",
        title=f"Remove {named}",
        intro="It won't let you in any more. Without any app or passkey your password alone is asked for, and your "
        "recovery codes go.",
        submit="Remove",
        danger=True,
    )
    return htmx.render_form(request, form, "", context)


def _added(request: HttpRequest, codes: list[str], message: str) -> HttpResponse:
    if codes:
        return _codes(request, codes, message)
    return htmx.done(request, reverse("second-factors"), message)


def _codes(request: HttpRequest, codes: list[str], message: str = "") -> HttpResponse:
    context = _frame("Recovery codes", title="Your recovery codes", codes=codes, message=message)
    return TemplateResponse(request, CODES, context)


def _pending(request: HttpRequest) -> str:
    pending: str | None = request.session.get(_PENDING)
    if pending is None:
        raise Http404("No authenticator app is being set up.")
    return pending


def _kept_by_nobody(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _frame(step: str, *, title: str = "Second factors", **more: Any) -> dict[str, Any]:
    url = reverse("second-factors")
    crumbs = [shown.Crumb(label="Your account", url=reverse("you"))]
    crumbs.append(shown.Crumb(label="Second factors", url=url if step else ""))
    if step:
        crumbs.append(shown.Crumb(label=step))
    return shown.frame(title=title, nav="you", crumbs=crumbs, cancel_url=url, **more)
