"""One of everything, and for each operation a request that its owner may send: what tests of operations stand on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.db.models import Model

from identities.api.urls import OPERATIONS as DECLARED
from identities.claims import sharing
from identities.claims.drafts import ActivationDraft, RoleDraft, SigningKeyDraft
from identities.claims.handles import handle
from identities.claims.mappings import WeightedMapping
from identities.models import Account, ActivationRequest, Cluster, IssuedToken, Operator, Proposal, User
from identities.nkeys import KeyKind, KeyPair
from identities.services import accounts, activations, mappings, signing_keys, suspensions
from tests import make

SEED = re.compile(r"S[OAUX][A-Z2-7]{56}")
ELSEWHERE = KeyPair.create(KeyKind.ACCOUNT).public.text
SOMEBODY = KeyPair.create(KeyKind.USER).public.text


@dataclass(frozen=True)
class World:
    """An operator with an account that has one of everything."""

    operator: Operator
    account: Account
    user: User
    suspended: User
    role: str
    export_handle: str
    import_handle: str
    activation: IssuedToken
    asked: ActivationRequest
    requested: ActivationRequest
    cluster: Cluster
    proposal: Proposal

    def path(self, id: str) -> str:  # noqa: A002 - the word of OpenAPI
        """The address of an operation's sample, below `/api/v1/`."""
        arguments = {
            "operator_key": self.operator.public_key,
            "account_key": self.account.public_key,
            "user_key": (self.suspended if id == "lift-suspension" else self.user).public_key,
            "signing_key": self.role,
            "export_handle": self.export_handle,
            "import_handle": self.import_handle,
            "mapping": handle("orders"),
            "revoked": "*",
            "number": str(self._numbered(id).pk),
        }
        path = re.sub(r"{(?:\w+:)?(\w+)}", lambda found: arguments[found[1]], DECLARED[id].path)
        return path + ("?q=a" if id == "search" else "")

    def _numbered(self, id: str) -> Model:  # noqa: A002 - the word of OpenAPI
        if "cluster" in id:
            return self.cluster
        if "proposal" in id:
            return self.proposal
        if id in ("grant-activation", "decline-activation", "get-requested-activation"):
            return self.requested
        return self.asked if "request" in id else self.activation

    def body(self, id: str) -> Any:  # noqa: A002 - the word of OpenAPI
        """What its sample sends; None: nothing."""
        if id == "apply-manifest":
            return {
                "manifest": f"operator: {{key: {self.operator.public_key}}}\naccounts: [{{name: by-manifest}}]"
            }
        return BODIES.get(id)


BODIES: dict[str, Any] = {
    "create-operator": {"name": "Made", "tags": ["B", "a"]},
    "edit-operator": {"tags": ["edited"]},
    "create-account": {"name": "made", "limits": {"conn": 5, "tiered_limits": {"R1": {"disk_storage": 9}}}},
    "edit-account": {"description": "edited"},
    "edit-account-limits": {"conn": 7},
    "edit-default-permissions": {"pub": {"allow": ["edited.>"]}, "resp": {"max": 1, "ttl": 0}},
    "edit-tracing": {"trace": {"dest": "trace.here", "sampling": 10}},
    "edit-cluster-traffic": {"cluster_traffic": "owner"},
    "add-signing-key": {"role": {"role": "made", "template": {"sub": {"allow": ["made.>"]}}}},
    "edit-role": {"template": {"pub": {"allow": ["edited.>"]}}},
    "add-export": {"subject": "made.>", "type": "service", "service_latency": {"results": "made.latency"}},
    "edit-export": {"description": "edited"},
    "issue-activation": {"target": ELSEWHERE},
    "ask-activation": {"account": ELSEWHERE, "subject": "made.>", "reason": "why not"},
    "grant-activation": {"answer": "until summer"},
    "decline-activation": {"answer": "no"},
    "add-import": {"subject": "made.>", "account": ELSEWHERE, "local_subject": "made.here.>"},
    "edit-import": {"share": False, "name": "edited"},
    "add-mapping": {"source": "made", "targets": [{"subject": "made.new", "weight": 30}]},
    "replace-mapping": {"source": "orders", "targets": [{"subject": "orders.edited"}]},
    "revoke": {"user": "worker"},
    "create-user": {"name": "made", "limits": {"sub": {"allow": ["made.>"]}, "subs": 10}},
    "edit-user": {"limits": {"pub": {"allow": ["edited.>"]}}},
    "issue-short-lived-creds": {"name": "made"},
    "rotate-user-key": {},
    "comment-proposal": {"text": "made"},
    "add-cluster": {"name": "made", "urls": ["nats://192.0.2.1:4222"]},
    "replace-cluster": {"name": "edited", "urls": ["nats://192.0.2.2:4222"]},
}


def world(operator: Operator | None = None) -> World:
    """A fresh one."""
    make.installation()
    operator = operator or make.operator()
    account = make.account(operator)
    targets = [WeightedMapping(subject="orders.new", weight=40)]
    account = mappings.put(
        principal=make.COMMAND, account=account, source="orders", targets=targets, version=account.version
    )
    account = accounts.revoke(principal=make.COMMAND, account=account, entries={"*": 1, SOMEBODY: 1})
    draft = SigningKeyDraft(role=RoleDraft(role="service"))
    role = signing_keys.add(principal=make.COMMAND, account=account, draft=draft, version=account.version)
    account.refresh_from_db()
    export = make.export(account, "offers.>", token_req=True)
    imported = make.imported(account, "other.>", of=ELSEWHERE)
    shared = sharing.export_handles((export,))[0]
    wanted = ActivationDraft(target=ELSEWHERE, subject="offers.>")
    token = activations.issue(principal=make.COMMAND, account=account, handle=shared, draft=wanted)
    user = make.user(account, name="worker")
    away = make.user(account, name="away")
    suspended = suspensions.suspend(principal=make.COMMAND, user=away, version=away.version)
    account.refresh_from_db()
    cluster = make.cluster(operator)
    make.server(cluster)
    return World(
        operator=operator,
        account=account,
        user=user,
        suspended=suspended,
        role=role.public_key,
        export_handle=shared,
        import_handle=sharing.import_handles((imported,))[0],
        activation=token,
        asked=make.activation_request(account, ELSEWHERE, by=make.COMMAND),
        requested=make.activation_request(make.account(operator), account, "offers.new", by=make.COMMAND),
        cluster=cluster,
        proposal=make.proposal(account),
    )
