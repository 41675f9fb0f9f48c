"""How many short-lived creds a second one worker issues over the API, beside an API view that commits one INSERT.

    python bench/creds.py [--seconds 5] [--rounds 5] [--connections 4]

Ours: granian as `make run` starts it, with one worker; a service account that holds the issuer's role on one signing
key asks for creds of fresh names: a key made, the template judged, the JWT signed and verified, written to the ledger,
to the list of hand-overs and to the audit chain. The comparison: a view on the same frame, with the same token, that
commits one INSERT (`bench/creds_urls.py`), on the same server, database and settings. Both are asked by the same client
in turns. Ours must reach half of it, and 1,000 a minute; the exit status says so. Every answer is read and its status
checked; at the end the rows are counted: as many hand-overs, ledger rows and audit events as creds were answered.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE)]

import resolver  # noqa: E402

FLOOR = 0.5
A_MINUTE = 1000
SETTINGS = "creds_settings"


def main() -> int:
    """Run, print, and return 1 when a bound is broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--seed", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--count", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.seed or asked.count:
        print(json.dumps(seed() if asked.seed else count()))
        return 0
    with tempfile.TemporaryDirectory(prefix="nscweb-bench-") as directory:
        return measure(Path(directory), asked.seconds, asked.rounds, asked.connections)


def seed() -> dict[str, str]:
    """An account with a role of ordinary rights, and a machine that may issue it: token and addresses."""
    _django()
    from datetime import timedelta

    from django.core.management import call_command
    from django.db import connection

    from identities.claims.drafts import AccountDraft, OperatorDraft, RoleDraft, SigningKeyDraft
    from identities.claims.permissions import Permission, UserPermissionLimits
    from identities.models import Grant
    from identities.policy.principal import Principal, Role, ScopeKind
    from identities.services import (
        accounts,
        api_tokens,
        clock,
        operators,
        secrets,
        service_accounts,
        signing_keys,
    )

    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    secrets.initialise()
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE bench_insert (id INTEGER PRIMARY KEY, name TEXT NOT NULL, at TEXT NOT NULL)"
        )
    me = Principal.command("bench")
    operator = operators.create(principal=me, draft=OperatorDraft(name="Bench"))
    account = accounts.create(principal=me, operator=operator, draft=AccountDraft(name="Bench"))
    template = UserPermissionLimits(
        pub=Permission(allow=("jobs.{{name()}}.>", "logs.{{tag(team)}}")),
        sub=Permission(allow=("_INBOX.>", "jobs.{{name()}}.todo")),
        subs=-1,
        data=-1,
        payload=-1,
    )
    draft = SigningKeyDraft(role=RoleDraft(role="ci", template=template))
    role = signing_keys.add(principal=me, account=account, draft=draft, version=account.version)
    machine = service_accounts.create(principal=me, name="ci")
    Grant.objects.create(
        service_account=machine,
        role=Role.ISSUER,
        scope_kind=ScopeKind.ROLE,
        operator=operator,
        account=account,
        signing_key=role,
        names="job-*",
        tags="team:*",
        created_at=clock.now(),
    )
    token = api_tokens.make(
        principal=me, holder=machine, name="bench", expires_at=clock.now() + timedelta(days=1)
    )
    keys = f"operators/{operator.public_key}/accounts/{account.public_key}/signing-keys/{role.public_key}"
    return {"token": token.text, "creds": f"/api/v1/{keys}/creds", "insert": "/api/v1/bench"}


def count() -> dict[str, int]:
    """What the database holds of short-lived creds."""
    _django()
    from identities.models import AuditEvent, Handover, IssuedToken

    return {
        "hand-overs": Handover.objects.filter(way="short-lived").count(),
        "ledger rows": IssuedToken.objects.filter(reason="Short-lived creds").count(),
        "audit events": AuditEvent.objects.filter(action="creds.issue").count(),
    }


def measure(directory: Path, seconds: float, rounds: int, connections: int) -> int:
    """Start the server and let the client ask for both in turns."""
    metrics = directory / "metrics"
    metrics.mkdir()
    environ = {
        **os.environ,
        "NSCWEB_DATA_DIR": str(directory / "data"),
        "NSCWEB_WORKERS": "1",
        "NSCWEB_LOG_LEVEL": "INFO",
        "DJANGO_SETTINGS_MODULE": SETTINGS,
        "PYTHONPATH": f"{ROOT}:{HERE}",
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
    }
    environ.pop("DATABASE_URL", None)
    os.environ["NSCWEB_WORKERS"] = "1"  # `web_command` reads it here
    told = _child("--seed", environ)
    from nscweb.serve import web_command

    port = resolver._free_port()
    with resolver.running(web_command("127.0.0.1", port), environ, port):
        client = Client(port, told["token"], connections)
        creds, insert = told["creds"], told["insert"]
        for path in (creds, insert):
            client.ask(path, 0.5)  # warm
        ours, bare = list[float](), list[float]()
        for _ in range(rounds):
            ours.append(client.ask(creds, seconds))
            bare.append(client.ask(insert, seconds))
        answered = client.answered[creds]
    held = _child("--count", environ)
    mine, limit = statistics.median(ours), statistics.median(bare)
    ratio = statistics.median(our / theirs for our, theirs in zip(ours, bare, strict=True))
    print(f"one worker process, {connections} connections, {rounds} × {seconds:g} s each, in turns")
    print(f"  short-lived creds over the API       {mine:7.0f} /s   {60 * mine:9,.0f} a minute")
    print(f"  an API view that commits one INSERT  {limit:7.0f} /s")
    print(
        f"  answered {answered:,}; kept: " + ", ".join(f"{number:,} {what}" for what, number in held.items())
    )
    print(f"  ours / INSERT {ratio:.2f}, median of the rounds (at least {FLOOR}; {A_MINUTE:,} a minute)")
    complete = set(held.values()) == {answered}
    return 0 if complete and ratio >= FLOOR and 60 * mine >= A_MINUTE else 1


@dataclass(slots=True)
class Client:
    """Asks by several connections at once, each the next when it has its answer."""

    port: int
    token: str
    connections: int
    number: int = 0
    answered: dict[str, int] = field(default_factory=dict)

    def ask(self, path: str, seconds: float) -> float:
        """Answers a second.

        Raises: RuntimeError: one of them was no 201.
        """
        lock, wrong, done = threading.Lock(), list[str](), 0
        end = time.perf_counter() + seconds

        def run() -> None:
            nonlocal done
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            while time.perf_counter() < end and not wrong:
                with lock:
                    self.number += 1
                    body: dict[str, object] = {"name": f"job-{self.number}"}
                if path.endswith("/creds"):
                    body |= {"tags": ["team:blue"]}
                connection.request(
                    "POST",
                    path,
                    json.dumps(body),
                    {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
                )
                answer = connection.getresponse()
                text = answer.read()
                with lock:
                    if answer.status != 201:
                        wrong.append(f"{answer.status} {text[:300]!r}")
                    else:
                        done += 1
            connection.close()

        threads = [threading.Thread(target=run) for _ in range(self.connections)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        taken = time.perf_counter() - started
        if wrong:
            raise RuntimeError(wrong[0])
        self.answered[path] = self.answered.get(path, 0) + done
        return done / taken


def _child(what: str, environ: dict[str, str]) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, __file__, what], env=environ, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _django() -> None:
    import django

    django.setup()


if __name__ == "__main__":
    raise SystemExit(main())
