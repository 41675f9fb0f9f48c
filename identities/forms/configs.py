"""The options of a nats-server configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms
from django.http import QueryDict

from identities.errors import IdentityError
from identities.formats.server_config import Resolver, ServerConfig
from identities.forms.base import BaseForm, Group, Section

RESOLVERS = (
    (Resolver.FULL, "NATS, full: each server keeps all accounts and takes changes while it runs"),
    (Resolver.MEMORY, "MEMORY: the accounts stand in this file, changes need a new one and a reload"),
    (Resolver.URL, "URL: servers fetch accounts from here"),
    (Resolver.CACHE, "NATS, cache: a server beside full ones that keeps only what it uses"),
)
DEFAULTS: Mapping[str, str] = {
    "resolver": Resolver.FULL,
    "operator_as": "inline",
    "preload": "all",
}
_ONLY = {
    "dir": (Resolver.FULL, Resolver.CACHE),
    "allow_delete": (Resolver.FULL,),
    "interval": (Resolver.FULL,),
    "limit": (Resolver.FULL, Resolver.CACHE),
    "timeout": (Resolver.FULL, Resolver.CACHE),
    "ttl": (Resolver.CACHE,),
    "url": (Resolver.URL,),
    "preload": (Resolver.FULL, Resolver.CACHE),
}
"""Which resolver knows which option; what another one can't use is left out."""


