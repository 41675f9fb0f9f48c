"""Operators, accounts, users and their settings."""

from __future__ import annotations

from dataclasses import replace

from identities.claims.account import ExternalAuthorization, MsgTrace
from identities.claims.drafts import (
    AccountDraft,
    AccountEdit,
    OperatorDraft,
    OperatorEdit,
    RoleDraft,
    SigningKeyDraft,
    UserDraft,
    UserEdit,
)
from identities.claims.mappings import WeightedMapping
from identities.claims.permissions import Permission, Permissions
from identities.claims.presets_built_in import BUILT_IN
from identities.claims.recipes import Task, Wish
from identities.services import (
    account_settings,
    accounts,
    allowing,
    auth_callout,
    changes,
    filling,
    manifests,
    mappings,
    moves,
    operator_keys,
    operators,
    presets,
    revocations,
    rolling_back,
    signing_keys,
    suspensions,
    system_accounts,
    user_keys,
    users,
)
from tests import make
from tests.works.sample import KEY, PRESET, WHO, Sample, Work

RULES = Permissions(pub=Permission(allow=("a",)))


def _limits(at: Sample) -> object:
    limits = replace(changes.claims_of(at.account).nats.limits, conn=7)
    return accounts.update_limits(**WHO, account=at.account, limits=limits, version=at.account.version)


def _revoke_earlier(at: Sample) -> object:
    return users.revoke_earlier(**WHO, user=at.user)


def _renew(at: Sample) -> object:
    rows = list(filling.rows_of(at.preset, make.COMMAND).values_list("pk", flat=True))
    return filling.renew(**WHO, preset=at.preset, number=2, fillings=rows)


WORKS: dict[str, Work] = {
    "manifests.apply": lambda at: manifests.apply(
        **WHO,
        operator=at.operator,
        data=f"operator: {{name: {at.operator.name}}}\naccounts: [{{name: new, users: [{{name: a}}]}}]",
    ),
    "rolling_back.roll_back_operator": lambda at: rolling_back.roll_back_operator(
        **WHO, operator=at.operator, number=1, version=at.operator.version
    ),
    "rolling_back.roll_back_account": lambda at: rolling_back.roll_back_account(
        **WHO, account=at.account, number=1, version=at.account.version
    ),
    "rolling_back.roll_back_user": lambda at: rolling_back.roll_back_user(
        **WHO, user=at.user, number=1, version=at.user.version
    ),
    "operators.create": lambda at: operators.create(**WHO, draft=OperatorDraft(name="New")),
    "operators.update": lambda at: operators.update(
        **WHO, operator=at.operator, edit=OperatorEdit(name="New"), version=at.operator.version
    ),
    "operators.delete": lambda at: operators.delete(**WHO, operator=at.operator, version=at.operator.version),
    "operators.add_system_account": lambda at: operators.add_system_account(
        **WHO, operator=at.bare, version=at.bare.version
    ),
    "operator_keys.add": lambda at: operator_keys.add(
        **WHO, operator=at.operator, version=at.operator.version
    ),
    "operator_keys.remove": lambda at: operator_keys.remove(
        **WHO,
        operator=at.operator,
        public_key=at.account.issuer,
        version=at.operator.version,
        resign_by=at.operator.public_key,
    ),
    "system_accounts.choose": lambda at: system_accounts.choose(
        **WHO, operator=at.operator, account=at.account.public_key, version=at.operator.version
    ),
    "accounts.create": lambda at: accounts.create(
        **WHO, operator=at.operator, draft=AccountDraft(name="New")
    ),
    "accounts.update": lambda at: accounts.update(
        **WHO, account=at.account, edit=AccountEdit(name="New"), version=at.account.version
    ),
    "accounts.update_limits": _limits,
    "mappings.put": lambda at: mappings.put(
        **WHO,
        account=at.account,
        source="a",
        targets=[WeightedMapping(subject="b")],
        version=at.account.version,
    ),
    "mappings.remove": lambda at: mappings.remove(
        **WHO, account=at.account, source="orders", version=at.account.version
    ),
    "account_settings.update_default_permissions": lambda at: account_settings.update_default_permissions(
        **WHO, account=at.account, permissions=RULES, version=at.account.version
    ),
    "account_settings.update_tracing": lambda at: account_settings.update_tracing(
        **WHO, account=at.account, trace=MsgTrace(dest="a"), version=at.account.version
    ),
    "account_settings.update_cluster_traffic": lambda at: account_settings.update_cluster_traffic(
        **WHO, account=at.account, traffic="owner", version=at.account.version
    ),
    "auth_callout.update": lambda at: auth_callout.update(
        **WHO,
        account=at.account,
        callout=ExternalAuthorization(auth_users=(KEY,)),
        version=at.account.version,
        new_xkey=True,
    ),
    "accounts.revoke": lambda at: accounts.revoke(**WHO, account=at.account, entries={"*": 5}),
    "accounts.delete": lambda at: accounts.delete(**WHO, account=at.account, version=at.account.version),
    "revocations.clear": lambda at: revocations.clear(
        **WHO, account=at.account, key="*", version=at.account.version
    ),
    "revocations.compact": lambda at: revocations.compact(
        **WHO, account=at.account, version=at.account.version
    ),
    "users.create": lambda at: users.create(**WHO, account=at.account, draft=UserDraft(name="New")),
    "allowing.allow": lambda at: allowing.allow(
        **WHO, user=at.user, wish=Wish(task=Task.REQUEST, subject="new"), version=at.user.version
    ),
    "filling.fill_user": lambda at: filling.fill_user(
        **WHO, user=at.user, preset=BUILT_IN["requester"], values={"subject": "new"}, version=at.user.version
    ),
    "filling.fill_role": lambda at: filling.fill_role(
        **WHO,
        account=at.account,
        role=at.role,
        preset=BUILT_IN["observer"],
        values={},
        version=at.account.version,
    ),
    "filling.renew": _renew,
    "presets.create": lambda at: presets.create(**WHO, draft=replace(PRESET, title="Another")),
    "presets.edit": lambda at: presets.edit(
        **WHO, key=at.preset.key, draft=replace(PRESET, about="new"), version=2
    ),
    "presets.delete": lambda at: presets.delete(**WHO, key=at.preset.key, version=2),
    "users.update": lambda at: users.update(
        **WHO, user=at.user, edit=UserEdit(name="New"), version=at.user.version
    ),
    "users.revoke_earlier": _revoke_earlier,
    "signing_keys.add": lambda at: signing_keys.add(
        **WHO, account=at.account, draft=SigningKeyDraft(), version=at.account.version
    ),
    "signing_keys.edit": lambda at: signing_keys.edit(
        **WHO, account=at.account, public_key=at.role, draft=RoleDraft(role="new"), version=at.account.version
    ),
    "signing_keys.remove": lambda at: signing_keys.remove(
        **WHO, account=at.account, public_key=at.role, version=at.account.version
    ),
    "moves.move": lambda at: moves.move(
        **WHO, user=at.user, wanted=moves.Move(signer=at.role, revoke=True), version=at.user.version
    ),
    "suspensions.suspend": lambda at: suspensions.suspend(**WHO, user=at.user, version=at.user.version),
    "suspensions.lift": lambda at: suspensions.lift(**WHO, user=at.out, version=at.out.version),
    "user_keys.rotate": lambda at: user_keys.rotate(**WHO, user=at.user, version=at.user.version),
    "users.delete": lambda at: users.delete(**WHO, user=at.user, version=at.user.version),
}
