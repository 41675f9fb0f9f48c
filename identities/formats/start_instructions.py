"""How to start a nats-server with a written configuration, in the words of each platform."""

from __future__ import annotations

import posixpath
import shlex
from typing import NamedTuple
from urllib.parse import urlsplit

from identities.formats.server_config import Resolver, ServerConfig

IMAGE = "nats:2.15-alpine"
_HOME = "/etc/nats"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Instruction(NamedTuple):
    """One platform's command line."""

    platform: str
    command: str


def start_instructions(config: ServerConfig, file_name: str = "server.conf") -> list[Instruction]:
    """The commands that check the file, start a server with it and make a running one read it again.

    `file_name` is where the person saves the configuration, relative to where the commands run.
    """
    name = shlex.quote(file_name)
    windows = "'" + file_name.replace("'", "''") + "'" if name != file_name else file_name
    return [
        Instruction("Check the file", f"nats-server -t -c {name}"),
        Instruction("Linux, macOS", f"nats-server -c {name}"),
        Instruction("Windows (PowerShell)", f"nats-server.exe -c {windows}"),
        Instruction("Docker", _docker(config, file_name)),
        Instruction("Read it again after a change", "nats-server --signal reload"),
    ]


def _docker(config: ServerConfig, file_name: str) -> str:
    inside = f"{_HOME}/{posixpath.basename(file_name)}"
    host = urlsplit(config.url).hostname if config.resolver is Resolver.URL else None
    words = ["docker run --rm --name nats"]
    words.append("--network host" if host in _LOOPBACK else "-p 4222:4222")
    words.append(_mount(file_name, inside))
    if config.operator_path:
        words.append(
            _mount(config.operator_path, posixpath.normpath(posixpath.join(_HOME, config.operator_path)))
        )
    if config.resolver in (Resolver.FULL, Resolver.CACHE):
        stored = posixpath.normpath(posixpath.join(_HOME, config.dir or "./jwt"))
        words.append(f"-v nats-jwt:{shlex.quote(stored)}")
    words.append(f"-w {_HOME} {IMAGE} -c {shlex.quote(inside)}")
    return " ".join(words)


def _mount(outside: str, inside: str) -> str:
    bind = shlex.quote(f"{outside.removeprefix('./')}:{inside}:ro")
    return f"-v {bind}" if outside.startswith("/") else f'-v "$PWD"/{bind}'
