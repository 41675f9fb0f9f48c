"""Answers for pages and for the parts of pages that htmx asks for; every one works without JavaScript too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.http import content_disposition_header
from django_htmx.http import HttpResponseClientRedirect

from identities.forms.base import BaseForm

Answer = TypeVar("Answer", bound=HttpResponseBase)
FORM = "components/form.html"
CONFIRM = "components/confirm.html"
FORM_PAGE = "identities/shared/form_page.html"


def wants_part(request: HttpRequest) -> bool:
    """True when htmx asks for a part of a page: not boosted, and not restoring its history."""
    asked: Any = getattr(request, "htmx", None)
    return bool(asked and not asked.boosted and not asked.history_restore_request)


def render(
    request: HttpRequest, template: str, context: Mapping[str, Any], *, part: str = "", status: int = 200
) -> HttpResponse:
    """The page, or its `part` (a template of its own) when htmx asks for one."""
    name = part if part and wants_part(request) else template
    return TemplateResponse(request, name, dict(context), status=status)


def render_form(
    request: HttpRequest,
    form: BaseForm,
    body: str,
    context: Mapping[str, Any],
    *,
    action: str = "",
    panel: str = FORM,
) -> HttpResponse:
    """A form: for htmx the `panel` alone, which a dialog takes in, else a page around it.

    `body` is the template of its fields, "" for the usual one. `context` has `title` and `cancel_url`.
    The status says what became of it: 200 shown, 422 refused, 409 stale.
    """
    focus(form)
    filled = {
        **context,
        "form": form,
        "body": body,
        "panel": panel,
        "action": action or request.get_full_path(),
    }
    return TemplateResponse(request, panel if wants_part(request) else FORM_PAGE, filled, status=form.status)


def done(request: HttpRequest, url: str, message: str, *, warning: str = "") -> HttpResponse:
    """After a change: on to `url` with a message; htmx is told to load it as a page."""
    messages.success(request, message)
    if warning:
        messages.info(request, warning)
    if getattr(request, "htmx", None):
        return HttpResponseClientRedirect(url)
    return redirect(url)


def download(filename: str, text: str, content_type: str) -> HttpResponse:
    """A file to take away; never kept by browsers or proxies."""
    return _to_take_away(HttpResponse(text, content_type=content_type), filename)


def stream(filename: str, parts: Iterator[bytes], content_type: str) -> StreamingHttpResponse:
    """The same of a file that is made while it is sent."""
    return _to_take_away(StreamingHttpResponse(parts, content_type=content_type), filename)


def _to_take_away(response: Answer, filename: str) -> Answer:
    response["Content-Disposition"] = (
        content_disposition_header(as_attachment=True, filename=filename) or "attachment"
    )
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def focus(*forms: BaseForm | None) -> None:
    """Put the cursor into the first of `forms` that is there: on the first field that was refused, on the one that the
    form names, or on the first one.
    """
    form = next((each for each in forms if each is not None), None)
    if form is None:
        return
    visible = [field for field in form.visible_fields() if not field.field.disabled]
    wrong = [field for field in visible if form.is_bound and field.errors]
    named = [field for field in visible if field.name == form.focus]
    for field in (wrong or named or visible)[:1]:
        field.field.widget.attrs["autofocus"] = True
