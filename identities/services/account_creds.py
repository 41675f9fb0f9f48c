"""The creds of all users of an account at once, with a context of the `nats` command line for each; audited as one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db import transaction

from identities.errors import IdentityError
from identities.formats import creds as creds_format
from identities.formats import nats_context
from identities.formats.nsc_writing import Names
from identities.models import Account, Key, User
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import accounts, audit, changes, export_reading, handovers, secrets, signing
from identities.services.export_plans import Going, Remarks
from identities.services.export_reading import UNREADABLE, Written

NO_SEED = "its seed is not here (it was added with its public key only), or it has no JWT yet"
SUSPENDED = "it is suspended"
ELSEWHERE = "nats://localhost:4222"


@dataclass(slots=True, kw_only=True)
class AccountCreds:
    """What is handed out. `left` says of whom nothing is, and why; `first` is the context that an example names."""

    account: Account
    users: list[Going] = field(default_factory=list)
    left: Remarks = field(default_factory=dict)

    @property
    def first(self) -> str:
        """The name of the first context; "" when there is none."""
        return self.users[0].file if self.users else ""


def prepare(*, principal: Principal, account: Account) -> AccountCreds:
    """Whose creds go out, for `files` to read; it is audited here that they were handed out, by each user's name."""
    decisions.require(principal, Action.CREDS_DOWNLOAD, accounts.scope(account))
    with transaction.atomic():
        found = _plan(account)
        number = len(found.users)
        targets = [
            audit.Target(kind="user", key=user.key, name=user.name, operator_key=account.operator.public_key)
            for user in found.users
        ]
        given = handovers.of_user_ids([user.pk for user in found.users])
        handovers.record(principal, handovers.Way.ACCOUNT, given)
        whose = "user" if number == 1 else "users"
        summary = f"Handed out the creds of {number:,} {whose} of “{account.name}”"
        audit.record(principal, Action.CREDS_DOWNLOAD, [accounts.target(account), *targets], summary)
    return found


def files(found: AccountCreds) -> Iterator[Written]:
    """`creds/NAME.creds` and `context/NAME.json` of each user, as they lie in the folder of the `nats` command line."""
    operator = found.account.operator
    urls = ",".join(changes.claims_of(operator).nats.operator_service_urls) or ELSEWHERE
    for part in export_reading.parts(found.users):
        texts = export_reading.tokens(user.token for user in part)
        seeds = export_reading.envelopes(user.seed for user in part)
        for user in part:
            envelope = seeds.get(user.seed or 0)
            if envelope is None:  # erased or replaced since
                found.left.setdefault(NO_SEED, []).append(user.name)
                continue
            try:
                with (
                    signing.token_text(texts[user.token]) as jwt,
                    secrets.opened(envelope[1], table="key", public_key=user.key, purpose="seed") as seed,
                ):
                    text = creds_format.format_creds(jwt, seed)
            except IdentityError:
                found.left.setdefault(UNREADABLE, []).append(user.name)
                continue
            yield Written(f"creds/{user.file}.creds", text.encode())
            context = nats_context.render(
                url=urls,
                description=f"{user.name} of {found.account.name}, operator {operator.name}",
                creds=f"~/.config/nats/creds/{user.file}.creds",
            )
            yield Written(f"context/{user.file}.json", context.encode())


def _plan(account: Account) -> AccountCreds:
    found = AccountCreds(account=account)
    keys = Key.objects.filter(account=account, user__isnull=False, deleted_at=None, sealed__isnull=False)
    seeds = {(user, key): pk for pk, user, key in keys.values_list("pk", "user_id", "public_key")}
    rows = User.objects.live().filter(account=account).order_by("name", "pk")
    names = Names()
    for pk, key, name, token, suspended in rows.values_list(
        "pk", "public_key", "name", "token_id", "suspended_at"
    ):
        seed = seeds.get((pk, key))
        if suspended is not None:
            found.left.setdefault(SUSPENDED, []).append(name)
        elif seed is None or token is None:
            found.left.setdefault(NO_SEED, []).append(name)
        else:
            file = names.fit(nats_context.name_of(account.name, name), key)
            found.users.append(Going(pk=pk, key=key, name=name, file=file, token=token, seed=seed))
    return found
