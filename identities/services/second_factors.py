"""Second factors of people: authenticator apps (TOTP, RFC 6238) and recovery codes; passkeys stand in `passkeys`.

Rows are django-allauth's `Authenticator`; what they hold is one envelope, bound to the person and to the kind, so a
row that was read is worth nothing, and one that was moved to somebody else opens nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets as random
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet, Subquery

from identities.errors import IdentityError
from identities.lookup import NotFound
from identities.models import Installation, Person
from identities.nkeys import SecretBytes
from identities.policy import decisions, second_factor
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import audit, clock, people, secrets, sessions

TOTP = Authenticator.Type.TOTP
RECOVERY = Authenticator.Type.RECOVERY_CODES
PASSKEY = Authenticator.Type.WEBAUTHN
PERIOD = 30
DIGITS = 6
DRIFT = 1
"""Steps that a clock may be early or late."""
CODES = 10
_ALPHABET = "23456789ABCDEFGHJKLMNPQRTUVWXYZ"
_CODE_LENGTH = 12
_SECRET_BYTES = 20
_TABLE = "mfa_authenticator"
_PENDING = "totp-pending"
_WORDS = {TOTP: "an authenticator app", RECOVERY: "recovery codes", PASSKEY: "a passkey"}
WRONG = "That code is wrong, was used already, or is too old. Wait for the next one, and check the clock of your phone."
TOO_MANY = "Too many wrong codes or passwords. Wait a quarter of an hour, then try again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One second factor of a person; `left` counts recovery codes that were not used yet."""

    pk: int
    kind: str
    name: str
    created_at: datetime
    used_at: datetime | None
    left: int = 0


def of(person: Person) -> tuple[Factor, ...]:
    """All factors of a person, the oldest first."""
    found = []
    for row in Authenticator.objects.filter(user=person).order_by("created_at", "pk"):
        data = opened(row)
        found.append(
            Factor(
                pk=row.pk,
                kind=row.type,
                name=str(data.get("name", "")),
                created_at=row.created_at,
                used_at=row.last_used_at,
                left=len(data.get("codes", ())),
            )
        )
    return tuple(found)


def has_one(person: Person) -> bool:
    """True when a sign-in as `person` asks for a second factor."""
    return bool(Authenticator.objects.filter(user=person, type__in=[TOTP, PASSKEY]).exists())


def new_secret(principal: Principal) -> str:
    """A fresh TOTP secret, sealed for the session of whoever sets an app up; `key_of` opens it."""
    person = people.of(principal)
    with SecretBytes(base64.b32encode(random.token_bytes(_SECRET_BYTES))) as plain:
        blob = secrets.seal(plain, table=_TABLE, public_key=person.audit_key, purpose=_PENDING)
    return base64.b64encode(blob).decode()


def key_of(principal: Principal, pending: str) -> str:
    """The TOTP secret in base32 as apps take it. Raises: VaultError for one that is not this person's."""
    person = people.of(principal)
    blob = base64.b64decode(pending)
    with secrets.opened(blob, table=_TABLE, public_key=person.audit_key, purpose=_PENDING) as plain:
        return plain.reveal().decode("ascii")


def app_address(principal: Principal, pending: str) -> str:
    """The `otpauth://` address that a QR code holds. Source: the key URI format of Google Authenticator."""
    person, host = people.of(principal), urlsplit(settings.NSCWEB_URL).netloc
    issuer = f"nscweb {host}"
    query = urlencode({"secret": key_of(principal, pending), "issuer": issuer}, quote_via=quote)
    return f"otpauth://totp/{quote(issuer)}:{quote(person.username)}?{query}"


def add_app(*, principal: Principal, pending: str, code: str) -> list[str]:
    """Take an authenticator app into use with its first code; returns recovery codes, [] when there are some already.

    Raises: IdentityError for a wrong code (counted as a wrong password is), or when there is an app already.
    """
    person = _may_try(people.of(principal))
    key = key_of(principal, pending)
    step = step_of(key, code, clock.unix(), after=0)
    if step is None:
        people.record_failure(username=person.username, address=principal.address, what="A first code")
        raise IdentityError(WRONG, field="code")
    with transaction.atomic():
        _lock(person)
        if Authenticator.objects.filter(user=person, type=TOTP).exists():
            raise IdentityError("There is an authenticator app already. Remove it first.", field="code")
        keep(Authenticator(user=person, type=TOTP), {"secret": key, "step": step})
        codes = first_codes(person)
        _audit(principal, person, f"Added {_WORDS[TOTP]}" + (" and recovery codes" if codes else ""))
    return codes


