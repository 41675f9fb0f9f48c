"""Manifests: what they say, how they are written, and every mistake told with its line and what to do."""

import re

import pytest

from identities.claims.exports import Export
from identities.claims.limits import JetStreamLimits, OperatorLimits
from identities.claims.permissions import Permission, ResponsePermission
from identities.formats import manifest, yaml_nodes
from identities.formats.yaml_nodes import UnreadableManifest

A = "ACZSWBJ4SYILK7QVDELO64VX3EFWB6CXCPMEBUKA36MJJQRPXGEEQ2WJ"
U = "UBAAQOLGOVJ4OHBLZTGHSWQBTTM2V3BRR2UHJAFCXKC3QMHLNIZ6MFQ3"

FULL = """\
manifest: 1
operator:
  name: acme
  strict_signing_key_usage: yes
accounts:
  - name: orders
    tags: [env:prod]
    exp: 2030-01-01
    limits: {conn: 10, disk_storage: 10GiB, tiered_limits: {R1: {disk_storage: 1GB}}}
    signing_keys:
      - plain
      - role: worker
        template:
          pub: {allow: [">"]}
          resp: {max: 1, ttl: 5s}
    exports:
      - {subject: orders.>, type: stream}
    mappings:
      a.b: [{subject: c.d, weight: 50}]
    users:
      - name: no
        role: worker
      - name: 123
        pub: {allow: [a, b]}
        resp: none
"""


def test_a_field_decides_what_its_text_means():
    account = manifest.read(FULL).accounts[0]
    assert account.fields["exp"] == 1_893_456_000
    assert account.fields["limits"] == OperatorLimits(
        **{**_unlimited(), "conn": 10, "disk_storage": 10 * 2**30},
        tiered_limits={"R1": JetStreamLimits(disk_storage=10**9)},
    )
    assert account.fields["exports"] == (Export(subject="orders.>", type="stream"),)
    plain, worker = account.signing_keys
    assert (plain.key, plain.name, worker.name) == ("", "", "worker")
    assert worker.fields["template"].resp == ResponsePermission(max=1, ttl=5 * 10**9)
    assert worker.fields["template"].subs == -1, "what a template does not limit is unlimited"
    assert [user.name for user in account.users] == ["no", "123"], "names stay what was written"
    assert account.users[1].fields == {"name": "123", "pub": Permission(allow=("a", "b")), "resp": None}


def test_what_is_not_written_is_not_there():
    read = manifest.read("operator: {name: acme}")
    assert read.accounts is None
    assert dict(read.operator.fields) == {"name": "acme"}
    account = manifest.read("operator: {name: acme}\naccounts: [{name: a, exports: []}]").accounts[0]
    assert (account.users, account.signing_keys, account.fields["exports"]) == (None, None, ())


def test_a_manifest_is_written_as_it_was_read_and_always_the_same():
    read = manifest.read(FULL)
    text = manifest.write(read)
    again = manifest.read(text)
    assert manifest.write(again) == text
    assert [dict(user.fields) for user in again.accounts[0].users] == [
        dict(user.fields) for user in read.accounts[0].users
    ]
    assert again.accounts[0].fields == read.accounts[0].fields
    assert "name: 'no'" in text and "disk_storage: 10GiB" in text and "exp: '2030-01-01T00:00:00Z'" in text


def test_fields_know_their_lines():
    account = manifest.read(FULL).accounts[0]
    assert account.line == 6
    assert account.line_of("exports[0]") == 17
    assert account.line_of("imports") == 6, "what is not written is at its object"


def test_a_byte_order_mark_is_no_mistake():
    assert manifest.read("\ufeffoperator: {name: acme}".encode()).operator.name == "acme"


def test_many_problems_are_told_at_once_in_the_order_of_their_lines():
    with pytest.raises(UnreadableManifest) as caught:
        manifest.read("operator: {nam: a}\naccounts:\n  - name: b\n    limits: {subs: x}\n    tags: c\n")
    assert [problem.line for problem in caught.value.problems] == [1, 1, 4, 5]


def test_more_problems_than_anybody_reads_are_counted():
    users = "".join(f"      - {{nme: u{number}, name: u{number}}}\n" for number in range(150))
    with pytest.raises(UnreadableManifest, match="And 50 more problems"):
        manifest.read(f"operator: {{name: a}}\naccounts:\n  - name: b\n    users:\n{users}")


