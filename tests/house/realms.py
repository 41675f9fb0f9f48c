"""What one team has: an account full of names, and the operator above it; for proving that others see none of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from django.urls import get_resolver, reverse

from identities.claims import sharing
from identities.claims.drafts import ActivationDraft, RoleDraft, SigningKeyDraft
from identities.claims.exports import Export
from identities.claims.handles import handle
from identities.claims.mappings import WeightedMapping
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.models import Account, Cluster, EventKind, Holding, Job, Operator, Server, ServerEvent, User
from identities.nkeys import KeyKind, KeyPair
from identities.services import (
    accounts,
    activations,
    changes,
    client_tests,
    clock,
    filling,
    keys,
    lockouts,
    mappings,
    presets,
    pushes,
    signing_keys,
    users,
)
from identities.services.kicking import Whom
from tests import make

DAY = 86_400
UNLIMITED = UserPermissionLimits.unlimited()


def key(kind: KeyKind = KeyKind.ACCOUNT) -> str:
    """A public key that nobody here knows."""
    return KeyPair.create(kind).public.text


@dataclass(frozen=True)
class Realm:
    """One account with everything, and what hangs on its operator. Every name in it begins with `word`."""

    word: str
    operator: Operator
    account: Account
    user: User
    role: str
    exported: str
    imported: str
    token_id: int
    request_id: int
    lockout: Job
    trial: Job
    cluster: Cluster | None = None
    server: Server | None = None

    def arguments(self) -> dict[str, object]:
        """What stands in addresses of this realm's pages, by its name there."""
        return {
            "operator_key": self.operator.public_key,
            "account_key": self.account.public_key,
            "user_key": self.user.public_key,
            "signing_key": self.role,
            "job_id": self.lockout.pk,
            "mapping": handle(f"{self.word}.orders"),
            "entry": handle("*"),
            "export_handle": self.exported,
            "import_handle": self.imported,
            "token_id": self.token_id,
            "request_id": self.request_id,
            "revoked": "*",
            "key_key": self.role,
            "operator_signing_key": handle(changes.claims_of(self.operator).nats.signing_keys[0]),
            "removed_key": self.account.public_key,
            "adopted_key": self.account.public_key,
            "offered_key": self.account.public_key,
            "preset": "observer",
            **({"cluster_id": self.cluster.pk} if self.cluster else {}),
            **({"server_id": self.server.pk} if self.server else {}),
        }

    def url(self, name: str) -> str | None:
        """The address of that route in this realm; None where it has nothing of that kind."""
        held = self.arguments() | ({"job_id": self.trial.pk} if name == "user-test-result" else {})
        needed = next(iter(get_resolver().reverse_dict.getlist(name)))[0][0][1]
        if not held.keys() >= set(needed):
            return None
        return reverse(name, kwargs={argument: held[argument] for argument in needed})


def operator(word: str) -> Operator:
    """An operator that says its word wherever it may."""
    return make.operator(f"{word}-op", tags=(f"{word}:op",), expires=clock.unix() + 20 * DAY)


