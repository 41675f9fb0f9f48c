"""Somebody who makes JWTs without us, with keys whose seeds are not here unless they are brought along."""

from __future__ import annotations

from typing import Any

from identities.claims import codec
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.limits import OperatorLimits
from identities.claims.operator import OperatorBody
from identities.claims.user import UserBody
from identities.models import Account, Operator
from identities.nkeys import KeyKind, KeyPair, SecretBytes
from identities.services import adopting
from identities.services.adopting import NO_SEEDS, Seeds
from tests import make

OLD = 1_600_000_000
"""When everything was issued there."""


class Elsewhere:
    """An operator, an account and a user made elsewhere."""

    def __init__(self) -> None:
        self.operator = KeyPair.create(KeyKind.OPERATOR)
        self.account = KeyPair.create(KeyKind.ACCOUNT)
        self.user = KeyPair.create(KeyKind.USER)

    def operator_jwt(self, *, name: str = "Op", by: KeyPair | None = None, **body: Any) -> str:
        return self._signed(OperatorBody(**body), self.operator, by or self.operator, name)

    def account_jwt(
        self, *, name: str = "Acc", by: KeyPair | None = None, of: KeyPair | None = None, **body: Any
    ) -> str:
        body.setdefault("limits", OperatorLimits.unlimited())
        return self._signed(AccountBody(**body), of or self.account, by or self.operator, name)

    def user_jwt(
        self, *, name: str = "U", by: KeyPair | None = None, of: KeyPair | None = None, **body: Any
    ) -> str:
        return self._signed(UserBody(**body), of or self.user, by or self.account, name)

    def adopted(self, *, seeds: Seeds = NO_SEEDS, **account: Any) -> tuple[Operator, Account]:
        """Its operator and account, taken over here."""
        make.installation()
        who = make.COMMAND
        operator = adopting.adopt_operator(principal=who, text=self.operator_jwt(), seeds=seeds).row
        text = self.account_jwt(**account)
        adopted = adopting.adopt_account(principal=who, operator=operator, text=text, seeds=seeds)
        return operator, adopted.row

    @staticmethod
    def _signed(body: Any, subject: KeyPair, by: KeyPair, name: str) -> str:
        return codec.encode(Claims(nats=body, sub=subject.public.text, name=name), by, OLD).text


def beside_ours() -> Elsewhere:
    """Somebody elsewhere, and an installation here where nobody of them is known."""
    make.installation()
    return Elsewhere()


def seeds_of(*pairs: KeyPair) -> dict[str, SecretBytes]:
    """The seeds of these, as they come along with an import."""
    return {pair.public.text: pair.seed() for pair in pairs}
