"""The form over an account's auth callout: its auth users, the accounts it may place clients in, and its curve key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from django import forms

from identities.claims import codec
from identities.claims.account import ExternalAuthorization
from identities.forms.base import EditForm, Group
from identities.forms.fields import ListField, TextField
from identities.models import Account, User
from identities.nkeys import KeyKind, is_public
from identities.policy.principal import Principal

ANY = "*"
MOST_CHOICES = 30
"""How many users and accounts are offered to tick; the others are typed."""


class AuthCalloutForm(EditForm):
    """Users and accounts are ticked or typed, by name or key; a key may be made here, pasted, or left out."""

    paths: ClassVar[Mapping[str, str]] = {
        "nats.authorization": "typed_users",
        "nats.authorization.auth_users": "typed_users",
        "nats.authorization.allowed_accounts": "typed_accounts",
        "nats.authorization.xkey": "xkey",
    }
    words: ClassVar[Mapping[str, str]] = {
        "users": "auth_users",
        "typed_users": "auth_users",
        "any_account": "*",
        "accounts": "allowed_accounts",
        "typed_accounts": "allowed_accounts",
        "xkey": "xkey",
    }
    groups: ClassVar[tuple[Group, ...]] = (
        Group(
            legend="Auth users",
            names=("users", "typed_users"),
            help="The users as which the service connects that decides about all other logins to this account. "
            "None: no auth callout.",
        ),
        Group(
            legend="Allowed accounts",
            names=("any_account", "accounts", "typed_accounts"),
            help="Where the service may place clients beside this account. None: in this account alone.",
        ),
        Group(
            legend="Encryption",
            names=("xkey", "new_xkey"),
            help="Servers seal their requests to this key, so that only the service reads what clients log in with.",
        ),
    )

    users = forms.MultipleChoiceField(
        required=False, widget=forms.CheckboxSelectMultiple, label="Users of this account"
    )
    typed_users = ListField(
        rows=2, label="Others", help_text="One to a line: a user's name, or its public key (U…)."
    )
    any_account = forms.BooleanField(
        required=False, label="Every account", help_text="The accounts below then need not be named."
    )
    accounts = forms.MultipleChoiceField(
        required=False, widget=forms.CheckboxSelectMultiple, label="Accounts of this operator"
    )
    typed_accounts = ListField(
        rows=2, label="Others", help_text="One to a line: an account's name, or its public key (A…)."
    )
    xkey = TextField(
        max_length=200,
        label="Curve key",
        help_text="A public curve key (X…) whose seed the service has. Empty: not set, requests are not encrypted.",
    )
    new_xkey = forms.BooleanField(
        required=False,
        label="Make a new curve key here",
        help_text="It takes the place of the one above; its seed is sealed here.",
    )

    def __init__(self, *args: Any, account: Account, principal: Principal, **kwargs: Any) -> None:
        kwargs.setdefault("initial", {**self.values_of(account, principal), "version": account.version})
        super().__init__(*args, **kwargs)
        self.account = account
        self.principal = principal
        self.held: ExternalAuthorization = codec.from_payload(account.claims).nats.authorization
        self.fields["xkey"].widget.attrs.update(
            {"class": "mono", "spellcheck": "false", "autocomplete": "off"}
        )
        for name, known in (
            ("users", user_choices(account)),
            ("accounts", account_choices(account, principal)),
        ):
            self.fields[name].choices = list(known.items())  # type: ignore[attr-defined]  # a MultipleChoiceField
            if not known:
                del self.fields[name]

    @staticmethod
    def values_of(account: Account, principal: Principal) -> dict[str, Any]:
        """The account's auth callout by field."""
        held: ExternalAuthorization = codec.from_payload(account.claims).nats.authorization
        users, accounts = user_choices(account), account_choices(account, principal)
        return {
            "users": [key for key in held.auth_users if key in users],
            "typed_users": tuple(key for key in held.auth_users if key not in users),
            "any_account": ANY in held.allowed_accounts,
            "accounts": [key for key in held.allowed_accounts if key in accounts],
            "typed_accounts": tuple(
                key for key in held.allowed_accounts if key not in accounts and key != ANY
            ),
            "xkey": held.xkey,
            "new_xkey": False,
        }

    @property
    def makes_xkey(self) -> bool:
        """Whether a new curve key is wanted."""
        return bool(self.cleaned_data["new_xkey"])

    def to_callout(self) -> ExternalAuthorization:
        """What was filled in, in the order that was there, over what this form does not know."""
        typed = self.cleaned_data
        users = [*typed.get("users", ()), *typed["typed_users"]]
        accounts = [*typed.get("accounts", ()), *typed["typed_accounts"]]
        if typed["any_account"] or ANY in accounts:
            accounts = [*self.held.allowed_accounts] if ANY in self.held.allowed_accounts else [ANY]
        return replace(
            self.held,
            auth_users=_in_order(self.held.auth_users, users),
            allowed_accounts=_in_order(self.held.allowed_accounts, accounts),
            xkey=typed["xkey"],
        )

    def clean_typed_users(self) -> tuple[str, ...]:
        """Keys as they are, names as the keys of this account's users."""
        rows = User.objects.live().filter(account=self.account)
        return self._keys(self.cleaned_data["typed_users"], KeyKind.USER, rows, self.held.auth_users)

    def clean_typed_accounts(self) -> tuple[str, ...]:
        """Keys as they are, names as the keys of this operator's accounts."""
        seen = Account.objects.visible_to(self.principal).live()
        rows = seen.filter(operator_id=self.account.operator_id)
        return self._keys(
            self.cleaned_data["typed_accounts"], KeyKind.ACCOUNT, rows, self.held.allowed_accounts
        )

    def _keys(self, typed: Sequence[str], kind: KeyKind, rows: Any, held: Sequence[str]) -> tuple[str, ...]:
        names = [text for text in typed if not is_public(text, kind) and text not in (*held, ANY)]
        keys = dict(rows.filter(name__in=names).values_list("name", "public_key"))
        unknown = [f"“{name[:80]}”" for name in names if name not in keys]
        if unknown:
            raise forms.ValidationError(
                f"There is no {kind.value} {', '.join(unknown)} here. Write its name exactly, or its public key."
            )
        return tuple(dict.fromkeys(keys.get(text, text) for text in typed))


def user_choices(account: Account) -> dict[str, str]:
    """Users to tick, key to name: those that are auth users now, and the first others."""
    held = codec.from_payload(account.claims).nats.authorization.auth_users
    rows = User.objects.live().filter(account=account).order_by("name").values_list("public_key", "name")
    return {**dict(rows.filter(public_key__in=held)), **dict(rows[:MOST_CHOICES])}


def account_choices(account: Account, principal: Principal) -> dict[str, str]:
    """Accounts that the principal may see to tick likewise, without the account itself and the system account."""
    held = codec.from_payload(account.claims).nats.authorization.allowed_accounts
    seen = Account.objects.visible_to(principal).live()
    rows = seen.filter(operator_id=account.operator_id).exclude(pk=account.pk)
    named = rows.order_by("name").values_list("public_key", "name")
    others = named.exclude(public_key=account.operator.system_account)
    return {**dict(named.filter(public_key__in=held)), **dict(others[:MOST_CHOICES])}


def _in_order(held: Sequence[str], wanted: Iterable[str]) -> tuple[str, ...]:
    """What was there first, in its order, then what is new."""
    chosen = list(dict.fromkeys(wanted))
    return (*(one for one in held if one in chosen), *(one for one in chosen if one not in held))
