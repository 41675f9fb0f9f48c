"""The only door to the vault: seals and opens seeds by purpose, and knows whether the installation is sealed."""

from __future__ import annotations

import secrets as random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError, IntegrityError, transaction

from identities.errors import IdentityError
from identities.models import Installation, Operator, Person
from identities.nkeys import SecretBytes
from identities.services import clock
from identities.vault import envelope, master
from identities.vault.keyring import KeyRing


class SealedInstallation(IdentityError):
    """No usable master key: nothing can be signed or written until it is back."""

    code = "sealed"


@dataclass(slots=True)
class _State:
    ring: KeyRing | None = None
    reason: str = "The master key has not been loaded yet."


_state = _State()


def initialise() -> None:
    """Load the master key, making one when the database is still empty, and set up a new installation's row.

    Raises:
        SealedInstallation: no usable master key for this database.
    """
    forget()
    try:
        _set_up()
    except IntegrityError:
        _set_up()
    _unseal()
    if _state.ring is None:
        raise SealedInstallation(_state.reason)


def _set_up() -> None:
    with transaction.atomic():
        installed = Installation.objects.select_for_update().first()
        empty = installed is None and not Operator.objects.exists() and not Person.objects.exists()
        loaded = _load(database_is_empty=empty)
        if isinstance(loaded, master.Sealed):
            raise SealedInstallation(loaded.reason)
        if installed is None:
            if not empty:
                raise SealedInstallation(
                    "This database holds identities but no key canary: it was tampered with."
                )
            Installation.objects.create(
                pk=1,  # of two first starts at once over PostgreSQL the second finds the row of the first
                canary=master.canary(loaded),
                audit_key=envelope.seal(
                    loaded,
                    SecretBytes(random.token_bytes(32)),
                    table="installation",
                    public_key="",
                    purpose="audit",
                ),
                created_at=clock.now(),
            )


def forget() -> None:
    """Drop the loaded key ring; the next use loads it again."""
    _state.ring = None
    _state.reason = "The master key has not been loaded yet."


def is_sealed() -> bool:
    """True while there is no usable master key for this database. Cheap once unsealed."""
    if _state.ring is None:
        _unseal()
    return _state.ring is None


def sealed_reason() -> str:
    """Why the installation is sealed and what to do about it; "" when it is not."""
    return _state.reason if is_sealed() else ""


def key_ids() -> tuple[str, ...]:
    """The ids of the key ring, the one that seals first; never the keys."""
    return _ring().ids


def is_master_key(secret: SecretBytes) -> bool:
    """True when these bytes are a key of the ring."""
    return _ring().holds(secret.reveal())


def seal(plain: SecretBytes, *, table: str, public_key: str, purpose: str) -> bytes:
    """Seal `plain` for one row: the envelope opens only with the same table, public key and purpose."""
    return envelope.seal(_ring(), plain, table=table, public_key=public_key, purpose=purpose)


@contextmanager
def opened(blob: bytes | memoryview, *, table: str, public_key: str, purpose: str) -> Iterator[SecretBytes]:
    """Open an envelope for the length of a block, and wipe the clear text after it.

    Raises:
        VaultError: the envelope was changed, moved to another row, or sealed by a key that is not in the ring.
    """
    secret = envelope.open_(_ring(), bytes(blob), table=table, public_key=public_key, purpose=purpose)
    try:
        yield secret
    finally:
        secret.wipe()


def reseal(blob: bytes, *, table: str, public_key: str, purpose: str) -> bytes:
    """The same envelope under the ring's first key; unchanged when it is already. The secret itself stays sealed."""
    return envelope.rewrap(_ring(), bytes(blob), table=table, public_key=public_key, purpose=purpose)


def fresh_canary() -> bytes:
    """A canary of the ring's first key, for the installation's row."""
    return master.canary(_ring())


def _ring() -> KeyRing:
    if is_sealed() or _state.ring is None:
        raise SealedInstallation(_state.reason)
    return _state.ring


def _load(*, database_is_empty: bool) -> KeyRing | master.Sealed:
    return master.load_or_create(
        settings.NSCWEB_MASTER_KEY,
        settings.NSCWEB_MASTER_KEY_FILE,
        settings.NSCWEB_DATA_DIR,
        database_is_empty=database_is_empty,
    )


def _unseal() -> None:
    try:
        installed = Installation.objects.only("canary").first()
    except DatabaseError:
        _state.reason = (
            "The database can't be read, or its tables are not there yet: run `manage.py migrate`."
        )
        return
    if installed is None:
        _state.reason = (
            "This installation has not been started yet: run `make run` or `manage.py first_admin`."
        )
        return
    loaded = _load(database_is_empty=False)
    if isinstance(loaded, master.Sealed):
        _state.reason = loaded.reason
    elif not master.check_canary(loaded, bytes(installed.canary)):
        _state.reason = (
            "The master key does not fit this database. Put back the key this database was made with "
            "(NSCWEB_MASTER_KEY, NSCWEB_MASTER_KEY_FILE, or the key file in the data directory)."
        )
    else:
        _state.ring, _state.reason = loaded, ""
