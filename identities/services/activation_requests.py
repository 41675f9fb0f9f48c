"""Requests for activations: who may not issue a token asks the exporting account for it, whose people answer.

The asker may not even see that account: what is asked of a key is kept the same way whether it stands here or not.
"""

from __future__ import annotations

from dataclasses import replace

from django.db import transaction

from identities import lookup
from identities.claims import handles, local_subjects
from identities.claims import sharing as rules
from identities.claims.drafts import ActivationDraft
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.subjects import is_strict_valid
from identities.errors import IdentityError
from identities.models import Account, ActivationRequest, IssuedToken, RequestState
from identities.nkeys import KeyKind, is_public
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.queries import sharing as neighbours
from identities.services import (
    accounts,
    activations,
    audit,
    changes,
    clock,
    columns,
    four_eyes,
    imports,
    sharing,
    signing,
    waiting_mails,
)
from identities.services.proposing import guarded

MOST_OPEN = 50
"""So many requests of one account, and of one asker, may wait at a time."""
LONGEST = 2000
"""Of a reason and of an answer, in characters."""
KINDS = ("stream", "service")


class Answered(IdentityError):
    """Somebody was faster: the request does not wait any more."""

    code = "answered"


def find(account: Account, number: int, *, of_us: bool) -> ActivationRequest:
    """A request that `account` made, or (`of_us`) that was made of it.

    Raises: NotFound.
    """
    rows = ActivationRequest.objects.all()
    rows = rows.asked_of(account) if of_us else rows.asked_by(account)
    related = ("importer__operator", "person", "service_account", "token")
    found: ActivationRequest | None = rows.select_related(*related).filter(pk=number).first()
    if found is None:
        raise lookup.NotFound(f"“{account.name}” has no request {number}.")
    return found


def waiting_for(principal: Principal, account: Account) -> int:
    """How many requests wait for this principal's answer at `account`; 0 for who can't answer."""
    may = decisions.decide(principal, Action.ACTIVATION_ANSWER, accounts.scope(account))
    if isinstance(may, decisions.Denied):
        return 0
    return ActivationRequest.objects.asked_of(account).waiting().count()


def ask(*, principal: Principal, account: Account, imported: Import, reason: str = "") -> ActivationRequest:
    """Ask the account that `imported` names for the token of that import, which `account` has or wants to have.

    Whether an account with that key stands here is looked at only as far as the principal sees it.

    Raises:
        IdentityError: no account's key, its own one, an export that asks for no token, too many requests that wait, one
            like this. InvalidClaims: an import that the account can't have.
    """
    decisions.require(principal, Action.ACTIVATION_ASK, accounts.scope(account))
    export = _refuse_unfit(principal, account, imported)
    asked = replace(imported, token="", name=imported.name or imported.subject)
    reason = columns.cut(reason, LONGEST)
    handle = handles.handle(asked.type, asked.account, asked.subject)
    with transaction.atomic():
        row = changes.locked(account, None)
        _refuse_too_many(principal, row, handle)
        change = imports.planned(principal, row, _place_of(row, asked), asked, token_follows=True)
        changes.refuse_invalid(change.report)
        made: ActivationRequest = ActivationRequest.objects.create(
            importer=row,
            importer_name=row.name,
            exporter_key=asked.account,
            export_subject=export.subject if export is not None else "",
            handle=handle,
            kind=asked.type,
            subject=asked.subject,
            local_subject=asked.local_subject,
            name=asked.name,
            share=asked.share,
            allow_trace=asked.allow_trace,
            reason=reason,
            person_id=principal.person_id,
            service_account_id=principal.service_account_id,
            by=principal.key,
            by_name=columns.cut(principal.name, columns.LONGEST_NAME),
            created_at=clock.now(),
        )
        audit.record(
            principal,
            Action.ACTIVATION_ASK,
            [accounts.target(row), _bare(asked.account, row)],
            f"Asked {asked.account} for an activation of {asked.subject}, as request {made.pk}",
        )
        waiting_mails.asked(made)
    return made


def withdraw(*, principal: Principal, request: ActivationRequest) -> ActivationRequest:
    """Take a request back: who asked, or who may ask for its account.

    Raises: Forbidden. Answered.
    """
    if principal.key != request.by:
        decisions.require(principal, Action.ACTIVATION_ASK, accounts.scope(request.importer))
    with transaction.atomic():
        row = _decide(_waiting(request), principal, RequestState.WITHDRAWN)
        audit.record(
            principal,
            Action.ACTIVATION_ASK,
            [accounts.target(request.importer), _bare(row.exporter_key, request.importer)],
            f"Withdrew request {row.pk} for an activation of {row.subject}",
        )
    return row


