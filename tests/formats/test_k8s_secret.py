"""A Secret's manifest: read back, it is the creds file; its name is one that Kubernetes takes."""

from __future__ import annotations

import base64

import pytest
import yaml

from identities.formats import k8s_secret
from identities.formats.errors import FormatError

CREDS = "-----BEGIN NATS USER JWT-----\neyJ\n------END NATS USER JWT------\n\n*** IMPORTANT\n"


def test_the_creds_come_back_to_the_byte() -> None:
    read = yaml.safe_load(k8s_secret.render(CREDS, name="nats-team-ann-creds", namespace="prod"))
    assert (read["apiVersion"], read["kind"], read["type"]) == ("v1", "Secret", "Opaque")
    assert read["metadata"] == {"name": "nats-team-ann-creds", "namespace": "prod"}
    assert {key: base64.b64decode(value).decode() for key, value in read["data"].items()} == {
        "nats.creds": CREDS
    }


def test_without_a_namespace_kubectl_chooses() -> None:
    assert yaml.safe_load(k8s_secret.render(CREDS, name="a"))["metadata"] == {"name": "a"}


@pytest.mark.parametrize(
    ("account", "user", "name"),
    [
        ("Team Blue", "ann", "nats-team-blue-ann-creds"),
        ("A/B", "X_y.z", "nats-a-b-x-y-z-creds"),
        ("ü", "…", "nats-creds"),
        ("x" * 80, "y", "nats-" + "x" * 58),
        ("-", "a-", "nats-a-creds"),
    ],
)
def test_a_name_is_offered_that_kubernetes_takes(account: str, user: str, name: str) -> None:
    assert k8s_secret.name_for(account, user) == name
    k8s_secret.render(CREDS, name=name)


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a-", "a..b", "a b", "a\n", "ü", "a" * 254])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(FormatError, match="no name for Kubernetes"):
        k8s_secret.render(CREDS, name=name)


@pytest.mark.parametrize("namespace", ["A", "a" * 64, "a\nkind: X"])
def test_other_namespaces_are_refused(namespace: str) -> None:
    with pytest.raises(FormatError, match="no namespace for Kubernetes"):
        k8s_secret.render(CREDS, name="a", namespace=namespace)
