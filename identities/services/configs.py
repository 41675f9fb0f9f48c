"""Writes nats-server configurations for an operator."""

from __future__ import annotations

from dataclasses import dataclass, replace

from identities.errors import IdentityError
from identities.formats import helm_values, server_config, start_instructions
from identities.formats.server_config import Preload, Resolver, ServerConfig
from identities.models import Account, Operator
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.services import reissuing_operators

FILE_NAME = "server.conf"
IN_PREVIEW = 40_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A configuration, how to start a server with it, and how many accounts it carries."""

    text: str
    instructions: tuple[start_instructions.Instruction, ...]
    preloaded: int
    config: ServerConfig

    @property
    def helm_values(self) -> str:
        """The same for the official Helm chart."""
        return helm_values.render(self.config)

    @property
    def preview(self) -> str:
        """The text as far as a page shows it: whole lines, `IN_PREVIEW` characters at most."""
        if len(self.text) <= IN_PREVIEW:
            return self.text
        return self.text[:IN_PREVIEW].rpartition("\n")[0] + "\n"


def write(
    *,
    principal: Principal,
    operator: Operator,
    wanted: ServerConfig,
    preload_all: bool,
    earlier_key: str = "",
) -> Written:
    """Write the configuration that `wanted` describes; name, JWT and accounts are filled in from the database.

    `earlier_key`: one that the operator had before a reissue, which servers trust besides. `preload_all`: every
    account, else the system account alone. The MEMORY resolver carries them all in any case, as it knows no others;
    the URL resolver none.

    Raises:
        FormatError: options that contradict each other, with the option as `field`.
    """
    decisions.require(principal, Action.CONFIG_DOWNLOAD, Scope(operator=operator.pk))
    if operator.token is None:
        raise IdentityError(f"“{operator.name}” has no JWT yet.")
    everyone = preload_all or wanted.resolver is Resolver.MEMORY
    preload = (
        ()
        if wanted.resolver is Resolver.URL
        else _preload(operator, wanted.system_account, everyone=everyone)
    )
    config = replace(
        wanted,
        operator_name=operator.name,
        operator_jwt=operator.token.text,
        also_trusted=_under(operator, earlier_key),
        preload=preload,
    )
    return Written(
        text=server_config.render(config),
        instructions=tuple(start_instructions.start_instructions(config, FILE_NAME)),
        preloaded=len(preload),
        config=config,
    )


def _under(operator: Operator, earlier_key: str) -> tuple[str, ...]:
    """The operator's last JWT under a key that it had before."""
    if not earlier_key:
        return ()
    found = [token.text for token in reissuing_operators.earlier(operator) if token.subject == earlier_key]
    if not found:
        raise IdentityError(f"“{operator.name}” never had the key {earlier_key[:60]}.", field="also_trusted")
    return tuple(found)


def _preload(operator: Operator, system_account: str, *, everyone: bool) -> tuple[Preload, ...]:
    rows = Account.objects.live().filter(operator=operator, token__isnull=False)
    if not everyone:
        rows = rows.filter(public_key=system_account)
    return tuple(Preload(*row) for row in rows.values_list("name", "public_key", "token__text"))