def decline(
    *, principal: Principal, account: Account, request: ActivationRequest, note: str = ""
) -> ActivationRequest:
    """Say no to a request of `account`, with words for who asked.

    Raises: Forbidden. NotFound: it was asked of another account. Answered.
    """
    decisions.require(principal, Action.ACTIVATION_ANSWER, accounts.scope(account))
    found = find(account, request.pk, of_us=True)
    with transaction.atomic():
        row = _decide(_waiting(found), principal, RequestState.DECLINED, note=note)
        _record_answer(principal, account, found, "Declined")
    return row


@guarded
def grant(
    *, principal: Principal, account: Account, request: ActivationRequest, expires: int = 0, note: str = ""
) -> ActivationRequest:
    """Issue the token that was asked of `account`, and put it with its import into the account that asked.

    The import is the asker's edit, who has to have the right to it still; where it can't be made, the token alone is
    handed over. `expires` is unix seconds, 0 = never.

    Raises:
        Forbidden. NotFound: it was asked of another account. Answered: also, the account that asked is gone.
        IdentityError: nothing is exported that a token would open. InvalidClaims: bad times. NoSigner.
    """
    for action in (Action.ACTIVATION_ANSWER, Action.ACTIVATION_ISSUE):
        decisions.require(principal, action, accounts.scope(account))
    found = find(account, request.pk, of_us=True)
    with changes.transaction_of_one():
        exporter, importer = _locked(account, found)
        row = _waiting(found)
        export = _export_of(exporter, row)
        draft = ActivationDraft(target=importer.public_key, subject=row.subject, expires=expires)
        token = activations.mint(principal=principal, exporter=exporter, export=export, draft=draft)
        row.obstacle = _put(found, exporter, importer, token)
        row.token, row.placed = token, not row.obstacle
        row = _decide(row, principal, RequestState.GRANTED, note=note)
        activations.record(principal=principal, exporter=exporter, token=token)
        _record_answer(principal, exporter, found, "Granted")
    return row


def import_of(request: ActivationRequest) -> Import:
    """The import that a request asks a token for."""
    return Import(
        account=request.exporter_key,
        type=request.kind,
        subject=request.subject,
        local_subject=request.local_subject,
        name=request.name,
        share=request.share,
        allow_trace=request.allow_trace,
    )


def opens(account: Account, request: ActivationRequest) -> Export | None:
    """The export of `account` that covers what is asked for, as it is now."""
    return rules.export_for(changes.claims_of(account).nats, request.kind, request.subject)


def _refuse_unfit(principal: Principal, account: Account, imported: Import) -> Export | None:
    """The export that is asked for, None where the principal sees no such account."""
    if not is_public(imported.account, KeyKind.ACCOUNT):
        raise IdentityError("Name the exporting account, or give its public key (A…).", field="account")
    if imported.account == account.public_key:
        raise IdentityError("An account needs no token for what it exports itself.", field="account")
    if imported.type not in KINDS:
        raise IdentityError("Ask for a stream or a service.", field="type")
    if not is_strict_valid(imported.subject):
        raise IdentityError(f"“{imported.subject[:200]}” is no subject.", field="subject")
    known = neighbours.known(principal, [imported.account], operator=account.operator).get(imported.account)
    if known is None:
        return None
    name = known.row.name
    if known.exporter.deleted:
        raise IdentityError(f"“{name}” was deleted here: nobody can answer.", field="account")
    export = rules.export_for(known.exporter.claims.nats, imported.type, imported.subject)
    if export is None:
        words = f"“{name}” has no {imported.type} that covers {imported.subject}: there is nothing to open."
        raise IdentityError(words, field="subject")
    if not export.token_req or export.account_token_position:
        words = f"The export {export.subject} of “{name}” asks for no token: import it without one."
        raise IdentityError(words, field="subject")
    return export


def _refuse_too_many(principal: Principal, account: Account, handle: str) -> None:
    waiting = ActivationRequest.objects.waiting()
    same = waiting.filter(importer=account, handle=handle).first()
    if same is not None:
        raise IdentityError(f"This was asked for already: request {same.pk} waits for an answer.")
    if waiting.filter(importer=account).count() >= MOST_OPEN:
        whose = f"of “{account.name}”"
    elif waiting.filter(by=principal.key).count() >= MOST_OPEN:
        whose = "of yours"
    else:
        return
    raise IdentityError(
        f"{MOST_OPEN} requests {whose} wait already, and more may not. Withdraw some, or wait for answers."
    )


