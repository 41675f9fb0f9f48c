"""Random operators: what their manifest makes in an empty operator says the same; a second time nothing is done."""

from __future__ import annotations

import random
from typing import Any

import pytest
import yaml

from identities.models import Account, IssuedToken
from identities.services import manifests
from identities.services.manifest_plans import Fate
from tests import make
from tests.conftest import FULL
from tests.services.test_manifests import shape

pytestmark = pytest.mark.django_db

WHO: Any = {"principal": make.COMMAND}
SEEDS = range(60 if FULL else 8)
WORDS = (
    "orders",
    "billing",
    "no",
    "on",
    "1.5",
    "0x1f",
    "Ünïcode",
    "a b",
    "null",
    "~",
    "- x",
    "#",
    "2027-01-01",
)


class Maker:
    """Makes what a manifest may say, as plain data, from one seed."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)

    def some(self, **fields: Any) -> dict[str, Any]:
        """Each field or not."""
        return {name: value for name, value in fields.items() if self.dice.random() < 0.6}

    def one(self, *options: Any) -> Any:
        return self.dice.choice(options)

    def names(self, most: int, start: str) -> list[str]:
        return [f"{start}{number} {self.one(*WORDS)}" for number in range(self.dice.randint(0, most))]

    def subjects(self) -> list[str]:
        return sorted({f"{self.one('a', 'b', '_INBOX')}.{self.one('x', '*', '>')}" for _ in range(3)})

    def count(self) -> Any:
        return self.one("unlimited", 0, 1, 17, 2**40)

    def size(self) -> Any:
        return self.one("unlimited", 0, "1KiB", "10GB", 12_345)

    def moment(self) -> str:
        return str(self.one("2031-01-01", "2040-06-30T12:34:56Z", "never"))

    def permissions(self) -> dict[str, Any]:
        return self.some(
            pub={"allow": self.subjects()},
            sub={"allow": self.subjects(), "deny": ["secret.>"]},
            resp={"max": self.one(1, 5, "unlimited"), "ttl": self.one("1s", "1m30s", "250ms")},
        )

    def rights(self) -> dict[str, Any]:
        return {
            **self.permissions(),
            **self.some(
                src=["192.0.2.0/24"],
                times=[{"start": "08:00:00", "end": "12:30:00"}],
                subs=self.one(5, 100),
                data=self.one("unlimited", "1KiB", 12_345),  # 0 is left out of claims, and read as unlimited
                payload=self.one("unlimited", "1KiB", 12_345),
                allowed_connection_types=["STANDARD", "WEBSOCKET"],
            ),
        }

    def limits(self) -> dict[str, Any]:
        storage: dict[str, Any] = self.some(
            disk_storage=self.size(), streams=self.count(), consumer=self.count()
        )
        tiers = {
            "tiered_limits": {"R1": {"disk_storage": "1GiB"}, "R3": {"mem_storage": "5MB", "streams": 4}}
        }
        return {
            **self.some(subs=self.count(), data=self.size(), payload=self.size(), conn=self.count(), leaf=3),
            **self.one(storage, tiers, {}),
        }

    def account(self, name: str, others: list[str]) -> dict[str, Any]:
        roles = [f"role {number}" for number in range(self.dice.randint(0, 3))]
        users = [
            {
                "name": user,
                **self.some(tags=["a:b"], exp=self.moment()),
                **({"role": self.one(*roles)} if roles and self.dice.random() < 0.5 else self.rights()),
            }
            for user in self.names(4, "user")
        ]
        exports = [
            {
                "subject": f"out.{number}.>",
                "type": kind,
                **self.some(name=f"export {number}", description="Ünï: code", token_req=True, advertise=True),
                **({"response_type": self.one("Stream", "Chunked")} if kind == "service" else {}),
            }
            for number, kind in enumerate(("stream", "service"))
        ]
        imports = [
            {
                "name": f"import {number}",
                "subject": f"out.{self.one('0.', '0.more.')}>",
                "type": "stream",
                "account": other,
                "local_subject": f"in.{number}.>",
            }
            for number, other in enumerate(others)
            if self.dice.random() < 0.5
        ]
        return {
            "name": name,
            **self.some(
                description="Line: one\n  two # three",
                info_url="https://example.com/a?b=c",
                tags=["x:y", "z"],
                exp=self.moment(),
                limits=self.limits(),
                default_permissions=self.permissions(),
                trace={"dest": "trace.here", "sampling": 10},
                mappings={
                    "from.here": [{"subject": "to.a", "weight": 30}, {"subject": "to.b", "weight": 70}]
                },
            ),
            **(
                {"authorization": {"auth_users": [users[0]["name"]]}}
                if users and self.one(True, False)
                else {}
            ),
            "signing_keys": [
                "plain",
                *({"role": role, "description": role, "template": self.rights()} for role in roles),
            ],
            "exports": exports,
            "imports": imports,
            "users": users,
        }

    def manifest(self, operator: str) -> dict[str, Any]:
        names = self.names(3, "account") or ["only"]
        ring = [names[:place] for place in range(len(names))]  # imports that lead back are refused
        return {
            "operator": {
                "name": operator,
                **self.some(tags=["p:q"], operator_service_urls=["nats://nats.example.com:4222"]),
            },
            "accounts": [self.account(name, ring[place]) for place, name in enumerate(names)],
        }


@pytest.mark.parametrize("seed", SEEDS)
def test_a_copy_says_the_same_and_a_second_time_does_nothing(seed: int) -> None:
    said = Maker(seed).manifest("one")
    one = make.operator("one", system_account=False)
    done = manifests.apply(**WHO, operator=one, data=yaml.safe_dump(said, allow_unicode=True))
    assert done.count(Fate.CREATE) == sum(1 + len(account["users"]) for account in said["accounts"])
    one.refresh_from_db()
    again = manifests.plan(**WHO, operator=one, data=yaml.safe_dump(said), prune=True)
    assert [(each.title, each.diff) for each in again.edits] == []
    text = manifests.text(make.COMMAND, one)
    assert manifests.plan(**WHO, operator=one, data=text, prune=True).is_empty
    other = make.operator("two", system_account=False)
    copied = text.replace("name: one\n", "name: two\n", 1)
    manifests.apply(**WHO, operator=other, data=copied)
    other.refresh_from_db()
    assert manifests.text(make.COMMAND, other) == copied
    expected = shape(one)
    for name, document in shape(other).items():
        assert expected.pop(name) == document
    assert not expected
    tokens = IssuedToken.objects.count()
    assert manifests.apply(**WHO, operator=other, data=copied, prune=True).is_empty
    assert IssuedToken.objects.count() == tokens


@pytest.mark.parametrize("seed", SEEDS)
def test_from_any_operator_to_any_other(seed: int) -> None:
    """Whatever is there, with prune a manifest makes of it just what it says."""
    first, second = Maker(seed).manifest("one"), Maker(seed + 1000).manifest("one")
    one = make.operator("one", system_account=False)
    manifests.apply(**WHO, operator=one, data=yaml.safe_dump(first))
    manifests.apply(**WHO, operator=one, data=yaml.safe_dump(second), prune=True)
    one.refresh_from_db()
    again = manifests.plan(**WHO, operator=one, data=yaml.safe_dump(second), prune=True)
    assert [(each.title, each.diff) for each in again.edits] == []
    names = {row.name for row in Account.objects.live().filter(operator=one)}
    assert names == {account["name"] for account in second["accounts"]}
