"""An operator as a manifest: read, planned and applied. A plan is an application that is taken back at its end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches

from identities.claims.drafts import OperatorEdit
from identities.formats import manifest as form
from identities.formats.manifest import Manifest
from identities.models import Account, Operator, User
from identities.nkeys import KeyKind, is_public
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.services import audit, changes, columns, four_eyes, operators, system_accounts
from identities.services.manifest_accounts import carry_out, drop_accounts
from identities.services.manifest_plans import (
    Fate,
    ManifestRefused,
    ManifestStale,
    Plan,
    Planned,
    Run,
    about,
)
from identities.services.manifest_settings import account_key, said_name
from identities.services.manifest_state import manifest_of, users_by_account
from identities.services.proposing import guarded


class _TakenBack(Exception):
    """Ends a rehearsal."""


def text(principal: Principal, operator: Operator, *, keys: bool = False) -> str:
    """What the principal sees of an operator as a manifest; `keys`: with public keys, so that renames are known.

    Raises: IdentityError: more users than one manifest takes.
    """
    return form.write(manifest_of(principal, operator, keys=keys))


def plan(*, principal: Principal, operator: Operator, data: bytes | str, prune: bool = False) -> Plan:
    """What applying a manifest would do. Everything is tried and taken back, so that nothing is told too little.

    Raises: as `apply`.
    """
    manifest = form.read(data)
    found: list[Plan] = []
    try:
        with four_eyes.passed(), changes.transaction_of_one():
            found.append(_applied(principal, operator, manifest, data, prune=prune, token=""))
            raise _TakenBack
    except _TakenBack:
        return found[0]


@guarded
def apply(
    *, principal: Principal, operator: Operator, data: bytes | str, prune: bool = False, token: str = ""
) -> Plan:
    """Make an operator what a manifest says: all of it, or nothing. What is so already is neither signed nor written.

    `prune` deletes what the manifest does not name; never the system account, nor anything of it. `token` is that of
    the plan that somebody has agreed to.

    Raises:
        UnreadableManifest: with every mistake and its line. ManifestRefused: what can't be, with its line.
        ManifestStale: something was changed since the plan. Forbidden: a part of it is not granted.
    """
    manifest = form.read(data)
    with changes.transaction_of_one():
        return replace(_applied(principal, operator, manifest, data, prune=prune, token=token), applied=True)


def _applied(
    principal: Principal,
    operator: Operator,
    manifest: Manifest,
    data: bytes | str,
    *,
    prune: bool,
    token: str,
) -> Plan:
    row = changes.locked(operator, None)
    rows = _locked_accounts(principal, row)
    state = _token(row, rows, data, prune=prune)
    if token not in ("", state):
        raise ManifestStale(
            f"“{row.name}” was changed, or the manifest, since this plan was made. Look at the new plan, then apply "
            "it.",
            field="manifest",
        )
    run = Run(principal=principal, operator=row, prune=prune, system_account=row.system_account)
    done = [*_carry_out(run, manifest, rows)]
    plan = Plan(operator=row.name, objects=tuple(done), token=state, prune=prune)
    if not plan.is_empty:
        audit.record(principal, Action.MANIFEST_APPLY, [operators.target(row)], _summary(plan))
    return plan


def _locked_accounts(principal: Principal, operator: Operator) -> list[Account]:
    """The accounts that the principal may see, locked: who edits one or its users waits."""
    seen = Account.objects.visible_to(principal).live().filter(operator=operator).values("pk")
    rows = list(Account.objects.filter(pk__in=seen).select_for_update(no_key=True).order_by("pk"))
    for row in rows:
        row.operator = operator
    return rows


def _token(operator: Operator, rows: Sequence[Account], data: bytes | str, *, prune: bool) -> str:
    """Stands for a manifest and all that it is compared with."""
    seal = hashlib.sha256(data if isinstance(data, bytes) else data.encode())
    seal.update(f"{operator.pk} {operator.version} {prune}\n".encode())
    for row in rows:
        seal.update(f"{row.pk} {row.version}\n".encode())
    users = User.objects.live().filter(account__in=[row.pk for row in rows]).order_by("pk")
    for pk, version in users.values_list("pk", "version").iterator(chunk_size=2000):
        seal.update(f"{pk} {version}\n".encode())
    return seal.hexdigest()


def _carry_out(run: Run, manifest: Manifest, rows: Sequence[Account]) -> Iterator[Planned]:
    before = changes.claims_of(run.operator)
    _edit_operator(run, manifest)
    accounts: list[Planned] = []
    if manifest.accounts is not None:
        for row in rows:
            row.operator = run.operator
        accounts += carry_out(run, manifest.accounts, rows, users_by_account(rows))
    else:
        run.accounts.update({row.name_fold: row.public_key for row in rows})
    _choose_system_account(run, manifest)
    if manifest.accounts is not None:
        accounts += drop_accounts(run, manifest.accounts, rows, run.operator.system_account)
    diff = changes.difference(before, changes.claims_of(run.operator))
    fate = Fate.CHANGE if diff else Fate.KEEP
    yield Planned(
        kind="operator", name=run.operator.name, fate=fate, diff=run.told(diff), notes=tuple(run.notes)
    )
    yield from accounts


def _edit_operator(run: Run, manifest: Manifest) -> None:
    said, row = manifest.operator, run.operator
    _refuse_another(run.operator, manifest)
    fields, claims = said.fields, changes.claims_of(row)
    body = claims.nats
    before = OperatorEdit(
        name=claims.name,
        account_server_url=body.account_server_url,
        service_urls=body.operator_service_urls,
        require_signing_keys=body.strict_signing_key_usage,
        assert_server_version=body.assert_server_version,
        tags=body.tags,
        expires=claims.exp,
        not_before=claims.nbf,
    )
    edit = OperatorEdit(
        name=said_name(row, said),
        account_server_url=fields.get("account_server_url", before.account_server_url),
        service_urls=fields.get("operator_service_urls", before.service_urls),
        require_signing_keys=fields.get("strict_signing_key_usage", before.require_signing_keys),
        assert_server_version=fields.get("assert_server_version", before.assert_server_version),
        tags=fields.get("tags", before.tags),
        expires=fields.get("exp", before.expires),
        not_before=fields.get("nbf", before.not_before),
    )
    if edit != before:
        with about(f"Operator “{row.name}”", said.line):
            _commit(run, operators.plan_edit(row, edit))


def _choose_system_account(run: Run, manifest: Manifest) -> None:
    said = manifest.operator
    if "system_account" not in said.fields:
        return
    wanted, line = said.fields["system_account"], said.line_of("system_account")
    key = account_key(run, wanted, line) if wanted and wanted != run.operator.system_account else wanted
    if key != run.operator.system_account:
        with about(f"Operator “{run.operator.name}”", line):
            _commit(run, system_accounts.plan_choose(run.operator, key))


def _commit(run: Run, change: changes.Change) -> None:
    decisions.require(run.principal, Action.OPERATOR_EDIT, Scope(operator=run.operator.pk))
    changes.refuse_invalid(change.report)
    run.notes += change.consequences
    run.operator = operators.commit(
        run.operator, change, principal=run.principal, done="Applied a manifest to operator"
    )


def _refuse_another(operator: Operator, manifest: Manifest) -> None:
    """A manifest is applied to the operator that it names; with its key it may give it another name."""
    said = manifest.operator
    if said.key == operator.public_key or (
        not said.key and columns.folded(said.name) == columns.folded(operator.name)
    ):
        return
    raise ManifestRefused(
        f"The manifest is of operator “{said.name or said.key}”, and this is “{operator.name}”. Correct the name; or, "
        f"to give it another one, add “key: {operator.public_key}”.",
        line=said.line,
    )


def _summary(plan: Plan) -> str:
    counts = ((Fate.CREATE, "created"), (Fate.CHANGE, "changed"), (Fate.DELETE, "deleted"))
    words = ", ".join(f"{plan.count(fate):,} {word}" for fate, word in counts if plan.count(fate))
    return f"Applied a manifest to operator “{plan.operator}”: {words}"


def operator_named(principal: Principal, data: bytes | str, name: str = "") -> Operator:
    """The operator that `name`, or else the manifest, names, by name or key.

    Raises: UnreadableManifest; ManifestRefused: there is none that the principal may see.
    """
    said = form.read(data).operator
    return operator_called(principal, name or said.key or said.name, line=0 if name else said.line)


def operator_called(principal: Principal, wanted: str, *, line: int = 0) -> Operator:
    """The operator with this name or key. Raises: ManifestRefused: there is none that the principal may see."""
    seen = Operator.objects.visible_to(principal).live()
    by_key = is_public(wanted, KeyKind.OPERATOR)
    asked = {"public_key": wanted} if by_key else {"name_fold": columns.folded(wanted)}
    found: Operator | None = seen.filter(**asked).first()
    if found is None:
        near = get_close_matches(wanted, list(seen.values_list("name", flat=True)), n=1)
        meant = f" Do you mean “{near[0]}”?" if near else ""
        raise ManifestRefused(
            f"There is no operator “{wanted[:80]}” here.{meant} Make it first, then apply the manifest.",
            line=line,
        )
    return found
