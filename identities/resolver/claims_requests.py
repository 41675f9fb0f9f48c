"""What is asked of servers about account JWTs: look up, push, list, delete, what is in force. Many at a time.

Source: nats-server `server/accounts.go`, `server/dirstore.go`; nats-jwt.md §7.3, §8.9.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from identities.resolver import messages
from identities.resolver.messages import Answer, Question, Reply, Verdict
from identities.resolver.system import WINDOW, SystemLink

ServerKey = tuple[str, str]
"""A server's name and its cluster's: see `ServerInfo.key`."""
Told = Mapping[ServerKey, tuple[Verdict, str]]
"""What each server that answered did, with its words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What full servers hold of one account; which of them holds which is not told. `none` counts those without it."""

    texts: tuple[str, ...] = ()
    none: int = 0

    @property
    def answers(self) -> int:
        """How many servers answered."""
        return len(self.texts) + self.none

    def all_hold(self, text: str, servers: int) -> bool:
        """True when so many servers hold this very text, and none anything else."""
        return self.none == 0 and len(self.texts) >= servers > 0 and set(self.texts) == {text}


def look_up(link: SystemLink, accounts: Sequence[str], *, servers: int, window: int = WINDOW) -> list[Found]:
    """What the `servers` full servers hold of each account, in that order. Raises: Refused."""
    if not servers:
        return [Found()] * len(accounts)
    questions = [
        Question(messages.of_account(account, "CLAIMS.LOOKUP"), b"", servers) for account in accounts
    ]
    return [_found(reply) for reply in link.ask_all(questions, window=window)]


def push(
    link: SystemLink,
    tokens: Sequence[tuple[str, str]],
    *,
    servers: int,
    one_by_one: bool,
    window: int = WINDOW,
) -> list[Told]:
    """Send JWTs (account and text); `servers` answers to each are waited for.

    `one_by_one` uses each account's own subject, which servers without a store hear too. Raises: Refused.
    """
    questions = [
        Question(
            messages.of_account(account, "CLAIMS.UPDATE") if one_by_one else messages.CLAIMS_UPDATE,
            text.encode(),
            servers,
        )
        for account, text in tokens
    ]
    return [
        {answer.server.key: messages.verdict(answer) for answer in reply.answers if answer.server is not None}
        for reply in link.ask_all(questions, window=window)
    ]


def in_force(
    link: SystemLink, accounts: Sequence[str], *, servers: int, window: int = WINDOW
) -> list[Mapping[ServerKey, str]]:
    """The JWT that each server goes by for each account, "" where it has not loaded it. Raises: Refused."""
    questions = [Question(messages.of_account(account, "INFO"), b"", servers) for account in accounts]
    return [
        {answer.server.key: _jwt(answer) for answer in reply.answers if answer.server is not None}
        for reply in link.ask_all(questions, window=window)
    ]


def listed(link: SystemLink, *, servers: int) -> dict[ServerKey, frozenset[str]]:
    """The accounts that each server with a store holds. Raises: Refused."""
    if not servers:
        return {}
    found: dict[ServerKey, frozenset[str]] = {}
    for answer in link.ask(messages.CLAIMS_LIST, expect=servers).answers:
        if answer.server is not None and answer.ok and isinstance(answer.data, list):
            found[answer.server.key] = frozenset(key for key in answer.data if isinstance(key, str))
        elif answer.server is not None and answer.ok and answer.data is None:  # Go's nil slice: it has none
            found[answer.server.key] = frozenset()
    return found


def delete(link: SystemLink, request: str, *, servers: int) -> dict[ServerKey, str]:
    """Send a signed request to delete; per server why it refused, "" when it says that it did. Raises: Refused."""
    told: dict[ServerKey, str] = {}
    for answer in link.ask(messages.CLAIMS_DELETE, request.encode(), expect=servers).answers:
        if answer.server is not None:
            done = answer.ok and answer.words.startswith("deleted ")
            told[answer.server.key] = (
                "" if done else (answer.error or answer.problem or answer.words or "no words")
            )
    return told


def stakes(link: SystemLink, account: str, *, servers: int) -> tuple[list[Answer], list[Answer]]:
    """ACCOUNT INFO of one account from every server, and its JSZ with streams. Raises: Refused."""
    info = Question(messages.of_account(account, "INFO"), b"", servers)
    wanted = json.dumps({"streams": True, "limit": 100}).encode()
    stored = Question(messages.of_account(account, "JSZ"), wanted, servers)
    told, kept = link.ask_all([info, stored])
    return told.answers, kept.answers


def _found(reply: Reply) -> Found:
    texts = tuple(payload.decode(errors="replace") for payload in reply.payloads if payload)
    return Found(texts=texts, none=len(reply.payloads) - len(texts))


def _jwt(answer: Answer) -> str:
    found = answer.data.get("jwt") if answer.ok and isinstance(answer.data, Mapping) else ""
    return found if isinstance(found, str) else ""
