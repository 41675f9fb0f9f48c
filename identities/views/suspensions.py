"""Pages for suspending a user, and for letting it in again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse

from identities import lookup
from identities.forms.base import VersionForm
from identities.lookup import principal_for
from identities.models import User
from identities.policy.actions import Action
from identities.services import changes, suspensions, users
from identities.views import editing, guards, htmx, lockouts, shown, users_shown


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One of the two ways: what it is called, and what carries it out."""

    name: str
    title: str
    intro: str
    done: str
    plan: Callable[[User], changes.Change]
    carry_out: Callable[..., User]


_SUSPEND = _Step(
    name="Suspend",
    title="Suspend user {}",
    intro="Its key is revoked in the account until you lift the suspension. Its JWT and creds stay as they are.",
    done="Suspended user “{}”.",
    plan=suspensions.plan_suspend,
    carry_out=suspensions.suspend,
)
_LIFT = _Step(
    name="Lift suspension",
    title="Lift the suspension of {}",
    intro="The account's entry for its key becomes what it was before the suspension.",
    done="Lifted the suspension of “{}”.",
    plan=suspensions.plan_lift,
    carry_out=suspensions.lift,
)


@guards.page("GET", "POST")
def suspend(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    """Lock a user out until the suspension is lifted."""
    return _answer(request, _SUSPEND, operator_key, account_key, user_key)


@guards.page("GET", "POST")
def lift(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    """Let a suspended user in again."""
    return _answer(request, _LIFT, operator_key, account_key, user_key)


def _answer(
    request: HttpRequest, step: _Step, operator_key: str, account_key: str, user_key: str
) -> HttpResponse:
    principal = principal_for(request)
    user = lookup.user(principal, operator_key, account_key, user_key)
    guards.require(principal, Action.USER_SUSPEND, users.scope(user))
    data = request.POST if request.method == "POST" else None
    form = VersionForm(data, initial={"version": user.version})
    form.jwt = "the account's JWT"

    def save() -> HttpResponse:
        step.carry_out(principal=principal, user=user, version=form.version)
        url = f"{shown.user_url('user', user)}?revoked=1"
        return htmx.done(request, lockouts.then(user.account, url), step.done.format(user.name))

    answer = editing.confirmed(request, form, user, plan=lambda: step.plan(user), save=save)
    if answer is not None:
        return answer
    context = {
        **users_shown.form_frame(user, step.name, step.title.format(user.name)),
        "submit": step.name,
        "intro": step.intro,
    }
    return htmx.render_form(request, form, "", context)
