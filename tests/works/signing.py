"""Signing anew, keys, what waits for a signature, and proposals."""

from __future__ import annotations

from dataclasses import replace

from identities.claims import codec
from identities.models import Account, Key, Offer, User
from identities.nkeys import KeyKind
from identities.services import (
    changes,
    clock,
    keys,
    proposals,
    pushes,
    reissuing_accounts,
    reissuing_operators,
    resigning,
    resigning_accounts,
    rotation,
    signing,
    signing_over,
    unsigned,
)
from tests.works.sample import SEEDLESS, WHO, Sample, Work, tagged


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


def _keep_unsigned(at: Sample) -> object:
    operator = at.offline.operator
    return unsigned.keep(**WHO, row=operator, change=tagged(operator), version=operator.version)


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


WORKS: dict[str, Work] = {
    "pushes.open_door": lambda at: pushes.open_door(**WHO, operator=at.account.operator, self_signed=True),
    "pushes.close_door": lambda at: pushes.close_door(**WHO, operator=at.operator),
    "pushes.receive": _pushed,
    "pushes.accept": lambda at: pushes.accept(**WHO, offer=_offered(at), version=at.account.version),
    "pushes.decline": lambda at: pushes.decline(**WHO, offer=_offered(at)),
    "proposals.choose_mode": lambda at: proposals.choose_mode(**WHO, operator=at.operator, mode="members"),
    "proposals.approve": lambda at: proposals.approve(principal=at.second, proposal=at.proposal),
    "proposals.decline": lambda at: proposals.decline(**WHO, proposal=at.proposal, note="no"),
    "proposals.withdraw": lambda at: proposals.withdraw(principal=at.author, proposal=at.proposal),
    "proposals.comment": lambda at: proposals.comment(**WHO, proposal=at.proposal, text="Why?"),
    "proposals.again": lambda at: proposals.again(principal=at.author, proposal=at.proposal),
    "unsigned.keep": _keep_unsigned,
    "unsigned.discard": lambda at: unsigned.discard(**WHO, row=at.offline),
    "unsigned.self_signed": lambda at: unsigned.self_signed(**WHO, account=at.offline),
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
    "rotation.reseal_all": lambda at: rotation.reseal_all(**WHO),
}
