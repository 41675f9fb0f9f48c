"""Sensitive acts ask again who is there: with password or second factor, when the last proof is too old."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import unquote_plus, urlencode, urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django_htmx.http import HttpResponseClientRedirect

from identities.errors import IdentityError
from identities.forms.base import BaseForm
from identities.forms.keys import PasswordForm
from identities.forms.second_factors import AnyCodeForm, PasskeyForm
from identities.lookup import principal_for
from identities.models import Person
from identities.nkeys import looks_like_seed
from identities.services import passkeys, people, second_factors
from identities.views import guards, htmx, passwords, shown, sign_on_shown

FRESH_SECONDS = 15 * 60
TEMPLATE = "identities/you/confirm.html"
_PROVED = "proved_at"
_STATE = "passkey_state"
_WHAT = "A proof before something sensitive"


def prove(request: HttpRequest) -> None:
    """Note that the person has just shown who they are."""
    request.session[_PROVED] = int(time.time())


def is_fresh(request: HttpRequest) -> bool:
    """True within fifteen minutes after that."""
    age: float = time.time() - request.session.get(_PROVED, 0)
    return 0 <= age < FRESH_SECONDS


def ask(request: HttpRequest) -> HttpResponse:
    """To the page that asks, and from there back; htmx is told to load it as a page."""
    url = f"{reverse('confirm')}?{urlencode({'next': _back(request)})}"
    if getattr(request, "htmx", None):
        return HttpResponseClientRedirect(url)
    return redirect(url)


@sensitive_post_parameters("password", "code")
@guards.page("GET", "POST")
def confirm(request: HttpRequest) -> HttpResponse:
    """Ask for the password, a code or a passkey, whichever the person has, then go on."""
    person = _person(request)
    onward = safe(request, request.POST.get("next") or request.GET.get("next") or "/")
    sent = _sent(request, person)
    if sent is not None and not sent.errors:
        prove(request)
        return redirect(onward)
    factors = second_factors.of(person)
    kinds = {factor.kind for factor in factors}
    password = _or_new(sent, PasswordForm(person=person)) if person.has_usable_password() else None
    code = _or_new(sent, AnyCodeForm()) if second_factors.TOTP in kinds else None
    htmx.focus(code, password)
    context = shown.frame(
        title="Confirm that it is you",
        nav="you",
        onward=onward,
        password=password,
        code=code,
        passkey=_or_new(sent, PasskeyForm()) if second_factors.PASSKEY in kinds else None,
        options=begin(request, person) if second_factors.PASSKEY in kinds else "",
        providers=sign_on_shown.proofs(person),
        redirect_field_value=onward,
    )
    status = sent.status if sent is not None else 200
    return TemplateResponse(request, TEMPLATE, context, status=status)


def begin(request: HttpRequest, person: Person | None) -> str:
    """What the browser needs to use a passkey, as JSON; the session keeps the challenge, which is for `person` only:
    an answer at the second step, where nobody's PIN is asked for, never signs in without a password.
    """
    options, request.session[_state_of(person)] = passkeys.begin_using(person)
    return json.dumps(options)


def answered(request: HttpRequest, person: Person | None, form: PasskeyForm, what: str) -> Person | None:
    """Whose passkey answered the challenge of this session, which is used up; None when `form` says why not."""
    state = request.session.pop(_state_of(person), None)
    if state is None or not form.is_valid():
        form.add_error(None, passkeys.REFUSED)
        return None
    try:
        return passkeys.check(
            person=person,
            state=state,
            credential=form.cleaned_data["credential"],
            address=address(request),
            what=what,
        )
    except IdentityError as refused:
        form.place_error(refused)
        return None


def address(request: HttpRequest) -> str:
    """Where a request comes from, for the audit."""
    return str(request.META.get("REMOTE_ADDR", ""))


def _sent(request: HttpRequest, person: Person) -> BaseForm | None:
    """The form that was sent, checked."""
    if request.method != "POST":
        return None
    if "credential" in request.POST:
        form = PasskeyForm(request.POST)
        answered(request, person, form, _WHAT)
        return form
    if "code" in request.POST:
        return coded(request, person, _WHAT)
    return passwords.form(request, PasswordForm, what=_WHAT)


def coded(request: HttpRequest, person: Person, what: str) -> AnyCodeForm:
    """The code that was sent, accepted unless the form has errors."""
    form = AnyCodeForm(request.POST)
    if form.is_valid():
        try:
            second_factors.check(
                person=person, code=form.cleaned_data["code"], address=address(request), what=what
            )
        except IdentityError as refused:
            form.place_error(refused)
    return form


def _state_of(person: Person | None) -> str:
    return f"{_STATE}:{person.pk if person else 'anybody'}"


def _or_new(sent: BaseForm | None, new: BaseForm) -> BaseForm:
    return sent if type(sent) is type(new) and sent is not None else new


def _person(request: HttpRequest) -> Person:
    return people.of(principal_for(request))


def _back(request: HttpRequest) -> str:
    """Where to go on afterwards: this page, or the page that held the form."""
    htmx: Any = getattr(request, "htmx", None)
    if htmx:
        back = str(htmx.current_url_abs_path or "/")
    elif request.method in {"GET", "HEAD"}:
        back = request.get_full_path()
    else:
        came = urlsplit(request.META.get("HTTP_REFERER", ""))
        back = f"{came.path}?{came.query}".rstrip("?") if came.netloc == request.get_host() else "/"
    return urlsplit(back).path if looks_like_seed(unquote_plus(back)) else back


def safe(request: HttpRequest, url: str) -> str:
    """An address to go on to: ours, or the dashboard."""
    ours = url.startswith("/") and url_has_allowed_host_and_scheme(
        url, allowed_hosts=None, require_https=request.is_secure()
    )
    return url if ours else "/"