def realm(
    word: str, under: Operator, *, public_key: str = "", other: str = "", takes: str, offers: str
) -> Realm:
    """An account of `under` under `public_key`; it takes a subject from the account `other` and offers one to all."""
    account = make.account(
        under,
        f"{word}-account",
        public_key=public_key,
        description=f"What {word} is for.",
        tags=(f"{word}:account",),
        expires=clock.unix() + 9 * DAY,
    )
    template = replace(UNLIMITED, pub=Permission(allow=(f"{word}.>", "shared.>")))
    _signed_by(account)
    role = _signed_by(account, RoleDraft(role=f"{word}-role", description=word, template=template))
    for draft in (f"{word}-user", f"{word}-other"):
        make.user(account, draft, signer=role, tags=(f"{word}:user",), expires=clock.unix() + 3 * DAY)
        account.refresh_from_db()
    ways = [WeightedMapping(subject=f"{word}.new", weight=40)]
    source = f"{word}.orders"
    mappings.put(
        principal=make.COMMAND, account=account, source=source, targets=ways, version=account.version
    )
    account.refresh_from_db()
    accounts.revoke(principal=make.COMMAND, account=account, entries={"*": 1})
    account.refresh_from_db()
    shared = _export(account, f"{word}.>")
    make.export(account, offers, name=f"{word}-offer")
    target = other or key()
    token = activations.issue(
        principal=make.COMMAND,
        account=account,
        handle=sharing.export_handles((shared,))[0],
        draft=ActivationDraft(target=target, subject=f"{word}.>"),
    )
    account.refresh_from_db()
    imported = make.imported(account, takes, of=target, name=f"{word}-import")
    user = User.objects.get(account=account, name=f"{word}-user")
    gone = User.objects.get(account=account, name=f"{word}-other")
    users.delete(principal=make.COMMAND, user=gone, version=gone.version)
    account.refresh_from_db()
    wish = client_tests.Wish(
        trial=client_tests.Trial.PUBLISH, url="nats://127.0.0.1:4222", subject=f"{word}.a"
    )
    trial = client_tests.start(principal=make.COMMAND, user=user, wish=wish)
    account.refresh_from_db()
    watcher = make.user(account, f"{word}-watcher")
    values = {"subject": f"{word}.>"}
    filling.fill_user(
        principal=make.COMMAND, user=watcher, preset=presets.find("observer"), values=values, version=1
    )
    return Realm(
        word=word,
        operator=under,
        account=Account.objects.select_related("operator").get(pk=account.pk),
        user=user,
        role=role,
        exported=sharing.export_handles((shared,))[0],
        imported=sharing.import_handles((imported,))[0],
        token_id=token.pk,
        request_id=make.activation_request(
            account, key(), f"{word}.asked", by=make.COMMAND, reason=f"{word} needs it"
        ).pk,
        lockout=lockouts.enqueue(
            principal=make.COMMAND, account=account, whom=Whom(entries={"*": 1}), reason=f"Revoked {word}"
        ),
        trial=trial,
    )


def reached(held: Realm) -> Realm:
    """The same with a cluster of its operator, whose server tells of the account."""
    cluster = make.cluster(held.operator, f"{held.word}-cluster")
    server = make.server(cluster, f"{held.word}-n1", nats_cluster=held.word, version="2.15.1")
    told(held, cluster, server)
    return replace(held, cluster=cluster, server=server)


def told(held: Realm, cluster: Cluster, server: Server) -> None:
    """What a server says of the account: its JWT, a client, and one that was refused."""
    moment = clock.now()
    Holding.objects.create(
        server=server,
        account_key=held.account.public_key,
        state="refused",
        iat=5,
        said=f"{held.word} refused",
        at=moment,
    )
    for number, kind in enumerate((EventKind.AUTH_FAILED, EventKind.CONNECTED)):
        ServerEvent.objects.create(
            cluster=cluster,
            kind=kind,
            server=server.name,
            account_key=held.account.public_key,
            user_key=held.user.public_key,
            name=f"{held.word}-client",
            client="go 1.48.0",
            address="192.0.2.9",
            reason="Authentication Failure",
            issued=held.user.last_iat,
            at=moment - timedelta(minutes=number),
        )


def of_operator(held: Realm) -> None:
    """What hangs on the operator beside accounts: spare keys and an open door for pushes."""
    keys.generate(principal=make.COMMAND, operator=held.operator, kind=KeyKind.ACCOUNT)
    pushes.open_door(principal=make.COMMAND, operator=held.operator, self_signed=True)


def _signed_by(account: Account, role: RoleDraft | None = None) -> str:
    draft = SigningKeyDraft(role=role)
    made = signing_keys.add(principal=make.COMMAND, account=account, draft=draft, version=account.version)
    account.refresh_from_db()
    return made.public_key


def _export(account: Account, subject: str) -> Export:
    return make.export(account, subject, token_req=True, revocations={"*": 1}, description=subject)