def new_recovery_codes(*, principal: Principal) -> list[str]:
    """Ten fresh recovery codes in the place of all earlier ones; only hashes of them are kept.

    Raises: IdentityError when there is no other second factor.
    """
    person = people.of(principal)
    with transaction.atomic():
        _lock(person)
        if not has_one(person):
            raise IdentityError("Add an authenticator app or a passkey first.")
        Authenticator.objects.filter(user=person, type=RECOVERY).delete()
        codes = first_codes(person)
        _audit(principal, person, "Made new recovery codes")
    return codes


def remove(*, principal: Principal, pk: int) -> str:
    """Remove one of one's own factors; with the last one go the recovery codes. Returns it in words.

    Raises: NotFound, IdentityError while this installation demands a second factor and this is the last.
    """
    person = people.of(principal)
    with transaction.atomic():
        _lock(person)
        row = Authenticator.objects.filter(user=person, pk=pk).exclude(type=RECOVERY).first()
        if row is None:
            raise NotFound("There is no such second factor.")
        others = Authenticator.objects.filter(user=person, type__in=[TOTP, PASSKEY]).exclude(pk=pk)
        last = not others.exists()
        if last and second_factor.demands(demanded(), principal):
            raise IdentityError("This installation asks you for a second factor. Add another one first.")
        words = _named(row)
        row.delete()
        if last:
            Authenticator.objects.filter(user=person).delete()
        _audit(principal, person, f"Removed {words}")
    return words


def check(*, person: Person, code: str, address: str, what: str = "Second factor") -> None:
    """Accept a code of the app or a recovery code, each of them once; a wrong one is counted and audited.

    Raises: IdentityError.
    """
    _may_try(person)
    if not _accepted(person, code, address):
        people.record_failure(username=person.username, address=address, what=what)
        raise IdentityError(WRONG, field="code")


def step_of(key: str, code: str, now: int, *, after: int) -> int | None:
    """Which 30-second step `code` belongs to, one early or late allowed; None when it fits none after `after`."""
    typed = "".join(code.split())
    current = now // PERIOD
    for step in range(current - DRIFT, current + DRIFT + 1):
        if step > after and hmac.compare_digest(code_at(key, step).encode(), typed.encode()):
            return step
    return None


def code_at(key: str, step: int) -> str:
    """The code of one step. Source: RFC 4226 §5.3, RFC 6238."""
    digest = hmac.new(base64.b32decode(key), struct.pack(">Q", step), hashlib.sha1).digest()
    offset = digest[-1] & 0x0F
    number: int = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def demanded() -> second_factor.Demand:
    """Of whom this installation demands a second factor."""
    return second_factor.Demand(Installation.objects.values_list("second_factor", flat=True).get())


def demand(*, principal: Principal, of_whom: second_factor.Demand) -> None:
    """Choose of whom this installation demands a second factor; nothing else opens for those before they have one.

    Raises: Forbidden, IdentityError when it is demanded of the one who chooses, and there is none yet.
    """
    decisions.require(principal, Action.INSTALLATION_EDIT)
    with transaction.atomic():
        installed = Installation.objects.select_for_update().get()
        if installed.second_factor == of_whom:
            return
        person = people.of(principal) if principal.person_id is not None else None
        if person is not None and second_factor.demands(of_whom, principal) and not has_one(person):
            raise IdentityError("This asks you for one, too. Add one to your account first.", field="of_whom")
        installed.second_factor = of_whom
        installed.save(update_fields=["second_factor"])
        audit.record(
            principal,
            Action.INSTALLATION_EDIT,
            [],
            f"Demanded a second factor of {second_factor.DEMAND_WORDS[of_whom]}",
        )


def with_demand(found: QuerySet[Any], *, person: str = "pk") -> QuerySet[Any]:
    """People, or what is somebody's by the column `person`, with what `is_missing` asks: nobody pays a query for it."""
    asked: QuerySet[Any] = found.annotate(
        factor_demanded=Subquery(Installation.objects.values("second_factor")[:1]),
        factor_there=Exists(Authenticator.objects.filter(user=OuterRef(person), type__in=[TOTP, PASSKEY])),
    )
    return asked