def test_a_few_lines_never_become_gigabytes():
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    lines += [f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    with pytest.raises(UnreadableManifest, match="holds an anchor"):
        manifest.read("\n".join(lines))


def test_a_seed_is_refused_and_never_repeated():
    seed = "SU" + "A" * 56
    with pytest.raises(UnreadableManifest, match=r"Line 4, column \d+: .* holds a seed") as caught:
        manifest.read(
            f"operator: {{name: a}}\naccounts:\n  - name: b\n    users: [{{name: c, key: {seed}}}]\n"
        )
    assert seed not in str(caught.value)


ACCOUNT = "operator: {name: acme}\naccounts:\n  - name: orders\n"
BAD = {
    # no YAML at all, or YAML that could mean anything
    "": (0, "is empty.*Begin with"),
    "# nothing": (0, "is empty.*Begin with"),
    "operator": (1, "is the text.*Begin with"),
    "- operator": (1, "is a list.*Begin with"),
    "operator: {name: a": (2, "no YAML.*Look at"),
    "operator:\n\tname: a": (2, "Indent with blanks"),
    "operator: name: a": (1, "in quotes"),
    "operator:\n  name: 'a": (2, "Close the quote"),
    "operator:\n  name: a\n b: c": (3, "indentation"),
    'operator: {name: "\\q"}': (1, "backslash"),
    "operator:\n  name: %a": (2, "quotes"),
    "operator:\n  name: @a": (2, "quotes"),
    "operator:\n  name: \x07": (2, "U\\+0007 is not allowed"),
    "operator: &a {name: b}": (1, "anchor.*Write the value out"),
    "operator: {name: a}\naccounts: *a": (2, "alias|anchor"),
    "operator: {name: !!str a}": (1, "tag.*Leave tags"),
    "operator: {name: !secret a}": (1, "tag.*Leave tags"),
    "operator: {name: a}\n---\noperator: {name: b}": (2, "second document.*one by one"),
    "operator: {name: a, name: b}": (1, "stands twice.*Remove one"),
    "operator: {name: a}\noperator: {name: b}": (2, "stands twice.*Remove one"),
    "operator: {name: a}\n? [a]\n: b": (2, "as a key. Write a name"),
    "[" * 30: (1, "nested more than"),
    # the operator
    "accounts: []": (1, "names no operator. Begin with"),
    "operator:": (1, "has no value. Write"),
    "operator: acme": (1, "is the text “acme”. Write a block"),
    "operator: {}": (1, "neither name nor key"),
    "operator: {name: a}\nacounts: []": (2, "do you mean “accounts”"),
    "operator: {name: a}\nmanifest: 2": (2, "only version 1 is known. Write 1"),
    "operator: {name: a/b}": (1, "holds a slash.*Use"),
    "operator: {name: ' a'}": (1, "blank. Remove it"),
    "operator: {name: [a]}": (1, "is a list. Write a text"),
    "operator: {name: }": (1, "has no value"),
    f"operator: {{name: a, key: {A}}}": (1, "“operator.key” can't be taken"),
    "operator: {name: a, strict_signing_key_usage: maybe}": (1, "Write true or false"),
    "operator: {name: a, operator_service_urls: nats://a}": (1, "Write a list"),
    "operator: {name: a, strict: true}": (1, "do you mean “strict_signing_key_usage”|Known are"),
    "operator: {name: a, exp: tomorrow}": (1, "no moment. Write"),
    # accounts
    "operator: {name: a}\naccounts: {orders: {}}": (2, "Write a list"),
    "operator: {name: a}\naccounts:": (2, "is nothing. Write a list"),
    "operator: {name: a}\naccounts:\n  - orders": (3, "is the text “orders”. Write a block"),
    "operator: {name: a}\naccounts:\n  - tags: []": (3, "neither name nor key"),
    "operator: {name: a}\naccounts:\n  - name: b\n  - name: B": (4, "account “B” twice.*Remove or rename"),
    f"operator: {{name: a}}\naccounts:\n  - key: {A}\n  - key: {A}": (4, "twice"),
    f"{ACCOUNT}    key: {U}": (4, "can't be taken"),
    f"{ACCOUNT}    key: A123": (4, "can't be taken"),
    f"{ACCOUNT}    exports: [a]": (4, "is the text “a”. Write a block"),
    f"{ACCOUNT}    exports: [{{subject: a}}]": (4, "needs the field “type”: stream or service"),
    f"{ACCOUNT}    exports: [{{type: stream}}]": (4, "needs the field “subject”"),
    f"{ACCOUNT}    exports: [{{subject: a, type: steam}}]": (4, "do you mean “stream”"),
    f"{ACCOUNT}    exports:\n      - {{subject: a, type: stream}}\n      - {{subject: a, type: stream}}": (
        6,
        "second stream a",
    ),
    f"{ACCOUNT}    exports: [{{subject: a, type: service, response_threshold: 5}}]": (4, "no duration"),
    f"{ACCOUNT}    exports: [{{subject: a, type: service, service_latency: {{results: b}}}}]": (
        4,
        "needs the field “sampling”",
    ),
    f"{ACCOUNT}    exports: [{{subject: a, type: service, service_latency: {{sampling: 101, results: b}}}}]": (
        4,
        "percentage from 1 to 100",
    ),
    f"{ACCOUNT}    imports: [{{subject: a, type: stream}}]": (4, "needs the field “account”"),
    f"{ACCOUNT}    imports: [{{subject: a, type: stream, account: b, local: c}}]": (4, "do you mean"),
    f"{ACCOUNT}    limits: 5": (4, "is the text “5”. Write a block"),
    f"{ACCOUNT}    limits: {{conns: 5}}": (4, "do you mean “conn”"),
    f"{ACCOUNT}    limits: {{conn: many}}": (4, "no number. Write digits"),
    f"{ACCOUNT}    limits: {{conn: none}}": (4, "0 for none, unlimited"),
    f"{ACCOUNT}    limits: {{data: 9999999PB}}": (4, "too large"),
    f"{ACCOUNT}    limits: {{tiered_limits: [R1]}}": (4, "is a list. Write a map"),
    f"{ACCOUNT}    exp: 30d": (4, "is a span.*Write a date"),
    f"{ACCOUNT}    exp: 2030-02-30": (4, "no moment. Write"),
    f"{ACCOUNT}    exp: 2030-01-01T00:00:00": (4, "no moment. Write"),
    f"{ACCOUNT}    mappings: [a]": (4, "Write a map"),
    f"{ACCOUNT}    mappings: {{a: b}}": (4, "Write a list: \\[b\\]"),
    f"{ACCOUNT}    mappings: {{a: [{{weight: 5}}]}}": (4, "needs the field “subject”"),
    f"{ACCOUNT}    revocations: {{bob: 2030-01-01}}": (4, "can't be taken"),
    f"{ACCOUNT}    default_permissions: {{publish: {{}}}}": (4, "is no field here.*Known are: pub"),
    f"{ACCOUNT}    default_permissions: {{resp: {{max: 1}}}}": (4, "needs the field “ttl”"),
    f"{ACCOUNT}    signing_keys: [plein]": (4, "can't be taken"),
    f"{ACCOUNT}    signing_keys: [{{template: {{}}}}]": (4, "has no role. Write"),
    f"{ACCOUNT}    signing_keys: [{{role: ''}}]": (4, "without a name. Name it"),
    f"{ACCOUNT}    signing_keys:\n      - {{role: a}}\n      - {{role: a}}": (6, "role “a” twice"),
    f"{ACCOUNT}    users: [bob]": (4, "is the text “bob”"),
    f"{ACCOUNT}    users: [{{name: bob, permissions: {{}}}}]": (4, "is no field here.*Known are"),
    f"{ACCOUNT}    users:\n      - {{name: bob}}\n      - {{name: bob}}": (6, "user “bob” twice"),
    f"{ACCOUNT}    users: [{{name: bob, bearer_token: 1}}]": (4, "Write true or false"),
    f"{ACCOUNT}    users: [{{name: bob, times: [{{start: '08:00:00'}}]}}]": (4, "needs the field “end”"),
    f"{ACCOUNT}    users: [{{name: bob, pub: [a]}}]": (4, "is a list. Write a block"),
    f"{ACCOUNT}    users: [{{name: bob, pub: {{allow: a}}}}]": (4, "Write a list: \\[a\\]"),
}


@pytest.mark.parametrize(("text", "said"), BAD.items(), ids=[repr(text)[-50:] for text in BAD])
def test_a_mistake_is_told_with_its_line_and_what_to_do(text, said):
    line, words = said
    with pytest.raises(UnreadableManifest) as caught:
        manifest.read(text)
    told = [problem for problem in caught.value.problems if re.search(words, problem.message)]
    assert told, caught.value.user_message
    assert told[0].line == line, caught.value.user_message
    assert str(told[0]).startswith(f"Line {line}, column " if line else "The manifest")


def test_there_are_many_mistakes_to_tell():
    assert len(BAD) >= 60


def test_other_encodings_and_endless_texts_are_refused():
    with pytest.raises(UnreadableManifest, match=r"no UTF-8 text.*Save it as UTF-8"):
        manifest.read("operator: {name: ä}".encode("latin-1"))
    with pytest.raises(UnreadableManifest, match="no UTF-8"):
        manifest.read("operator: {name: \ud800}")
    with pytest.raises(UnreadableManifest, match="at most 8,388,608"):
        manifest.read(b"#" * (yaml_nodes.MOST_BYTES + 1))


def _unlimited():
    names = ("subs", "data", "payload", "imports", "exports", "conn", "leaf")
    return {**dict.fromkeys(names, -1), "wildcards": True}
