"""Helm values: the chart makes a configuration of them that a real nats-server runs with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from identities.formats import helm_values, server_config
from identities.formats.errors import FormatError
from identities.formats.server_config import Resolver, ServerConfig
from tests import natsclient, natsserver
from tests.formats.test_server_config import FILES, GOLDEN, golden

CREDS = "basics-sys/out/creds"


def chart(text: str, store: Path) -> str:
    """What the chart writes into nats.conf: `merge` as it stands, the resolver with its directory, as JSON."""
    values: dict[str, Any] = yaml.safe_load(text)["config"]
    conf = dict(values["merge"])
    if "resolver" in values:
        assert values["resolver"]["enabled"] is True
        assert values["resolver"]["dir"] == helm_values.DIR
        conf["resolver"] = {**values["resolver"]["merge"], "dir": str(store)}
    return json.dumps(conf, indent=2)


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("full")])
def test_a_server_runs_with_what_the_chart_makes_of_it(
    name: str, nats: natsserver.Stable, tmp_path: Path
) -> None:
    _, config = golden(name)
    server = nats.start(chart(helm_values.render(config), tmp_path / "store"))
    if config.resolver is Resolver.MEMORY:
        (creds,) = sorted((GOLDEN / name.split("/")[0] / "out/creds").glob("TestAccount-TestUser.creds"))
        assert natsclient.hear_yourself(server.url, creds) == b"hello, world"
    else:
        assert natsclient.lets_in(server.url, GOLDEN / name.split("/")[0] / "out/creds/SYS-sys.creds")


@pytest.mark.parametrize("name", sorted(FILES))
def test_the_values_hold_what_the_configuration_does(name: str) -> None:
    _, config = golden(name)
    values = yaml.safe_load(helm_values.render(config))["config"]
    assert values["merge"]["operator"] == config.operator_jwt
    assert values["merge"].get("system_account", "") == config.system_account
    assert values["merge"]["resolver_preload"] == {key: jwt for _, key, jwt in config.preload}


def test_names_stand_beside_their_keys_and_can_hold_anything() -> None:
    _, config = golden("basics/out/server-mem-resolver.conf")
    odd = 'a"\n#: {}\u2028 ü'
    config = replace(config, operator_name=odd, preload=[(odd, key, jwt) for _, key, jwt in config.preload])
    text = helm_values.render(config)
    assert yaml.safe_load(text)["config"]["merge"]["operator"] == config.operator_jwt
    assert all(line.lstrip().startswith("#") for line in text.splitlines() if "ü" in line)


def test_options_reach_the_resolver() -> None:
    _, config = golden("basics-sys/out/server-nats-resolver.conf")
    config = replace(config, allow_delete=True, interval="30s", limit=77, timeout="1s")
    assert yaml.safe_load(helm_values.render(config))["config"]["resolver"]["merge"] == {
        "type": "full", "allow_delete": True, "interval": "30s", "limit": 77, "timeout": "1s",
    }  # fmt: skip


def test_the_url_resolver_and_two_operators() -> None:
    _, config = golden("basics/out/server-mem-resolver.conf")
    url = "https://nsc.example.com/jwt/v1/accounts/"
    config = ServerConfig(
        resolver=Resolver.URL,
        operator_name="x",
        operator_jwt=config.operator_jwt,
        also_trusted=(config.operator_jwt,),
        url=url,
    )
    merge = yaml.safe_load(helm_values.render(config))["config"]["merge"]
    assert merge == {"operator": [config.operator_jwt] * 2, "resolver": f"URL({url})"}


def test_what_no_server_takes_is_refused() -> None:
    _, config = golden("basics/out/server-mem-resolver.conf")
    with pytest.raises(FormatError):
        helm_values.render(replace(config, operator_jwt="damaged"))
    assert server_config.check(config) is None
