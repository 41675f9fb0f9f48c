"""Where nsc keeps what: a file's place in a store or keystore says whose it is meant to be (spec §1.4, §1.5, §7.1).

The place never decides: claims do. It tells which account's folder a user lies in, and which file is named unlike its
claims.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from identities.nkeys import kind_of


class Named(StrEnum):
    """What a file is named after."""

    OPERATOR = "operator"
    ACCOUNT = "account"
    USER = "user"
    KEY = "key"
    NOTHING = ""


@dataclass(frozen=True, slots=True)
class Place:
    """What lies where this file lies: `operator` and `account` are paths of folders, "" where the path tells nothing.

    `name` is the file's own, without its ending: a name of claims, or with `Named.KEY` a public key.
    """

    named: Named
    name: str
    operator: str = ""
    account: str = ""


def is_wanted(path: str) -> bool:
    """Whether a file is one of nsc's: a JWT, a seed, creds, or an operator's `.nsc`; not what macOS puts beside it."""
    name = path.rpartition("/")[2]
    if name.startswith("._") or "__MACOSX" in path.split("/"):
        return False
    return name == ".nsc" or name.lower().endswith((".jwt", ".nk", ".creds"))


def place_of(path: str) -> Place:
    """The place of a `.jwt`, `.nk` or `.creds` file."""
    folder, _, file = path.rpartition("/")
    name = file.rpartition(".")[0]
    if kind_of(name) is not None:
        return Place(Named.KEY, name)
    named, operator, account = _folder(folder)
    if named is Named.NOTHING and name and folder.rpartition("/")[2] == name:
        return Place(Named.OPERATOR, name, folder)
    return Place(named, name, operator, account)


@lru_cache(maxsize=4096)
def _folder(folder: str) -> tuple[Named, str, str]:
    """What files of a folder are named after, and whose folder it is."""
    match folder.split("/"):
        case [*above, "accounts", _, "users"]:
            return Named.USER, "/".join(above), folder.rpartition("/")[0]
        case [*above, "accounts", _]:
            return Named.ACCOUNT, "/".join(above), folder
        case [*_, "creds", _, _]:
            return Named.USER, "", ""
        case [*above, "users"]:  # of an account named “..”, which nsc puts here
            return Named.USER, "", "/".join(above)
    return Named.NOTHING, "", ""
