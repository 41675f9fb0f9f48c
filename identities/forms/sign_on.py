"""Forms over providers of single sign-on: the provider itself, and which of its groups are which teams."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms

from identities.forms.base import SEED_REFUSED, EditForm, Group
from identities.forms.entries import LineField
from identities.forms.fields import WordsField
from identities.models import SignOnProvider, Team
from identities.nkeys import SecretBytes
from identities.resolver.oidc_drafts import SCOPES, ProviderDraft

LONGEST_LIST = 4096
_SEED = re.compile(r"(?<![A-Z2-7])S[OAUNCX][A-Z2-7]{56}(?![A-Z2-7])")


class ProviderForm(EditForm):
    """A provider. Its secret is taken and never given back; random letters may look like a seed there."""

    jwts: ClassVar[tuple[str, ...]] = ("client_secret",)
    groups: ClassVar[tuple[Group, ...]] = (
        Group(legend="Provider", names=("name", "issuer")),
        Group(legend="nscweb as its client", names=("client_id", "client_secret", "no_secret")),
        Group(legend="Who comes in", names=("creates_people", "email_domains", "is_enabled")),
        Group(legend="Scopes and groups", names=("scopes", "groups_claim")),
    )

    name = LineField(max_length=150, label="Name", help_text="People see it on the sign-in page.")
    issuer = LineField(
        max_length=2000,
        label="Issuer",
        help_text="The provider's address, such as https://login.example.com/realms/main, to the letter as it "
        "calls itself.",
    )
    client_id = LineField(max_length=255, label="Client ID", help_text="What the provider knows nscweb by.")
    client_secret = forms.CharField(
        required=False,
        strip=False,
        max_length=4096,
        label="Client secret",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    no_secret = forms.BooleanField(
        required=False,
        label="Throw the kept secret away",
        help_text="For a public client, which proves itself by PKCE alone.",
    )
    creates_people = forms.BooleanField(
        required=False,
        label="Whoever it lets in becomes a person here",
        help_text="Without any role: they see nothing until somebody grants them one, or a group of theirs is a team "
        "here. Unticked: only those come in who were invited or linked their account themselves.",
    )
    email_domains = WordsField(
        required=False,
        max_length=LONGEST_LIST,
        label="Only with an e-mail address of",
        help_text="Domains such as example.com, one a line; the provider must have verified the address. Empty: any.",
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
    )
    is_enabled = forms.BooleanField(required=False, initial=True, label="On the sign-in page")
    scopes = WordsField(
        required=False,
        max_length=LONGEST_LIST,
        label="Scopes",
        help_text="What is asked for, one a line. openid is always.",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "mono"}),
    )
    groups_claim = LineField(
        required=False,
        max_length=255,
        label="Claim with the groups",
        help_text="Such as groups, or realm_access.roles. Empty: groups of the provider mean nothing here.",
    )

    def __init__(self, *args: Any, has_secret: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["client_secret"].help_text = (
            "A secret is sealed here and not shown again. Empty: it stays. Another one takes its place."
            if has_secret
            else "It is sealed, and not shown again. Empty for a public client."
        )
        if not has_secret:
            del self.fields["no_secret"]

    def clean_client_secret(self) -> str:
        """The secret; a whole seed that was pasted here by mistake is thrown away."""
        text: str = self.cleaned_data["client_secret"]
        if _SEED.search(text):
            raise forms.ValidationError(SEED_REFUSED)
        return text

    def to_draft(self) -> ProviderDraft:
        """What was filled in."""
        typed = self.cleaned_data
        secret = typed["client_secret"]
        return ProviderDraft(
            name=typed["name"],
            issuer=typed["issuer"],
            client_id=typed["client_id"],
            client_secret=SecretBytes(secret.encode()) if secret else None,
            no_secret=typed.get("no_secret", False),
            scopes=tuple(typed["scopes"]),
            groups_claim=typed["groups_claim"],
            email_domains=tuple(typed["email_domains"]),
            creates_people=typed["creates_people"],
            is_enabled=typed["is_enabled"],
        )

    @staticmethod
    def values_of(provider: SignOnProvider) -> dict[str, Any]:
        """What the form shows of a provider; never its secret."""
        return {
            "name": provider.name,
            "issuer": provider.issuer,
            "client_id": provider.client_id,
            "scopes": tuple(provider.scopes.split()),
            "groups_claim": provider.groups_claim,
            "email_domains": tuple(provider.email_domains.split()),
            "creates_people": provider.creates_people,
            "is_enabled": provider.is_enabled,
        }


class NewProviderForm(ProviderForm):
    """The same for a new one."""

    initial_values: ClassVar[Mapping[str, Any]] = {"scopes": SCOPES, "is_enabled": True}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, initial=dict(self.initial_values), **kwargs)
        del self.fields["version"]


class GroupForm(EditForm):
    """A group of a provider, and the team that its members are members of."""

    group = LineField(
        max_length=255,
        label="Group at the provider",
        help_text="Its name or ID, to the letter as the claim has it.",
    )
    team = forms.ChoiceField(label="Team here")

    def __init__(self, *args: Any, teams: Sequence[Team], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.teams = {str(team.pk): team for team in teams}
        choice = self.fields["team"]
        if isinstance(choice, forms.ChoiceField):
            choice.choices = [(key, team.name) for key, team in self.teams.items()]

    def to_team(self) -> Team:
        """The chosen team."""
        return self.teams[self.cleaned_data["team"]]
