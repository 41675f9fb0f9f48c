"""Account JWTs over HTTP, as nats-account-server serves them: what `resolver: URL(…)` of a nats-server asks.

Answered without session and person, also while the installation is sealed; pushes bring a password. Put right here: no
negative `max-age`, HEAD is answered. Source: nats-account-server `core/jwthandler.go`; nats-jwt.md §7.4.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from identities.errors import IdentityError
from identities.formats.decoded_jwt import decoded_text
from identities.queries import account_server as queries
from identities.services import clock, pushes
from identities.views.account_server_help import HELP

P = ParamSpec("P")
Answer = Callable[Concatenate[HttpRequest, P], HttpResponse]

ALLOWED = "GET, HEAD, OPTIONS"
STALE = 3600
_UNCACHED = {"Cache-Control": "no-cache, no-store, must-revalidate", "Pragma": "no-cache", "Expires": "0"}


def served(answer: Answer[P]) -> Answer[P]:
    """Answer GET and HEAD, pre-flight questions by OPTIONS, and 405 to every other method; readable from any origin."""

    @csrf_exempt
    @wraps(answer)
    def view(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if request.method in {"GET", "HEAD"}:
            response = answer(request, *args, **kwargs)
        elif request.method == "OPTIONS":
            response = HttpResponse(status=204, headers={"Allow": ALLOWED})
            del response["Content-Type"]
        else:
            response = _text("Method Not Allowed\n", 405)
            response["Allow"] = ALLOWED
        response["Vary"] = "Origin"
        if "Origin" in request.headers:
            response["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response["Access-Control-Expose-Headers"] = "Authorization"
            if "Access-Control-Request-Method" in request.headers:
                response["Access-Control-Allow-Methods"] = "GET"
        return response

    return cast("Answer[P]", view)


@served
def operator(request: HttpRequest, operator_key: str = "") -> HttpResponse:
    """The operator's JWT; `?text=true` as plain text, `?decode=true` unpacked."""
    found = queries.served_operator(operator_key)
    if found is None:
        return _no_operator(operator_key)
    return _as_text(request, found.jwt) or HttpResponse(found.jwt, content_type="application/jwt")


@served
def accounts(request: HttpRequest, operator_key: str = "") -> HttpResponse:
    """What a nats-server asks for at its start, to see that somebody answers."""
    if queries.served_operator(operator_key) is None:
        return _no_operator(operator_key)
    response = HttpResponse(headers=_UNCACHED)
    del response["Content-Type"]
    return response


@csrf_exempt
def account(request: HttpRequest, key: str, operator_key: str = "") -> HttpResponse:
    """An account's JWT; or takes one that is pushed, where the operator takes pushes."""
    if request.method == "POST":
        found = queries.served_operator(operator_key)
        if found is not None and pushes.door_of(found.id) is not None:
            return _pushed(request, found.id, key)
    return _account(request, key, operator_key)


def _pushed(request: HttpRequest, operator_id: int, key: str) -> HttpResponse:
    """200 taken, 202 waiting for somebody here, else why not."""
    try:
        received = pushes.receive(
            operator_id=operator_id,
            account_key=key,
            text=request.body.decode("utf-8", "replace"),
            password=_password(request),
            address=str(request.META.get("REMOTE_ADDR", "")),
        )
    except IdentityError as refused:
        status = refused.status if isinstance(refused, pushes.PushRefused) else 400
        response = _text(f"{refused.user_message}\n", status)
        if status == 401:
            response["WWW-Authenticate"] = 'Basic realm="account JWTs"'
        return response
    if received.waits:
        return _text("the JWT is self-signed: it waits until the operator has signed it\n", 202)
    response = HttpResponse()
    del response["Content-Type"]
    return response


def _password(request: HttpRequest) -> str:
    """The password of HTTP's basic sign-in, whatever user name comes with it; "" when there is none."""
    kind, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "basic":
        return ""
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


@served
def _account(request: HttpRequest, key: str, operator_key: str) -> HttpResponse:
    """An account's JWT with its `jti` as ETag; `?check=true` answers 404 once it has expired."""
    found = queries.served_operator(operator_key)
    if found is None:
        return _no_operator(operator_key)
    if "jti" in request.GET:
        return _text("asking for one version by its jti is not implemented\n", 501)
    jwt = queries.account_jwt(found.id, key)
    if jwt is None:
        return _text("no matching account JWT\n", 404)
    if shown := _as_text(request, jwt.text):
        return shown
    now = clock.unix()
    if _asked(request, "check") and 0 < jwt.expires < now:
        response = HttpResponse(status=404)
        del response["Content-Type"]
        return response
    status, headers, body = hit(jwt, request.headers.get("If-None-Match", ""))
    response = HttpResponse(body, status=status, headers=headers)
    if "Content-Type" not in headers:
        del response["Content-Type"]
    return response


def hit(jwt: queries.AccountJwt, if_none_match: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to a plain question for an account that is here."""
    tag = f'"{jwt.jti}"'
    if tag in if_none_match:
        return 304, {"ETag": tag, "Content-Length": "0"}, b""
    body = jwt.text.encode()
    fresh = max(0, jwt.expires - clock.unix()) if jwt.expires else 0
    caching = f"max-age={fresh}, stale-while-revalidate={STALE}, stale-if-error={STALE}"
    headers = {
        "Content-Type": "application/jwt",
        "ETag": tag,
        "Cache-Control": caching,
        "Content-Length": str(len(body)),
    }
    return 200, headers, body


@served
def help_text(request: HttpRequest, operator_key: str = "") -> HttpResponse:
    """What can be asked here."""
    return _text(HELP, 200)


@served
def other(request: HttpRequest, rest: str, operator_key: str = "") -> HttpResponse:
    """Nothing else exists; the accounts' root also answers without its slash."""
    if rest == "accounts":
        return accounts(request, operator_key=operator_key)
    response = _text("404 page not found\n", 404)
    response["Content-Type"] = "text/plain; charset=utf-8"
    return response


def _asked(request: HttpRequest, name: str) -> bool:
    return request.GET.get(name, "").lower() == "true"


def _as_text(request: HttpRequest, jwt: str) -> HttpResponse | None:
    if _asked(request, "text"):
        return _text(jwt, 200)
    if _asked(request, "decode"):
        return _text(decoded_text(jwt), 200)
    return None


def _no_operator(operator_key: str) -> HttpResponse:
    if operator_key:
        return _text("no such operator\n", 404)
    return _text(
        "no operator to serve: there is none, or there are several and none was chosen as default. "
        "Ask under /o/<operator key>/jwt/v1/, or choose the default operator on the installation page.\n",
        404,
    )


def _text(text: str, status: int) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain")
