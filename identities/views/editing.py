"""Editing claims: what would change is shown before it is signed, and what should have been meant is accepted first."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from identities.claims.diff import FieldChange
from identities.forms.base import BaseForm, EditForm, Preview
from identities.forms.refusals import sentence
from identities.lookup import principal_for
from identities.models import Account, Key, Operator, Purpose, User
from identities.services import changes, clock, four_eyes, signers, unsigned
from identities.views import guards, htmx, shown

PREVIEW = "preview"
"""Sent by the button “Show changes”, and by the page itself while somebody types: nothing is saved."""
ACCEPT = "accept"
"""Sent by the tick under warnings: the code of what was read."""
ACCEPT_FIRST = "Nothing was saved yet. Read what stands below, then accept it and save again."
MOST_CHANGES = 200
"""How many changed fields are shown at once."""
ELSEWHERE = (
    "No key that may sign this has its seed here. What you save waits: download the claims, have them signed where the "
    "key is, and bring the signed JWT back."
)
PROPOSED = "This operator asks for four eyes: what you save is proposed, and signed when a second person approves it."
Row = Operator | Account | User


def answer(
    request: HttpRequest,
    form: BaseForm,
    row: Row,
    *,
    plan: Callable[[], changes.Change],
    save: Callable[[], HttpResponse],
    values_of: Callable[[Any], dict[str, Any]] | None = None,
    can_wait: bool = False,
) -> HttpResponse | None:
    """What a form over the claims of `row` answers when it was sent; None: show the form, which then says why.

    `plan` works out the change of what was filled in, `save` carries it out and leads on. New warnings and
    consequences have to be accepted before `save` is called. `values_of` gives a row's values by field (`errors_on`).
    `can_wait`: where no key that may sign has its seed here, the change is kept until it was signed elsewhere.
    """
    form.can_preview = True
    _warn_of_proposal(request, form, row)
    elsewhere = offer_signers(form, row, can_wait=can_wait)
    if request.method != "POST" or not form.is_valid():
        return None
    _take_signer(form, row)
    with guards.errors_on(form, values_of):
        if row.version != form.version:
            raise changes.StaleWrite(row)
        change = plan()
        form.preview = preview_of(change, accepted=request.POST.get(ACCEPT, ""), row=row)
        changes.refuse_invalid(change.report)
        if PREVIEW in request.POST:
            return None
        if form.preview.to_accept and not form.preview.accepted:
            form.add_error(None, ACCEPT_FIRST)
            return None
        return _kept(request, row, change, form.version) if elsewhere else save()
    return None


def confirmed(
    request: HttpRequest,
    form: BaseForm,
    row: Row,
    *,
    plan: Callable[[], changes.Change],
    save: Callable[[], HttpResponse],
    can_wait: bool = False,
) -> HttpResponse | None:
    """What a form with nothing to judge answers: it shows the change when it is opened, and saves when it is sent."""
    _warn_of_proposal(request, form, row)
    elsewhere = offer_signers(form, row, can_wait=can_wait)
    sent = request.method == "POST" and form.is_valid()
    if sent:
        _take_signer(form, row)
    with guards.errors_on(form):
        if sent:
            if row.version != form.version:
                raise changes.StaleWrite(row)
            return _kept(request, row, plan(), form.version) if elsewhere else save()
        form.preview = preview_of(plan(), row=row)
    return None


def offer_signers(form: BaseForm, row: Row, *, can_wait: bool = False) -> bool:
    """Where the issuer of `row` can't sign it again: let somebody choose who does, or say what is missing.

    True when nobody here can sign it, and the edit is to wait (`can_wait`) until it was signed elsewhere.
    """
    if isinstance(row, User) or not can_wait:
        _offer(form, row)
        return False
    if not unsigned.signed_elsewhere(row):
        _offer(form, row)
        return False
    form.warnings.append(ELSEWHERE)
    return True


def _warn_of_proposal(request: HttpRequest, form: BaseForm, row: Row) -> None:
    operator = row if isinstance(row, Operator) else row.operator
    if four_eyes.required(principal_for(request), operator):
        form.warnings.append(PROPOSED)


def _offer(form: BaseForm, row: Row) -> None:
    if isinstance(row, Operator) or not isinstance(form, EditForm):
        return
    choice = signers.choice(row)
    if choice is None:
        return
    if choice.keys:
        form.choose_signer(choice.why, [(key.public_key, _label(key)) for key in choice.keys])
    else:
        form.warnings.append(choice.why)


def _kept(request: HttpRequest, row: Row, change: changes.Change, version: int) -> HttpResponse | None:
    """Keep the change until it was signed elsewhere, and lead to where that goes on."""
    if isinstance(row, User):
        return None
    url = shown.unsigned_url(row)
    if change.is_empty:
        home = (
            shown.operator_url("operator", row)
            if isinstance(row, Operator)
            else shown.account_url("account", row)
        )
        return htmx.done(request, home, "Nothing was changed, so there is nothing to sign.")
    unsigned.keep(principal=principal_for(request), row=row, change=change, version=version)
    return htmx.done(request, url, f"The edit of “{row.name}” waits for its signature.")


def _take_signer(form: BaseForm, row: Row) -> None:
    if isinstance(form, EditForm):
        row.chosen_signer = form.chosen_signer


def _label(key: Key) -> str:
    words = {Purpose.IDENTITY: "identity key", Purpose.SIGNING: "signing key"}.get(
        Purpose(key.purpose), "role"
    )
    return f"{words} {shown.short(key.public_key)}"


def preview(form: BaseForm, row: Row, plan: Callable[[], changes.Change]) -> None:
    """Show at once, before anything was filled in, what sending the form as it stands would do, or why it can't."""
    with guards.errors_on(form):
        form.preview = preview_of(plan(), row=row)


def preview_of(change: changes.Change, *, accepted: str = "", row: Row | None = None) -> Preview:
    """A change of `row` as a form shows it, a new signer with it; `accepted` is the code that came back."""
    warnings = tuple(sentence(message) for message in change.new_warnings(now=clock.unix()))
    lines = "\n".join((*warnings, *change.consequences))
    code = hashlib.sha256(lines.encode()).hexdigest()[:16] if lines else ""
    more = len(change.diff) - MOST_CHANGES
    return Preview(
        changes=_with_signer(change, row)[:MOST_CHANGES],
        left_out=f"{more:,}" if more > 0 else "",
        warnings=warnings,
        consequences=change.consequences,
        code=code,
        accepted=bool(code) and accepted == code,
    )


def _with_signer(change: changes.Change, row: Row | None) -> tuple[FieldChange, ...]:
    if row is None or change.is_empty or row.chosen_signer in ("", row.issuer):
        return change.diff
    return (FieldChange("iss", row.issuer, row.chosen_signer), *change.diff)
