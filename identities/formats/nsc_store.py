"""Reads what nsc writes, file by file: stores and keystores of today and of old, creds, flat exports, packs, any text.

A file is known by its ending and by what is in it; where it lies (`nsc_layout`) is only told along. Nothing is verified
but the form of seeds: the JWTs are handed on as they stand.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from identities.formats.nsc_layout import Named, Place, place_of
from identities.nkeys import KeyPair, NkeyError, SecretBytes, is_public, kind_of, looks_like_seed
from identities.nkeys.encoding import KeyKind

_JWT = re.compile(r"ey[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_SEED = re.compile(r"(?<![A-Z2-7])S[OAUNCX][A-Z2-7]{56}(?![A-Z2-7])")
_PACKED = re.compile(r"([OAU][A-Z2-7]{55})\|", re.ASCII)
_SIGNING = (KeyKind.OPERATOR, KeyKind.ACCOUNT, KeyKind.USER, KeyKind.CURVE)
NO_JWT = "holds no JWT"
EMPTY = "is empty"

Tell = Callable[[str, str], None]
"""Takes a path and what is odd about the file."""


@dataclass(frozen=True, slots=True)
class FoundJWT:
    """A JWT as it stands, unverified. `beside` is the public key of the seed in the same creds file, or the key that a
    pack's line gives for it."""

    path: str
    text: str = field(repr=False)
    place: Place
    beside: str = ""


@dataclass(frozen=True, slots=True)
class FoundSeed:
    """A seed, and the public key that was derived from it."""

    path: str
    public_key: str
    seed: SecretBytes


@dataclass(frozen=True, slots=True)
class FoundStore:
    """The folder of an operator, as its `.nsc` says. `managed`: the operator's own key was never there."""

    folder: str
    name: str
    managed: bool


Found = FoundJWT | FoundSeed | FoundStore


class Reader:
    """Reads files one by one; `tell` hears of what is odd. A seed that came before is passed over."""

    def __init__(self, tell: Tell) -> None:
        self.tell = tell
        self.known: dict[bytes, str] = {}
        """The public keys of the seeds that came, each by what is left of its seed: see `_digest`."""

    def absorb(self, other: Reader) -> None:
        """Know the seeds that another reader has read."""
        self.known.update(other.known)

    def file(self, path: str, data: bytes) -> Iterator[Found]:
        """What is in one file of a store or keystore."""
        if path.rpartition("/")[2] == ".nsc":
            yield from self._store(path, data)
            return
        text = self._text(path, data)
        place = place_of(path)
        ending = path.rpartition(".")[2].lower()
        if not text.strip():
            self.tell(path, EMPTY)
        elif ending == "nk":
            yield from self._key(path, text, place)
        elif ending == "creds":
            yield from self._creds(path, text, place)
        else:
            self._no_line_end(path, text)
            tokens = list(dict.fromkeys(_JWT.findall(text)))
            if not tokens:
                self.tell(path, NO_JWT)
            for token in tokens:
                yield FoundJWT(path, token, place)

    def text(self, label: str, data: bytes) -> Iterator[Found]:
        """Everything that a text holds: JWTs, creds, `key|jwt` lines of a pack, seeds."""
        any_found = False
        for line in self._text(label, data).splitlines():
            packed = _PACKED.match(line.strip())
            for token in _JWT.findall(line):
                any_found = True
                yield FoundJWT(label, token, Place(Named.NOTHING, ""), packed[1] if packed else "")
            rest = _JWT.sub(" ", line)
            for seed in _SEED.findall(rest):
                any_found = True
                yield from self._seed(label, seed)
            if looks_like_seed(_SEED.sub(" ", rest)):
                self.tell(label, "holds what looks like a seed, but a character of it is wrong or missing")
        if not any_found:
            self.tell(label, "holds neither a JWT nor a seed")

    def _text(self, path: str, data: bytes) -> str:
        if data.startswith(codecs.BOM_UTF8):
            return data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in data[:4]:
            self.tell(path, "is written in UTF-16, and read all the same")
            marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            return data.decode("utf-16" if marked else _unmarked(data), "replace")
        return data.decode("utf-8", "replace")

    def _no_line_end(self, path: str, text: str) -> None:
        if text != text.strip():
            self.tell(path, "has blanks or line ends around it, which are left out")

    def _store(self, path: str, data: bytes) -> Iterator[FoundStore]:
        try:
            said = json.loads(data)
            if said["kind"] != "operator":
                return
            yield FoundStore(path.rpartition("/")[0], str(said["name"]), said.get("managed") is True)
        except (ValueError, TypeError, KeyError, RecursionError):
            self.tell(path, "is not what nsc writes, and is passed over")

    def _key(self, path: str, text: str, place: Place) -> Iterator[FoundSeed]:
        self._no_line_end(path, text)
        stripped = text.strip()
        if kind_of(stripped) is not None:
            self.tell(path, "holds a public key alone, so that nothing can be signed with it")
            return
        seeds = _SEED.findall(text)
        if len(seeds) != 1:
            self.tell(
                path, "holds more than one seed" if seeds else "holds no seed, or one that was cut short"
            )
            return
        yield from self._seed(path, seeds[0])
        public = self.known.get(_digest(seeds[0]), "")
        if public and place.named is Named.KEY and public != place.name:
            self.tell(path, f"holds the seed of {public}, not of the key it is named after")

    def _creds(self, path: str, text: str, place: Place) -> Iterator[Found]:
        tokens = list(dict.fromkeys(_JWT.findall(text)))
        seeds = list(
            dict.fromkeys(_SEED.findall(text))
        )  # no JWT holds 58 letters and digits of a seed's in a row
        if len(tokens) != 1 or len(seeds) != 1:
            self.tell(path, "is no creds file: one JWT and one seed are expected in it")
        keys = []
        for seed in seeds:
            yield from self._seed(path, seed)
            keys.append(self.known.get(_digest(seed), ""))
        for token in tokens:
            yield FoundJWT(path, token, place, keys[0] if len(keys) == 1 else "")

    def _seed(self, path: str, text: str) -> Iterator[FoundSeed]:
        """The seed, unless it came before or is damaged."""
        digest = _digest(text)
        if digest not in self.known and (public := self._public(path, text)):
            self.known[digest] = public
            yield FoundSeed(path, public, SecretBytes(text.encode("ascii")))

    def _public(self, path: str, text: str) -> str:
        """The public key of a seed; "" for one that is damaged, which is told."""
        try:
            pair = KeyPair.from_seed(text)
        except NkeyError:
            self.tell(path, "holds a seed with a wrong checksum: a character of it was changed")
            return ""
        public = pair.public.text
        pair.wipe()
        if not any(is_public(public, kind) for kind in _SIGNING):
            self.tell(path, f"holds the seed of a {pair.public.kind}, which no operator, account or user has")
            return ""
        return public


def _digest(seed: str) -> bytes:
    """How a seed that came before is known again, without keeping it."""
    return hashlib.blake2b(seed.encode("ascii"), digest_size=16).digest()


def _unmarked(data: bytes) -> str:
    return "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
