"""Golden tokens taken over, each below an operator and account that stand behind it."""

from __future__ import annotations

from typing import Any

from identities.claims import codec
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.operator import OperatorBody
from identities.claims.permissions import UserPermissionLimits
from identities.claims.scopes import USER_SCOPE, SigningKey
from identities.models import Account, Operator
from identities.nkeys import KeyKind, KeyPair, kind_of
from identities.services import adopting, adopting_users
from tests import goldens, make
from tests.fidelity import edits, tokens
from tests.fidelity.tokens import Token

WHO: Any = {"principal": make.COMMAND}
OURS = KeyPair(KeyKind.OPERATOR, b"o" * 32)
"""The operator above accounts and users whose own operator is not at hand."""
SPARE = {kind: KeyPair(kind, b"s" * 32) for kind in (KeyKind.OPERATOR, KeyKind.ACCOUNT)}
"""A signing key that is here, for tokens whose issuer's seed nobody has."""
SEEDS = {**goldens.seeds(), **{pair.public.text: pair.seed() for pair in (OURS, *SPARE.values())}}


def adopted(token: Token) -> tuple[Any, str | None]:
    """The token taken over, and who is chosen to sign: "" where its issuer's seed is here, None where nobody can."""
    claims = token.claims
    here = claims.iss in SEEDS
    if token.kind == "operator":
        row = adopting.adopt_operator(**WHO, text=token.text, seeds=SEEDS).row
        return row, "" if row.public_key in SEEDS else None
    if token.kind == "account":
        spare = SPARE[KeyKind.OPERATOR].public.text
        by_operator = kind_of(claims.iss) is KeyKind.OPERATOR
        parent = operator(claims.iss if by_operator else "", spare)
        account = adopting.adopt_account(
            **WHO, operator=parent, text=token.text, seeds=SEEDS, foreign=not by_operator
        ).row
        return account, "" if here and by_operator else spare
    spare = SPARE[KeyKind.ACCOUNT].public.text
    home = account_of(claims, spare)
    user = adopting_users.adopt_users(**WHO, account=home, texts=[token.text], seeds=SEEDS)[0].row
    return user, "" if here else None if edits.by_role(claims) else spare


def operator(*signing_keys: str) -> Operator:
    body = OperatorBody(signing_keys=tuple(key for key in signing_keys if key and key != OURS.public.text))
    claims = Claims(nats=body, sub=OURS.public.text, name="Ours")
    text = codec.encode(claims, OURS, tokens.NOW).text
    return adopting.adopt_operator(**WHO, text=text, seeds=SEEDS).row


def account_of(user: Claims[Any], spare: str) -> Account:
    """An account that stands behind this user: its issuer is the account, a role of it, or one of its plain keys."""
    public_key = user.nats.issuer_account or user.iss
    keys = [SigningKey(key=spare)]
    if user.iss != public_key:
        role = SigningKey(
            kind=USER_SCOPE, key=user.iss, role="role", template=UserPermissionLimits.unlimited()
        )
        keys.append(role if edits.by_role(user) else SigningKey(key=user.iss))
    claims = Claims(nats=AccountBody(signing_keys=tuple(keys)), sub=public_key, name="Home")
    text = codec.encode(claims, OURS, tokens.NOW).text
    return adopting.adopt_account(**WHO, operator=operator(), text=text, seeds=SEEDS).row
