"""What NATS's own Go library (jwt/v2 2.8) says about claims: the same findings in the same words and order.

Each finding is put at a JSON path besides, so that a form, an API answer or a diff can place it. Rules of ours that go
beyond Go's are in `stricter`.
"""

from __future__ import annotations

from identities.claims.account import AccountBody
from identities.claims.activation import ActivationBody
from identities.claims.authorization import AuthorizationRequestBody, AuthorizationResponseBody
from identities.claims.common import Claims
from identities.claims.operator import OperatorBody
from identities.claims.report import Report
from identities.claims.user import UserBody
from identities.claims.validate_account import validate_account
from identities.claims.validate_activation import validate_activation
from identities.claims.validate_authorization import validate_request, validate_response
from identities.claims.validate_findings import Findings
from identities.claims.validate_operator import validate_operator
from identities.claims.validate_user import validate_user

_CLEAN = Report()


def validate(claims: Claims[object], *, now: int) -> Report:
    """Grade claims of any type as Go's `Validate` does at `now` (unix seconds).

    What Go panics at (`"exports": [null]`) is a blocking error. Claims of unknown type only have their times checked.
    """
    found = Findings()
    body = claims.nats
    if isinstance(body, UserBody):
        _check_times(found, claims, now)
        validate_user(found, body)
    elif isinstance(body, AccountBody):
        _check_times(found, claims, now)
        validate_account(found, body, claims.sub, claims.iss)
    elif isinstance(body, OperatorBody):
        _check_times(found, claims, now)
        validate_operator(found, body)
    elif isinstance(body, ActivationBody):
        _check_times(found, claims, now)
        validate_activation(found, body)
    else:
        _validate_other(found, claims, now)
    return Report.of(found.issues) if found.issues else _CLEAN


def _validate_other(found: Findings, claims: Claims[object], now: int) -> None:
    """Callout messages, whose times Go checks last, and claims of no known type."""
    body = claims.nats
    if isinstance(body, AuthorizationRequestBody):
        validate_request(found, body)
    elif isinstance(body, AuthorizationResponseBody):
        validate_response(found, claims, body)
    _check_times(found, claims, now)


def _check_times(found: Findings, claims: Claims[object], now: int) -> None:
    if 0 < claims.exp < now:
        found.time_check("exp", "claim is expired")
    if claims.nbf > 0 and claims.nbf > now:
        found.time_check("nbf", "claim is not yet valid")
