"""Manifests over the API: an operator as one text, and whatever it takes to make it so."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest
from ninja import Query
from pydantic import Field

from identities import lookup
from identities.api import editing
from identities.api.operations import Answer, operation
from identities.api.operators import ONE
from identities.api.schemas import FieldChanged, Given, OperatorKey, Taken
from identities.lookup import principal_for
from identities.services import manifests
from identities.services.manifest_plans import Fate, Plan, Planned

TAG = "Manifests"
LARGEST = 2**20


class ManifestWanted(Taken):
    """How it is written."""

    model_config = {"strict": False, "extra": "forbid"}

    keys: Annotated[bool, Field(description="With public keys, so that a changed name renames.")] = False


class ManifestIn(Taken):
    """A manifest, and how far it goes."""

    manifest: Annotated[
        str, Field(min_length=1, max_length=LARGEST, description="YAML: see docs/manifest.md.")
    ]
    prune: Annotated[
        bool, Field(description="Delete what it does not name; never anything of the system account.")
    ] = False
    plan: Annotated[
        str,
        Field(
            pattern="^([0-9a-f]{64})?$", description="`plan` of a dry run: apply what it told, or nothing."
        ),
    ] = ""


class ObjectPlanned(Given):
    """One object that changes."""

    kind: Annotated[str, Field(description="operator, account or user")]
    name: str
    account: Annotated[str, Field(description="The name of a user's account.")]
    fate: Annotated[str, Field(description="create, change or delete")]
    fields: list[FieldChanged]
    notes: Annotated[list[str], Field(description="What it means beyond the claims.")]


class PlanOut(Given):
    """What a manifest changes, or has changed."""

    dry_run: bool
    plan: Annotated[str, Field(description="Stands for this plan: send it along to apply nothing else.")]
    created: int
    changed: int
    deleted: int
    untouched: int
    changes: list[ObjectPlanned]
    left: Annotated[list[str], Field(description="What the manifest does not name, and what stays.")]
    notes: Annotated[list[str], Field(description="What is to be said of objects that are left alone.")]


@operation("get-manifest", "GET", ONE + "/manifest", str, tag=TAG)
def get(request: HttpRequest, operator_key: OperatorKey, wanted: Query[ManifestWanted]) -> Answer:
    """Read an operator as a manifest

    As far as you may see it: YAML, always the same for the same operator. It holds no secret.
    """
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    text = manifests.text(principal, operator, keys=wanted.keys)
    return Answer(text=text, media_type="text/plain; charset=utf-8")


@operation("apply-manifest", "PUT", ONE + "/manifest", PlanOut, tag=TAG, yaml=True)
def apply(request: HttpRequest, operator_key: OperatorKey, sent: ManifestIn) -> Answer:
    """Make an operator what a manifest says

    All of it, or nothing; what is so already is not signed again. What is not written stays as it is.
    The body is JSON, or the manifest itself as `application/yaml`, then without `prune` and `plan`.
    """
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    data, prune = sent.manifest, sent.prune
    if editing.is_trial(request):
        return Answer(
            body=_told(manifests.plan(principal=principal, operator=operator, data=data, prune=prune))
        )
    done = manifests.apply(principal=principal, operator=operator, data=data, prune=prune, token=sent.plan)
    return Answer(body=_told(done))


def _told(plan: Plan) -> PlanOut:
    return PlanOut(
        dry_run=not plan.applied,
        plan=plan.token,
        created=plan.count(Fate.CREATE),
        changed=plan.count(Fate.CHANGE),
        deleted=plan.count(Fate.DELETE),
        untouched=plan.count(Fate.KEEP),
        changes=[_object(one) for one in plan.edits],
        left=[one.title for one in plan.surplus],
        notes=[f"{one.title}: {note}" for one in plan.objects if one.fate is Fate.KEEP for note in one.notes],
    )


def _object(one: Planned) -> ObjectPlanned:
    return ObjectPlanned(
        kind=one.kind,
        name=one.name,
        account=one.account,
        fate=one.fate.value,
        fields=[FieldChanged(path=each.path, before=each.before, after=each.after) for each in one.diff],
        notes=list(one.notes),
    )
