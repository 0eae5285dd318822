"""The index and the plain matcher agree on every pattern and event that can be generated."""

from __future__ import annotations

import random
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grace.errors import InvalidPlaybook
from grace.patterns import Index, Pattern, matches

# A small alphabet, so that patterns and events meet often.
FIELDS = ("a", "b", "c")
SCALARS = ("x", "X", "xy", "yx", "", 1, 1.0, 0, 2.5, True, False, None, "10.0.0.7")
ALTERNATIVES: tuple[Any, ...] = (
    *SCALARS,
    {"prefix": "x"},
    {"prefix": ""},
    {"prefix": {"equals-ignore-case": "X"}},
    {"suffix": "x"},
    {"suffix": {"equals-ignore-case": "X"}},
    {"equals-ignore-case": "xY"},
    {"wildcard": "*y*"},
    {"anything-but": "x"},
    {"anything-but": ["x", "xy"]},
    {"anything-but": [1, 0]},
    {"anything-but": {"prefix": "x"}},
    {"numeric": [">=", 1, "<", 3]},
    {"numeric": ["=", 1]},
    {"cidr": "10.0.0.0/24"},
    {"exists": True},
    {"exists": False},
)

leaf = st.lists(st.sampled_from(ALTERNATIVES), min_size=1, max_size=3)
field = st.sampled_from(FIELDS)


def nodes(below: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    plain = st.dictionaries(field, st.one_of(leaf, below), min_size=1, max_size=3)
    branches = st.lists(plain, min_size=2, max_size=3)
    alone = branches.map(lambda group: {"$or": group})
    return st.one_of(plain, alone, st.builds(lambda fields, group: {**fields, "$or": group}, plain, branches))


patterns = st.recursive(st.dictionaries(field, leaf, min_size=1, max_size=3), nodes, max_leaves=6)
values = st.recursive(
    st.sampled_from(SCALARS),
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(field, below, max_size=3)),
    max_leaves=8,
)
events = st.dictionaries(field, values, max_size=3)


def naive(rules: dict[str, Any], event: Any) -> list[str]:
    return [rule for rule, pattern in rules.items() if matches(pattern, event)]


@settings(max_examples=150, deadline=None)
@given(st.lists(patterns, max_size=12), st.lists(events, min_size=1, max_size=6))
def test_index_and_plain_matcher_agree(generated: list[Any], documents: list[Any]) -> None:
    rules = {f"rule-{number}": pattern for number, pattern in enumerate(generated)}
    index = Index(rules)
    for event in documents:
        assert index.match(event) == naive(rules, event)


def corpus(seed: int, rules: int, events: int) -> tuple[dict[str, Any], list[Any]]:
    """A seeded corpus of alert-like rules and events, about one match in twenty rules."""
    draw = random.Random(seed)
    names = [f"name-{n}" for n in range(20)]
    spaces = ["AWS/Lambda", "AWS/EC2", "AWS/ECS", "Shop/Checkout"]

    def rule() -> dict[str, Any]:
        fields: dict[str, Any] = {}
        if draw.random() < 0.8:
            fields["name"] = draw.sample(names, draw.randint(1, 3))
        if draw.random() < 0.5:
            fields["metric"] = {"space": [draw.choice([*spaces, {"prefix": "AWS/"}, {"anything-but": "AWS/EC2"}])]}
        if draw.random() < 0.5 or not fields:
            fields["observed"] = [{"numeric": [">", draw.randint(0, 100)]}]
        if draw.random() < 0.2:
            fields["$or"] = [
                {"tags": [draw.choice(names)]},
                {"name": [{"equals-ignore-case": draw.choice(names).upper()}]},
            ]
        if draw.random() < 0.1:
            fields["code"] = [{"exists": False}]
        return fields

    def event() -> dict[str, Any]:
        document: dict[str, Any] = {"name": draw.choice(names), "observed": draw.randint(0, 100)}
        document["metric"] = {"space": draw.choice(spaces)}
        document["tags"] = draw.sample(names, draw.randint(0, 3))
        if draw.random() < 0.5:
            document["code"] = draw.choice(names)
        return document

    return {f"rule-{n}": rule() for n in range(rules)}, [event() for _ in range(events)]


def test_index_and_plain_matcher_agree_on_a_seeded_corpus() -> None:
    rules, documents = corpus(7, 300, 60)
    index = Index(rules)
    found = 0
    for event in documents:
        expected = naive(rules, event)
        assert index.match(event) == expected
        found += len(expected)
    assert found > 500, "a corpus without matches would prove nothing"


def asked(index: Index, event: Any) -> int:
    """How many patterns the index matches in full for one event."""
    calls = 0
    plain = Pattern.matches

    def counted(self: Pattern, document: Any) -> bool:
        nonlocal calls
        calls += 1
        return plain(self, document)

    with patch.object(Pattern, "matches", counted):
        index.match(event)
    return calls


@pytest.mark.parametrize("rules", [100, 1000])
def test_only_rules_that_share_the_rarest_value_are_asked(rules: int) -> None:
    index = Index({f"r{n}": {"state": ["ALARM"], "d": {"function": [f"f-{n}"]}} for n in range(rules)})
    assert asked(index, {"state": "ALARM", "d": {"function": "f-7"}}) == 1
    assert asked(index, {"state": "ALARM", "d": {"function": "other"}}) == 0


def test_a_rule_with_branches_is_filed_under_each_branch() -> None:
    rules = {f"r{n}": {"$or": [{"a": [f"x{n}"]}, {"b": [{"prefix": f"y{n}."}]}]} for n in range(50)}
    index = Index(rules)
    assert index.match({"a": "x3", "b": "y4.z"}) == ["r3", "r4"]
    assert asked(index, {"a": "x3", "b": "y4.z"}) == 2


def test_a_branch_that_cannot_be_looked_up_makes_the_rule_always_asked() -> None:
    index = Index({"mixed": {"$or": [{"a": ["x"]}, {"n": [{"numeric": [">", 5]}]}]}})
    assert index.match({"n": 6}) == ["mixed"]
    assert index.match({"a": "x"}) == ["mixed"]


def test_what_cannot_be_looked_up_is_always_asked() -> None:
    index = Index(
        {"range": {"n": [{"numeric": [">", 5]}]}, "absent": {"m": [{"exists": False}]}, "exact": {"k": ["v"]}}
    )
    assert asked(index, {"n": 6}) == 2
    assert index.match({"n": 6}) == ["range", "absent"]


def test_matches_come_in_the_order_the_rules_were_given() -> None:
    index = Index({"z": {"a": ["x"]}, "a": {"a": [{"exists": True}]}, "m": {"a": ["x"]}})
    assert index.match({"a": "x"}) == ["z", "a", "m"]


def test_a_wrong_pattern_names_its_rule() -> None:
    with pytest.raises(InvalidPlaybook, match=r"rule second: pattern\.a must be a list"):
        Index({"first": {"a": ["x"]}, "second": {"a": "x"}})


@pytest.mark.parametrize("event", [None, "x", [], 5])
def test_what_is_not_an_object_matches_nothing(event: Any) -> None:
    assert Index({"r": {"a": [{"exists": False}]}}).match(event) == []
