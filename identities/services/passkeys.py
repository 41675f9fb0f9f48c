"""Passkeys and security keys (WebAuthn level 3): made, checked at the second step, or instead of a password.

The relying party is the host of NSCWEB_URL, and an answer counts only from exactly that origin.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import struct
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import transaction
from fido2.server import Fido2Server
from fido2.utils import websafe_decode
from fido2.webauthn import (
    AttestedCredentialData,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from identities.errors import IdentityError
from identities.models import Person
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import audit, clock, people, second_factors

MOST = 20
State = dict[str, Any]
_BROKEN = (ValueError, TypeError, LookupError, AttributeError, RuntimeError, struct.error)
"""What reading a browser's answer raises when that is no answer, or one that proves nothing."""
_ALGORITHM = 3
"""The key of a COSE key's algorithm. Source: RFC 9052 §7.1."""
_DEFAULT_PORTS = {"https": ":443", "http": ":80"}
REFUSED = "That passkey was not accepted. Try again, or use another way."


def possible() -> bool:
    """Browsers make passkeys for names only, not for addresses such as 127.0.0.1."""
    try:
        ipaddress.ip_address(_host())
    except ValueError:
        return True
    return False


def begin_adding(*, principal: Principal) -> tuple[dict[str, Any], State]:
    """What the browser needs to make a passkey, and what the session keeps until it answers."""
    person = people.of(principal)
    options, state = _server().register_begin(
        PublicKeyCredentialUserEntity(
            id=person.audit_key.encode(), name=person.username, display_name=str(person)
        ),
        credentials=[credential for _, credential, _ in _held(person)],
        resident_key_requirement=ResidentKeyRequirement.PREFERRED,
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    return dict(options), dict(state)


def add(*, principal: Principal, name: str, state: State, credential: str) -> list[str]:
    """Take a passkey into use; returns recovery codes, [] when there are some already. Raises: IdentityError."""
    person = people.of(principal)
    try:
        made = _server().register_complete(state, _parsed(credential))
        held = made.credential_data
    except _BROKEN as error:
        raise IdentityError(REFUSED) from error
    if held is None or held.public_key.get(_ALGORITHM) not in _known_algorithms():
        raise IdentityError(REFUSED)
    with transaction.atomic():
        Person.objects.select_for_update().get(pk=person.pk)
        known = _held(person)
        if len(known) >= MOST:
            raise IdentityError(f"You have {MOST} passkeys. Remove one first.")
        if any(each.credential_id == held.credential_id for _, each, _ in known):
            raise IdentityError("This passkey is among yours already.")
        called = name.strip() or f"Passkey {len(known) + 1}"
        row = Authenticator(user=person, type=second_factors.PASSKEY)
        written = base64.b64encode(bytes(held)).decode()
        second_factors.keep(row, {"name": called, "credential": written, "count": made.counter})
        codes = second_factors.first_codes(person)
        also = " and recovery codes" if codes else ""
        audit.record(
            principal,
            Action.SECOND_FACTOR_EDIT,
            [people.target(person)],
            f"Added the passkey “{called}”{also}",
        )
    return codes


def begin_using(person: Person | None) -> tuple[dict[str, Any], State]:
    """What the browser needs to use a passkey of `person` as second factor; None: of whomever, in the place of name
    and password, so that the passkey must check who holds it.
    """
    options, state = _server().authenticate_begin(
        credentials=[credential for _, credential, _ in _held(person)] if person else None,
        user_verification=UserVerificationRequirement.PREFERRED
        if person
        else UserVerificationRequirement.REQUIRED,
    )
    return dict(options), dict(state)


def check(
    *, person: Person | None, state: State, credential: str, address: str, what: str = "Second factor"
) -> Person:
    """Whose passkey answered; what does not fit is audited, and counted where the person is known already.

    Raises: IdentityError.
    """
    if person is not None and not people.may_try(person.username):
        raise IdentityError(second_factors.TOO_MANY)
    try:
        answer = _parsed(credential)
        whose = person or _named_by(answer)
        _use(whose, state, answer)
    except (*_BROKEN, IdentityError) as error:
        people.record_failure(username=person.username if person else "", address=address, what=what)
        raise IdentityError(REFUSED) from error
    return whose


def _use(person: Person, state: State, answer: Mapping[str, Any]) -> None:
    with transaction.atomic():
        Person.objects.select_for_update().get(pk=person.pk)
        held = _held(person)
        used = _server().authenticate_complete(state, [credential for _, credential, _ in held], answer)
        row, _, count = next(each for each in held if each[1].credential_id == used.credential_id)
        counter = _counter(answer)
        if (counter or count) and counter <= count:  # a copy of the key is about, or an answer comes twice
            raise IdentityError(REFUSED)
        row.last_used_at = clock.now()
        second_factors.keep(row, {**second_factors.opened(row), "count": counter})


def _counter(answer: Mapping[str, Any]) -> int:
    """The signature counter. Source: WebAuthn §6.1, bytes 33 to 36 of the authenticator data."""
    return int.from_bytes(websafe_decode(answer["response"]["authenticatorData"])[33:37], "big")


def _named_by(answer: Mapping[str, Any]) -> Person:
    handle = websafe_decode(answer["response"]["userHandle"] or "").decode()
    kind, _, number = handle.partition(":")
    if kind != "person" or not number.isdecimal():
        raise ValueError("no person's passkey")
    person = Person.objects.filter(pk=int(number), is_active=True).first()
    if person is None:
        raise ValueError("nobody's passkey")
    return person


def _held(person: Person | None) -> list[tuple[Authenticator, AttestedCredentialData, int]]:
    rows = Authenticator.objects.filter(user=person, type=second_factors.PASSKEY).order_by("pk")
    found = []
    for row in rows:
        data = second_factors.opened(row)
        held = AttestedCredentialData(base64.b64decode(data["credential"]))
        found.append((row, held, int(data["count"])))
    return found


def _parsed(credential: str) -> dict[str, Any]:
    answer = json.loads(credential)
    if not isinstance(answer, dict) or not isinstance(answer.get("response"), dict):
        raise TypeError("no credential")
    return answer


def _server() -> Fido2Server:
    return Fido2Server(PublicKeyCredentialRpEntity(id=_host(), name="nscweb"), verify_origin=_is_ours)


def _known_algorithms() -> set[int]:
    return {each.alg for each in _server().allowed_algorithms}


def _is_ours(origin: str) -> bool:
    url = urlsplit(settings.NSCWEB_URL)
    ours = f"{url.scheme}://{url.netloc}".removesuffix(_DEFAULT_PORTS[url.scheme])
    return origin == ours


def _host() -> str:
    return urlsplit(settings.NSCWEB_URL).hostname or ""
