"""Bytes that must not be seen: no repr, no pickle, no copy, wiped when done with."""

from __future__ import annotations

import hmac
from types import TracebackType
from typing import NoReturn, Self


class SecretBytes:
    """A secret in memory: `reveal()` is the only way to read it, `wipe()` or leaving a `with` block zeroes it.

    Python may have made other copies on the way (a `bytes` that was passed in cannot be zeroed); this keeps
    what we hold short lived and out of logs, tracebacks, caches and sessions.
    """

    __slots__ = ("_held", "_wiped")

    def __init__(self, value: bytes | bytearray) -> None:
        self._held = bytearray(value)
        self._wiped = False

    def reveal(self) -> bytes:
        """Return a copy of the secret.

        Raises:
            ValueError: it was wiped.
        """
        if self._wiped:
            raise ValueError("This secret was wiped.")
        return bytes(self._held)

    def wipe(self) -> None:
        """Overwrite the secret with zeros and forget it; may be called twice."""
        self._held[:] = bytes(len(self._held))  # of the same length, so it is written over in place
        self._held = bytearray()
        self._wiped = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wipe()

    def __len__(self) -> int:
        return len(self._held)

    def __bool__(self) -> bool:
        return bool(self._held)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecretBytes):
            return NotImplemented
        return hmac.compare_digest(self._held, other._held)

    __hash__ = None  # type: ignore[assignment]  # a hash would be an oracle, and a dict a cache

    def __repr__(self) -> str:
        return "SecretBytes(…)"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("A secret cannot be pickled.")

    def __copy__(self) -> NoReturn:
        raise TypeError("A secret cannot be copied.")

    def __deepcopy__(self, _memo: object) -> NoReturn:
        raise TypeError("A secret cannot be copied.")

    def __getstate__(self) -> NoReturn:
        raise TypeError("A secret cannot be pickled.")
