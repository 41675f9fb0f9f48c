from __future__ import annotations

import base64
import json
import re

import pytest

from identities.formats.server_config import Preload, Resolver, ServerConfig, render
from identities.resolver.client import run
from identities.resolver.plan import Act, ClientPlan, Step
from tests.resolver.conftest import GOLDEN, StartServer, golden_user

pytestmark = pytest.mark.server


def claims(jwt: str) -> dict[str, str]:
    body = jwt.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))


@pytest.mark.parametrize("resolver", [Resolver.MEMORY, Resolver.FULL, Resolver.CACHE])
def test_a_server_runs_with_a_written_configuration_and_users_log_in(
    start_server: StartServer, resolver: Resolver
) -> None:
    text = (GOLDEN / "basics-sys/out/server-mem-resolver.conf").read_text()
    operator = re.findall(r"^operator: (\S+)$", text, re.MULTILINE)[0]
    accounts = re.findall(r"^  (A\w{55}): (\S+)$", text, re.MULTILINE)
    config = ServerConfig(
        resolver=resolver,
        operator_name="Test",
        operator_jwt=operator,
        system_account=re.findall(r"^system_account: (\S+)$", text, re.MULTILINE)[0],
        preload=[Preload(claims(jwt)["name"], key, jwt) for key, jwt in accounts],
        dir="" if resolver is Resolver.MEMORY else 'it\'s "here"',
        allow_delete=True if resolver is Resolver.FULL else None,
        limit=None if resolver is Resolver.MEMORY else 50,
    )
    url = f"nats://127.0.0.1:{start_server(render(config))}"
    for creds in ("TestAccount-TestUser", "SYS-sys"):
        user = golden_user(f"basics-sys/out/creds/{creds}.creds")
        result = run(ClientPlan(url=url, step=Step(user=user, act=Act.RTT), allow_loopback=True))
        assert result.ok, result.summary
