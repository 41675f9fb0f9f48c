"""The connection test of a cluster: every address by itself, step by step, and then what its servers tell.

Pure I/O: who is trusted, and what the servers' answers mean, is judged by `services.cluster_tests`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import Any, Final

from identities.resolver import greeting, messages, surveying
from identities.resolver.addresses import (
    AddressRefused,
    Lookup,
    Route,
    ServerURL,
    parse_url,
    resolve,
    system_lookup,
)
from identities.resolver.connection import Refused, said_by
from identities.resolver.errors import ResolverError, explain
from identities.resolver.greeting import NoGreeting
from identities.resolver.plan import TestUser
from identities.resolver.surveying import Seen
from identities.resolver.system import SystemLink, Target

LONGEST_STEP: Final = 5.0
"""Seconds: a step of the test takes no longer, whatever the cluster's own times are."""
AUTHORIZATION: Final = "Authorization Violation"
NO_OPERATOR: Final = (
    "This nats-server does not run with an operator: it sends nothing to sign. Write the operator's configuration "
    "(operator, system_account, resolver) into its own, and restart it."
)
ANYBODY: Final = (
    "This nats-server lets anybody in: it runs without an operator. Write the operator's configuration (operator, "
    "system_account, resolver) into its own, and restart it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step at one address: `name` is address, greeting, mode, login or account. `said`: the original words."""

    name: str
    ok: bool
    text: str
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class At:
    """What came of one address. `refused` is set where the login was refused without a reason, after `login_seconds`.

    `account` is the account that the user was let into.
    """

    url: str
    steps: tuple[Step, ...] = ()
    server: str = ""
    refused: bool = False
    login_seconds: float = 0.0
    account: str = ""

    @property
    def ok(self) -> bool:
        """Whether we were let in, to a system account that answers."""
        return bool(self.steps) and all(step.ok for step in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What came of all addresses, and the servers that answered over the first that let us in."""

    at: tuple[At, ...] = ()
    servers: tuple[Seen, ...] = field(default=())
    problem: str = ""
    """Why the servers could not be asked though we were let in."""


OnAddress = Callable[[At], None]
_REFUSED: Final = "The server refused the login and does not say why."
_NOBODY: Final = TestUser(name="", jwt="")


def probe(target: Target, login: TestUser, on_address: OnAddress, *, lookup: Lookup = system_lookup) -> Probe:
    """Try every address and ask the servers; `on_address` is told of each as it is over, in the caller's thread."""
    target = replace(
        target,
        connect_seconds=min(target.connect_seconds, LONGEST_STEP),
        request_seconds=min(target.request_seconds, LONGEST_STEP),
    )
    found: list[At] = []
    servers: tuple[Seen, ...] = ()
    problem = ""
    for url in target.urls:
        one = _Address(replace(target, urls=(url,)), login, lookup)
        one.run(survey=not servers)
        servers, problem = servers or one.servers, problem or one.problem
        found.append(one.result)
        on_address(one.result)
    return Probe(at=tuple(found), servers=servers, problem="" if servers else problem)


def first_that_greets(target: Target, seconds: float, *, lookup: Lookup = system_lookup) -> str:
    """The first address where a nats-server greets within `seconds`; the first of all where none does."""
    for text in target.urls if len(target.urls) > 1 else ():
        one = _Address(replace(target, urls=(text,), connect_seconds=seconds), _NOBODY, lookup)
        if one.greets():
            return text
    return target.urls[0]


class _Address:
    """The test of one address."""

    def __init__(self, target: Target, login: TestUser, lookup: Lookup) -> None:
        self.target, self.login, self.lookup = target, login, lookup
        self.result = At(url=target.urls[0])
        self.servers: tuple[Seen, ...] = ()
        self.problem = ""

    def greets(self) -> bool:
        """Whether a nats-server is there; of a web socket nobody knows before login."""
        try:
            url = parse_url(self.target.urls[0], field="urls")
            route = self._looked_up(url)
            return route is not None and (url.websocket or self._greeted(route))
        except ResolverError:
            return False

    def run(self, *, survey: bool) -> None:
        """All steps, until one fails."""
        try:
            url = parse_url(self.target.urls[0], field="urls")
            route = self._looked_up(url)
            if route is None or not (url.websocket or self._greeted(route)):
                return
            self._logged_in(survey=survey)
        except AddressRefused as refused:
            self._note("address", refused.user_message)
        except ResolverError as refused:
            self._note("login", refused.user_message)

    def _looked_up(self, url: ServerURL) -> Route | None:
        """Look the host up in a thread that may be left behind: a name server can take longer than we wait."""
        told: SimpleQueue[Route | Exception] = SimpleQueue()

        def work() -> None:
            try:
                told.put(resolve(url, allow_loopback=self.target.allow_loopback, lookup=self.lookup))
            except Exception as error:  # noqa: BLE001 - carried over to the caller's thread
                told.put(error)

        threading.Thread(target=work, name="probe-lookup", daemon=True).start()
        try:
            found = told.get(timeout=self.target.connect_seconds)
        except Empty:
            self._note("address", f"The name {url.host} could not be looked up in time.", said="timed out")
            return None
        if isinstance(found, Route):
            is_name = url.host != found.address
            text = (
                f"{url.host} is {found.address}." if is_name else "It is an IP address: no name to look up."
            )
            self._note("address", text, ok=True)
            return found
        if isinstance(found, OSError | UnicodeError):
            self._note("address", explain(f"getaddrinfo: {said_by(found)}"), said=said_by(found))
            return None
        raise found

    def _greeted(self, route: Route) -> bool:
        try:
            heard = greeting.greet(route, self.target, self.target.connect_seconds)
        except NoGreeting as trouble:
            self._note("greeting", trouble.text, said=trouble.said)
            return False
        self.result = replace(self.result, server=heard.server)
        how = "with TLS" if heard.encrypted else "without TLS"
        self._note("greeting", f"A nats-server answers, {how}: {heard.server}.", ok=True)
        if not heard.has_operator:
            self._note("mode", NO_OPERATOR if heard.info.get("auth_required") else ANYBODY)
        return heard.has_operator

    def _logged_in(self, *, survey: bool) -> None:
        began = time.monotonic()
        try:
            link = SystemLink(self.target, self.login, lookup=self.lookup)
        except Refused as refused:
            self.result = replace(
                self.result,
                refused=AUTHORIZATION.lower() in refused.said.lower(),
                login_seconds=time.monotonic() - began,
            )
            self._note("login", _REFUSED if self.result.refused else refused.user_message, said=refused.said)
            return
        with link:
            self.result = replace(self.result, server=self.result.server or link.server)
            self._note("login", f"Let in as “{self.login.name}”.", ok=True)
            try:
                self._asked(link, survey=survey)
            except Refused as refused:
                self._note("account", refused.user_message, said=refused.said)

    def _asked(self, link: SystemLink, *, survey: bool) -> None:
        """Whether it is the system account that we were let into, and who answers there. Raises: Refused."""
        reply = link.ask("$SYS.REQ.USER.INFO")
        account = _account(reply.answers[0].data) if reply.answers else ""
        self.result = replace(self.result, account=account)
        seen = surveying.present(link, (), patience=self.target.request_seconds)
        if not seen:
            reply = link.ask(messages.of_every_server("STATSZ"))
            unreadable = next((one.problem for one in reply.answers if one.problem), "")
            self._note(
                "account",
                unreadable
                or (
                    f"We were let in, but account {account or '?'} is not the system account of this server: nobody "
                    "answers there. Make “system_account” in its configuration the one of the operator, and restart it."
                    if reply.nobody
                    else "We were let in, but no server answered in time."
                ),
            )
            return
        self._note("account", "The system account answers.", ok=True)
        if survey:
            try:
                self.servers = tuple(surveying.described(link, seen).values())
            except Refused as refused:
                self.servers, self.problem = tuple(seen.values()), refused.user_message

    def _note(self, name: str, text: str, *, ok: bool = False, said: str = "") -> None:
        step = Step(name=name, ok=ok, text=text, said="" if said in text else said[:300])
        self.result = replace(self.result, steps=(*self.result.steps, step))


def _account(data: object) -> str:
    found: Any = data.get("account") if isinstance(data, Mapping) else ""
    return found[:56] if isinstance(found, str) else ""
