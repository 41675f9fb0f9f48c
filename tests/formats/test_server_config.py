from __future__ import annotations

import base64
import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from identities.formats.errors import FormatError
from identities.formats.server_config import Preload, Resolver, ServerConfig, render
from identities.formats.start_instructions import start_instructions

GOLDEN = Path(__file__).parents[1] / "golden"
LINE = re.compile(r"^\s*(A[A-Z2-7]{55}): (\S+?),?$", re.MULTILINE)


def claims(jwt: str) -> dict[str, str]:
    body = jwt.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))


def config_of(text: str, resolver: Resolver) -> ServerConfig:
    """The options that nsc had when it wrote `text`."""
    operator = re.search(r"^operator: (\S+)$", text, re.MULTILINE)
    system = re.search(r"^system_account: (\S+)$", text, re.MULTILINE)
    assert operator is not None
    accounts = [Preload(claims(jwt)["name"], key, jwt) for key, jwt in LINE.findall(text)]
    return ServerConfig(
        resolver=resolver,
        operator_name=claims(operator[1])["name"],
        operator_jwt=operator[1],
        system_account=system[1] if system else "",
        preload=accounts[::-1],
    )


FILES = {
    "basics/out/server-mem-resolver.conf": Resolver.MEMORY,
    "basics-sys/out/server-mem-resolver.conf": Resolver.MEMORY,
    "basics-sys/out/server-nats-resolver.conf": Resolver.FULL,
    "basics-sys/out/server-nats-resolver-cache.conf": Resolver.CACHE,
    "full/out/server-mem-resolver.conf": Resolver.MEMORY,
    "full/out/server-nats-resolver.conf": Resolver.FULL,
    "full/out/server-nats-resolver-cache.conf": Resolver.CACHE,
}


def golden(name: str) -> tuple[str, ServerConfig]:
    text = (GOLDEN / name).read_text()
    return text, config_of(text, FILES[name])


@pytest.fixture
def memory() -> ServerConfig:
    return golden("basics-sys/out/server-mem-resolver.conf")[1]


@pytest.fixture
def full_resolver(memory: ServerConfig) -> ServerConfig:
    return replace(memory, resolver=Resolver.FULL)


@pytest.mark.parametrize("name", FILES)
def test_a_configuration_is_written_byte_for_byte_as_nsc_writes_it(name: str) -> None:
    text, config = golden(name)
    assert render(config) == text


def test_a_full_resolver_takes_every_option_and_all_accounts(full_resolver: ServerConfig) -> None:
    text = render(
        replace(
            full_resolver,
            dir="/var/lib/nats",
            allow_delete=True,
            interval="30s",
            limit=500,
            timeout="3s",
            operator_path="./Test.jwt",
        )
    )
    assert "operator: './Test.jwt'\n" in text
    for line in (
        "dir: '/var/lib/nats'",
        "allow_delete: true",
        'interval: "30s"',
        "limit: 500",
        'timeout: "3s"',
    ):
        assert f"    {line}\n" in text
    assert len(LINE.findall(text)) == 2
    assert "This only applies to the system account" not in text


def test_a_url_resolver_names_the_account_server(memory: ServerConfig) -> None:
    url = "http://127.0.0.1:8000/jwt/v1/accounts/"
    text = render(replace(memory, resolver=Resolver.URL, preload=(), url=url))
    assert text.endswith(f'\nsystem_account: {memory.system_account}\n\nresolver: URL("{url}")\n')
    assert text.startswith(f'// Operator "Test"\noperator: {memory.operator_jwt}\n')


def test_plain_tuples_are_taken_as_preload(memory: ServerConfig) -> None:
    assert render(replace(memory, preload=[tuple(account) for account in memory.preload])) == render(memory)


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"resolver": Resolver.FULL, "system_account": ""}, "system_account", "and none is chosen"),
        (
            {"resolver": Resolver.CACHE, "allow_delete": True},
            "allow_delete",
            "cache resolver accepts no allow_delete",
        ),
        ({"resolver": Resolver.CACHE, "allow_delete": False}, "allow_delete", "accepts no allow_delete"),
        ({"resolver": Resolver.CACHE, "interval": "2m"}, "interval", "accepts no interval"),
        ({"resolver": Resolver.FULL, "ttl": "1h"}, "ttl", "full resolver accepts no ttl"),
        ({"dir": "./jwt"}, "dir", "MEMORY resolver accepts no dir"),
        ({"url": "http://x/"}, "url", "MEMORY resolver accepts no url"),
        ({"preload": ()}, "preload", "Create one first"),
        ({"resolver": Resolver.FULL, "interval": "2"}, "interval", "is no duration"),
        ({"resolver": Resolver.FULL, "timeout": "-1s"}, "timeout", "longer than nothing"),
        ({"resolver": Resolver.FULL, "limit": 0}, "limit", "at least 1"),
        ({"resolver": Resolver.FULL, "limit": 1}, "limit", "2 accounts are preloaded"),
        ({"resolver": Resolver.FULL, "dir": "a\nb"}, "dir", "control character"),
        ({"operator_path": "a\nb"}, "operator_path", "control character"),
        ({"operator_jwt": "x y"}, "operator", "missing or damaged"),
        ({"system_account": "A\n"}, "system_account", "no account's public key"),
        ({"resolver": Resolver.URL, "preload": (), "url": "nats://x"}, "url", "http:// or https://"),
        ({"resolver": Resolver.URL, "preload": (), "url": 'http://x")\nlisten: 1'}, "url", "no address"),
        ({"resolver": Resolver.URL, "url": "http://x/"}, "preload", "takes no preload"),
    ],
)
def test_what_the_server_would_refuse_is_refused_with_the_remedy(
    memory: ServerConfig, changes: dict[str, object], field: str, message: str
) -> None:
    with pytest.raises(FormatError, match=message) as refused:
        render(replace(memory, **changes))  # type: ignore[arg-type]
    assert refused.value.field == field


