"""When the audit event can't be written, nothing of the change is: no row, no token, no secret that leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.apps import apps

from identities.claims import codec, sharing
from identities.claims.account import ExternalAuthorization, MsgTrace
from identities.claims.common import Claims
from identities.claims.drafts import (
    AccountDraft,
    AccountEdit,
    ActivationDraft,
    ImportDraft,
    Minting,
    OperatorDraft,
    OperatorEdit,
    RoleDraft,
    SigningKeyDraft,
    UserDraft,
    UserEdit,
)
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.mappings import WeightedMapping
from identities.claims.permissions import Permission, Permissions, UserPermissionLimits
from identities.claims.presets import Edition, Preset, PresetDraft
from identities.claims.presets_built_in import BUILT_IN
from identities.claims.presets_text import lines_of
from identities.claims.recipes import Side, Task, Wish
from identities.claims.user import UserBody
from identities.models import Account, Cluster, Delivery, Job, Key, Offer, Operator, Person, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.actions import Action
from identities.resolver.drafts import ClusterDraft
from identities.services import (
    account_creds,
    account_settings,
    accounts,
    activations,
    adopting,
    adopting_users,
    allowing,
    audit,
    auth_callout,
    biting,
    changes,
    choosing,
    client_tests,
    clock,
    cluster_tests,
    cluster_users,
    clusters,
    creds,
    exporting,
    exports,
    filling,
    import_jobs,
    import_writing,
    importing,
    imports,
    installation,
    jobs,
    keys,
    lockouts,
    mappings,
    moves,
    operator_keys,
    operators,
    people,
    presets,
    pushes,
    reissuing_accounts,
    reissuing_operators,
    removing,
    resigning,
    resigning_accounts,
    revocations,
    rotation,
    secrets,
    signing,
    signing_keys,
    signing_over,
    suspensions,
    system_accounts,
    unsigned,
    uploads,
    user_keys,
    users,
)
from identities.services.delivering_checks import digest
from identities.services.import_items import Choices
from identities.services.kicking import Whom
from tests import goldens, make, nscfiles
from tests.elsewhere import Elsewhere

pytestmark = pytest.mark.django_db(transaction=True)

BEARER = replace(UserPermissionLimits.unlimited(), bearer_token=True)
RULES = Permissions(pub=Permission(allow=("a",)))
WHO = {"principal": make.COMMAND}
KEY = KeyPair.create(KeyKind.USER).public.text
PRESET = PresetDraft(title="Own", about="", edition=Edition(number=1, lines=lines_of(["a"], Side.PUBLISH)))


ELSEWHERE = KeyPair.create(KeyKind.ACCOUNT).public.text


@dataclass(frozen=True)
class Sample:
    """One of everything."""

    operator: Operator
    account: Account
    user: User
    bearer: User
    person: Person
    bare: Operator
    seedless: Key
    spare: Key
    elsewhere: str
    """A JWT of a user of the account that was signed elsewhere."""
    role: str
    out: User
    other: Account
    plan: Job
    cluster: Cluster
    preset: Preset
    """Of version 2; version 1 filled the first user."""
    lockout: Job
    offline: Account
    """Its edit waits for the signature of its operator, whose key is not here."""


Work = Callable[[Sample], object]
CLUSTER = ClusterDraft(name="New", urls=("nats://nats.example.com:4222",))


def _choose_system_user(at: Sample) -> object:
    key = User.objects.get(operator=at.operator, name="sys").public_key
    return cluster_users.choose(**WHO, cluster=at.cluster, public_key=key, version=at.cluster.version)


def _limits(at: Sample) -> object:
    limits = replace(changes.claims_of(at.account).nats.limits, conn=7)
    return accounts.update_limits(**WHO, account=at.account, limits=limits, version=at.account.version)


def _revoke_earlier(at: Sample) -> object:
    return users.revoke_earlier(**WHO, user=at.user)


def _client_test(at: Sample) -> object:
    wish = client_tests.Wish(trial=client_tests.Trial.RTT, url="nats://localhost:4222")
    return client_tests.start(**WHO, user=at.user, wish=wish)


def _reissue_account(at: Sample) -> object:
    return reissuing_accounts.reissue(**WHO, account=at.account, version=at.account.version)


def _reissue_operator(at: Sample) -> object:
    return reissuing_operators.reissue(**WHO, operator=at.operator, version=at.operator.version)


def _users_over(at: Sample) -> object:
    system = Account.objects.get(operator=at.operator, name="SYS")
    source = User.objects.get(account=system, name="sys").issuer
    return signing_over.users(**WHO, account=system, source=source, target=system.public_key)


def _accounts_over(at: Sample) -> object:
    target = at.operator.public_key
    return signing_over.accounts_of(**WHO, operator=at.operator, source=at.account.issuer, target=target)


def _sign_users(at: Sample) -> object:
    wanted = resigning.Wanted(source=at.account.public_key)
    return resigning.sign_chunk(**WHO, account=at.account, wanted=wanted, reason="test")


def _sign_accounts(at: Sample) -> object:
    return resigning_accounts.sign_chunk(**WHO, operator=at.operator, source=at.account.issuer, reason="test")


def _private(at: Sample) -> str:
    """The handle of a private export with one revocation."""
    return sharing.export_handles(changes.claims_of(at.account).nats.exports)[0]


def _import(at: Sample) -> dict[str, Any]:
    """The one import, and who asks."""
    handle = sharing.import_handles(changes.claims_of(at.account).nats.imports)[0]
    return {**WHO, "account": at.account, "handle": handle, "version": at.account.version}


def _export(at: Sample) -> dict[str, Any]:
    return {**WHO, "account": at.account, "handle": _private(at), "version": at.account.version}


def _import_with_token(at: Sample) -> object:
    imported = Import(subject="orders.new", account=at.account.public_key, type="stream")
    draft = ImportDraft(imported=imported, minting=Minting.IF_ASKED)
    return imports.add(**WHO, account=at.other, draft=draft, version=at.other.version)


def _adopt_operator(at: Sample) -> object:
    store = goldens.store("basics", "Test")
    return adopting.adopt_operator(**WHO, text=store.text, seeds=goldens.seeds())


def _adopt_account(at: Sample) -> object:
    text = goldens.store("basics", "Test").accounts["TestAccount"].text
    return adopting.adopt_account(**WHO, operator=at.operator, text=text, seeds=goldens.seeds(), foreign=True)


def _adopt_users(at: Sample) -> object:
    text = at.elsewhere
    return adopting_users.adopt_users(**WHO, account=at.account, texts=[text])


def _whole_import(at: Sample) -> object:
    collected = nscfiles.texts(goldens.store("basics", "Test").text)
    return importing.perform(**WHO, collected=collected)


def _begin_import(at: Sample) -> Job:
    upload = uploads.begin()
    uploads.add(upload, "a.jwt", goldens.store("basics", "Test").text.encode())
    return import_jobs.begin(**WHO, upload=upload)


def _offline() -> Account:
    there = Elsewhere()
    seeds = {there.account.public.text: there.account.seed()}
    _, account = there.adopted(seeds=seeds, name="Offline")
    unsigned.keep(**WHO, row=account, change=_tagged(account), version=account.version)
    return account


def _tagged(row: Operator | Account) -> changes.Change:
    return changes.plan(row, changes.edit_body(tags=("new",)), now=clock.unix())


def _renew(at: Sample) -> object:
    rows = list(filling.rows_of(at.preset, make.COMMAND).values_list("pk", flat=True))
    return filling.renew(**WHO, preset=at.preset, number=2, fillings=rows)


def _preset(filled: User) -> Preset:
    made = presets.create(**WHO, draft=PRESET)
    filling.fill_user(**WHO, user=filled, preset=made, values={}, version=filled.version)
    newer = replace(PRESET.edition, lines=lines_of(["a", "b"], Side.PUBLISH))
    return presets.edit(**WHO, key=made.key, draft=replace(PRESET, edition=newer), version=1)


def _keep_unsigned(at: Sample) -> object:
    operator = at.offline.operator
    return unsigned.keep(**WHO, row=operator, change=_tagged(operator), version=operator.version)


def _offered(at: Sample) -> Offer:
    """A self-signed JWT that was pushed and waits."""
    with signing.signer_for(Key.objects.get(public_key=at.account.public_key)) as pair:
        claims = replace(changes.claims_of(at.account), name="Offered")
        text = codec.encode(claims, pair, at.account.last_iat + 1).text
    return Offer(
        pk=1,
        operator=at.account.operator,
        account_key=at.account.public_key,
        name="Offered",
        text=text,
        iat=at.account.last_iat + 1,
        at=clock.now(),
    )


def _pushed(at: Sample) -> object:
    return pushes._keep(at.account.operator, changes.claims_of(at.account), "text", "")


def _planned() -> Job:
    """A plan that a worker has made."""
    upload = uploads.begin()
    uploads.add(upload, "a.jwt", goldens.store("basics", "Test").text.encode())
    job = import_jobs.begin(**WHO, upload=upload)
    assert jobs.work_once(import_jobs.HANDLERS)
    job.refresh_from_db()
    return job


WORKS: dict[str, Work] = {
    "pushes.open_door": lambda at: pushes.open_door(**WHO, operator=at.account.operator, self_signed=True),
    "pushes.close_door": lambda at: pushes.close_door(**WHO, operator=at.operator),
    "pushes.receive": _pushed,
    "pushes.accept": lambda at: pushes.accept(**WHO, offer=_offered(at), version=at.account.version),
    "pushes.decline": lambda at: pushes.decline(**WHO, offer=_offered(at)),
    "unsigned.keep": _keep_unsigned,
    "unsigned.discard": lambda at: unsigned.discard(**WHO, row=at.offline),
    "unsigned.self_signed": lambda at: unsigned.self_signed(**WHO, account=at.offline),
    "importing.perform": _whole_import,
    "import_jobs.begin": _begin_import,
    "import_jobs.start": lambda at: import_jobs.start(**WHO, plan=at.plan, choices=Choices()),
    "import_jobs.discard": lambda at: import_jobs.discard(**WHO, plan=at.plan),
    "exports.add": lambda at: exports.add(
        **WHO, account=at.account, export=Export(subject="new", type="stream"), version=at.account.version
    ),
    "exports.edit": lambda at: exports.edit(export=Export(subject="new", type="stream"), **_export(at)),
    "exports.delete": lambda at: exports.delete(**_export(at)),
    "exports.revoke": lambda at: exports.revoke(target=ELSEWHERE, at=5, **_export(at)),
    "exports.clear": lambda at: exports.clear(target="*", **_export(at)),
    "activations.issue": lambda at: activations.issue(
        **WHO,
        account=at.account,
        handle=_private(at),
        draft=ActivationDraft(target=ELSEWHERE, subject="orders.>"),
    ),
    "imports.add": _import_with_token,
    "imports.edit": lambda at: imports.edit(
        draft=ImportDraft(imported=Import(subject="a", account=ELSEWHERE, type="service")), **_import(at)
    ),
    "imports.delete": lambda at: imports.delete(**_import(at)),
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
    "adopting.adopt_operator": _adopt_operator,
    "adopting.adopt_account": _adopt_account,
    "adopting_users.adopt_users": _adopt_users,
    "creds.creds_file": lambda at: creds.creds_file(**WHO, user=at.user),
    "creds.creds_files": lambda at: creds.creds_files(**WHO, account=at.account, users=[at.user]),
    "account_creds.prepare": lambda at: account_creds.prepare(**WHO, account=at.account),
    "exporting.prepare": lambda at: exporting.prepare(**WHO, operator=at.operator, with_keys=True),
    "creds.issue": lambda at: creds.issue(**WHO, account=at.account, drafts=[UserDraft(name="New")]),
    "creds.user_jwt": lambda at: creds.user_jwt(**WHO, user=at.bearer),
    "reissuing_accounts.reissue": _reissue_account,
    "reissuing_operators.reissue": _reissue_operator,
    "signing_over.users": _users_over,
    "signing_over.accounts_of": _accounts_over,
    "resigning.sign_chunk": _sign_users,
    "resigning_accounts.sign_chunk": _sign_accounts,
    "keys.generate": lambda at: keys.generate(**WHO, operator=at.operator, kind=KeyKind.CURVE),
    "keys.add_seed": lambda at: keys.add_seed(**WHO, key=at.seedless, seed=SEEDLESS.seed()),
    "keys.export_seed": lambda at: keys.export_seed(**WHO, key=at.spare),
    "keys.erase": lambda at: keys.erase(**WHO, key=at.spare),
    "client_tests.start": _client_test,
    "cluster_tests.start": lambda at: cluster_tests.start(**WHO, cluster=at.cluster),
    "biting.disconnect": lambda at: biting.disconnect(**WHO, user=at.user),
    "biting.again": lambda at: biting.again(**WHO, account=at.account, job=at.lockout),
    "clusters.create": lambda at: clusters.create(**WHO, operator=at.operator, draft=CLUSTER),
    "clusters.update": lambda at: clusters.update(
        **WHO, cluster=at.cluster, draft=CLUSTER, version=at.cluster.version
    ),
    "clusters.delete": lambda at: clusters.delete(**WHO, cluster=at.cluster, version=at.cluster.version),
    "clusters.forget_server": lambda at: clusters.forget_server(
        **WHO, cluster=at.cluster, server=at.cluster.servers.get()
    ),
    "cluster_users.make": lambda at: cluster_users.make(
        **WHO, cluster=at.cluster, version=at.cluster.version
    ),
    "cluster_users.renew": lambda at: cluster_users.renew(
        **WHO, cluster=at.cluster, version=at.cluster.version
    ),
    "cluster_users.choose": _choose_system_user,
    "choosing.deliver_now": lambda at: choosing.deliver_now(**WHO, account=at.account),
    "choosing.keep_theirs": lambda at: choosing.keep_theirs(**_held(at)),
    "choosing.replace_theirs": lambda at: choosing.replace_theirs(**_held(at)),
    "removing.remove": lambda at: removing.remove(
        **WHO, operator=at.operator, public_key=KeyPair.create(KeyKind.ACCOUNT).public.text
    ),
    "installation.choose_default_operator": lambda at: installation.choose_default_operator(
        **WHO, operator=at.operator
    ),
    "people.first_admin_token": lambda at: people.first_admin_token(**WHO),
    "people.make_first_administrator": lambda at: people.make_first_administrator(
        **WHO, token=TOKEN[0], username="new", password=make.PASSWORD
    ),
    "people.record_failure": lambda at: people.record_failure(username="x", address=""),
    "people.record": lambda at: people.record(
        person=at.person, action=Action.SIGN_IN, address="", summary="Signed in"
    ),
    "rotation.reseal_all": lambda at: rotation.reseal_all(**WHO),
}
TOKEN: list[str] = []
SEEDLESS = KeyPair.create(KeyKind.ACCOUNT)


@pytest.fixture
def sample() -> Sample:
    make.installation()
    operator = make.operator()
    pushes.open_door(**WHO, operator=operator, self_signed=False)
    account = make.account(operator)
    ways = [WeightedMapping(subject="orders.new")]
    account = mappings.put(**WHO, account=account, source="orders", targets=ways, version=account.version)
    account = accounts.revoke(**WHO, account=account, entries={"*": 2, KEY: 1})
    draft = SigningKeyDraft(role=RoleDraft(role="service"))
    role = signing_keys.add(**WHO, account=account, draft=draft, version=account.version).public_key
    out = make.user(account)
    out = suspensions.suspend(**WHO, user=out, version=out.version)
    user = make.user(account)
    user = users.update(**WHO, user=user, edit=UserEdit(name="edited"), version=user.version)
    preset = _preset(make.user(account))
    bearer = make.user(account, limits=BEARER)
    account.refresh_from_db()
    make.export(account, "orders.>", token_req=True, revocations={"*": 1})
    make.imported(account, "other.>", of=ELSEWHERE)
    TOKEN[:] = [people.first_admin_token(**WHO)]
    account = Account.objects.select_related("operator").get(pk=account.pk)
    out = User.objects.select_related("account__operator").get(pk=out.pk)
    bare = make.operator(system_account=False)
    make.account(operator, public_key=SEEDLESS.public.text)
    seedless = keys.find(make.COMMAND, operator, SEEDLESS.public.text)
    spare = keys.generate(**WHO, operator=operator, kind=KeyKind.CURVE)
    person, elsewhere = make.person(None), _signed_elsewhere(account)
    cluster = make.cluster(operator)
    make.server(cluster)
    other = make.account(operator)
    Delivery.objects.filter(account_key=other.public_key).update(state="held", found=_newer(other))
    return Sample(
        operator,
        account,
        user,
        bearer,
        person,
        bare,
        seedless,
        spare,
        elsewhere,
        role,
        out,
        other,
        _planned(),
        cluster,
        preset,
        lockouts.enqueue(**WHO, account=account, whom=Whom(entries={KEY: 1}), reason="test"),
        _offline(),
    )


def _newer(account: Account) -> str:
    """A JWT of the account that was signed a little later, where nscweb does not see it."""
    claims = changes.claims_of(account)
    with signing.signer_for(Key.objects.get(public_key=account.issuer)) as signer:
        return codec.encode(claims, signer, account.last_iat + 3).text


def _held(at: Sample) -> dict[str, Any]:
    """The account of which servers hold a newer JWT."""
    row = Delivery.objects.get(account_key=at.other.public_key)
    return {**WHO, "account": at.other, "cluster": at.cluster, "found": digest(row.found)}


def _signed_elsewhere(account: Account) -> str:
    subject = KeyPair.create(KeyKind.USER).public.text
    claims = Claims(nats=UserBody(), sub=subject, name="elsewhere")
    with signing.signer_for(Key.objects.get(public_key=account.public_key)) as signer:
        return codec.encode(claims, signer, 1_600_000_000).text


def everything() -> dict[str, list[dict[str, Any]]]:
    """Every row of every table of ours; envelopes by their bytes."""
    return {
        model.__name__: [
            {name: bytes(value) if isinstance(value, memoryview) else value for name, value in row.items()}
            for row in model._default_manager.order_by("pk").values()
        ]
        for model in apps.get_app_config("identities").get_models()
    }


def fail(*args: object, **kwargs: object) -> None:
    raise OSError("the audit can't be written")


@pytest.mark.parametrize("name", sorted(WORKS))
def test_nothing_is_left_of_a_change_without_its_event(
    sample: Sample, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything()
    with monkeypatch.context() as patched:
        patched.setattr(audit, "record_all", fail)
        with pytest.raises(OSError, match="audit"):
            WORKS[name](sample)
    assert not differing(before, everything())
    WORKS[name](sample)
    assert differing(before, everything())


def differing(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [table for table in before if before[table] != after[table]]


STEPS = {
    "users.rewrite",
    "users.sign",
    "accounts.commit_revocations",
    "resigning_accounts.sign_unaudited",
    "users.create_many",
    "users.commit",
    "accounts.commit",
    "accounts.rewrite",
    "accounts.revoke_unaudited",
    "operators.commit",
    "operators.rewrite",
    "activations.record",
    "import_writing.write",
}
"""What the services above go through, in their transaction."""


def test_every_service_that_writes_an_event_is_tried() -> None:
    modules = (
        *(operators, operator_keys, system_accounts, accounts, account_settings, auth_callout, mappings),
        *(revocations, users, adopting, adopting_users, creds, client_tests, installation, keys),
        *(people, rotation, reissuing_accounts, reissuing_operators, resigning, resigning_accounts),
        *(signing_over, signing_keys, moves, suspensions, user_keys, exports, imports, activations),
        *(
            import_jobs,
            import_writing,
            importing,
            unsigned,
            presets,
            filling,
            pushes,
            account_creds,
            exporting,
        ),
        *(import_jobs, import_writing, importing, unsigned, pushes, account_creds, exporting),
        biting,
    )
    writing = {
        f"{module.__name__.rpartition('.')[2]}.{name}"
        for module in modules
        for name, function in vars(module).items()
        if getattr(function, "__module__", "") == module.__name__
        and not name.startswith("_")
        and callable(function)
        and {"record", "record_all", "_audit", "create_many", "rewrite", "_rewrite", "_write", "commit"}
        & set(getattr(function, "__code__", fail.__code__).co_names)
    }
    assert writing <= set(WORKS) | STEPS


def test_a_sealed_installation_writes_nothing(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything()
    monkeypatch.setattr(secrets, "_unseal", lambda: None)
    secrets.forget()
    for name, work in WORKS.items():
        with pytest.raises(secrets.SealedInstallation):
            work(sample)
        assert everything() == before, name
