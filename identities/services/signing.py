"""Who signs, when, and how: opens one seed for one block, signs, checks our own output, and writes the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.db.models import Max

from identities.claims import codec, trust
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.operator import OperatorBody
from identities.claims.permissions import UserPermissionLimits
from identities.errors import IdentityError
from identities.models import Account, IssuedToken, Key, Operator
from identities.nkeys import KeyKind, KeyPair, SecretBytes
from identities.policy.principal import Principal
from identities.queries import rollouts
from identities.services import clock, columns, four_eyes, secrets

MOST_AHEAD = 5
"""How many seconds an `iat` may run ahead of the clock when one subject is re-issued in quick succession."""

TAKEN_AHEAD = 60
"""How many seconds ahead of the clock an account's JWT that was made elsewhere may be dated to be taken over ours."""
AHEAD = (
    "it was issued {ahead:,} seconds from now, and until then nothing but lockouts could be signed after it. Set the "
    "clock right where it was made, and sign it there again"
)
"""Why one is not taken that is dated further ahead."""

LAST_IAT = 253_402_300_799
"""The last second of the year 9999: nothing is dated later."""

LONGEST_REASON = 255
LONGEST_JTI = 64


class NoSigner(IdentityError):
    """None of the keys that could sign has its seed here."""

    code = "no-signer"


class TooSoon(IdentityError):
    """The same subject was re-issued too often within a few seconds."""

    code = "too-soon"


def new_key(kind: KeyKind, **columns: Any) -> tuple[Key, KeyPair]:
    """Make a fresh key pair and its unsaved row with the sealed seed; the caller wipes the pair."""
    pair = KeyPair.create(kind)
    row = Key(public_key=pair.public.text, kind=kind.value, created_at=clock.now(), **columns)
    row.sealed = seal_seed(pair.seed(), pair.public.text)
    four_eyes.note_key(row.public_key)
    return row, pair


def seal_seed(seed: SecretBytes, public_key: str) -> bytes:
    """Seal a seed for the keys table."""
    return secrets.seal(seed, table="key", public_key=public_key, purpose="seed")


@contextmanager
def signer_for(key: Key) -> Iterator[KeyPair]:
    """Open the seed of `key` for the length of a block.

    Raises:
        NoSigner: the key is public only.
        VaultError: the sealed seed was changed or swapped with another row's.
    """
    if key.sealed is None:
        raise NoSigner(f"The seed of {key.public_key} is not here, so nothing can be signed with it.")
    with secrets.opened(key.sealed, table="key", public_key=key.public_key, purpose="seed") as seed:
        pair = KeyPair.from_seed(seed)
        try:
            if pair.public.text != key.public_key:
                raise NoSigner(f"The seed stored for {key.public_key} belongs to another key.")
            yield pair
        finally:
            pair.wipe()


def next_iat(last_iat: int, now: int, *, urgent: bool = False) -> int:
    """The issue time after `last_iat`: strictly later, and at most `MOST_AHEAD` seconds ahead of the clock.

    What is `urgent`, since it locks somebody out, is dated after the last one whatever the clock says: servers take a
    JWT whose `iat` is yet to come, and revocations have times of their own. Edits that can wait are refused until then.

    Raises:
        TooSoon: it would run further ahead (spec §9.1: two versions in one second would share a `jti`).
    """
    iat = max(now, last_iat + 1)
    most = LAST_IAT if urgent else now + MOST_AHEAD
    if last_iat > most:
        raise TooSoon(
            f"Its JWT says that it was issued {last_iat - now} seconds from now, and a later one must not look older. "
            "Many revocations within seconds do that, or a clock that is wrong: wait until then, set this machine's "
            "clock right, or give the account a new key, then save again. Locking somebody out works all the same."
        )
    if iat > most:
        raise TooSoon(
            "This was re-issued several times within a few seconds. Wait a moment, then save again."
        )
    return iat


def operator_signer(operator: Operator) -> Key:
    """The key that signs the operator's own JWT: always its identity key."""
    return _first([operator.public_key], operator, "the operator's own JWT")


def account_signer(operator: Operator, claims: Claims[OperatorBody], previous: str = "") -> Key:
    """The key that signs an account: the previous issuer, else the first plain signing key, else the identity key.

    A key that servers are known to run without comes last. Under a strict operator the identity key never signs an
    account (spec §3.8).
    """
    candidates = [*claims.nats.signing_keys]
    if not claims.nats.strict_signing_key_usage:
        candidates.append(operator.public_key)
    if previous in candidates:
        candidates = [previous, *candidates]
    else:
        candidates = trusted_first(operator, claims, candidates)
    return _first(candidates, operator, "accounts of this operator")


def trusted_first(operator: Operator, claims: Claims[OperatorBody], keys: Sequence[str]) -> list[str]:
    """These keys of an operator, those behind the others that one of its servers is known to run without."""
    if len(keys) < 2:
        return [*keys]
    lacking = rollouts.distrusting(operator, claims)
    return sorted(keys, key=lambda key: key in lacking)


