"""What servers publish of clients (connected, disconnected, login refused), read without the JWTs that it carries.

Source: nats-server `server/events.go` (ConnectEventMsg, DisconnectEventMsg); nats-jwt.md §8.5.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from identities.nkeys import KeyKind, is_public
from identities.resolver import logins

SUBJECTS: Final = (
    "$SYS.ACCOUNT.*.CONNECT",
    "$SYS.ACCOUNT.*.DISCONNECT",
    "$SYS.SERVER.*.CLIENT.AUTH.ERR",
)
LARGEST: Final = 512 * 1024
_LONGEST: Final = 255
_GLOBAL: Final = "$G"
"""Where a server puts a client that it does not let in; its disconnect says nothing that AUTH.ERR does not."""


_AT_LOGIN: Final = frozenset({"Maximum Account Connections Exceeded", "Maximum Connections Exceeded"})
_AT_ONCE: Final = 2.0
"""Seconds. With these reasons servers also end connections when a limit is lowered; who stays shorter never was in."""


class What(StrEnum):
    """What happened."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    REFUSED = "auth-failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientEvent:
    """One event. Of a refused client, `user` and `account` are what its JWT says, where its issuer signed that.

    `at` is Unix seconds by the server's clock; `issued`, `expires` and `not_before` are the JWT's, 0 for none.
    """

    what: What
    server: str
    user: str = ""
    account: str = ""
    name: str = ""
    client: str = ""
    address: str = ""
    reason: str = ""
    issued: int = 0
    expires: int = 0
    not_before: int = 0
    at: float = 0.0


def read(subject: str, payload: bytes) -> ClientEvent | None:
    """Read one message; None for what is none of these events, and for what another one tells better."""
    what = _what(subject)
    if what is None or len(payload) > LARGEST:
        return None
    try:
        parsed = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, Mapping):
        return None
    client, server = _mapping(parsed.get("client")), _mapping(parsed.get("server"))
    account = _text(client.get("acc"))
    if what is not What.REFUSED and account == _GLOBAL:
        return None
    reason = _text(parsed.get("reason"))
    if what is What.DISCONNECTED and reason in _AT_LOGIN and _lasted(client, parsed) < _AT_ONCE:
        what = What.REFUSED
    login = logins.presented(client.get("jwt"))
    known = _text(client.get("user"))
    return ClientEvent(
        what=what,
        server=_text(server.get("name")),
        user=known if is_public(known, KeyKind.USER) else login.user,
        account=account if is_public(account, KeyKind.ACCOUNT) else login.account,
        name=_text(client.get("name")),
        client=f"{_text(client.get('lang'))} {_text(client.get('ver'))}".strip()[:_LONGEST],
        address=_text(client.get("host"))[:64],
        reason=reason,
        issued=login.issued,
        expires=login.expires,
        not_before=login.not_before,
        at=_moment(parsed.get("timestamp")),
    )


def _what(subject: str) -> What | None:
    if subject.startswith("$SYS.SERVER.") and subject.endswith(".CLIENT.AUTH.ERR"):
        return What.REFUSED
    if subject.startswith("$SYS.ACCOUNT."):
        ending = subject.rpartition(".")[2]
        return {"CONNECT": What.CONNECTED, "DISCONNECT": What.DISCONNECTED}.get(ending)
    return None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value[:_LONGEST].replace("\0", "\ufffd") if isinstance(value, str) else ""


def _lasted(client: Mapping[str, Any], event: Mapping[str, Any]) -> float:
    """How long the client was there, in seconds; for ever where the server does not tell."""
    began = _moment(client.get("start"))
    ended = _moment(client.get("stop")) or _moment(event.get("timestamp"))
    return ended - began if began and ended else float("inf")


def _moment(value: object) -> float:
    try:
        return datetime.fromisoformat(value).timestamp() if isinstance(value, str) and value else 0.0
    except (ValueError, OverflowError):
        return 0.0
