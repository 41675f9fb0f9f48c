"""The text form of NATS keys: prefix byte, 32 raw bytes, CRC-16, in base32 without padding (nkeys `strkey.go`).

Stricter than Go where Go is careless (spec §1.3): exactly 56 (public) or 58 (seed) characters, the prefix byte
exactly, no line breaks inside, no unused bits set.
"""

from __future__ import annotations

import binascii
import re
from enum import StrEnum
from functools import lru_cache

from identities.errors import IdentityError

PUBLIC_LENGTH = 56
SEED_LENGTH = 58
_SEED_MARKER = 18 << 3


class KeyKind(StrEnum):
    """What a key is for."""

    OPERATOR = "operator"
    ACCOUNT = "account"
    USER = "user"
    SERVER = "server"
    CLUSTER = "cluster"
    CURVE = "curve"


class NkeyError(IdentityError):
    """A text is not the key it should be; the message never contains a seed."""

    code = "bad-key"


PREFIX = {
    KeyKind.OPERATOR: 14 << 3,
    KeyKind.ACCOUNT: 0,
    KeyKind.USER: 20 << 3,
    KeyKind.SERVER: 13 << 3,
    KeyKind.CLUSTER: 2 << 3,
    KeyKind.CURVE: 23 << 3,
}
_KIND_OF_PREFIX = {prefix: kind for kind, prefix in PREFIX.items()}
_FIRST_LETTERS = frozenset("OAUNCX")
_BASE32 = re.compile(r"[A-Z2-7]+")
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_DIGITS = bytes.maketrans(_ALPHABET.encode(), b"0123456789abcdefghijklmnopqrstuv")
"""`int` reads digits to the base of 32 many times faster than the `base64` module does, but other ones."""
_LOOKS_SECRET = re.compile(r"(?<![A-Z2-7])(?:S[OAUNCX]|P)[A-Z2-7]{40,}")
_WHOLE_SEED = re.compile(r"(?=(S[OAUNCX][A-Z2-7]{56}))")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{78,}")
"""As many characters as a seed takes in base64, at least."""
_MAY_BE_SECRET = re.compile(r"(?<![A-Z2-7])[SP][A-Z2-7]{9,}")


def encode_public(kind: KeyKind, raw: bytes) -> str:
    """Return the 56 characters of a public key of 32 raw bytes."""
    return _to_text(bytes((PREFIX[kind],)) + raw)


def encode_seed(kind: KeyKind, raw: bytes) -> bytes:
    """Return the 58 characters (ASCII) of the seed of 32 raw bytes."""
    prefix = PREFIX[kind]
    return _to_text(bytes((_SEED_MARKER | prefix >> 5, (prefix & 31) << 3)) + raw).encode()


def decode_public(text: str) -> tuple[KeyKind, bytes] | None:
    """Return kind and 32 raw bytes of a public key, None when `text` is not one."""
    # Looked at before the cache, so that a seed that went astray is never kept there.
    if len(text) != PUBLIC_LENGTH or text[0] not in _FIRST_LETTERS:
        return None
    return _decode_public(text)


@lru_cache(maxsize=8192)
def _decode_public(text: str) -> tuple[KeyKind, bytes] | None:
    data = _from_text(text)
    if data is None:
        return None
    kind = _KIND_OF_PREFIX.get(data[0])
    return None if kind is None else (kind, data[1:])


def decode_seed(text: str) -> tuple[KeyKind, bytes]:
    """Return kind and 32 raw bytes of a seed.

    Raises:
        NkeyError: `text` is not a seed; the message does not repeat it.
    """
    if len(text) != SEED_LENGTH:
        raise NkeyError(f"A seed has {SEED_LENGTH} characters; this has {len(text)}. Paste the whole seed.")
    data = _from_text(text)
    if data is None:
        raise NkeyError(
            "This is not a seed: a character is wrong or missing. Paste it again from its source."
        )
    kind = _KIND_OF_PREFIX.get((data[0] & 7) << 5 | (data[1] & 0xF8) >> 3)
    if data[0] & 0xF8 != _SEED_MARKER or kind is None or data[1] & 7:
        raise NkeyError("This is not a seed of a NATS key.")
    return kind, data[2:]


def kind_of(text: str) -> KeyKind | None:
    """Return what kind of public key `text` is (length and checksum verified), None when it is none."""
    found = decode_public(text)
    return None if found is None else found[0]


def is_public(text: str, kind: KeyKind) -> bool:
    """Tell whether `text` is a public key of that kind."""
    return kind_of(text) is kind


def looks_like_seed(text: str) -> bool:
    """Tell whether `text` holds what looks like a seed or a private key, whole or damaged, in any case; or a whole
    seed that is broken over lines or written in base64.
    """
    if _LOOKS_SECRET.search(text.upper()) is not None:
        return True
    joined = "".join(text.split())
    if _holds_seed(joined.upper()):
        return True
    written = (found for part in {joined, *text.split()} for found in _BASE64.findall(part))
    return any(_holds_seed(_from_base64(one)) for one in written)


def _holds_seed(text: str) -> bool:
    """Whether one of the runs of 58 letters is a seed to the checksum: words that run together never are."""
    return any(_is_seed(found.group(1)) for found in _WHOLE_SEED.finditer(text))


def _is_seed(text: str) -> bool:
    try:
        decode_seed(text)
    except NkeyError:
        return False
    return True


def _from_base64(text: str) -> str:
    """What a run of base64 says, without its line breaks; either alphabet, padded or not."""
    run = text.replace("-", "+").replace("_", "/")
    run = run[:-1] if len(run) % 4 == 1 else run + "=" * (-len(run) % 4)
    return "".join(binascii.a2b_base64(run).decode("latin-1").split())


def refusal(text: str, kinds: tuple[KeyKind, ...]) -> NkeyError:
    """Return the error that says why `text` is no public key of `kinds`, without repeating a secret."""
    wanted = " or ".join(kinds) or "NATS"
    if looks_like_seed(text):
        return NkeyError(
            f"This is a seed, which is secret. Give the {wanted} public key instead; "
            "if others can have seen the seed, replace that key."
        )
    found = kind_of(text)
    if found is not None:
        return NkeyError(f"{text} is a key of kind {found}, not {wanted}.")
    if _MAY_BE_SECRET.search(text.upper()):
        return NkeyError(f"This is not a public key of kind {wanted}.")
    shown = text if len(text) <= 80 else text[:80] + "…"
    return NkeyError(f"“{shown}” is not a public key of kind {wanted}, which has {PUBLIC_LENGTH} letters.")


def _to_text(data: bytes) -> str:
    checked = data + binascii.crc_hqx(data, 0).to_bytes(2, "little")
    bits = 8 * len(checked)
    spare = (
        -bits % 10
    )  # two characters are written at a time; none of the lengths of keys leaves half of them over
    number = int.from_bytes(checked, "big") << spare
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(bits + spare - 10, -1, -10)])


def _from_text(text: str) -> bytes | None:
    """Return what `text` encodes, without its checksum; None when anything is wrong with it."""
    if _BASE32.fullmatch(text) is None:
        return None
    number, spare = int(text.encode("ascii").translate(_DIGITS), 32), 5 * len(text) % 8
    if number & ((1 << spare) - 1):  # the last character has bits to spare, and some are set
        return None
    data = (number >> spare).to_bytes(5 * len(text) // 8, "big")
    body = data[:-2]
    return body if binascii.crc_hqx(body, 0) == int.from_bytes(data[-2:], "little") else None
