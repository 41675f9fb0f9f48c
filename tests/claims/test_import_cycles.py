"""Imports that lead back to where they came from."""

from __future__ import annotations

from identities.claims.account import AccountBody
from identities.claims.exports import Export
from identities.claims.import_cycles import cycle, taken_for_ring
from identities.claims.imports import Import


def service(account: str, subject: str, local: str = "") -> Import:
    return Import(type="service", account=account, subject=subject, local_subject=local)


def stream(account: str, subject: str, local: str = "") -> Import:
    return Import(type="stream", account=account, subject=subject, local_subject=local)


def importing(*imports: Import) -> AccountBody:
    return AccountBody(imports=imports, exports=(Export(type="stream", subject=">"),))


def test_two_accounts_that_import_one_service_from_each_other() -> None:
    accounts = {"B": importing(service("A", "help"))}
    assert cycle("A", service("B", "help"), accounts) == ("A", "B", "A")


def test_three_accounts_in_a_ring() -> None:
    accounts = {
        "B": importing(service("C", "help")),
        "C": importing(service("A", "help.*"), service("A", "help")),
    }
    assert cycle("A", service("B", "help"), accounts) == ("A", "B", "C", "A")


def test_a_ring_further_on_is_found_too() -> None:
    accounts = {"B": importing(service("C", "help")), "C": importing(service("B", "help"))}
    assert cycle("A", service("B", "help"), accounts) == ("A", "B", "C", "B")


def test_other_subjects_do_not_meet() -> None:
    accounts = {"B": importing(service("A", "other"), stream("A", "help"))}
    assert cycle("A", service("B", "help"), accounts) == ()


def test_wildcards_meet() -> None:
    accounts = {"B": importing(service("A", "help.>"))}
    assert cycle("A", service("B", "x.*", "help.$1"), accounts) == ("A", "B", "A")


def test_streams_that_come_back() -> None:
    accounts = {"B": importing(stream("A", "orders.>"))}
    assert cycle("A", stream("B", "orders.new"), accounts) == ("A", "B", "A")
    assert cycle("A", stream("B", "orders.new", "mine.new"), accounts) == ("A", "B", "A")
    assert cycle("A", stream("B", "billing.new"), accounts) == ()


def test_a_stream_that_the_other_does_not_export_comes_back_from_nowhere() -> None:
    accounts = {"B": AccountBody(imports=(stream("A", "orders.>"),))}
    assert cycle("A", stream("B", "orders.new"), accounts) == ()


def test_accounts_that_are_not_known_end_the_search() -> None:
    assert cycle("A", service("B", "help"), {}) == ()


def test_many_accounts_that_all_import_from_each_other_are_gone_through_quickly() -> None:
    keys = [f"K{number}" for number in range(60)]
    accounts = {key: importing(*(service(other, "help") for other in keys if other != key)) for key in keys}
    assert cycle("A", service("K0", "help"), accounts)
    accounts = {
        key: importing(*(service(other, "help") for other in keys[number + 1 :]))
        for number, key in enumerate(keys)
    }
    assert cycle("A", service("K0", "help"), accounts) == ()


def test_streams_and_the_service_s_own_name_are_not_taken_for_a_ring() -> None:
    wide = service("B", "*.*.*.*.>")
    assert taken_for_ring(wide)
    assert not taken_for_ring(stream("B", "*.*.*.*.>"))
    assert not taken_for_ring(service("B", "$SYS.REQ.USER.INFO"))
    assert not taken_for_ring(service("B", "orders.*.*.*.>"))