def user_signer(
    account: Account, claims: Claims[AccountBody], *, strict: bool, previous: str = "", chosen: str = ""
) -> Key:
    """The key that signs a user: the chosen one, else the previous issuer, else the first plain signing key, else
    (not under a strict operator) the account's identity key; a scoped key only when chosen or when it signed before.
    """
    known = {signing_key.key: signing_key for signing_key in claims.nats.signing_keys}
    if chosen:
        if chosen not in known and (strict or chosen != account.public_key):
            raise IdentityError(
                f"{chosen} is no signing key of this account. Choose one of its keys.", field="signer"
            )
        return _first([chosen], account.operator, "users of this account")
    candidates = [key for key, signing_key in known.items() if not signing_key.is_scoped]
    if not strict:
        candidates.append(account.public_key)
    if previous in known or previous in candidates:
        candidates = [previous, *candidates]
    return _first(candidates, account.operator, "users of this account")


def activation_signer(account: Account, claims: Claims[AccountBody]) -> Key:
    """The key that signs activations of an account: its first plain signing key, else its identity key."""
    candidates = [signing_key.key for signing_key in claims.nats.signing_keys if not signing_key.is_scoped]
    if not account.operator.strict:
        candidates.append(account.public_key)
    return _first(candidates, account.operator, f"activations of “{account.name}”")


def template_of(claims: Claims[AccountBody], key: Key) -> UserPermissionLimits | None:
    """What the account's role with this key gives to its users; None when it is no role."""
    entry = trust.signing_key(claims.nats, key.public_key)
    return None if entry is None else entry.template


def last_iats(subjects: Sequence[str]) -> dict[str, int]:
    """The latest `iat` of each of these keys that is in the ledger, whatever became of it, under any operator."""
    found: dict[str, int] = {}
    for start in range(0, len(subjects), 500):
        rows = IssuedToken.objects.of(subjects[start : start + 500]).values_list("subject")
        found.update(rows.annotate(last=Max("iat")).order_by())
    return found


def iats_of(subjects: Sequence[str], now: int, revocations: Mapping[str, int]) -> dict[str, int]:
    """When each of these keys may be issued, as far as it was issued or revoked before; the others at `now`.

    Raises: TooSoon.
    """
    lasts = last_iats(subjects)
    known = [subject for subject in subjects if subject in lasts or subject in revocations]
    return {
        subject: past_revocation(next_iat(lasts.get(subject, 0), now), revocations.get(subject, 0))
        for subject in known
    }


def past_revocation(iat: int, revoked: int) -> int:
    """`iat`, or the second after a revocation of just now: servers refuse what was issued in its own second too.

    One that reaches further into the future was meant so, and stays in force.
    """
    return revoked + 1 if iat <= revoked <= iat + MOST_AHEAD else iat


def ledger_row(
    token: codec.Token,
    *,
    principal: Principal,
    operator: Operator | None,
    reason: str,
    replaces: int | None = None,
    credential: bool = False,
    origin: str = "signed",
) -> IssuedToken:
    """The unsaved ledger row of a JWT, signed here or imported. `credential`: its text alone logs in; it is sealed."""
    claims = token.claims
    text, sealed = kept_text(token, credential=credential)
    return IssuedToken(
        operator=operator,
        kind=token.type,
        subject=claims.sub,
        name=columns.name_of(claims),
        issuer=claims.iss,
        jti=columns.cut(claims.jti, LONGEST_JTI),
        iat=claims.iat,
        exp=claims.exp,
        text=text,
        sealed=sealed,
        origin=origin,
        replaces_id=replaces,
        by=principal.key,
        by_name=principal.name,
        reason=reason[:LONGEST_REASON],
        created_at=clock.now(),
    )


def kept_text(token: codec.Token, *, credential: bool) -> tuple[str, bytes | None]:
    """How the ledger keeps a token: its text, or "" and an envelope when the text alone logs in."""
    return kept(token.text, token.claims.sub, credential=credential)


def kept(text: str, subject: str, *, credential: bool) -> tuple[str, bytes | None]:
    """The same for the text of a token that says `subject`."""
    if not credential:
        return text, None
    plain = SecretBytes(text.encode())
    return "", secrets.seal(plain, table="token", public_key=subject, purpose="bearer")


@contextmanager
def token_text(token: IssuedToken) -> Iterator[str]:
    """The text of a ledger row, opened when it is sealed. Callers audit and check before they open a sealed one."""
    if token.sealed is None:
        yield token.text
        return
    with secrets.opened(token.sealed, table="token", public_key=token.subject, purpose="bearer") as text:
        yield text.reveal().decode()


def _first(candidates: Sequence[str], operator: Operator, what: str) -> Key:
    rows = {
        key.public_key: key
        for key in Key.objects.filter(
            operator=operator, public_key__in=candidates, deleted_at=None, sealed__isnull=False
        )
    }
    for candidate in candidates:
        if candidate in rows:
            return rows[candidate]
    if not candidates:
        raise NoSigner(f"There is no key that may sign {what}: add a signing key first.")
    raise NoSigner(
        f"No key that may sign {what} has its seed here. Looked for: {', '.join(candidates)}. {where_to_add(operator)}"
    )


def where_to_add(operator: Operator) -> str:
    """Where somebody who has a missing seed adds it."""
    return f"A missing seed can be added on the page “Keys” of operator “{operator.name}”."
