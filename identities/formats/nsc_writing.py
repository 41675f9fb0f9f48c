"""Where what goes out lies: paths and fixed texts of nsc's stores, keystores and flat exports, as nsc writes them.

Stores and keystore lie beside each other (`stores/…`, `keys/…`), as they do in nsc's own home. Source: nsc
`cmd/store/store.go`, `cmd/store/keys.go`, `cmd/exportkeys.go`; spec §1.4, §7.1, §7.2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from identities.claims import gojson

STORES = "stores"
KEYSTORE = "keys"
GIT_IGNORE = "# ignore all nk files \n**/*.nk\n\n# ignore all creds files\n**/*.creds\n"
LONGEST = 255 - len(".creds")
"""Bytes of a name that is still a file's on every file system, with its ending."""
_UNFIT = re.compile(r"[/\\\x00-\x1f\x7f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class StoreLayout:
    """nsc's store and keystore of one operator, whose folder has this name."""

    operator: str

    @property
    def about(self) -> str:
        """The file that makes a folder an operator's."""
        return f"{STORES}/{self.operator}/.nsc"

    @property
    def git_ignore(self) -> str:
        """What keeps seeds out of a git repository."""
        return f"{KEYSTORE}/.gitignore"

    def operator_jwt(self, _key: str) -> str:
        """The operator's JWT."""
        return f"{STORES}/{self.operator}/{self.operator}.jwt"

    def account_jwt(self, account: str, _key: str) -> str:
        """The JWT of an account, in its folder."""
        return f"{STORES}/{self.operator}/accounts/{account}/{account}.jwt"

    def user_jwt(self, account: str, user: str, _key: str) -> str:
        """The JWT of a user, below its account."""
        return f"{STORES}/{self.operator}/accounts/{account}/users/{user}.jwt"

    def seed(self, key: str) -> str:
        """The seed of any key, by its public half."""
        return f"{KEYSTORE}/keys/{key[0]}/{key[1:3]}/{key}.nk"

    def creds(self, account: str, user: str) -> str:
        """The creds of a user."""
        return f"{KEYSTORE}/creds/{self.operator}/{account}/{user}.creds"


@dataclass(frozen=True, slots=True)
class FlatLayout:
    """What `nsc export keys --include-jwts` writes: one folder, every file named by its public key; no creds."""

    def operator_jwt(self, key: str) -> str:
        """The operator's JWT."""
        return f"{key}.jwt"

    def account_jwt(self, _account: str, key: str) -> str:
        """The JWT of an account."""
        return f"{key}.jwt"

    def user_jwt(self, _account: str, _user: str, key: str) -> str:
        """The JWT of a user."""
        return f"{key}.jwt"

    def seed(self, key: str) -> str:
        """The seed of any key."""
        return f"{key}.nk"


Layout = StoreLayout | FlatLayout


def about(name: str, *, managed: bool) -> str:
    """The text of an operator's `.nsc`. `managed`: whoever signs its accounts is somebody else."""
    return gojson.dumps({"managed": managed, "name": name, "kind": "operator", "version": "1"})


class Names:
    """Gives the things of one folder names that a file system can hold, each once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._folded: set[str] = set()

    def fit(self, name: str, key: str) -> str:
        """The name itself where it can be a file's, else the nearest one that can, with the end of `key` behind it."""
        found = fitted(name)
        if not found or found != name or found in self._taken:
            base = fitted(name, LONGEST - 1 - len(key)) or "unnamed"
            endings = (key[-6:], key, *(f"{key[-6:]}-{number}" for number in range(2, len(self._taken) + 3)))
            found = next(one for one in (f"{base}-{ending}" for ending in endings) if one not in self._taken)
        self._taken.add(found)
        return found

    def is_second(self, name: str) -> bool:
        """Whether a name that was given is, in any case, that of another: some file systems take the two for one."""
        folded = name.casefold()
        if folded in self._folded:
            return True
        self._folded.add(folded)
        return False


def fitted(name: str, most: int = LONGEST) -> str:
    """The nearest name that one file or folder can have, of `most` bytes at most; "" when nothing of it can."""
    clean = _UNFIT.sub("_", name).strip()
    clean = clean.encode("utf-8", "replace")[:most].decode("utf-8", "ignore").strip()
    return "" if clean in (".", "..") else clean
