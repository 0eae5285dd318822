"""Each operator of the EventBridge user guide, one line per documented behaviour."""

from __future__ import annotations

from typing import Any

import pytest

from grace.errors import InvalidPlaybook
from grace.patterns import matches, validate

# pattern alternatives for the field "f", event value of "f", verdict
OPERATORS: list[tuple[list[Any], Any, bool]] = [
    (["a"], "a", True),
    (["a"], "A", False),
    (["a", "b"], "b", True),
    (["a"], ["x", "a"], True),
    (["a"], ["x", ["y", ["a"]]], True),
    (["a"], [], False),
    (["a"], {"a": "a"}, False),
    ([""], "", True),
    ([300], 300.0, True),
    ([300], "300", False),
    ([1], True, False),
    ([True], True, True),
    ([True], 1, False),
    ([False], 0, False),
    ([None], None, True),
    ([None], "", False),
    ([None], [None], True),
    ([{"prefix": "eu-"}], "eu-west-1", True),
    ([{"prefix": "eu-"}], "us-eu-", False),
    ([{"prefix": "3"}], 300, False),
    ([{"prefix": {"equals-ignore-case": "EventB"}}], "eventbridge", True),
    ([{"prefix": {"equals-ignore-case": "EventB"}}], "bridge", False),
    ([{"suffix": ".png"}], "a.png", True),
    ([{"suffix": ".png"}], "a.PNG", False),
    ([{"suffix": {"equals-ignore-case": ".png"}}], "a.PNG", True),
    ([{"suffix": ".png"}], None, False),
    ([{"equals-ignore-case": "alice"}], "ALICE", True),
    ([{"equals-ignore-case": "alice"}], "alice ", False),
    ([{"wildcard": "*/lib/*"}], "a/lib/b", True),
    ([{"wildcard": "*/lib/*"}], "a/libb", False),
    ([{"wildcard": "a*b*c"}], "aXbYc", True),
    ([{"wildcard": "a*b*c"}], "acb", False),
    ([{"wildcard": "ab*bc"}], "abc", False),
    ([{"wildcard": "*a*a*"}], "xay", False),
    ([{"wildcard": "*a*a*"}], "xaya", True),
    ([{"wildcard": "a*"}], "a", True),
    ([{"wildcard": "*"}], "", True),
    ([{"wildcard": "a"}], "ab", False),
    ([{"wildcard": r"a\*c"}], "a*c", True),
    ([{"wildcard": r"a\*c"}], "abc", False),
    ([{"wildcard": r"a\\*"}], "a\\b", True),
    ([{"wildcard": "*"}], 5, False),
    ([{"anything-but": "initializing"}], "running", True),
    ([{"anything-but": "initializing"}], "initializing", False),
    ([{"anything-but": "initializing"}], 5, True),
    ([{"anything-but": "initializing"}], None, True),
    ([{"anything-but": ["a", "b"]}], "b", False),
    ([{"anything-but": ["a", "b"]}], ["a", "c"], True),
    ([{"anything-but": ["a", "b"]}], ["a", "b"], False),
    ([{"anything-but": 123}], 123.0, False),
    ([{"anything-but": [100, 200]}], 300, True),
    ([{"anything-but": 1}], True, True),
    ([{"anything-but": {"prefix": "us-"}}], "eu-1", True),
    ([{"anything-but": {"prefix": ["us-", "eu-"]}}], "eu-1", False),
    ([{"anything-but": {"suffix": ".png"}}], "a.png", False),
    ([{"anything-but": {"suffix": [".png", ".jpg"]}}], "a.gif", True),
    ([{"anything-but": {"equals-ignore-case": "initializing"}}], "INITIALIZING", False),
    ([{"anything-but": {"equals-ignore-case": ["a", "b"]}}], "C", True),
    ([{"anything-but": {"wildcard": "*/lib/*"}}], "a/lib/b", False),
    ([{"anything-but": {"wildcard": ["*/lib/*", "*/bin/*"]}}], "a/etc/b", True),
    ([{"numeric": ["=", 3.018e2]}], 301.8, True),
    ([{"numeric": [">", 0, "<=", 5]}], 5, True),
    ([{"numeric": [">", 0, "<=", 5]}], 0, False),
    ([{"numeric": [">=", 0, "<", 5]}], 5, False),
    ([{"numeric": ["<", 10]}], "5", False),
    ([{"numeric": ["<", 10]}], True, False),
    ([{"numeric": [">", 100]}], 8_000_000_000, True),
    ([{"numeric": ["<", 10]}], [20, 5], True),
    ([{"exists": True}], None, True),
    ([{"exists": True}], [], False),
    ([{"exists": True}], {"g": 1}, False),
    ([{"exists": False}], "x", False),
    ([{"exists": False}], None, False),
    ([{"exists": False}], {"g": 1}, True),
    ([{"exists": False}], [], True),
    (["a", {"exists": False}], "b", False),
    ([{"cidr": "10.0.0.0/24"}], "10.0.0.33", True),
    ([{"cidr": "10.0.0.0/24"}], "10.0.1.33", False),
    ([{"cidr": "10.0.0.9/24"}], "10.0.0.33", True),
    ([{"cidr": "2001:db8::/32"}], "2001:db8::1", True),
    ([{"cidr": "2001:db8::/32"}], "10.0.0.1", False),
    ([{"cidr": "10.0.0.0/24"}], "no address", False),
    ([{"cidr": "0.0.0.0/0"}], 5, False),
    (["a", {"prefix": "b"}, {"numeric": ["=", 3]}], 3, True),
]