def test_a_system_account_outside_the_preload_is_refused(memory: ServerConfig) -> None:
    others = [account for account in memory.preload if account[1] != memory.system_account]
    with pytest.raises(FormatError, match="must preload the system account"):
        render(replace(memory, preload=others))
    with pytest.raises(FormatError, match="twice"):
        render(replace(memory, preload=[*memory.preload, memory.preload[0]]))
    with pytest.raises(FormatError, match="can't be preloaded"):
        render(replace(memory, preload=[*others, ("x", memory.system_account, "a.b\n.c")]))


NASTY = 'x"\nlisten: 0.0.0.0:1\r\u2028\x0b // # {'


def test_a_name_can_not_break_out_of_its_comment(memory: ServerConfig, full_resolver: ServerConfig) -> None:
    preload = [(NASTY, key, jwt) for _name, key, jwt in memory.preload]
    for config in (memory, full_resolver):
        text = render(replace(config, operator_name=NASTY, preload=preload))
        assert not [line for line in text.splitlines() if line.lstrip().startswith("listen")]


@pytest.mark.server
@pytest.mark.parametrize("resolver", list(Resolver))
def test_a_real_server_takes_what_is_written(
    tmp_path: Path, memory: ServerConfig, resolver: Resolver, nats_server: str
) -> None:
    nasty = [(NASTY, key, jwt) for _name, key, jwt in memory.preload]
    config = replace(memory, resolver=resolver, operator_name=NASTY, preload=nasty)
    if resolver is Resolver.URL:
        config = replace(config, preload=(), url="http://127.0.0.1:1/jwt/v1/accounts/")
    if resolver is Resolver.FULL:
        config = replace(
            config, dir=f'{tmp_path}/it\'s "x" \\ $HOME', allow_delete=True, interval="30s", limit=9
        )
    if resolver is Resolver.CACHE:
        config = replace(config, dir="it\\s $x", ttl="10m", limit=9, timeout="2s")
    (tmp_path / "Op's.jwt").write_text(config.operator_jwt)
    for candidate in (config, replace(config, operator_path=f"{tmp_path}/Op's.jwt")):
        (tmp_path / "server.conf").write_text(render(candidate))
        tested = subprocess.run(
            [nats_server, "-t", "-c", "server.conf"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert "is valid" in tested.stderr, tested.stderr


def test_starting_is_told_for_each_platform(full_resolver: ServerConfig, memory: ServerConfig) -> None:
    told = dict(start_instructions(full_resolver, "my server.conf"))
    assert told["Linux, macOS"] == "nats-server -c 'my server.conf'"
    assert "-v nats-jwt:/etc/nats/jwt" in told["Docker"]
    assert "'my server.conf:/etc/nats/my server.conf:ro'" in told["Docker"]
    url = replace(memory, resolver=Resolver.URL, preload=(), url="http://127.0.0.1:8000/jwt/v1/accounts/")
    assert "--network host" in dict(start_instructions(url))["Docker"]
    by_path = dict(start_instructions(replace(full_resolver, operator_path="./Op.jwt", dir="/data/jwt")))
    assert '-v "$PWD"/Op.jwt:/etc/nats/Op.jwt:ro -v nats-jwt:/data/jwt' in by_path["Docker"]


@pytest.mark.parametrize("name", FILES)
def test_a_second_operator_is_trusted_in_a_list(name: str) -> None:
    text, config = golden(name)
    other = golden("full/out/server-mem-resolver.conf")[1].operator_jwt
    both = render(replace(config, also_trusted=(other,)))
    assert f"operator: [\n  {other},\n  {config.operator_jwt}\n]\n" in both
    assert both.replace(f"[\n  {other},\n  {config.operator_jwt}\n]", config.operator_jwt) == text


def test_the_list_takes_a_path_for_the_present_operator(memory: ServerConfig) -> None:
    config = replace(memory, operator_path="/etc/nats/op.jwt", also_trusted=(memory.operator_jwt,))
    assert f"operator: [\n  {memory.operator_jwt},\n  '/etc/nats/op.jwt'\n]\n" in render(config)


@pytest.mark.parametrize("jwt", ["", "no jwt", "a.b", "a.b.c]\noperator: x"])
def test_a_damaged_second_operator_is_refused(memory: ServerConfig, jwt: str) -> None:
    with pytest.raises(FormatError) as refused:
        render(replace(memory, also_trusted=(jwt,)))
    assert refused.value.field == "also_trusted"
