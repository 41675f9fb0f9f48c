"""Looks into another installation, named by the environment: `python -m tests.restored [user]` prints JSON."""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def look(user_name: str = "") -> dict[str, Any]:
    """All rows, the audit's verdict, and what servers and clients of that user's operator would be given."""
    from identities.formats.server_config import Resolver, ServerConfig
    from identities.models import User
    from identities.policy.principal import Principal
    from identities.services import audit_checking, configs, creds, secrets
    from tests import rows

    found: dict[str, Any] = {"rows": as_json(rows.everything()), "sealed": secrets.sealed_reason()}
    if not found["sealed"]:
        found["broken"] = [one.text for one in audit_checking.check().findings]
    if user_name:
        who, user = Principal.command("test"), User.objects.get(name=user_name)
        operator = user.account.operator
        wanted = ServerConfig(
            resolver=Resolver.MEMORY,
            operator_name="",
            operator_jwt="",
            system_account=operator.system_account,
        )
        found["config"] = configs.write(
            principal=who, operator=operator, wanted=wanted, preload_all=True
        ).text
        found["creds"] = creds.creds_file(principal=who, user=user).text
    return found


def as_json(everything: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Rows as they look after a way through JSON."""
    told = json.dumps(everything, default=lambda held: held.hex() if isinstance(held, bytes) else str(held))
    held: dict[str, list[dict[str, Any]]] = json.loads(told)
    return held


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nscweb.settings")
    import django

    django.setup()
    print(json.dumps(look(*sys.argv[1:])))
