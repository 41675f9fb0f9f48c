"""Where the pages say that a mapped message goes is where a real nats-server sends it."""

from __future__ import annotations

from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests import natsclient
from tests.interop.settings_page import Setting, until
from tests.natsclient import Connected


async def arrivals(held: Connected, subjects: list[str]) -> Counter[str]:
    """Publish on each subject, and listen to everything; on which subjects that arrives."""
    found: Counter[str] = Counter()

    async def count(message: Any) -> None:
        found[message.subject] += 1

    await held.client.subscribe(">", cb=count)
    await held.client.flush()
    for subject in subjects:
        await held.client.publish(subject, b"x")
    await held.client.flush()
    await until(lambda: found.total() >= len(subjects))
    return found


def mapped(setting: Setting, source: str, *ways: tuple[str, str]) -> None:
    """Add a mapping on the page."""
    values = {"source": source}
    for row, (subject, weight) in enumerate(ways):
        values |= {f"to-{row}": subject, f"weight-{row}": weight}
    setting.save("mappings/new", **values)


@pytest.mark.django_db
def test_a_weighted_mapping_carries_messages_to_both_destinations_and_leaves_the_rest(
    setting: Setting,
) -> None:
    mapped(setting, "in.*", ("out.a.$1", "60"), ("out.b.{{wildcard(1)}}", "30"))
    found = natsclient.alone(lambda held: arrivals(held, ["in.x"] * 300), setting.server.url, setting.creds)
    assert set(found) == {"out.a.x", "out.b.x", "in.x"}
    assert found["out.a.x"] > found["out.b.x"] > found["in.x"]
    page = setting.tutorial.visitor.open(setting.page("mappings/").url, {"try": "in.x"})
    for words in ("60 % out.a.$1 here out.a.x", "30 % out.b.{{wildcard(1)}} here out.b.x", "10 % stays"):
        assert words in page.text


FUNCTIONS = (
    ("a", "out.a.{{partition(7)}}", "a"),
    (
        "b.*.*",
        "out.b.{{partition(3,1)}}.{{partition(9,1,2)}}.{{partition(5)}}.$2.{{split(1,-)}}",
        "b.-one-two--three-.x",
    ),
    (
        "c.*",
        "out.c.{{splitFromLeft(1,3)}}.{{SplitFromRight(1,3)}}.{{sliceFromLeft(1,3)}}.{{sliceFromRight(1,3)}}",
        "c.abcdefgh",
    ),
    (
        "d.*.>",
        "out.d.{{left(1,3)}}.{{right(1,2)}}.{{Wildcard(1)}}.{{sliceFromRight(1,9)}}.{{partition(4)}}.>",
        "d.abcdef.y.z",
    ),
)
"""All that a destination can compute, but for random numbers."""


@pytest.mark.django_db
def test_what_the_page_says_of_a_subject_is_where_the_server_sends_it(setting: Setting) -> None:
    visitor, told = setting.tutorial.visitor, []
    for source, target, _ in FUNCTIONS:
        path = urlsplit(setting.tutorial.account.url).path + "mappings/new"
        page = visitor.send(visitor.open(path), action=path, source=source, **{"to-0": target})
        assert "Saved the mapping" in page.text, page.text
    setting.push()
    listed = urlsplit(setting.tutorial.account.url).path + "mappings/"
    for _, _, sample in FUNCTIONS:
        html = visitor.open(listed, {"try": sample}).html
        told.append(html.partition('<code class="becomes">')[2].partition("</code>")[0])
    samples = [sample for _, _, sample in FUNCTIONS]
    found = natsclient.alone(lambda held: arrivals(held, samples), setting.server.url, setting.creds)
    literal = next(subject for subject in found if subject.startswith("out.a."))
    assert told[0] == "out.a.&lt;2|5&gt;"
    assert literal in ("out.a.2", "out.a.5")
    assert sorted(found) == sorted([literal, *told[1:]])
    assert all(subject.startswith("out.") for subject in told)
