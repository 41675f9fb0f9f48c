"""Every action is told in a sentence, under a heading."""

from __future__ import annotations

from identities.policy import words
from identities.policy.actions import Action


def test_every_action_has_a_sentence_of_its_own() -> None:
    assert [action for action in Action if action not in words.SENTENCES] == []
    assert len(set(words.SENTENCES.values())) == len(words.SENTENCES)
    for action, sentence in words.SENTENCES.items():
        assert len(sentence.split()) > 1, action
        assert sentence[0].isupper(), action
        assert not sentence.endswith("."), action


def test_every_heading_has_actions() -> None:
    assert {words.group_of(action) for action in Action} == set(words.GROUPS)
