"""The cast of the tests: people with a role, and operators, accounts and users made by the real services."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

from django.test import Client

from identities import lookup
from identities.claims.drafts import AccountDraft, AccountEdit, ImportDraft, Minting, OperatorDraft, UserDraft
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.models import (
    Account,
    ActivationRequest,
    ApiToken,
    Cluster,
    Grant,
    Installation,
    Key,
    Operator,
    Person,
    Proposal,
    Server,
    ServiceAccount,
    SignOnGroup,
    SignOnProvider,
    Team,
    User,
    Webhook,
    WorkloadRule,
)
from identities.policy.principal import Principal, Role, ScopeKind
from identities.resolver.drafts import ClusterDraft, WebhookDraft
from identities.resolver.oidc_drafts import ProviderDraft, WorkloadDraft
from identities.services import (
    accounts,
    activation_requests,
    api_tokens,
    changes,
    clock,
    clusters,
    exports,
    grants,
    imports,
    operators,
    proposing,
    secrets,
    service_accounts,
    sign_on_providers,
    teams,
    users,
    webhooks,
    workload_rules,
)

PASSWORD = "correct horse battery staple"

COMMAND = Principal.command("test")
"""May do everything, without a row in the database."""

_numbers = count(1)


def installation() -> Installation:
    """An unsealed installation with its row; a second call changes nothing."""
    if secrets.is_sealed():
        secrets.initialise()
    return Installation.objects.get()


def person(
    role: Role | None = Role.ADMINISTRATOR,
    *,
    username: str = "",
    operator: Operator | None = None,
    account: Account | None = None,
) -> Person:
    """A person who may sign in with `PASSWORD`, holding `role` on the installation, on an operator or an account."""
    made = Person(username=username or f"{role or 'guest'}-{next(_numbers)}")
    made.set_password(PASSWORD)
    made.save()
    if role is not None:
        grant(made, role, operator=operator, account=account)
    return made


def api_token(*, name: str = "pipeline", by: Principal = COMMAND) -> ApiToken:
    """A token of a fresh service account of that name."""
    installation()
    machine = service_accounts.create(principal=COMMAND, name=name)
    ends = clock.now() + timedelta(days=1)
    return api_tokens.make(principal=by, holder=machine, name=name, expires_at=ends).token


def machine(operator: Operator, *, by: Principal = COMMAND, name: str = "pipeline") -> Principal:
    """A machine that administers the operator, come in by a token that `by` made."""
    token = api_token(name=name, by=by)
    holder = ServiceAccount.objects.get(pk=token.service_account_id)
    grant(holder, Role.ADMINISTRATOR, operator=operator)
    return api_tokens.narrowed(lookup.service_account_principal(holder), token)


def grant(
    to: Person | ServiceAccount,
    role: Role,
    *,
    operator: Operator | None = None,
    account: Account | None = None,
) -> Grant:
    """One more role for a person or a machine."""
    kind = ScopeKind.INSTALLATION
    if operator is not None:
        kind = ScopeKind.OPERATOR
    if account is not None:
        kind, operator = ScopeKind.ACCOUNT, account.operator
    holder = {"person": to} if isinstance(to, Person) else {"service_account": to}
    return Grant.objects.create(
        **holder, role=role, scope_kind=kind, operator=operator, account=account, created_at=clock.now()
    )


def issuer(to: Person | ServiceAccount, role: Key, *, names: str = "*", tags: str = "") -> Grant:
    """The right to issue creds of a role, for users of these names and tags."""
    holder = {"person": to} if isinstance(to, Person) else {"service_account": to}
    return Grant.objects.create(
        **holder,
        role=Role.ISSUER,
        scope_kind=ScopeKind.ROLE,
        operator=role.operator,
        account=role.account,
        signing_key=role,
        names=names,
        tags=tags,
        created_at=clock.now(),
    )


@dataclass(frozen=True)
class Staff:
    """A team, somebody in it, and the role that it holds."""

    team: Team
    person: Person
    grant: Grant


def staff(
    role: Role = Role.VIEWER,
    name: str = "",
    *,
    operator: Operator | None = None,
    account: Account | None = None,
) -> Staff:
    """A team with one member that holds `role` on the installation, an operator or an account."""
    team = teams.create(principal=COMMAND, name=name or f"Team{next(_numbers)}")
    member = person(None, username=f"{name or 'member'}-{next(_numbers)}")
    teams.add_member(principal=COMMAND, team=team, person=member)
    held = grants.give(principal=COMMAND, holder=team, role=role, place=account or operator)
    return Staff(team, member, held)


def webhook(
    of: Operator | None = None, name: str = "", *, by: Principal = COMMAND, **options: Any
) -> Webhook:
    """A webhook for the events of an operator, or of the whole installation; options as its draft."""
    draft = WebhookDraft(
        **{"name": name or f"Webhook{next(_numbers)}", "url": "https://example.com/hook", **options}
    )
    return webhooks.create(principal=by, operator=of, draft=draft)[0]


def principal(role: Role | None = Role.ADMINISTRATOR, **scope: Any) -> Principal:
    """A fresh person with `role`, as the services meet them."""
    return lookup.person_principal(person(role, **scope))


def client(role: Role | None = Role.ADMINISTRATOR, **scope: Any) -> Client:
    """A test client signed in as a fresh person with `role` (None: signed in, but nothing granted)."""
    installation()
    browser = Client()
    browser.force_login(person(role, **scope))
    return browser


def operator(name: str = "", *, by: Principal = COMMAND, **options: Any) -> Operator:
    """An operator as `nsc add operator` makes it: signing key, SYS account and its user; options as its draft."""
    installation()
    draft = OperatorDraft(name=name or f"Operator{next(_numbers)}", **options)
    return operators.create(principal=by, draft=draft)


def account(
    under: Operator | None = None, name: str = "", *, by: Principal = COMMAND, **options: Any
) -> Account:
    """An account of `under` (or of a fresh operator); options as its draft."""
    draft = AccountDraft(name=name or f"Account{next(_numbers)}", **options)
    return accounts.create(principal=by, operator=under or operator(), draft=draft)


def user(of: Account | None = None, name: str = "", *, by: Principal = COMMAND, **options: Any) -> User:
    """A user of `of` (or of a fresh account); options as its draft."""
    draft = UserDraft(name=name or f"User{next(_numbers)}", **options)
    return users.create(principal=by, account=of or account(), draft=draft)


def many_users(of: Account, names: Sequence[str], *, by: Principal = COMMAND, **options: Any) -> list[User]:
    """Users with these names, issued in one go."""
    drafts = [UserDraft(name=name, **options) for name in names]
    return users.create_many(principal=by, account=of, drafts=drafts)


def export(of: Account, subject: str, *, by: Principal = COMMAND, **options: Any) -> Export:
    """An export of `of` (a stream unless told otherwise), whose row is refreshed; options as its claims."""
    made = Export(subject=subject, **{"type": "stream", "name": subject, **options})
    exports.add(principal=by, account=of, export=made, version=of.version)
    of.refresh_from_db()
    return made


def imported(
    to: Account,
    subject: str,
    *,
    of: Account | str,
    by: Principal = COMMAND,
    minting: Minting = Minting.IF_ASKED,
    **options: Any,
) -> Import:
    """An import of `to` as it was signed, with a token where the export asks for one; options as its claims."""
    exporter = of if isinstance(of, str) else of.public_key
    wanted = Import(subject=subject, account=exporter, **{"type": "stream", "name": subject, **options})
    draft = ImportDraft(imported=wanted, minting=minting)
    imports.add(principal=by, account=to, draft=draft, version=to.version)
    to.refresh_from_db()
    held: Import = next(one for one in changes.claims_of(to).nats.imports if one.subject == subject)
    return held


def activation_request(
    to: Account, of: Account | str, subject: str = "orders.>", *, by: Principal | None = None, **options: Any
) -> ActivationRequest:
    """A request of `to`, by a fresh admin of it, for a token of a stream of `of` (an account or a key); options as
    the import's claims, and a reason.
    """
    reason = options.pop("reason", "for the reports")
    key = of if isinstance(of, str) else of.public_key
    wanted = Import(subject=subject, account=key, **{"type": "stream", **options})
    who = by or principal(account=to)
    return activation_requests.ask(principal=who, account=to, imported=wanted, reason=reason)


def four_eyes(operator: Operator, mode: str = "everybody") -> None:
    """Have the operator ask for a second person; the row in hand learns of it, too."""
    operator.four_eyes = mode
    operator.save(update_fields=["four_eyes"])


def proposal(of: Account, description: str = "proposed", *, by: Principal | None = None) -> Proposal:
    """An edit of the account that waits for a second person, by a fresh admin; four eyes end as they were."""
    mode = of.operator.four_eyes
    four_eyes(of.operator)
    edit = AccountEdit(name=of.name, description=description)
    try:
        accounts.update(principal=by or principal(), account=of, edit=edit, version=of.version)
    except proposing.Proposed as made:
        return made.proposal
    finally:
        four_eyes(of.operator, mode)
    raise AssertionError("nothing was proposed")


def cluster(
    under: Operator | None = None, name: str = "", *, by: Principal = COMMAND, **options: Any
) -> Cluster:
    """A cluster of `under` (or of a fresh operator) with its system user; options as its draft."""
    values = {"urls": ("nats://nats.example.com:4222",), **options}
    draft = ClusterDraft(name=name or f"Cluster{next(_numbers)}", **values)
    return clusters.create(principal=by, operator=under or operator(), draft=draft)


def sign_on_provider(name: str = "", *, by: Principal = COMMAND, **options: Any) -> SignOnProvider:
    """A provider of single sign-on that nothing listens at, unless told otherwise; options as its draft."""
    installation()
    values = {"issuer": "https://login.example.com", "client_id": "nscweb", **options}
    draft = ProviderDraft(name=name or f"Provider{next(_numbers)}", **values)
    return sign_on_providers.create(principal=by, draft=draft)


def sign_on_group(of: SignOnProvider, group: str = "ops", to: Team | None = None) -> SignOnGroup:
    """A group of a provider that is a team here."""
    team = to or Team.objects.create(name=f"Team{next(_numbers)}", created_at=clock.now())
    return SignOnGroup.objects.create(provider=of, group=group, team=team)


def workload_rule(role: Key, name: str = "", *, by: Principal = COMMAND, **options: Any) -> WorkloadRule:
    """A rule by which machines get creds of `role`; options as its draft."""
    values = {
        "issuer": "https://ci.example.com",
        "audience": "nscweb",
        "conditions": (("repository", "acme/shop"),),
        "user_name": "ci",
        "seconds": 600,
        **options,
    }
    draft = WorkloadDraft(name=name or f"Rule{next(_numbers)}", **values)
    return workload_rules.create(principal=by, role=role, draft=draft)


def server(of: Cluster, name: str = "n1", **values: Any) -> Server:
    """A server on the roster of `of`, seen just now; columns as given."""
    moment = clock.now()
    return Server.objects.create(
        cluster=of, name=name, **{"first_seen_at": moment, "seen_at": moment, **values}
    )