def is_missing(held: Any, principal: Principal) -> bool:
    """True when a second factor is demanded of a person who has none; `held` is one of `with_demand`."""
    demanded_of = second_factor.Demand(held.factor_demanded or second_factor.Demand.NOBODY)
    return not held.factor_there and second_factor.demands(demanded_of, principal)


def take_all(*, principal: Principal, person: Person) -> None:
    """Remove all factors of somebody who lost them; their password alone is asked for then. Their sessions end.

    Raises: Forbidden, IdentityError when there are none.
    """
    decisions.require(principal, Action.PERSON_EDIT)
    with transaction.atomic():
        _lock(person)
        if not Authenticator.objects.filter(user=person).delete()[0]:
            raise IdentityError(f"“{person}” has no second factor.")
        sessions.drop_all(person)
        _audit(principal, person, f"Removed all second factors of “{person}”")


def keep(row: Authenticator, data: Mapping[str, Any]) -> None:
    """Seal `data` into a row and save it."""
    with SecretBytes(json.dumps(data).encode()) as plain:
        blob = secrets.seal(plain, table=_TABLE, public_key=_owner(row), purpose=str(row.type))
    row.data = {"sealed": base64.b64encode(blob).decode("ascii")}
    row.save()


def opened(row: Authenticator) -> dict[str, Any]:
    """What a row holds. Raises: VaultError when it was changed, or moved to another person."""
    blob = base64.b64decode(row.data["sealed"])
    with secrets.opened(blob, table=_TABLE, public_key=_owner(row), purpose=str(row.type)) as plain:
        data: dict[str, Any] = json.loads(plain.reveal())
    return data


def reseal(row: Authenticator) -> bool:
    """Move a row's envelope under the first master key; False when it was there already. Not saved."""
    try:
        before = base64.b64decode(row.data["sealed"])
    except (KeyError, binascii.Error):
        raise IdentityError(f"Second factor {row.pk} is no envelope.") from None
    after = secrets.reseal(before, table=_TABLE, public_key=_owner(row), purpose=str(row.type))
    row.data = {"sealed": base64.b64encode(after).decode("ascii")}
    return after != before


def _accepted(person: Person, code: str, address: str) -> bool:
    with transaction.atomic():
        _lock(person)
        for row in Authenticator.objects.filter(user=person, type__in=[TOTP, RECOVERY]).order_by("-type"):
            data = opened(row)
            if row.type == TOTP:
                step = step_of(data["secret"], code, clock.unix(), after=data["step"])
                if step is None:
                    continue
                data["step"] = step
            else:
                hashed = _hash(code)
                if hashed not in data["codes"]:
                    continue
                data["codes"].remove(hashed)
                left = len(data["codes"])
                people.record(
                    person=person,
                    action=Action.RECOVERY_CODE_USE,
                    address=address,
                    summary=f"Used a recovery code; {left} are left",
                )
            row.last_used_at = clock.now()
            keep(row, data)
            return True
    return False


def first_codes(person: Person) -> list[str]:
    """Recovery codes for somebody who has none yet, [] for others; runs in its caller's transaction."""
    if Authenticator.objects.filter(user=person, type=RECOVERY).exists():
        return []
    codes = ["".join(random.choice(_ALPHABET) for _ in range(_CODE_LENGTH)) for _ in range(CODES)]
    keep(Authenticator(user=person, type=RECOVERY), {"codes": [_hash(code) for code in codes]})
    return ["-".join(code[at : at + 4] for at in range(0, _CODE_LENGTH, 4)) for code in codes]


def _hash(code: str) -> str:
    plain = "".join(letter for letter in code.upper() if letter.isalnum())
    return hashlib.sha256(plain.encode()).hexdigest()


def _may_try(person: Person) -> Person:
    if not people.may_try(person.username):
        raise IdentityError(TOO_MANY, field="code")
    return person


def _lock(person: Person) -> None:
    """One change of somebody's factors at a time: a code is never accepted twice."""
    Person.objects.select_for_update().get(pk=person.pk)


def _named(row: Authenticator) -> str:
    name = str(opened(row).get("name", ""))
    return f"the passkey “{name}”" if row.type == PASSKEY else "the authenticator app"


def _owner(row: Authenticator) -> str:
    return f"person:{row.user_id}"


def _audit(principal: Principal, person: Person, summary: str) -> None:
    audit.record(principal, Action.SECOND_FACTOR_EDIT, [people.target(person)], summary)
