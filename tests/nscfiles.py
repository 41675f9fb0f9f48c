"""Folders as nsc leaves them: golden stores with their keystores, of today and of old, and stores made elsewhere."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from identities.claims import codec
from identities.nkeys import KeyPair, SecretBytes
from identities.services import import_sources
from identities.services.import_reading import Collected, Collector
from tests import goldens
from tests.elsewhere import Elsewhere


def seeds_of(environment: str) -> dict[str, SecretBytes]:
    """The seeds that belong to an environment, by public key."""
    said = (goldens.GOLDEN / environment / "out/list-keys-all-seeds.txt").read_text()
    named = {key: seed for key, seed in goldens.seeds().items() if seed.reveal().decode() in said}
    users = (goldens.GOLDEN / environment / "stores").rglob("users/*.jwt")
    subjects = {codec.decode(path.read_text()).claims.sub for path in users}
    return named | {key: seed for key, seed in goldens.seeds().items() if key in subjects}


def keystore(root: Path, seeds: dict[str, SecretBytes]) -> Path:
    """A keystore as nsc lays it out today."""
    for key, seed in seeds.items():
        folder = root / "keys" / key[0] / key[1:3]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{key}.nk").write_bytes(seed.reveal())
    return root


def old_keystore(root: Path, environment: str, seeds: dict[str, SecretBytes]) -> Path:
    """A keystore as nsc laid it out before `keys migrate`: by names; signing keys beside them."""
    stores = goldens.GOLDEN / environment / "stores"
    left = dict(seeds)
    for path in stores.rglob("*.jwt"):
        seed = left.pop(codec.decode(path.read_text()).claims.sub, None)
        if seed is not None:
            target = (root / path.relative_to(stores)).with_suffix(".nk")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(seed.reveal())
    for number, seed in enumerate(left.values()):
        (root / f"signing-{number}.nk").write_bytes(seed.reveal())
    return root


def flat_export(root: Path, environment: str, seeds: dict[str, SecretBytes]) -> Path:
    """What `nsc export keys --include-jwts` writes: everything in one folder, named by key."""
    root.mkdir(parents=True)
    for key, seed in seeds.items():
        (root / f"{key}.nk").write_bytes(seed.reveal())
    for path in (goldens.GOLDEN / environment / "stores").rglob("*.jwt"):
        text = path.read_text()
        (root / f"{codec.decode(text).claims.sub}.jwt").write_text(text)
    return root


def collected(*folders: Path, seal: bool = True) -> Collected:
    """Everything below these folders, read."""
    collector = Collector(seal=seal)
    for folder in folders:
        import_sources.folder(collector, folder, lambda done, total: None)
    return collector.finished()


def texts(*jwts: str, seeds: tuple[KeyPair, ...] = ()) -> Collected:
    """Loose JWTs and seeds, read as a pasted text."""
    collector = Collector(seal=True)
    lines = [*jwts, *(pair.seed().reveal().decode() for pair in seeds)]
    collector.text("pasted text", "\n".join(lines).encode())
    return collector.finished()


def packed(*folders: Path) -> bytes:
    """A tar.gz of folders."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as archive:
        for folder in folders:
            archive.add(folder, arcname=folder.name)
    return out.getvalue()


def store(root: Path, there: Elsewhere, accounts: dict[str, str], *, operator: str = "") -> Path:
    """A store folder of an operator made elsewhere: JWTs by path below its folder, the operator's among them."""
    home = root / "Op"
    (home / "accounts").mkdir(parents=True, exist_ok=True)
    (home / ".nsc").write_text('{"managed":false,"name":"Op","kind":"operator","version":"1"}')
    (home / "Op.jwt").write_text(operator or there.operator_jwt())
    for path, text in accounts.items():
        target = home / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return root
