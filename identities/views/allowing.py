"""The builder: what a user should be able to do, the subjects that this needs, and adding them."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from identities import lookup
from identities.claims import recipes
from identities.forms.allowing import AllowForm
from identities.lookup import principal_for
from identities.policy.actions import Action
from identities.services import allowing, changes, users
from identities.views import editing, guards, htmx, shown


@guards.page("GET", "POST")
def allow(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    """Show the subjects of a task with what each is for, and add them to the user."""
    principal = principal_for(request)
    user = lookup.user(principal, operator_key, account_key, user_key)
    guards.require(principal, Action.USER_EDIT, users.scope(user))
    data = request.POST if request.method == "POST" else None
    form = AllowForm(data, initial={"version": user.version})

    def plan() -> changes.Change:
        wish = form.to_wish()
        form.lines = recipes.lines(wish)
        return allowing.plan_allow(user, wish)

    def save() -> HttpResponse:
        saved = allowing.allow(principal=principal, user=user, wish=form.to_wish(), version=form.version)
        url = shown.user_url("user", user)
        if saved.version == user.version:
            return htmx.done(request, url, "It may do that already, so nothing was signed.")
        return htmx.done(request, f"{url}?changed=1", f"Saved user “{saved.name}”.")

    answer = editing.answer(request, form, user, plan=plan, save=save)
    if answer is not None:
        return answer
    context = shown.frame(
        title=f"Allow {user.name} to …",
        nav="operators",
        crumbs=shown.user_crumbs(user, "Allow it to …"),
        cancel_url=shown.user_url("user-explain", user),
        submit="Add these subjects",
        intro="The subjects that a task needs, and no more; each was tried on a real server by leaving it out.",
    )
    return htmx.render_form(request, form, "", context)
