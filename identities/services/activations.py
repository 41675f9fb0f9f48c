"""Activation tokens: private exports opened for one account each, kept in the ledger, checked before they leave."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Max

from identities import lookup
from identities.claims import codec
from identities.claims import sharing as rules
from identities.claims.account import AccountBody
from identities.claims.activation import ActivationBody
from identities.claims.common import Claims
from identities.claims.describe_text import date_text
from identities.claims.drafts import ActivationDraft
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.report import Grade
from identities.claims.sharing import Exporter
from identities.claims.subjects import is_subset
from identities.errors import IdentityError
from identities.formats.decorated import decorated_jwt
from identities.models import Account, IssuedToken
from identities.nkeys import KeyKind, is_public
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.queries import activations as ledger
from identities.services import accounts, audit, changes, clock, columns, four_eyes, sharing, signing
from identities.services.proposing import guarded


@guarded
def issue(*, principal: Principal, account: Account, handle: str, draft: ActivationDraft) -> IssuedToken:
    """Open the private export with this handle to one account.

    Raises:
        NotFound: no such export. IdentityError: it asks for no token, the subject is not covered, or tokens issued
            now are revoked already. InvalidClaims: bad times or subject. NoSigner: no key that may sign is here.
    """
    decisions.require(principal, Action.ACTIVATION_ISSUE, accounts.scope(account))
    with transaction.atomic():
        row = changes.locked(account, None)
        _, export = sharing.export_of(row, handle)
        token = mint(principal=principal, exporter=row, export=export, draft=draft)
        record(principal=principal, exporter=row, token=token)
    return token


def mint(*, principal: Principal, exporter: Account, export: Export, draft: ActivationDraft) -> IssuedToken:
    """The work of `issue` for a locked account, for a service that audits a larger whole; runs in its transaction."""
    four_eyes.refuse(principal, exporter.operator)
    _refuse_unfit(exporter, export, draft)
    now, held = clock.unix(), changes.claims_of(exporter)
    key = signing.activation_signer(exporter, held)
    by_identity = key.public_key == exporter.public_key
    claims = Claims(
        nats=ActivationBody(
            subject=draft.subject,
            kind=export.type,
            issuer_account="" if by_identity else exporter.public_key,
        ),
        sub=draft.target,
        name=draft.subject,
        exp=draft.expires,
        nbf=draft.not_before,
    )
    changes.refuse_invalid(changes.check(claims, None, now=now))
    iat = _iat(exporter, export, draft, now)
    with signing.signer_for(key) as signer:
        token = codec.encode_checked(claims, signer, iat)
    _refuse_our_own(token, exporter, held)
    entry = signing.ledger_row(
        token,
        principal=principal,
        operator=exporter.operator,
        reason=f"Issued activation of {draft.subject}",
    )
    entry.save()
    four_eyes.note_token(token.text)
    return entry


def record(*, principal: Principal, exporter: Account, token: IssuedToken) -> None:
    """The audit event of `mint`: last in its transaction."""
    known = ledger.holders(principal, exporter, [token.subject]).get(token.subject)
    name = known.name if known is not None else ""
    operator = known.operator.public_key if known is not None else exporter.operator.public_key
    target = audit.Target(kind="account", key=token.subject, name=name, operator_key=operator)
    whom = f"“{name}”" if name else token.subject
    audit.record(
        principal,
        Action.ACTIVATION_ISSUE,
        [accounts.target(exporter), target],
        f"Issued an activation of {token.name} of account “{exporter.name}” to {whom}",
    )


def issued(account: Account, token_id: int) -> IssuedToken:
    """The activation with this number in the ledger that `account` has issued. Raises: NotFound."""
    found = ledger.issued_by(account).filter(pk=token_id).first()
    if found is None:
        raise lookup.NotFound(f"“{account.name}” has issued no activation {token_id}.")
    return found


def claims_in(token: IssuedToken) -> Claims[ActivationBody]:
    """What a ledger row of an activation says."""
    claims: Claims[ActivationBody] = codec.decode(token.text).claims
    return claims


def file_text(*, principal: Principal, account: Account, token: IssuedToken) -> str:
    """An activation as `nsc generate activation` writes it. It opens nothing to anybody but its account."""
    decisions.require(principal, Action.JWT_DOWNLOAD, accounts.scope(account))
    return decorated_jwt(token.text, "activation")


def revocation_of(account: Account, token: IssuedToken) -> tuple[str, str, int]:
    """How an activation is revoked: the handle of the export that it opens, its account, and until when.

    Raises:
        IdentityError: no export covers it any more, so that servers refuse it anyway.
    """
    claims = claims_in(token)
    exports = changes.claims_of(account).nats.exports
    export = rules.export_for(changes.claims_of(account).nats, claims.nats.kind, claims.nats.subject)
    if export is None:
        raise IdentityError(
            f"“{account.name}” exports {claims.nats.subject} no longer, so servers refuse this activation already."
        )
    handle = rules.export_handles(exports)[exports.index(export)]
    return handle, claims.sub, max(clock.unix(), claims.iat)


def _refuse_unfit(exporter: Account, export: Export, draft: ActivationDraft) -> None:
    what = f"The export {export.subject} of “{exporter.name}”"
    if export.account_token_position:
        raise IdentityError(
            f"{what} asks for no activation: each account may import the subjects with its own key in them."
        )
    if not export.token_req:
        raise IdentityError(f"{what} is public: every account may import it, without an activation.")
    if not is_public(draft.target, KeyKind.ACCOUNT):
        raise IdentityError(
            f"“{draft.target[:100]}” is not an account's public key (A…): name the account that may import.",
            field="target",
        )
    if draft.target == exporter.public_key:
        raise IdentityError(
            "An account needs no activation for what it exports itself: name another account.", field="target"
        )
    if not is_subset(draft.subject, export.subject):
        raise IdentityError(
            f"“{draft.subject[:200]}” is not within the export {export.subject}: give that, or a part of it.",
            field="subject",
        )


def _iat(exporter: Account, export: Export, draft: ActivationDraft, now: int) -> int:
    """Later than the last activation of the same subject to the same account, and than what is revoked."""
    revoked = max(export.revocations.get(key, 0) for key in (draft.target, "*"))
    if revoked >= now + signing.MOST_AHEAD:
        raise IdentityError(
            f"Activations issued until {date_text(revoked)} are revoked for this account, also one issued now. "
            "Clear that revocation first.",
            field="target",
        )
    same = ledger.issued_by(exporter).filter(
        subject=draft.target, name=columns.cut(draft.subject, columns.LONGEST_NAME)
    )
    last: int | None = same.aggregate(last=Max("iat"))["last"]
    return signing.next_iat(max(last or 0, revoked), now)


def _refuse_our_own(token: codec.Token, exporter: Account, held: Claims[AccountBody]) -> None:
    """Look at our own output as the server of the importing account will."""
    granted: ActivationBody = token.claims.nats
    imported = Import(
        subject=granted.subject, account=exporter.public_key, type=granted.kind, token=token.text
    )
    judged = Exporter(
        key=exporter.public_key,
        name=exporter.name,
        claims=held,
        strict=exporter.operator.strict,
    )
    found = rules.import_issues(imported, token.claims.sub, judged, now=token.claims.iat)
    errors = [issue.message for issue in found if issue.grade is Grade.ERROR]
    if errors:
        raise IdentityError(f"The activation would be refused: {' '.join(errors)}")
