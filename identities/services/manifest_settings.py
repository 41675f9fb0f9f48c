"""What an account says beside its lists, as a manifest has it: name, texts, times, limits, defaults, auth callout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from identities.claims.account import ExternalAuthorization
from identities.claims.drafts import AccountEdit
from identities.formats.manifest import Said
from identities.models import Account, User
from identities.nkeys import KeyKind, is_public
from identities.policy.actions import Action
from identities.services import account_settings, accounts, auth_callout, changes, columns
from identities.services.manifest_plans import ManifestRefused, Run, called
from identities.services.manifest_sections import Work, kept

EVERY_ACCOUNT = "*"


def said_name(row: Any, said: Said) -> str:
    """The name that an object's claims shall say. A row may be called otherwise than its JWT (or by its key, where that
    says none); to call it so is no edit.
    """
    held: str = changes.claims_of(row).name
    return held if said.name in ("", row.name) else said.name


def edit_settings(work: Work) -> None:
    """Everything but lists and auth callout."""
    said = work.said.fields
    _edit_texts(work)
    if "limits" in said:
        limits = kept(said["limits"], work.body.limits)
        if limits != work.body.limits:
            work.step(Action.ACCOUNT_LIMITS_EDIT, lambda row: accounts.plan_limits(row, limits), at="limits")
    if "default_permissions" in said:
        rules = kept(said["default_permissions"], work.body.default_permissions)
        if rules != work.body.default_permissions:
            work.step(
                Action.ACCOUNT_EDIT,
                lambda row: account_settings.plan_default_permissions(row, rules),
                at="default_permissions",
            )
    if "trace" in said:
        trace = kept(said["trace"], work.body.trace)
        work.step(Action.ACCOUNT_EDIT, lambda row: account_settings.plan_tracing(row, trace), at="trace")
    if "cluster_traffic" in said:
        work.step(
            Action.ACCOUNT_LIMITS_EDIT,
            lambda row: account_settings.plan_cluster_traffic(row, said["cluster_traffic"]),
            at="cluster_traffic",
        )


def _edit_texts(work: Work) -> None:
    said, claims = work.said.fields, changes.claims_of(work.row)
    body = claims.nats
    before = AccountEdit(
        name=claims.name,
        description=body.description,
        info_url=body.info_url,
        tags=body.tags,
        expires=claims.exp,
        not_before=claims.nbf,
    )
    edit = AccountEdit(
        name=said_name(work.row, work.said),
        description=said.get("description", before.description),
        info_url=said.get("info_url", before.info_url),
        tags=said.get("tags", before.tags),
        expires=said.get("exp", before.expires),
        not_before=said.get("nbf", before.not_before),
    )
    if edit != before:
        at = next((name for name in ("name", "exp", "nbf", "tags") if name in said), "name")
        work.step(Action.ACCOUNT_EDIT, lambda row: accounts.plan_edit(row, edit), at=at)


def edit_callout(work: Work) -> None:
    """Auth callout, once all users and accounts that it may name are there."""
    if "authorization" not in work.said.fields:
        return
    said: ExternalAuthorization = work.said.fields["authorization"]
    line = work.said.line_of("authorization")
    held = work.body.authorization
    wanted = kept(
        ExternalAuthorization(
            auth_users=tuple(_user_key(work, text, line) for text in said.auth_users),
            allowed_accounts=tuple(account_key(work.run, text, line) for text in said.allowed_accounts),
            xkey=said.xkey,
        ),
        held,
    )
    if wanted == held:
        return
    done = work.step(
        Action.AUTH_CALLOUT_EDIT, lambda row: auth_callout.plan_update(row, wanted), at="authorization"
    )
    if done and wanted.xkey:
        work.finish.append(_knowing(wanted.xkey))


def _knowing(public_key: str) -> Callable[[Account], object]:
    return lambda row: auth_callout.know(row, public_key)


def _user_key(work: Work, text: str, line: int) -> str:
    if is_public(text, KeyKind.USER):
        return text
    key = (
        User.objects.live().filter(account=work.base, name=text).values_list("public_key", flat=True).first()
    )
    if key is None:
        raise ManifestRefused(
            f"{called(work.row)}: it has no user “{text[:80]}” that could answer for logins. Add it to its users, or "
            "write the public key (U…).",
            line=line,
        )
    return str(key)


def account_key(run: Run, text: str, line: int) -> str:
    """The public key of the account that a manifest calls so, itself when it is a key (or `*`).

    Raises: ManifestRefused: there is none.
    """
    if text == EVERY_ACCOUNT or is_public(text, KeyKind.ACCOUNT):
        return text
    return known_account(run.accounts, run.operator.name, text, line)


def known_account(accounts_by_name: Mapping[str, str], operator: str, text: str, line: int) -> str:
    """The public key of the account with this name, case ignored. Raises: ManifestRefused: there is none."""
    found = accounts_by_name.get(columns.folded(text))
    if found is None:
        raise ManifestRefused(
            f"There is no account “{text[:80]}” under “{operator}”, and the manifest makes none. Add it to the "
            "accounts, or write the public key (A…) of an account elsewhere.",
            line=line,
        )
    return found