class ConfigForm(BaseForm):
    """What `nsc generate config` asks, and the options that its file only shows as comments.

    It is sent by GET: a configuration holds nothing secret, and its address can be kept.
    """

    words: ClassVar[Mapping[str, str]] = {
        **{
            name: name
            for name in ("dir", "allow_delete", "interval", "limit", "timeout", "ttl", "system_account")
        },
        "preload": "resolver_preload",
        "url": "URL(…)",
        "operator_path": "operator",
        "also_trusted": "operator: […]",
    }

    resolver = forms.ChoiceField(choices=RESOLVERS, label="Resolver", widget=forms.RadioSelect)
    operator_as = forms.ChoiceField(
        choices=(("inline", "in the file"), ("path", "in a file of its own")),
        label="Operator JWT",
        widget=forms.RadioSelect,
        required=False,
    )
    operator_path = forms.CharField(
        required=False,
        max_length=500,
        label="Path of the operator JWT",
        help_text="As the server finds it, such as /etc/nats/operator.jwt. Download the JWT on the operator's page.",
    )
    system_account = forms.ChoiceField(
        required=False,
        label="System account",
        help_text="Servers exchange account JWTs and events in it. Once the operator's JWT names one, servers take "
        "no other.",
    )
    preload = forms.ChoiceField(
        choices=(("all", "all accounts"), ("system", "the system account only, as nsc does")),
        label="Accounts in the file",
        widget=forms.RadioSelect,
        required=False,
        help_text="Servers keep what they were sent later over what stands here.",
    )
    also_trusted = forms.ChoiceField(
        required=False,
        label="Trusted operator keys",
        help_text="This operator was reissued. Servers that trust both take accounts signed under either key.",
    )
    dir = forms.CharField(
        required=False,
        max_length=500,
        label="Directory of the JWTs",
        help_text="One for each server, never shared. Left empty: ./jwt",
    )
    allow_delete = forms.BooleanField(
        required=False,
        label="Accounts can be deleted",
        help_text="Without it a server never forgets an account, even one that you delete here. nsc leaves it off.",
    )
    interval = forms.CharField(
        required=False,
        max_length=40,
        label="Compare with other servers every",
        help_text="Such as 30s or 5m. Left empty: 2m.",
    )
    limit = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=2**31,
        label="Most accounts kept",
        help_text="Left empty: the server's own limit.",
    )
    timeout = forms.CharField(
        required=False,
        max_length=40,
        label="Wait for a lookup at most",
        help_text="Such as 1s. Left empty: 1.9s.",
    )
    ttl = forms.CharField(
        required=False,
        max_length=40,
        label="Keep an unused account for",
        help_text="Such as 30m. Left empty: 1h.",
    )
    url = forms.CharField(
        required=False,
        max_length=500,
        label="Address of the account server",
        help_text="As the servers reach it. Left empty: this installation.",
    )

    def __init__(
        self,
        data: QueryDict,
        *,
        accounts: list[tuple[str, str]],
        own_url: str,
        system_account: str,
        earlier: Sequence[tuple[str, str]] = (),
        **kwargs: Any,
    ) -> None:
        """`earlier`: key and words of each key that the operator had before."""
        filled = data.copy()
        # a NATS resolver works by a system account: without one, MEMORY is what can be offered at once
        usual = {**DEFAULTS, "resolver": DEFAULTS["resolver"] if system_account else Resolver.MEMORY}
        for name, value in {**usual, "system_account": system_account}.items():
            filled.setdefault(name, value)
        super().__init__(filled, **kwargs)
        self.own_url = own_url
        self.earlier = tuple(earlier)
        choice = self.fields["system_account"]
        if isinstance(choice, forms.ChoiceField):
            choice.choices = [("", "none"), *accounts]
        trusted = self.fields["also_trusted"]
        if not earlier:
            del self.fields["also_trusted"]
        elif isinstance(trusted, forms.ChoiceField):
            trusted.choices = [("", "the new key alone"), *earlier]

    @property
    def resolver_kind(self) -> Resolver:
        """The chosen resolver, also of a form that is wrong elsewhere."""
        chosen = self.data.get("resolver", "")
        return Resolver(chosen) if chosen in set(Resolver) else Resolver.FULL

    @property
    def sections(self) -> tuple[Section, ...]:
        """The fields that the chosen resolver knows, in groups."""
        known = self.resolver_kind
        rest = tuple(name for name in _ONLY if known in _ONLY[name] and name != "preload")
        carried: tuple[str, ...] = ("also_trusted", "system_account", "operator_as", "operator_path")
        if known in _ONLY["preload"]:
            carried = ("preload", *carried)
        groups = (
            Group(legend="Where servers take accounts from", names=("resolver",)),
            Group(legend="Resolver options", names=rest),
            Group(legend="What the file carries", names=carried),
        )
        return tuple(self._section(group) for group in groups if group.names)

    def clean(self) -> dict[str, Any]:
        """A path is needed when the JWT stands in a file of its own."""
        cleaned = super().clean()
        if cleaned.get("operator_as") == "path" and not cleaned.get("operator_path"):
            self.add_error("operator_path", "Write where the server finds the operator's JWT.")
        return cleaned

    def place_error(self, refused: IdentityError) -> None:
        """Put a refusal on the field that it names, if the chosen resolver shows that one, else above the form."""
        shown = {field.name for section in self.sections for field in section.fields}
        self.add_error(refused.field if refused.field in shown else None, refused.user_message)

    @property
    def earlier_key(self) -> str:
        """The key that the operator had before and that servers trust besides; "" for none."""
        return str(self.cleaned_data.get("also_trusted", ""))

    @property
    def preload_all(self) -> bool:
        """Whether every account stands in the file."""
        return bool(self.cleaned_data.get("preload") != "system")

    def to_config(self) -> ServerConfig:
        """The options; the operator's name and JWT and the accounts are filled in by the service."""
        values = self.cleaned_data
        kind = Resolver(values["resolver"])

        def option(name: str) -> Any:
            return values.get(name) if kind in _ONLY[name] else None

        return ServerConfig(
            resolver=kind,
            operator_name="",
            operator_jwt="",
            operator_path=values["operator_path"] if values.get("operator_as") == "path" else "",
            system_account=values.get("system_account") or "",
            dir=option("dir") or "",
            allow_delete=bool(values.get("allow_delete")) if kind in _ONLY["allow_delete"] else None,
            interval=option("interval") or "",
            limit=option("limit"),
            timeout=option("timeout") or "",
            ttl=option("ttl") or "",
            url=(option("url") or self.own_url) if kind is Resolver.URL else "",
        )
