"""Pages of webhooks: the list, one with its log, making, editing, switching, trying out, deleting."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from identities.forms.base import BaseForm, ConfirmForm
from identities.forms.webhooks import WebhookForm
from identities.lookup import principal_for
from identities.models import Webhook
from identities.policy.decisions import Forbidden
from identities.policy.principal import Principal
from identities.services import webhook_messages
from identities.services import webhooks as service
from identities.views import guards, htmx, paging, shown, webhooks_shown

NAV = "activity"
LOG = "identities/webhooks/log.html"
SECRET = "identities/webhooks/secret.html"  # noqa: S105 - a template
SORTS = {"newest": paging.Sort("pk", "number", descending=True)}


@guards.page()
def index(request: HttpRequest) -> HttpResponse:
    """Those that one may change."""
    principal = _principal(request)
    found = list(service.mine(principal))
    waiting = webhook_messages.waiting(found)
    context = _frame("Webhooks") | {"rows": webhooks_shown.rows(found, waiting)}
    return htmx.render(request, "identities/webhooks/index.html", context)


@guards.page("GET", "POST")
def create(request: HttpRequest) -> HttpResponse:
    """Make one; its secret is shown in the answer, this once."""
    principal = _principal(request)
    places = {one.public_key: one for one in service.places(principal)}
    form = WebhookForm(
        request.POST if request.method == "POST" else None,
        classes=webhooks_shown.CHOICES,
        places=list(places.values()),
        everywhere=service.everywhere(principal),
    )
    if form.is_valid():
        with guards.errors_on(form):
            hook, secret = service.create(
                principal=principal, operator=places.get(form.cleaned_data["place"]), draft=form.draft
            )
            return _secret(request, hook, secret, f"Made the webhook “{hook}”.")
    context = _frame("New webhook", cancel_url=reverse("webhooks"), submit="Make webhook", plain=True)
    return htmx.render_form(request, form, "", context)


@guards.page()
def detail(request: HttpRequest, webhook_id: int) -> HttpResponse:
    """One with its log."""
    hook = service.get(_principal(request), webhook_id)
    page = paging.page(webhook_messages.log_of(hook), request.GET, sorts=SORTS)
    context = _frame(hook.name) | {
        "page": page,
        "rows": webhooks_shown.messages(page.rows, is_active=hook.is_active),
        "state": webhooks_shown.state(hook),
        "whose": webhooks_shown.whose(hook),
        "which": webhooks_shown.which(hook),
        "goes_to": hook.url,
        "warns": hook.warnings,
        "is_on": hook.is_active,
        "off_reason": hook.off_reason,
        "failing_since": shown.moment(hook.failing_since) if hook.failing_since else None,
        "days": webhook_messages.GIVES_UP.days,
        "kept": webhook_messages.KEPT.days,
        "urls": {
            name: reverse(f"webhook-{name}", args=[hook.pk])
            for name in ("edit", "delete", "switch", "test", "secret")
        },
    }
    return htmx.render(request, "identities/webhooks/detail.html", context, part=LOG)


@guards.page("GET", "POST")
def edit(request: HttpRequest, webhook_id: int) -> HttpResponse:
    """Change name, address and events."""
    principal = _principal(request)
    hook = service.get(principal, webhook_id)
    form = WebhookForm(
        request.POST if request.method == "POST" else None,
        initial=WebhookForm.values_of(hook),
        classes=webhooks_shown.CHOICES,
    )
    if form.is_valid():
        with guards.errors_on(form):
            saved = service.edit(principal=principal, hook=hook, draft=form.draft)
            return htmx.done(request, _url(saved), f"Saved the webhook “{saved}”.")
    return htmx.render_form(request, form, "", _frame(f"Edit {hook}", hook))


@guards.page("POST")
def switch(request: HttpRequest, webhook_id: int) -> HttpResponse:
    """Switch it on, or off when it is on."""
    principal = _principal(request)
    hook = service.get(principal, webhook_id)
    wanted = request.POST.get("on")
    if wanted not in ("0", "1"):
        raise BadRequest("Neither on nor off.")
    on = wanted == "1"
    saved = service.switch(principal=principal, hook=hook, on=on)
    return htmx.done(request, _url(saved), f"“{saved}” is {'on' if on else 'off'}.")


@guards.page("POST")
def test(request: HttpRequest, webhook_id: int) -> HttpResponse:
    """Send a test message."""
    principal = _principal(request)
    hook = service.get(principal, webhook_id)
    form = BaseForm()
    with guards.errors_on(form):
        webhook_messages.try_out(principal=principal, hook=hook)
        return htmx.done(request, _url(hook), "A test message is on its way; the log says what comes of it.")
    return htmx.done(request, _url(hook), f"“{hook}” is off: switch it on first.")


@guards.page("POST")
def again(request: HttpRequest, webhook_id: int, message_id: int) -> HttpResponse:
    """Send a message of the log once more."""
    principal = _principal(request)
    hook = service.get(principal, webhook_id)
    form = BaseForm()
    with guards.errors_on(form):
        webhook_messages.send_again(principal=principal, hook=hook, number=message_id)
        return htmx.done(request, _url(hook), "The message is sent again.")
    return htmx.done(request, _url(hook), " ".join(form.non_field_errors()))


@guards.page("GET", "POST")
def secret(request: HttpRequest, webhook_id: int) -> HttpResponse:
    """Another signing secret, after a question."""
    principal = _principal(request)
    hook = service.get(principal, webhook_id)
    form = BaseForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        with guards.errors_on(form):
            text = service.new_secret(principal=principal, hook=hook)
            return _secret(request, hook, text, "The old secret is no more.")
    context = _frame(f"New secret for {hook}", hook)
    context |= {
        "intro": "Messages are signed with the new one from the next attempt on: have the other side ready.",
        "submit": "Make a new secret",
        "plain": True,
    }
    return htmx.render_form(request, form, "", context)


@guards.page("GET", "POST")
def delete(request: HttpRequest, webhook_id: int) -> HttpResponse:
    """Delete it, after asking for its name."""
    principal = _principal(request)
    hook = service.get(principal, webhook_id)
    data = request.POST if request.method == "POST" else None
    form = ConfirmForm(data, name=hook.name, initial={"version": 0})
    if form.is_valid():
        with guards.errors_on(form):
            service.delete(principal=principal, hook=hook)
            return htmx.done(request, reverse("webhooks"), f"Deleted the webhook “{hook}”.")
    context = _frame(f"Delete {hook}", hook)
    context |= {
        "name": hook.name,
        "submit": "Delete webhook",
        "intro": "Its log goes with it, and so do messages that still wait.",
    }
    return htmx.render_form(request, form, "", context, panel=htmx.CONFIRM)


def _principal(request: HttpRequest) -> Principal:
    """Whoever may have webhooks at all."""
    principal = principal_for(request)
    if not service.anywhere(principal):
        raise Forbidden(
            "Webhooks are for owners of the installation and admins of an operator: they may send events elsewhere."
        )
    return principal


def _secret(request: HttpRequest, hook: Webhook, text: str, message: str) -> HttpResponse:
    context = _frame("Signing secret", hook) | {"secret": text, "message": message}
    response = TemplateResponse(request, SECRET, context)
    response["Cache-Control"] = "no-store"
    return response


def _url(hook: Webhook) -> str:
    return reverse("webhook", args=[hook.pk])


def _frame(title: str, hook: Webhook | None = None, **more: Any) -> dict[str, Any]:
    crumbs = [shown.Crumb(label="Activity", url=reverse("activity"))]
    if title != "Webhooks":
        crumbs.append(shown.Crumb(label="Webhooks", url=reverse("webhooks")))
    if hook is not None:
        crumbs.append(shown.Crumb(label=hook.name, url=_url(hook)))
        more.setdefault("cancel_url", _url(hook))
    return shown.frame(title=title, nav=NAV, crumbs=[*crumbs, shown.Crumb(label=title)], **more)
