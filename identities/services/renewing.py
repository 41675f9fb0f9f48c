"""Signs activation tokens anew when the account that issued one, or the one it was issued to, gets another key.

Only a token that holds now is signed anew: a revoked one, or one that its exporter no longer stands behind, is not.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from identities.claims import codec, moving, trust
from identities.claims.account import AccountBody
from identities.claims.activation import ActivationBody
from identities.claims.common import Claims
from identities.claims.imports import Import
from identities.claims.subjects import is_contained_in
from identities.errors import IdentityError
from identities.models import Account, Key
from identities.policy.principal import Principal
from identities.services import changes, clock, signing

ELSEWHERE = "its exporter is not kept here"
UNREADABLE = "its token can't be read"
FOREIGN = "its exporter does not stand behind its token (any more)"
REVOKED = "its activation is revoked"
NO_KEY = "no key of its exporter that may sign an activation has its seed here"
REASON = "Signed the activation anew"


@dataclass(slots=True)
class Renewing:
    """One account's move from key `old` to `new` ("" while it is only planned: then nothing is signed).

    `own_seed`: that of the new key is here. `renewed` counts the tokens that are signed anew, `lost` says of each
    import that loses its token why.
    """

    principal: Principal
    old: str
    own_seed: bool
    new: str = ""
    renewed: int = 0
    lost: list[str] = field(default_factory=list)
    _exporters: dict[str, Account | None] = field(default_factory=dict)

    def by_itself(self, exporter: Account, before: Claims[AccountBody], importer: Account) -> moving.Renew:
        """For the imports of `importer` from the account itself, whose claims were `before`."""

        def renew(imported: Import) -> str:
            token = _read(imported.token)
            why = _why_not(imported, token, before, importer.public_key)
            if not why and not self._may_sign(exporter, before):
                why = NO_KEY
            return self._outcome(imported, importer, why, token, exporter, before)

        return renew

    def for_itself(self, importer: Account) -> moving.Renew:
        """For the account's own imports: their exporters stay who they are, the tokens are issued to the new key."""

        def renew(imported: Import) -> str:
            token = _read(imported.token)
            exporter = self._exporter(imported.account)
            if exporter is None:
                return self._outcome(imported, importer, ELSEWHERE)
            claims = changes.claims_of(exporter)
            why = _why_not(imported, token, claims, self.old)
            if not why and _signer(exporter, claims, strict=exporter.operator.strict) is None:
                why = NO_KEY
            return self._outcome(imported, importer, why, token, exporter, claims)

        return renew

    def _outcome(
        self,
        imported: Import,
        importer: Account,
        why: str,
        token: Claims[ActivationBody] | None = None,
        exporter: Account | None = None,
        claims: Claims[AccountBody] | None = None,
    ) -> str:
        if why or token is None or exporter is None or claims is None:
            self.lost.append(f"“{imported.name or imported.subject}” of “{importer.name}”: {why}")
            return ""
        self.renewed += 1
        return self._signed(token, exporter, claims) if self.new else imported.token

    def _may_sign(self, exporter: Account, claims: Claims[AccountBody]) -> bool:
        """Whether the account that moves can sign activations under its new key."""
        if self.own_seed and not exporter.operator.strict:
            return True
        return _signer(exporter, claims, strict=True) is not None

    def _signed(self, token: Claims[ActivationBody], exporter: Account, claims: Claims[AccountBody]) -> str:
        """`exporter` carries its new key already, where it is the one that moves."""
        body, key = token.nats, _signer(exporter, claims, strict=exporter.operator.strict, issuer=token.iss)
        if key is None:
            raise signing.NoSigner(
                f"No key of “{exporter.name}” that may sign activations has its seed here."
            )
        own = exporter.public_key
        issuer = own if key.public_key != own else ""
        subject = moving.moved_subject(body.subject, self.old, self.new)
        renewed = replace(
            token,
            sub=self.new if token.sub == self.old else token.sub,
            nats=replace(body, issuer_account=issuer, subject=subject),
        )
        iat = signing.next_iat(token.iat, clock.unix())
        with signing.signer_for(key) as signer:
            signed = codec.encode_checked(renewed, signer, iat)
        entry = signing.ledger_row(
            signed, principal=self.principal, operator=exporter.operator, reason=REASON
        )
        entry.save()
        return signed.text

    def _exporter(self, key: str) -> Account | None:
        if key not in self._exporters:
            rows = Account.objects.visible_to(self.principal).live().filter(public_key=key)
            self._exporters[key] = rows.select_related("operator").order_by("pk").first()
        return self._exporters[key]


def _read(token: str) -> Claims[ActivationBody] | None:
    try:
        claims = codec.decode(token).claims
    except IdentityError:
        return None
    return claims if isinstance(claims.nats, ActivationBody) else None


def _why_not(
    imported: Import,
    token: Claims[ActivationBody] | None,
    exporter: Claims[AccountBody] | None,
    issued_to: str,
) -> str:
    if exporter is None:
        return ELSEWHERE
    if token is None:
        return UNREADABLE
    if token.sub != issued_to or not trust.did_sign(exporter, token):
        return FOREIGN
    for export in exporter.nats.exports:
        if export is None or export.type != imported.type:
            continue
        if is_contained_in(token.nats.subject, export.subject):
            revoked_at = max(export.revocations.get(issued_to, 0), export.revocations.get("*", 0))
            if revoked_at and revoked_at >= token.iat:
                return REVOKED
    return ""


def _signer(exporter: Account, claims: Claims[AccountBody], *, strict: bool, issuer: str = "") -> Key | None:
    """The key that issued the token if it is a plain one, else the one that would sign a user of the exporter."""
    scope = trust.signing_key(claims.nats, issuer)
    previous = issuer if scope is not None and not scope.is_scoped else ""
    try:
        return signing.user_signer(exporter, claims, strict=strict, previous=previous)
    except signing.NoSigner:
        return None
