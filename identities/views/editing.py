"""Editing claims: what would change is shown before it is signed, and what should have been meant is accepted first."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from identities.forms.base import BaseForm, Preview, sentence
from identities.models import Account, Operator, User
from identities.services import changes, clock
from identities.views import guards

PREVIEW = "preview"
"""Sent by the button “Show changes”, and by the page itself while somebody types: nothing is saved."""
ACCEPT = "accept"
"""Sent by the tick under warnings: the code of what was read."""
ACCEPT_FIRST = "Nothing was saved yet. Read what stands below, then accept it and save again."
MOST_CHANGES = 200
"""How many changed fields are shown at once."""
Row = Operator | Account | User


def answer(
    request: HttpRequest,
    form: BaseForm,
    row: Row,
    *,
    plan: Callable[[], changes.Change],
    save: Callable[[], HttpResponse],
    values_of: Callable[[Any], dict[str, Any]] | None = None,
) -> HttpResponse | None:
    """What a form over the claims of `row` answers when it was sent; None: show the form, which then says why.

    `plan` works out the change of what was filled in, `save` carries it out and leads on. New warnings and
    consequences have to be accepted before `save` is called. `values_of` gives a row's values by field (`errors_on`).
    """
    form.can_preview = True
    if request.method != "POST" or not form.is_valid():
        return None
    with guards.errors_on(form, values_of):
        if row.version != form.version:
            raise changes.StaleWrite(row)
        change = plan()
        form.preview = preview_of(change, accepted=request.POST.get(ACCEPT, ""))
        changes.refuse_invalid(change.report)
        if PREVIEW in request.POST:
            return None
        if form.preview.to_accept and not form.preview.accepted:
            form.add_error(None, ACCEPT_FIRST)
            return None
        return save()
    return None


def confirmed(
    request: HttpRequest,
    form: BaseForm,
    row: Row,
    *,
    plan: Callable[[], changes.Change],
    save: Callable[[], HttpResponse],
) -> HttpResponse | None:
    """What a form with nothing to fill in answers: it shows the change when it is opened, and saves when it is sent."""
    if request.method == "POST" and not form.is_valid():
        return None
    with guards.errors_on(form):
        if request.method == "POST":
            if row.version != form.version:
                raise changes.StaleWrite(row)
            return save()
        form.preview = preview_of(plan())
    return None


def preview_of(change: changes.Change, *, accepted: str = "") -> Preview:
    """A change as a form shows it; `accepted` is the code that came back."""
    warnings = tuple(sentence(message) for message in change.new_warnings(now=clock.unix()))
    lines = "\n".join((*warnings, *change.consequences))
    code = hashlib.sha256(lines.encode()).hexdigest()[:16] if lines else ""
    more = len(change.diff) - MOST_CHANGES
    return Preview(
        changes=change.diff[:MOST_CHANGES],
        left_out=f"{more:,}" if more > 0 else "",
        warnings=warnings,
        consequences=change.consequences,
        code=code,
        accepted=bool(code) and accepted == code,
    )
