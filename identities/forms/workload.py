"""The form over a trust rule: which machines get creds of a role for a token of their own provider."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms

from identities.forms.base import EditForm, Group
from identities.forms.entries import LineField
from identities.forms.fields import ListField
from identities.models import WorkloadRule
from identities.policy.terms import LEAST, MOST
from identities.resolver.oidc_drafts import WorkloadDraft

GITHUB = "https://token.actions.githubusercontent.com"


class RuleForm(EditForm):
    """A trust rule; one condition a line, `claim = pattern`."""

    groups: ClassVar[tuple[Group, ...]] = (
        Group(legend="Whose tokens", names=("name", "issuer", "audience", "conditions")),
        Group(legend="What they get", names=("user_name", "seconds", "is_enabled")),
    )

    name = LineField(max_length=150, label="Name", help_text="For people: deployments of the shop …")
    issuer = LineField(
        max_length=2000,
        label="Issuer",
        help_text=f"Who signs the tokens, to the letter as their “iss” has it: {GITHUB}, https://gitlab.com, the "
        "issuer of a Kubernetes cluster …",
    )
    audience = LineField(
        max_length=255,
        label="Audience",
        help_text="What the job asks its token for (“aud”); a token for others too is refused. The address of this "
        "installation is a good one.",
    )
    conditions = ListField(
        required=True,
        rows=4,
        max_length=8192,
        label="Its claims must say",
        help_text="One a line, and all must fit: repository = acme/shop, ref = refs/heads/main. `*` stands for any "
        "text. Of a claim that is a list, one entry has to fit.",
    )
    user_name = LineField(
        max_length=255,
        label="Name of the user",
        help_text="It stands in the JWT and in the ledger; {claim} is the value of a claim, in which / becomes _.",
    )
    seconds = forms.IntegerField(
        min_value=LEAST,
        max_value=MOST,
        label="Creds live (seconds)",
        help_text="Within the terms of the role. The job may ask for less.",
        widget=forms.TextInput(attrs={"class": "number", "inputmode": "numeric", "autocomplete": "off"}),
    )
    is_enabled = forms.BooleanField(required=False, label="In force")

    def clean_conditions(self) -> tuple[str, ...]:
        """Each line tidied."""
        found = []
        for line in self.cleaned_data["conditions"]:
            claim, pattern = _pair(line)
            if not claim or not pattern:
                words = f"“{line[:100]}” is no condition: write repository = acme/shop, one a line."
                raise forms.ValidationError(words)
            found.append(f"{claim} = {pattern}")
        return tuple(found)

    def to_draft(self) -> WorkloadDraft:
        """What was filled in."""
        typed = self.cleaned_data
        return WorkloadDraft(
            name=typed["name"],
            issuer=typed["issuer"],
            audience=typed["audience"],
            conditions=tuple(_pair(line) for line in typed["conditions"]),
            user_name=typed["user_name"],
            seconds=typed["seconds"],
            is_enabled=typed["is_enabled"],
        )

    @staticmethod
    def values_of(rule: WorkloadRule) -> dict[str, Any]:
        """A rule by field."""
        return {
            "name": rule.name,
            "issuer": rule.issuer,
            "audience": rule.audience,
            "conditions": tuple(f"{claim} = {pattern}" for claim, pattern in rule.wanted),
            "user_name": rule.user_name,
            "seconds": rule.seconds,
            "is_enabled": rule.is_enabled,
        }


def _pair(line: str) -> tuple[str, str]:
    claim, _, pattern = line.partition("=")
    return claim.strip(), pattern.strip()