@pytest.mark.parametrize(("alternatives", "value", "verdict"), OPERATORS)
def test_operator(alternatives: list[Any], value: Any, verdict: bool) -> None:
    assert matches({"f": alternatives}, {"f": value}) is verdict
    assert matches({"d": {"f": alternatives}}, {"d": {"f": value}}) is verdict


MISSING: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"f": ["a"]}, {}, False),
    ({"f": [{"anything-but": "a"}]}, {}, False),
    ({"f": [{"exists": False}]}, {}, True),
    ({"f": ["a", {"exists": False}]}, {}, True),
    ({"d": {"f": [{"exists": False}]}}, {}, True),
    ({"d": {"f": [{"exists": False}]}}, {"d": "text"}, True),
    ({"d": {"f": [{"exists": False}], "g": ["x"]}}, {"d": {"g": "x"}}, True),
    ({"d": {"f": [{"exists": False}]}}, {"d": [{"g": 1}, {"f": 1}]}, False),
    ({"d": {"f": [{"exists": True}]}}, {"d": "text"}, False),
]


@pytest.mark.parametrize(("pattern", "event", "verdict"), MISSING)
def test_a_field_that_is_not_there(pattern: dict[str, Any], event: dict[str, Any], verdict: bool) -> None:
    assert matches(pattern, event) is verdict


PEOPLE = {"people": [{"first": "Anna", "last": "Smith"}, [{"first": "Peter", "last": "Jones"}]]}


@pytest.mark.parametrize(
    ("first", "last", "verdict"),
    [("Anna", "Smith", True), ("Peter", "Jones", True), ("Anna", "Jones", False)],
)
def test_two_fields_below_one_array_are_met_by_one_element(first: str, last: str, verdict: bool) -> None:
    assert matches({"people": {"first": [first], "last": [last]}}, PEOPLE) is verdict


OR = {
    "source": ["aws.cloudwatch"],
    "$or": [
        {"name": ["CPUUtilization"]},
        {"type": ["x"], "space": ["AWS/EC2"], "$or": [{"id": [{"numeric": [">", 5]}]}, {"space": ["none"]}]},
    ],
}


@pytest.mark.parametrize(
    ("event", "verdict"),
    [
        ({"source": "aws.cloudwatch", "name": "CPUUtilization"}, True),
        ({"source": "aws.cloudwatch", "type": "x", "space": "AWS/EC2", "id": 6}, True),
        ({"source": "aws.cloudwatch", "type": "x", "space": "AWS/EC2", "id": 5}, False),
        ({"source": "aws.cloudwatch", "type": "x"}, False),
        ({"source": "other", "name": "CPUUtilization"}, False),
    ],
)
def test_or(event: dict[str, Any], verdict: bool) -> None:
    assert matches(OR, event) is verdict


@pytest.mark.parametrize("event", [None, "a", 5, [], [{"f": "a"}]])
def test_what_is_not_an_object_never_matches(event: Any) -> None:
    assert not matches({"f": ["a"]}, event)
    assert not matches({"f": [{"exists": False}]}, event)


