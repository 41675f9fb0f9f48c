"""Where the master key ring comes from, the reasons to start sealed instead, and the canary that tells whether the
ring is the one this database was sealed with.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from identities.nkeys import SecretBytes
from identities.vault import envelope
from identities.vault.errors import VaultError
from identities.vault.keyring import FORM, KeyRing, new_key_text

KEY_FILE = "master.key"
_LARGEST_FILE = 64 * 1024
_SONG = b"nscweb canary 1"
_TABLE, _PURPOSE = "canary", "check the key ring"
_COMMENT = """# The master key ring of this nscweb installation: every seed in its database is sealed with it.
# Keep a copy apart from the database's backups. Without it no seed can ever be opened again.
# To rotate: put a new key (another id) on the first line, keep the old ones below, then re-seal.
"""


@dataclass(frozen=True, slots=True)
class Sealed:
    """There is no usable master key: nothing is signed or written. `reason` says why and what to do."""

    reason: str


def load_or_create(
    env_value: str | None,
    file_path: str | Path | None,
    data_dir: str | Path,
    *,
    database_is_empty: bool,
) -> KeyRing | Sealed:
    """Take the ring from `NSCWEB_MASTER_KEY`, from `NSCWEB_MASTER_KEY_FILE`, or from `data_dir`/master.key.

    Only the last is ever created (mode 0600), and only while the database is empty: a new key over existing seeds
    would hide that they are lost.
    """
    given, named = (env_value or "").strip(), str(file_path or "").strip()
    if given and named:
        return Sealed("Both NSCWEB_MASTER_KEY and NSCWEB_MASTER_KEY_FILE are set. Set only one of them.")
    if given:
        return _parsed(given, "NSCWEB_MASTER_KEY")
    if named:
        return _read(Path(named), "NSCWEB_MASTER_KEY_FILE names")
    path = Path(data_dir) / KEY_FILE
    if not os.path.lexists(path):
        if not database_is_empty:
            return Sealed(
                f"The database holds sealed secrets, but there is no master key: {path} does not exist. Put the key "
                "file back from its copy, or set NSCWEB_MASTER_KEY or NSCWEB_MASTER_KEY_FILE. No new key was made."
            )
        try:
            _create(path)
        except OSError as failure:
            return Sealed(
                f"The master key file {path} can't be written: {failure.strerror}. Make it writable."
            )
    return _read(path, "The master key file is")


def _read(path: Path, what: str) -> KeyRing | Sealed:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
        text = content.decode("utf-8-sig")
    except OSError as failure:
        return Sealed(f"{what} {path}, which can't be read: {failure.strerror}. Put the key file there.")
    except UnicodeDecodeError:
        return Sealed(f"{what} {path}, which is not a text. It holds {FORM}.")
    return _parsed(text, str(path))


def _parsed(text: str, source: str) -> KeyRing | Sealed:
    try:
        return KeyRing.from_text(text)
    except VaultError as wrong:
        return Sealed(f"{source} holds no usable master key. {wrong.user_message}")


def _create(path: Path) -> None:
    """Write a new ring; of two processes at once the first wins, and nobody ever reads half a file."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{_COMMENT}{new_key_text('k1')}\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)  # fails if the name exists: O_EXCL for a finished file
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def canary(ring: KeyRing) -> bytes:
    """A canary under the ring's sealing key; keep it in the database."""
    return envelope.seal(ring, SecretBytes(_SONG), table=_TABLE, public_key=ring.primary, purpose=_PURPOSE)


def check_canary(ring: KeyRing, blob: bytes) -> bool:
    """True when the ring holds the key under which the canary was sealed, and it opens."""
    try:
        key_id = envelope.key_id_of(blob)
        opened = envelope.open_(ring, blob, table=_TABLE, public_key=key_id, purpose=_PURPOSE)
    except VaultError:
        return False
    with opened:
        return opened == SecretBytes(_SONG)
