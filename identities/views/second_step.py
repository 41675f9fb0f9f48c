"""Signing in beyond name and password: the second step, and a passkey in the place of both."""

from __future__ import annotations

from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.models import Login
from allauth.account.stages import LoginStageController
from allauth.core import ratelimit
from allauth.mfa.stages import AuthenticateStage
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.debug import sensitive_post_parameters

from identities.forms.base import BaseForm
from identities.forms.second_factors import AnyCodeForm, PasskeyForm
from identities.models import Person
from identities.services import passkeys, second_factors
from identities.views import guards, htmx, proving

STEP = "account/second_step.html"
PASSKEY = "account/passkey.html"
TOO_MANY = "Too many sign-ins were tried from your address. Wait a minute, then try again."
_WHAT = "Second factor"


@sensitive_post_parameters("code", "credential")
@guards.page("GET", "POST")
def second_step(request: HttpRequest) -> HttpResponse:
    """Ask for a code or a passkey after the password was right."""
    stage = (
        None if request.user.is_authenticated else LoginStageController.enter(request, AuthenticateStage.key)
    )
    if stage is None:
        return redirect("account_login")
    person: Person = stage.login.user
    sent: BaseForm | None = None
    if request.method == "POST":
        by_passkey = "credential" in request.POST
        if by_passkey:
            sent = PasskeyForm(request.POST)
            proving.answered(request, person, sent, _WHAT)
        else:
            sent = proving.coded(request, person, _WHAT)
        if not sent.errors:
            kind = second_factors.PASSKEY if by_passkey else second_factors.TOTP
            record_authentication(request, person, "mfa", type=str(kind))
            answer: HttpResponse = stage.exit()
            return answer
    kinds = {factor.kind for factor in second_factors.of(person)}
    with_passkey = second_factors.PASSKEY in kinds
    with_code = kinds & {second_factors.TOTP, second_factors.RECOVERY}
    code = _shown(sent, AnyCodeForm()) if with_code else None
    if not with_passkey:
        htmx.focus(code)
    context = {
        "title": "Second step",
        "code": code,
        "passkey": _shown(sent, PasskeyForm()) if with_passkey else None,
        "options": proving.begin(request, person) if with_passkey else "",
    }
    return TemplateResponse(request, STEP, context, status=sent.status if sent else 200)


@sensitive_post_parameters("credential")
@guards.page("GET", "POST")
def passkey(request: HttpRequest) -> HttpResponse:
    """Sign in with a passkey that checks by itself who holds it."""
    onward = proving.safe(request, request.POST.get("next") or request.GET.get("next") or "/")
    if request.user.is_authenticated:
        return redirect(onward)
    form = PasskeyForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        if not ratelimit.consume(request, action="login", user=None):
            form.add_error(None, TOO_MANY)
        elif (person := proving.answered(request, None, form, "Sign-in with a passkey")) is not None:
            record_authentication(request, person, "mfa", type=str(second_factors.PASSKEY), passwordless=True)
            answer: HttpResponse = perform_login(request, Login(user=person, redirect_url=onward))
            return answer
    context = {
        "title": "Sign in with a passkey",
        "form": form,
        "options": proving.begin(request, None),
        "onward": onward,
        "possible": passkeys.possible(),
    }
    return TemplateResponse(request, PASSKEY, context, status=form.status)


def _shown(sent: BaseForm | None, new: BaseForm) -> BaseForm:
    return sent if sent is not None and type(sent) is type(new) else new