# pattern, words the sentence must have: the path and the fix
INVALID: list[tuple[Any, list[str]]] = [
    ([], ["pattern", "object"]),
    ({}, ["pattern is empty"]),
    ({"d": {}}, ["pattern.d is empty"]),
    ({"f": "a"}, ["pattern.f", '["a"]']),
    ({5: ["a"]}, ["5", "quotes"]),
    ({"f": []}, ["pattern.f", "exists"]),
    ({"f": [["a"]]}, ["pattern.f[0]", "list inside a list"]),
    ({"f": [{"prefx": "a"}]}, ["pattern.f[0]", "prefx", "prefix"]),
    ({"f": [{"prefix": "a", "suffix": "b"}]}, ["pattern.f[0]", "exactly one"]),
    ({"f": [{}]}, ["pattern.f[0]", "exactly one"]),
    ({"f": ["a", {"prefix": 5}]}, ["pattern.f[1].prefix", "string"]),
    ({"f": [{"prefix": {"suffix": "a"}}]}, ["pattern.f[0].prefix", "equals-ignore-case"]),
    ({"f": [{"exists": "yes"}]}, ["pattern.f[0].exists", "true or false"]),
    ({"f": [{"equals-ignore-case": ["a"]}]}, ["pattern.f[0].equals-ignore-case", "string"]),
    ({"f": [{"wildcard": "a**b"}]}, ["pattern.f[0].wildcard", "one is enough"]),
    ({"f": [{"wildcard": "a\\b"}]}, ["pattern.f[0].wildcard", "backslash"]),
    ({"f": [{"wildcard": "a\\"}]}, ["pattern.f[0].wildcard", "backslash"]),
    ({"f": [{"anything-but": []}]}, ["pattern.f[0].anything-but", "at least one"]),
    ({"f": [{"anything-but": ["a", 5]}]}, ["pattern.f[0].anything-but", "only strings or only numbers"]),
    ({"f": [{"anything-but": None}]}, ["pattern.f[0].anything-but", "only strings or only numbers"]),
    ({"f": [{"anything-but": {"prefix": ""}}]}, ["pattern.f[0].anything-but.prefix", "empty"]),
    ({"f": [{"anything-but": {"numeric": ["=", 5]}}]}, ["pattern.f[0].anything-but", "numeric", "use one of"]),
    ({"f": [{"numeric": [">"]}]}, ["pattern.f[0].numeric", "one or two comparisons"]),
    ({"f": [{"numeric": ["!=", 5]}]}, ["pattern.f[0].numeric", "!="]),
    ({"f": [{"numeric": [">", "5"]}]}, ["pattern.f[0].numeric", "number"]),
    ({"f": [{"numeric": [">", 6e9]}]}, ["pattern.f[0].numeric", "5e9"]),
    ({"f": [{"numeric": [">", float("nan")]}]}, ["pattern.f[0].numeric", "5e9"]),
    ({"f": [{"numeric": ["<", 5, ">", 0]}]}, ["pattern.f[0].numeric", "lower bound first"]),
    ({"f": [{"numeric": [">", 5, "<", 5]}]}, ["pattern.f[0].numeric", "never match"]),
    ({"f": [{"cidr": "10.0.0.0/99"}]}, ["pattern.f[0].cidr", "10.0.0.0/24"]),
    ({"f": [{"cidr": 10}]}, ["pattern.f[0].cidr", "string"]),
    ({"f": [float("inf")]}, ["pattern.f[0]", "finite"]),
    ({"f": [b"a"]}, ["pattern.f[0]", "must be a string"]),
    ({"$or": {"a": ["b"]}}, ["pattern.$or", "at least two"]),
    ({"$or": [{"a": ["b"]}]}, ["pattern.$or", "at least two"]),
    ({"$or": [{"a": ["b"]}, {"prefix": "c"}]}, ["pattern.$or[1]", "prefix", "field"]),
    ({"$or": [{"a": ["b"]}, "c"]}, ["pattern.$or[1]", "object"]),
]


@pytest.mark.parametrize(("pattern", "words"), INVALID)
def test_a_wrong_pattern_is_refused_in_one_sentence(pattern: Any, words: list[str]) -> None:
    with pytest.raises(InvalidPlaybook) as error:
        validate(pattern)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_a_pattern_nested_deeper_than_any_event_is_refused() -> None:
    pattern: Any = {"f": ["a"]}
    for _ in range(30):
        pattern = {"f": pattern}
    with pytest.raises(InvalidPlaybook, match="deeper"):
        validate(pattern)


def test_a_wildcard_cannot_make_an_event_expensive() -> None:
    # A backtracking matcher needs about 2^40 steps for this one.
    assert not matches({"f": [{"wildcard": "*a" * 40 + "b"}]}, {"f": "a" * 4000})
