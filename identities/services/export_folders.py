"""Writes what goes out into folders of this machine: file by file, each whole or not at all, nothing newer lost.

A folder that holds something else is refused. An earlier export, or a store in which nsc has worked since, is brought
up to date: what is newer there stays, what is no longer here is left alone, and both are said.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from identities.claims import codec
from identities.errors import IdentityError
from identities.formats import creds
from identities.formats.nsc_writing import KEYSTORE, STORES, FlatLayout
from identities.nkeys import KeyPair, NkeyError
from identities.services import export_reading
from identities.services.export_plans import Plan
from identities.services.export_reading import Written

NEWER = "is newer there than here, and stays as it is there"
OTHER = "holds something else there, which is not written over"
GONE = "is there, but not in what goes out (deleted or renamed since, or left out), and stays"
OFTEN = 500
LARGEST = 1024 * 1024
_KEYSTORES = {"keys", "creds", ".gitignore"}
Tick = Callable[[int, int], None]
"""Takes how many files were written so far, of how many."""


class FolderRefused(IdentityError):
    """A folder that holds something else."""

    code = "folder-refused"


@dataclass(slots=True)
class Outcome:
    """How many files are new, replaced, the same as before, or kept as they were there."""

    counts: Counter[str] = field(default_factory=Counter)


def target(plan: Plan, root: Path, keystore: Path | None) -> Plan:
    """The plan for a folder: under the name that the operator's folder has there already.

    Raises: FolderRefused: it holds something else, or is no folder.
    """
    if keystore is not None and plan.with_keys:
        _refuse_keystore(keystore)
    if not _holds_anything(root):
        return plan
    own = plan.operator.public_key
    if isinstance(plan.layout, FlatLayout):
        if _subject(root / f"{own}.jwt") == own:
            return plan
    else:
        for path in sorted((root / STORES).glob("*/*.jwt")):
            if path.stem == path.parent.name and _subject(path) == own:
                return replace(plan, layout=replace(plan.layout, operator=path.stem))
        if (root / plan.layout.operator / ".nsc").exists():
            raise FolderRefused(
                f"{root} is the folder of stores itself. Give the folder that holds it, so that {STORES} and "
                f"{KEYSTORE} lie beside each other."
            )
    raise FolderRefused(
        f"{root} is not empty, and holds no earlier export of “{plan.operator.name}”. Give a new or empty folder."
    )


def write(plan: Plan, root: Path, keystore: Path | None, tick: Tick) -> Outcome:
    """Write every file below `root`, those of the keystore below `keystore` where it is given."""
    outcome, total = Outcome(), plan.total
    folders: dict[str, bool] = {}
    written: set[str] = set()
    for number, one in enumerate(export_reading.files(plan), 1):
        path = _place(one.path, root, keystore)
        there = None if _make(path.rpartition("/")[0], folders) else _read(path)
        outcome.counts[_put(plan, path, one, there)] += 1
        if path.endswith(".jwt"):
            written.add(path)
        if number % OFTEN == 0:
            tick(number, total)
    if not isinstance(plan.layout, FlatLayout):
        _left(plan, root, written)
    return outcome


def _place(path: str, root: Path, keystore: Path | None) -> str:
    if keystore is not None and path.startswith(f"{KEYSTORE}/"):
        return f"{keystore}/{path.removeprefix(f'{KEYSTORE}/')}"
    return f"{root}/{path}"


def _make(folder: str, known: dict[str, bool]) -> bool:
    """A folder with those above it, their owner's alone; whether it was not there, so that nothing can be in it."""
    if folder not in known:
        known[folder] = not Path(folder).is_dir()
        if known[folder]:
            _make(folder.rpartition("/")[0], known)
            Path(folder).mkdir(mode=0o700, exist_ok=True)
    return known[folder]


def _put(plan: Plan, path: str, one: Written, there: bytes | None) -> str:
    """Write one file unless what is there stays; what became of it."""
    if there == one.data:
        return "same"
    why = "" if there is None else _stays(path, there, one.data)
    if why == "same":
        return "same"
    if why:
        plan.remark(why, one.path)
        return "kept"
    beside = f"{path.rpartition('/')[0]}/.nscweb-{os.getpid()}.tmp"
    try:
        _fill(beside, one.data)
        os.rename(beside, path)  # noqa: PTH104 - with 100,000 files a Path for each takes long
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    return "new" if there is None else "replaced"


def _fill(path: str, data: bytes) -> None:
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(opened, left) :]
    finally:
        os.close(opened)


def _stays(path: str, there: bytes, ours: bytes) -> str:
    """Why a file stays as it is there: "same", or what is said of it; "" when it is replaced."""
    ending = path.rpartition(".")[2]
    if ending == "nk":
        return _seed_stays(there, ours)
    if ending not in ("jwt", "creds"):
        return "same"
    theirs, mine = _jwt(there), _jwt(ours)
    if theirs is None or mine is None:
        return ""
    if theirs.claims.sub != mine.claims.sub:
        return OTHER
    if theirs.text == mine.text:
        return "same" if ending == "jwt" else ""
    return NEWER if theirs.claims.iat >= mine.claims.iat else ""


def _seed_stays(there: bytes, ours: bytes) -> str:
    """A seed that is there is not lost, whatever the file is called."""
    text = there.strip()
    if text == ours:
        return "same"
    try:
        KeyPair.from_seed(text).wipe()
    except NkeyError:
        return ""
    return OTHER


def _jwt(data: bytes) -> codec.Token | None:
    """The verified JWT of a JWT's or creds file; None when there is none in it."""
    try:
        text = creds.parse_creds(data.decode("utf-8", "replace")).jwt
        return codec.decode(text) if text else None
    except IdentityError:
        return None


def _read(path: str) -> bytes | None:
    """What a file holds, None where there is none."""
    try:
        opened = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return os.read(opened, LARGEST)
    finally:
        os.close(opened)


def _left(plan: Plan, root: Path, written: set[str]) -> None:
    """Say which JWTs of the store were not written."""
    home = root / STORES / plan.layout.operator if not isinstance(plan.layout, FlatLayout) else root
    for path in _jwts(str(home)):
        if path not in written:
            plan.remark(GONE, path.removeprefix(f"{root}/"))


def _jwts(folder: str) -> Iterator[str]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _jwts(entry.path)
        elif entry.name.endswith(".jwt"):
            yield entry.path


def _holds_anything(root: Path) -> bool:
    if not root.exists():
        return False
    if not root.is_dir():
        raise FolderRefused(f"{root} is no folder.")
    return any(not path.is_dir() for path in root.rglob("*"))


def _refuse_keystore(keystore: Path) -> None:
    if _holds_anything(keystore) and (other := {path.name for path in keystore.iterdir()} - _KEYSTORES):
        raise FolderRefused(
            f"{keystore} is not empty, and no keystore of nsc's: it holds {min(other)}. Give a new or empty folder."
        )


def _subject(path: Path) -> str:
    """Whose JWT a file holds; "" when it holds none."""
    token = _jwt(_read(str(path)) or b"")
    return "" if token is None else token.claims.sub
