"""A new signing key comes in by stages: no account is signed by it while a server would refuse it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from identities.claims.handles import handle
from identities.errors import IdentityError
from identities.models import Account, Operator, Server
from identities.queries import rollouts
from identities.services import changes, clock, operator_keys, signing_over
from tests import make, nodes

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator() -> Operator:
    made = make.operator()
    make.account(made, "team")
    return made


def with_key(operator: Operator) -> tuple[Operator, str]:
    before = set(changes.claims_of(operator).nats.signing_keys)
    operator = operator_keys.add(principal=make.COMMAND, operator=operator, version=operator.version)
    (key,) = set(changes.claims_of(operator).nats.signing_keys) - before
    return operator, key


def server(operator: Operator, name: str, iat: int | None) -> Server:
    cluster = operator.clusters.first() or nodes.cluster(nodes.Nodes(operator, []))
    told = "" if iat is None else json.dumps({operator.public_key: iat} if iat else {"O" + "A" * 55: 5})
    moment = clock.now()
    return Server.objects.create(
        cluster=cluster, name=name, operator_keys=told, first_seen_at=moment, seen_at=moment
    )


def old_key(operator: Operator) -> str:
    return Account.objects.get(operator=operator, name="team").issuer


def test_a_key_counts_from_the_first_jwt_that_names_it(operator: Operator) -> None:
    old = old_key(operator)
    assert rollouts.of_key(operator, old).since == 1  # in every version that is known here
    assert rollouts.of_key(operator, operator.public_key).since == 1
    operator, key = with_key(operator)
    first = operator.last_iat
    assert rollouts.of_key(operator, key).since == first
    operator, _ = with_key(operator)
    assert rollouts.of_key(operator, key).since == first
    operator = operator_keys.remove(
        principal=make.COMMAND, operator=operator, public_key=key, version=operator.version
    )
    assert rollouts.of_key(operator, key).since == 0


def test_nothing_is_signed_by_a_key_that_a_server_lacks(operator: Operator) -> None:
    old = old_key(operator)
    before = operator.last_iat
    operator, key = with_key(operator)
    behind = server(operator, "n1", before)
    server(operator, "n2", operator.last_iat)
    stranger = server(operator, "n3", 0)
    plan = signing_over.plan_accounts(operator, source=old, target=key)
    assert "2 of the operator's servers run without that key" in plan.refusals[0]
    assert "n1, n3" in plan.refusals[0]
    with pytest.raises(IdentityError, match="run without that key"):
        signing_over.accounts_of(principal=make.COMMAND, operator=operator, source=old, target=key)
    Server.objects.filter(pk=behind.pk).update(
        operator_keys=json.dumps({operator.public_key: operator.last_iat})
    )
    stranger.delete()
    assert not signing_over.plan_accounts(operator, source=old, target=key).refusals
    signing_over.accounts_of(principal=make.COMMAND, operator=operator, source=old, target=key)
    assert old_key(operator) == key
    # and back
    assert not signing_over.plan_accounts(operator, source=key, target=old).refusals


def test_servers_that_told_nothing_stop_nobody_but_are_not_called_done(operator: Operator) -> None:
    old = old_key(operator)
    operator, key = with_key(operator)
    server(operator, "n1", None)
    found = rollouts.of_key(operator, key)
    assert not found.lacking
    assert not found.everywhere
    assert not signing_over.plan_accounts(operator, source=old, target=key).refusals


def test_a_new_account_is_signed_by_a_key_that_every_server_knows() -> None:
    operator = make.operator(generate_signing_key=False)
    server(operator, "n1", operator.last_iat)
    assert "once all servers that are known here run with" in operator_keys.plan_add(operator).consequences[0]
    operator, key = with_key(operator)
    behind = server(operator, "n2", operator.last_iat - 1)
    server(operator, "n3", None)
    assert make.account(operator, "early").issuer == operator.public_key
    claims = changes.claims_of(operator)
    assert operator_keys.signers(operator, claims) == [operator.public_key, key]
    numbers = set(Server.objects.filter(name__in=("n1", "n2")).values_list("pk", flat=True))
    assert rollouts.distrusting(operator, claims) == {key: numbers}
    runs = json.dumps({operator.public_key: operator.last_iat})
    Server.objects.filter(name__in=("n1", behind.name)).update(operator_keys=runs)
    assert rollouts.distrusting(operator, claims) == {}
    assert make.account(operator, "late").issuer == key


def test_a_server_trusts_the_identity_key_that_it_runs_with_whosever_it_is_now(operator: Operator) -> None:
    operator, key = with_key(operator)
    stranger = server(operator, "n1", 0)
    claims = changes.claims_of(operator)
    here = frozenset({stranger.pk})
    assert rollouts.distrusting(operator, claims) == dict.fromkeys(
        (operator.public_key, *claims.nats.signing_keys), here
    )
    Server.objects.filter(pk=stranger.pk).update(operator_keys=json.dumps({key: 5}))
    assert key not in rollouts.distrusting(operator, claims)
    assert operator.public_key in rollouts.distrusting(operator, claims)


def test_accounts_of_a_removed_key_are_not_signed_by_one_that_a_server_lacks(operator: Operator) -> None:
    old = old_key(operator)
    before = operator.last_iat
    operator, key = with_key(operator)
    server(operator, "n1", before)
    with pytest.raises(IdentityError, match="1 of the operator's servers run without that key"):
        operator_keys.remove(
            principal=make.COMMAND,
            operator=operator,
            public_key=old,
            version=operator.version,
            resign_by=key,
        )
    assert old_key(operator) == old


def page(operator: Operator, key: str, browser: Any = None) -> str:
    browser = browser or make.client()
    return browser.get(f"/operators/{operator.public_key}/signing-keys/{handle(key)}/stages").content.decode()  # type: ignore[no-any-return]


def test_the_page_says_which_stage_is_next(
    operator: Operator, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    operator, key = with_key(operator)
    assert "No server is known here: add a cluster" in page(operator, key)
    behind = server(operator, "n1", 1)
    server(operator, "n2", operator.last_iat)
    text = page(operator, key)
    assert "1 of 2 servers run with it" in text
    assert "n1" in text
    assert "Undo: Remove the key" in text
    Server.objects.filter(pk=behind.pk).update(
        operator_keys=json.dumps({operator.public_key: operator.last_iat})
    )
    browser = make.client()
    with django_assert_max_num_queries(8):
        text = page(operator, key, browser)
    assert "All 2 do." in text
    assert "0 accounts signed by it, 2 by other keys" in text


def test_a_key_that_is_none_has_no_page(operator: Operator) -> None:
    address = f"/operators/{operator.public_key}/signing-keys/{'0' * 12}/stages"
    assert make.client().get(address).status_code == 404


def test_what_differs_in_the_configuration_is_shown_from_what_the_oldest_server_runs_with(
    operator: Operator,
) -> None:
    first = operator.last_iat
    operator, earlier = with_key(operator)
    operator, key = with_key(operator)
    text = page(operator, key)
    assert "What differs in the configuration" in text
    assert f"nats.signing_keys[{key}]" in text
    assert f"nats.signing_keys[{earlier}]" not in text  # the configuration before has that one
    server(operator, "n1", first)
    text = page(operator, key)
    assert all(f"nats.signing_keys[{each}]" in text for each in (key, earlier))
    assert "What differs in the configuration" not in page(operator, old_key(operator))
