"""Records what a nats-server of any version and nats.go say when they refuse, for `test_denials_recorded`.

Run by hand, once for each version: `python -m tests.interop.record_denials NATS_SERVER… [--client CLIENT]`, where
CLIENT is built of `tests/golden/denials/client.go` (its go.mod beside it).
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from identities.claims.permissions import Permission, ResponsePermission, TimeRange
from identities.formats import creds
from identities.nkeys import KeyKind, KeyPair
from tests import natsserver
from tests.interop.test_denials import ONLY_OK, Realm
from tests.interop.wire import Refused, Wire

FOLDER = Path(__file__).parent.parent / "golden/denials"
SAID = {
    "publish": ("PUB No.subject 0", ""),
    "subscribe": ("SUB No.subject 1",),
    "queue": ("SUB No.> group 1",),
    "reply": ("PUB Ok.subject _R_.x 0", ""),
    "jetstream": ("PUB $JS.API.STREAM.INFO.x _INBOX.a 0", ""),
}
"""What is sent, by the name under which the refusal is recorded."""
CLIENT_RULES = {
    "pub": Permission(allow=("Ok.subject", "$JS.API.>"), deny=("$JS.API.STREAM.CREATE.>",)),
    "sub": Permission(allow=("Ok.subject", "_INBOX.>")),
}
_ORDINARY = re.compile(r"Client connection (?:created|closed: Client Closed)|Authenticated JWT")
ENDINGS = ("expired", "payload", "subscriptions")


def server(realm: Realm) -> Iterator[dict[str, Any]]:
    """Every refusal of a server, as its client reads it and as its log has it."""
    log = realm.server
    for what, lines in SAID.items():
        token, pair = realm.user(pub=ONLY_OK, sub=ONLY_OK)
        before = len(log.log)
        with Wire(log.port, token.text, pair) as wire:
            yield _entry(what, wire.ask(*lines), log.log[before:])
    yield from _limits(realm)
    logins: dict[str, dict[str, Any]] = {
        "login expired": {"exp": realm.now - 5},
        "login stranger": {"signer": KeyPair.create(KeyKind.ACCOUNT)},
        "login network": {"src": ("192.0.2.0/24",)},
        "login hours": {"times": (TimeRange(start="00:00:00", end="00:00:01"),)},
        "login kind": {"allowed_connection_types": ("MQTT",)},
        "login bearer": {"bearer_token": True},
        "login revoked": {"pair": realm.revoked},
        "login seed": {},
    }
    for what, options in logins.items():
        token, pair = realm.user(**options)
        pair = KeyPair.create(KeyKind.USER) if what == "login seed" else pair
        before = len(log.log)
        try:
            with Wire(log.port, token.text, pair):
                yield _entry(what, [], "")
        except Refused as refused:
            yield _entry(what, [str(refused)], log.log[before:])


def _limits(realm: Realm) -> Iterator[dict[str, Any]]:
    port = realm.server.port
    token, pair = realm.user(subs=1)
    with Wire(port, token.text, pair) as wire:
        yield _entry("subscriptions", wire.ask("SUB a 1", "SUB b 2"), "")
    token, pair = realm.user(payload=10)
    with Wire(port, token.text, pair) as wire:
        yield _entry("payload", wire.ask("PUB a 20", "x" * 20), "")
    token, pair = realm.user()
    with Wire(port, token.text, pair), Wire(port, token.text, pair):
        try:
            with Wire(port, token.text, pair):
                pass
        except Refused as refused:
            yield _entry("connections", [str(refused)], "")
    token, pair = realm.user(exp=realm.now + 3)
    with Wire(port, token.text, pair) as wire:
        natsserver.eventually(lambda: bool(_over(wire)), "the end of the user's time")
        yield _entry("expired", wire.errors, "")
    token, pair = realm.user(sub=Permission(allow=("Ok.subject",)), resp=ResponsePermission(max=1))
    with Wire(port, token.text, pair) as wire:
        yield _entry("answer unasked", wire.ask("PUB r.1 0", ""), "")


def _over(wire: Wire) -> list[str]:
    try:
        return wire.sync()
    except (EOFError, OSError):
        return wire.errors


def _entry(what: str, errors: list[str], log: str) -> dict[str, Any]:
    lines = [line for line in log.splitlines() if "cid:" in line and not _ORDINARY.search(line)]
    return {"what": what, "client": errors, "log": lines}


def client(program: str, realm: Realm, *, jetstream: bool) -> Iterator[dict[str, str]]:
    """Every refusal as nats.go tells it."""
    where = "with jetstream" if jetstream else "without jetstream"
    for ending in ("", *ENDINGS) if not jetstream else ("",):
        options: dict[str, Any] = {"payload": 1000} if ending == "payload" else {}
        options |= {"exp": int(time.time()) + 2} if ending == "expired" else {}
        options |= {"subs": 1} if ending == "subscriptions" else {}
        yield from _run(program, realm, [ending] if ending else [], where, **CLIENT_RULES, **options)
    if not jetstream:
        yield from _run(program, realm, [], "stranger", signer=KeyPair.create(KeyKind.ACCOUNT))


def _run(
    program: str, realm: Realm, arguments: list[str], where: str, **options: Any
) -> Iterator[dict[str, str]]:
    token, pair = realm.user(**options)
    with tempfile.NamedTemporaryFile("w", suffix=".creds") as file:
        file.write(creds.format_creds(token.text, pair.seed()))
        file.flush()
        ended = subprocess.run(
            [program, realm.server.url, file.name, *arguments], capture_output=True, text=True, check=True
        )
    for line in ended.stdout.splitlines():
        yield {**json.loads(line), "where": where}


def main() -> None:
    """Record, one file for each program and version."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("servers", nargs="+", metavar="NATS_SERVER")
    parser.add_argument("--client", metavar="CLIENT")
    options = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    for program in options.servers:
        natsserver.binary = lambda found=program: found
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        with tempfile.TemporaryDirectory() as folder:
            servers = natsserver.Stable(Path(folder))
            try:
                _write(f"nats-server-{said.split()[-1].lstrip('v')}", list(server(Realm(servers))))
                if options.client:
                    told = list(client(options.client, Realm(servers), jetstream=False))
                    told += list(client(options.client, Realm(servers, jetstream=True), jetstream=True))
                    version = next(one["text"] for one in told if one["what"] == "version")
                    _write(f"nats.go-{version}", [one for one in told if one["what"] != "version"])
            finally:
                servers.stop()


def _write(name: str, entries: list[dict[str, Any]]) -> None:
    text = json.dumps(entries, indent=1, ensure_ascii=False)
    (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
