"""Who gets in as a user: its creds and JWT, a new key, suspending and letting in again."""

from __future__ import annotations

from django.http import HttpRequest

from identities.api import editing, finding
from identities.api.operations import Answer, operation
from identities.api.schemas import AccountKey, OperatorKey, PublicKey, Taken, UserKey
from identities.api.users import ONE, TAG, UserOut, shown
from identities.policy.actions import Action
from identities.services import creds, suspensions, user_keys
from identities.services.creds import Handout


class RotationIn(Taken):
    """The new key: made here, or brought by its public half where the seed of the old one never came here."""

    public_key: PublicKey = ""


@operation("get-creds", "GET", ONE + "/creds", str, tag=TAG, secret=True)
def creds_file(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, user_key: UserKey
) -> Answer:
    """Take a user's creds file

    It holds the user's seed: whoever has it is the user. Each time is audited.
    """
    principal, user = finding.user(request, operator_key, account_key, user_key, Action.CREDS_DOWNLOAD)
    return _file(creds.creds_file(principal=principal, user=user))


@operation("get-user-jwt", "GET", ONE + "/jwt", str, tag=TAG, secret=True)
def jwt(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, user_key: UserKey
) -> Answer:
    """Take a user's JWT alone

    That of a bearer user logs in by itself: it needs the right to take bearer JWTs, and is audited.
    """
    principal, user = finding.user(request, operator_key, account_key, user_key)
    return _file(creds.user_jwt(principal=principal, user=user))


@operation("rotate-user-key", "POST", ONE + "/rotation", UserOut, tag=TAG, versioned=True)
def rotate(
    request: HttpRequest,
    operator_key: OperatorKey,
    account_key: AccountKey,
    user_key: UserKey,
    sent: RotationIn,
) -> Answer:
    """Give a user a new key

    The old one is revoked. The answer holds the user under its new key.
    """
    principal, user = finding.user(request, operator_key, account_key, user_key, Action.USER_ROTATE)
    return editing.written(
        request,
        user,
        plan=lambda: user_keys.plan(user, sent.public_key),
        save=lambda version: shown(
            user_keys.rotate(principal=principal, user=user, version=version, public_key=sent.public_key)
        ),
    )


@operation("suspend-user", "PUT", ONE + "/suspension", UserOut, tag=TAG, versioned=True)
def suspend(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, user_key: UserKey
) -> Answer:
    """Lock a user out until the suspension is lifted"""
    principal, user = finding.user(request, operator_key, account_key, user_key, Action.USER_SUSPEND)
    return editing.written(
        request,
        user,
        plan=lambda: suspensions.plan_suspend(user),
        save=lambda version: shown(suspensions.suspend(principal=principal, user=user, version=version)),
    )


@operation("lift-suspension", "DELETE", ONE + "/suspension", UserOut, tag=TAG, versioned=True)
def lift(
    request: HttpRequest, operator_key: OperatorKey, account_key: AccountKey, user_key: UserKey
) -> Answer:
    """Let a suspended user in again"""
    principal, user = finding.user(request, operator_key, account_key, user_key, Action.USER_SUSPEND)
    return editing.written(
        request,
        user,
        plan=lambda: suspensions.plan_lift(user),
        save=lambda version: shown(suspensions.lift(principal=principal, user=user, version=version)),
    )


def _file(handout: Handout) -> Answer:
    return Answer(text=handout.text, media_type="text/plain; charset=utf-8", file_name=handout.filename)