def _locked(account: Account, request: ActivationRequest) -> tuple[Account, Account]:
    """The exporting account and the one that asked, locked in the order in which imports lock them."""
    held: dict[int, Account] = {}
    for row in sorted((account, request.importer), key=lambda one: one.pk):
        try:
            held[row.pk] = changes.locked(row, None)
        except changes.StaleWrite:
            if row.pk == account.pk:
                raise
            raise Answered("The account that asked is not there any more.") from None
    return held[account.pk], held[request.importer_id]


def _export_of(exporter: Account, request: ActivationRequest) -> Export:
    export = opens(exporter, request)
    if export is None:
        raise IdentityError(
            f"“{exporter.name}” has no {request.kind} that covers {request.subject}: there is nothing to open. Export "
            "it first, or decline."
        )
    return export


def _put(request: ActivationRequest, exporter: Account, importer: Account, token: IssuedToken) -> str:
    """Put the import with its token into the account that asked, as its asker; or say why that can't be done.

    What is wrong there is told there alone: who grants may not see that account.
    """
    asker = _asker(request)
    may = decisions.decide(asker, Action.IMPORT_EDIT, accounts.scope(importer)) if asker is not None else None
    if asker is None or not isinstance(may, decisions.Allowed):
        return f"“{request.by_name}” may not edit what this account imports any more."
    if four_eyes.is_watched():  # all who see the exporter's proposals read what those sign
        return "It was granted by a proposal of the exporting account, which signs for that account alone."
    if four_eyes.asked_of(asker, importer.operator):
        return f"Edits of “{request.by_name}” need a second person here."
    wanted = replace(import_of(request), account=exporter.public_key)
    done = f"Put the import of request {request.pk} with its token into account"
    try:
        with transaction.atomic():
            place = _place_of(importer, wanted)
            held = sharing.import_of(importer, place)[1] if place else wanted
            change = imports.planned(asker, importer, place, replace(held, token=token.text))
            accounts.commit(importer, change, principal=asker, done=done, action=Action.IMPORT_EDIT)
    except signing.TooSoon:
        raise
    except IdentityError as refused:
        return refused.user_message
    return ""


def _asker(request: ActivationRequest) -> Principal | None:
    """Who asked, with the roles of today; None for somebody who is gone or switched off."""
    person, machine = request.person, request.service_account
    if person is not None:
        return lookup.person_principal(person) if person.is_active else None
    if machine is not None:
        return lookup.service_account_principal(machine) if machine.is_active else None
    return None


def _place_of(account: Account, wanted: Import) -> str:
    """The handle of the account's import of the same under the same name; "" for none."""
    held = changes.claims_of(account).nats.imports
    for handle, one in zip(rules.import_handles(held), held, strict=True):
        if one is not None and _same(one) == _same(wanted):
            return handle
    return ""


def _same(one: Import) -> tuple[str, ...]:
    return one.account, one.type, local_subjects.remote_subject(one), local_subjects.local_pattern(one)


def _waiting(request: ActivationRequest) -> ActivationRequest:
    row: ActivationRequest = ActivationRequest.objects.select_for_update(no_key=True).get(pk=request.pk)
    if row.state != RequestState.OPEN:
        raise Answered(f"It was {row.state} by {row.decided_by} meanwhile.")
    return row


def _decide(
    row: ActivationRequest, principal: Principal, state: RequestState, *, note: str = ""
) -> ActivationRequest:
    row.state, row.decided_at, row.note = state, clock.now(), columns.cut(note, LONGEST)
    row.decided_by = columns.cut(principal.name, columns.LONGEST_NAME)
    row.save(update_fields=["state", "decided_by", "decided_at", "note", "token", "placed", "obstacle"])
    waiting_mails.decided(row, principal)
    return row


def _record_answer(principal: Principal, account: Account, request: ActivationRequest, done: str) -> None:
    key = request.importer.public_key
    audit.record(
        principal,
        Action.ACTIVATION_ANSWER,
        [accounts.target(account), _bare(key, account)],
        f"{done} request {request.pk} for an activation of {request.subject} of account “{account.name}”, by {key}",
    )


def _bare(key: str, account: Account) -> audit.Target:
    """An account by its key alone: the event is read by people of `account`, who may not see that one."""
    return audit.Target(kind="account", key=key, name="", operator_key=account.operator.public_key)
