"""`docs/manifest.md` has every field of a manifest, in the section it belongs to, and none that is not there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from identities.formats import manifest, manifest_fields
from identities.formats.manifest_kinds import Kind

TEXT = (Path(__file__).parents[2] / "docs/manifest.md").read_text(encoding="utf-8")
SECTIONS: Mapping[str, Mapping[str, Kind]] = {
    "The fields": manifest.TOP,
    "operator": manifest_fields.OPERATOR,
    "accounts": manifest.ACCOUNT,
    "users": manifest_fields.USER,
    "signing_keys": manifest_fields.SIGNING_KEY,
    **{
        name: manifest_fields.ACCOUNT[name].fields or {}
        for name in (
            *("limits", "default_permissions", "trace", "authorization", "exports", "imports", "mappings"),
        )
    },
}


def rows() -> dict[str, dict[str, str]]:
    """Heading → field → what its row says."""
    found: dict[str, dict[str, str]] = {}
    for section in re.split(r"^##+ ", TEXT, flags=re.M)[1:]:
        title, _, body = section.partition("\n")
        found[title.strip("`")] = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", body, flags=re.M))
    return {title: fields for title, fields in found.items() if fields}


def test_every_field_stands_in_its_section_in_its_order() -> None:
    documented = {title: list(fields) for title, fields in rows().items()}
    assert documented == {title: list(fields) for title, fields in SECTIONS.items()}


def test_fields_of_fields_are_named_where_they_are_meant() -> None:
    told = rows()
    for title, fields in SECTIONS.items():
        for name, kind in fields.items():
            if kind.fields is None or name in SECTIONS or name in ("template", "tiered_limits"):
                continue
            missing = [inner for inner in kind.fields if f"`{inner}`" not in told[title][name]]
            assert not missing or told[title][name] == "likewise; a queue group after a blank", (title, name)


def test_the_examples_of_values_are_read_as_they_are_meant() -> None:
    text = """\
operator: {name: acme, exp: 2027-06-30, nbf: '2026-06-30T12:00:00Z'}
accounts:
  - name: a
    exp: never
    limits: {conn: unlimited, disk_storage: 512MiB, mem_storage: 10GB}
    default_permissions: {resp: {max: 1, ttl: 1h30m}}
    users: [{name: no}]
"""
    read = manifest.read(text)
    assert read.operator.fields["exp"] == 1_814_313_600
    assert read.accounts is not None
    account = read.accounts[0]
    limits = account.fields["limits"]
    assert (limits.conn, limits.disk_storage, limits.mem_storage) == (-1, 512 * 2**20, 10 * 10**9)
    assert account.fields["default_permissions"].resp.ttl == 5_400 * 10**9
    assert account.users is not None and account.users[0].name == "no"
