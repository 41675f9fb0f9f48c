"""How fast 2,000 accounts are brought to a full nats-server, beside the same requests sent bare, and `nsc push -A`.

    python bench/push.py [--accounts 2000] [--rounds 5]

Ours: the worker's delivery over an open connection: what waits is read from the database, checked, looked up on the
server, pushed, looked up again as proof, and every answer is recorded, account by account. The limit: a look-up and an
update of as many accounts, sent by nats-py alone, 64 at a time, every answer taken and thrown away. Both push JWTs that
the server has not seen, and take turns, so that both meet whatever else the machine does. Ours must
reach 0.7 of the limit; the exit status says so. nsc waits a second for each account, so a few tell how long all take.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

import drift  # noqa: E402

FLOOR = 0.7
FOR_NSC = 5


def main() -> int:
    """Run, print, and return 1 when the bound is broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--accounts", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nscweb-bench-") as directory:
        return measure(Path(directory), asked.accounts, asked.rounds)


def measure(directory: Path, accounts: int, rounds: int) -> int:
    """Fill a database, then let ours and the bare client take turns."""
    product = Pusher(directory)
    product.fill(accounts)

    for file in (directory / "server" / "jwt").iterdir():
        file.unlink()
    ours: list[float] = []
    bare: list[float] = []
    with drift.served(directory, product.config) as port:
        product.reach(port)
        for number in range(rounds):
            product.sign_anew(4 * number + 1)
            ours.append(product.deliver())
            texts = product.signed(4 * number + 3)
            product.remember(texts)
            questions = [
                question
                for key, text in texts.items()
                for question in (
                    (f"$SYS.REQ.ACCOUNT.{key}.CLAIMS.LOOKUP", b"", 1),
                    ("$SYS.REQ.CLAIMS.UPDATE", text.encode(), 1),
                )
            ]
            bare.append(asyncio.run(drift.ask_bare(port, product.login(), questions)))
        product.link.close()
        mine, limit = accounts / statistics.median(ours), accounts / statistics.median(bare)
        ratio = statistics.median(theirs / our for theirs, our in zip(bare, ours, strict=True))
        print(f"{accounts:,} accounts to one full resolver, median of {rounds} rounds:")
        print(f"  ours (look-up, update, look-up again, recorded)  {mine:7.0f} accounts/s")
        print(f"  a look-up and an update each, bare nats-py        {limit:7.0f} accounts/s")
        print(f"  nsc push -A, by {FOR_NSC + 1} accounts: {with_nsc(directory, product, port)}")
    print(f"  ours / bare {ratio:.2f}, median of the rounds (at least {FLOOR})")
    return 0 if ratio >= FLOOR else 1


class Pusher(drift.Product):
    """nscweb with its accounts, whose JWTs are signed anew for each round."""

    def signed(self, later: int) -> dict[str, str]:
        """Every account's JWT, issued so many seconds later than at first; the database is left as it is."""
        from identities.claims import codec
        from identities.models import Account
        from identities.services import changes, signing

        key = signing.account_signer(self.operator, changes.claims_of(self.operator))
        rows = Account.objects.filter(operator=self.operator).exclude(public_key=self.operator.system_account)
        with signing.signer_for(key) as signer:
            return {
                row.public_key: codec.encode(changes.claims_of(row), signer, self.began + later).text
                for row in rows
            }

    def sign_anew(self, later: int) -> None:
        """Put freshly signed JWTs into the rows, and have them delivered."""
        from django.db import transaction

        from identities.claims import codec
        from identities.models import Account
        from identities.services import outbox

        rows = {row.public_key: row for row in Account.objects.filter(operator=self.operator)}
        texts = self.signed(later)
        tokens = {key: codec.decode(text) for key, text in texts.items()}
        with transaction.atomic():
            for entry in self.remember(texts):
                row = rows[entry.subject]
                row.token, row.claims, row.last_iat = entry, tokens[entry.subject].payload, entry.iat
            Account.objects.bulk_update(
                [rows[key] for key in tokens], ["token", "claims", "last_iat"], batch_size=500
            )
            outbox.wake(principal=self.principal, operator=self.operator.pk, keys=list(tokens))

    def remember(self, texts: dict[str, str]) -> list[Any]:
        """Put JWTs into the ledger, the bare client's too: over what was made elsewhere nothing is sent."""
        from identities.claims import codec
        from identities.models import IssuedToken
        from identities.services import clock

        read = [codec.decode(text) for text in texts.values()]
        made: list[Any] = IssuedToken.objects.bulk_create(
            [
                IssuedToken(
                    operator=self.operator, kind="account", subject=token.claims.sub, name=token.claims.name,
                    issuer=token.claims.iss, jti=token.claims.jti, iat=token.claims.iat, text=token.text,
                    by="bench", by_name="bench", reason="bench", created_at=clock.now(),
                )
                for token in read
            ],
            batch_size=500,
        )  # fmt: skip
        return made

    def reach(self, port: int) -> None:
        """The cluster in hand, with a connection that stays open."""
        from identities.services import clock

        super().reach(port)
        self.began = clock.unix()

    def deliver(self) -> float:
        """Seconds until nothing waits any more, all of it delivered."""
        from identities.models import Delivery, Server
        from identities.services import delivering, leases, roster
        from identities.services.delivering_roster import Roster

        held = leases.take(self.cluster.pk)
        if held is None:
            raise RuntimeError("somebody else has the cluster in hand")
        here = roster.refresh(self.cluster, self.link)
        servers = list(Server.objects.filter(cluster=self.cluster))
        started = time.perf_counter()
        while delivering.deliver(held, self.cluster, self.link, Roster(servers, {one.pk for one in here})):
            pass
        seconds = time.perf_counter() - started
        if Delivery.objects.exclude(state="done").exists():
            raise RuntimeError("not everything was delivered")
        leases.release(held)
        return seconds


def with_nsc(directory: Path, product: Pusher, port: int) -> str:
    """Accounts per second that `nsc push -A` brings over, from a store that has a few; or why it could not be tried."""
    from django.core.management import call_command

    from tests.nsc import NotHere, Nsc, built

    try:
        binary = built()
    except NotHere as why:
        return str(why)
    stores, keys = directory / "out" / "stores", directory / "out" / "keys"
    call_command("export_nsc", "Bench", str(directory / "out"), with_keys=True, stdout=io.StringIO())
    nsc = Nsc(binary, stores, keys, directory / "nsc")
    homes = [one for one in (stores / "Bench" / "accounts").iterdir() if one.name != "SYS"]
    for home in homes[FOR_NSC:]:
        shutil.rmtree(home)
    nsc.run("env", "-o", "Bench")
    started = time.perf_counter()
    nsc.run("push", "-A", "-u", f"nats://127.0.0.1:{port}")
    seconds = time.perf_counter() - started
    return f"{(FOR_NSC + 1) / seconds:.1f} accounts/s"


if __name__ == "__main__":
    sys.exit(main())
