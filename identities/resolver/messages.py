"""What is asked of nats-servers through their system account, and how their answers read. Nothing is sent from here.

Source: nats-server `server/events.go`, `accounts.go`; nats-jwt.md §7.3, §8.1 to §8.3.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

CLAIMS_UPDATE: Final = "$SYS.REQ.CLAIMS.UPDATE"
CLAIMS_DELETE: Final = "$SYS.REQ.CLAIMS.DELETE"
CLAIMS_LIST: Final = "$SYS.REQ.CLAIMS.LIST"
CLAIMS_PACK: Final = "$SYS.REQ.CLAIMS.PACK"
ACCOUNT_NSUBS: Final = "$SYS.REQ.ACCOUNT.NSUBS"
_LONGEST_WORDS: Final = 1000


def of_account(account: str, verb: str) -> str:
    """The subject of a request about one account: INFO, CONNZ, CLAIMS.LOOKUP, CLAIMS.UPDATE …"""
    return f"$SYS.REQ.ACCOUNT.{account}.{verb}"


def of_every_server(verb: str) -> str:
    """The subject of a request that every server answers: IDZ, STATSZ, VARZ, CONNZ …"""
    return f"$SYS.REQ.SERVER.PING.{verb}"


def of_server(server_id: str, verb: str) -> str:
    """The subject of a request that one server answers; its id changes at each start."""
    return f"$SYS.REQ.SERVER.{server_id}.{verb}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """Who answered. A server is its `name` and `cluster`; `id` is new at each start."""

    name: str
    cluster: str = ""
    id: str = ""
    host: str = ""
    version: str = ""
    tags: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """What stays the same when the server is started again."""
        return self.name, self.cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One server's answer. `error` is the server's own words when it refused, `problem` ours when it can't be read."""

    server: ServerInfo | None = None
    data: Any = None
    error: str = ""
    code: int = 0
    problem: str = ""

    @property
    def ok(self) -> bool:
        """True when the server did what was asked, as far as the envelope tells."""
        return not self.error and not self.problem

    @property
    def words(self) -> str:
        """The message inside `data`, as the claims requests answer with; "" when there is none."""
        return _text(self.data.get("message")) if isinstance(self.data, Mapping) else ""


def read(payload: bytes) -> Answer:
    """Read an envelope; what is none becomes an answer with a `problem`."""
    try:
        parsed = json.loads(payload)
    except (ValueError, RecursionError):
        return Answer(problem="The answer is not JSON: this is no nats-server's.")
    if not isinstance(parsed, dict):
        return Answer(problem="The answer has not the form that nats-servers give.")
    server = _server(parsed.get("server"))
    error = parsed.get("error")
    if error is not None:  # `data` may stand beside it
        if isinstance(error, Mapping):
            words = _text(error.get("description")) or _text(error.get("message")) or "an error without words"
            return Answer(
                server=server, data=parsed.get("data"), error=words, code=_number(error.get("code"))
            )
        return Answer(server=server, error=_text(error) or "an error without words")
    data = parsed.get("data", parsed.get("statsz"))
    if server is None and "id" in parsed and "name" in parsed:  # IDZ answers without an envelope
        return Answer(server=_server(parsed), data=parsed)
    code = _number(data.get("code")) if isinstance(data, Mapping) else 0
    return Answer(server=server, data=data, code=code)


class Verdict(StrEnum):
    """What a server did with an account JWT that it was sent."""

    STORED = "stored"
    IN_MEMORY = "in-memory"
    """A cache, MEMORY or URL resolver has taken it over, until it is restarted or reloads."""
    SKIPPED = "skipped"
    """The account is not loaded there: the server asks its resolver when it needs it."""
    REFUSED = "refused"
    UNREADABLE = "unreadable"


_VERDICTS: Final = {
    "jwt updated": Verdict.STORED,
    "jwt updated cache": Verdict.IN_MEMORY,
    "jwt update cache skipped": Verdict.SKIPPED,
    "jwt update skipped": Verdict.SKIPPED,
}


def verdict(answer: Answer) -> tuple[Verdict, str]:
    """What an answer to CLAIMS.UPDATE means, with the server's words: the message counts, not its code.

    `jwt updated` is the word of full resolvers, and also of MEMORY and URL resolvers on the account's own subject:
    who asked there has to know which of them answered.
    """
    if answer.problem:
        return Verdict.UNREADABLE, answer.problem
    if answer.error:
        return Verdict.REFUSED, answer.error
    words = answer.words
    if words in _VERDICTS and answer.code in (0, 200):
        return _VERDICTS[words], words
    return Verdict.UNREADABLE, words or "an answer without a message"


@dataclass(frozen=True, slots=True)
class Question:
    """One request: `expect` is how many servers are to answer, 0 when nobody knows."""

    subject: str
    payload: bytes = b""
    expect: int = 1


@dataclass(slots=True)
class Reply:
    """What came back: the payloads in the order of their coming. `nobody` when the server said that nobody listens;
    `complete` when as many answers came as were expected.
    """

    payloads: list[bytes] = field(default_factory=list)
    nobody: bool = False
    complete: bool = False

    @property
    def answers(self) -> list[Answer]:
        """The payloads, read as envelopes."""
        return [read(payload) for payload in self.payloads]


def _server(value: object) -> ServerInfo | None:
    if not isinstance(value, Mapping):
        return None
    tags = value.get("tags")
    return ServerInfo(
        name=_text(value.get("name")),
        cluster=_text(value.get("cluster")),
        id=_text(value.get("id")),
        host=_text(value.get("host")),
        version=_text(value.get("ver")) or _text(value.get("version")),
        tags=tuple(_text(tag) for tag in tags) if isinstance(tags, list) else (),
    )


def _text(value: object) -> str:
    return value[:_LONGEST_WORDS].replace("\0", "\ufffd") if isinstance(value, str) else ""


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
