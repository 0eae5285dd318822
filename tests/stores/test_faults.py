"""Faults at each AWS call of the store: before it took effect, and after with the answer lost.

A `before-call` handler that raises or answers keeps the request from being carried out; an `after-call` handler that
raises loses the answer of a request that was.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from grace.errors import (
    AccessDenied,
    BadRequest,
    Conflict,
    GraceError,
    IntegrityError,
    InvalidSetting,
    Throttled,
    Unavailable,
)
from grace.model.contract import ContractHead
from grace.model.entry import ref
from grace.model.mission import Mission
from grace.stores import keys
from grace.stores.calling import ANSWERED, UNANSWERED
from grace.stores.dynamo import DynamoStore
from tests.stores.builders import (
    assert_sound,
    cancelled,
    commit,
    contract,
    entry,
    lease,
    mission,
    number_of_entries,
    refusal,
    scan,
    written,
)
from tests.stores.conftest import LANES, LOG, STATE, Waits

WRITE, BATCH, QUERY = "TransactWriteItems", "BatchGetItem", "Query"
FAR = datetime(9999, 1, 1, tzinfo=UTC)
LOST = [
    EndpointConnectionError(endpoint_url="dynamodb"),
    ConnectTimeoutError(endpoint_url="dynamodb"),
    ConnectionClosedError(endpoint_url="dynamodb"),
    ReadTimeoutError(endpoint_url="dynamodb"),
    refusal("InternalServerError", 500),
]
BUSY = [
    refusal("ProvisionedThroughputExceededException"),
    refusal("ThrottlingException"),
    refusal("RequestLimitExceeded"),
]


class Faults:
    """Answers or errors for the next calls of one operation; None lets a call pass."""

    def __init__(self, dynamodb: Any, when: str, operation: str, *answers: Any) -> None:
        self.left = list(answers)
        self.calls = 0
        dynamodb.meta.events.register(f"{when}.dynamodb.{operation}", self._next)

    def _next(self, **_: Any) -> Any:
        self.calls += 1
        answer = self.left.pop(0) if self.left else None
        if callable(answer):
            return answer()
        if isinstance(answer, Exception):
            raise answer
        return answer


def another(dynamodb: Any) -> DynamoStore:
    """A second writer on the same tables."""
    return DynamoStore(dynamodb, STATE, LOG, LANES, Waits())


@pytest.mark.parametrize("fault", LOST + BUSY, ids=repr)
def test_f01_a_commit_that_did_not_arrive_is_repeated(
    dynamo: DynamoStore, dynamodb: Any, waits: Waits, fault: Any
) -> None:
    """F01."""
    faults = Faults(dynamodb, "before-call", WRITE, fault, fault)

    done = dynamo.commit(commit(contract(), items=(lease(),)))

    assert (done.replayed, done.version, faults.calls) == (False, 1, 3)
    assert waits.waited == [0.025, 0.05]
    assert number_of_entries(dynamo) == 1
    assert_sound(dynamo, contract())


@pytest.mark.parametrize("fault", [f for f in LOST if isinstance(f, Exception)], ids=repr)
def test_f02_a_commit_whose_answer_was_lost_happens_once(dynamo: DynamoStore, dynamodb: Any, fault: Exception) -> None:
    """F02: the repetition finds the command among the head's marks, and says that the change had been made."""
    Faults(dynamodb, "after-call", WRITE, fault)

    done = dynamo.commit(commit(contract(), items=(lease(),)))

    assert (done.replayed, done.version, done.head) == (True, 1, None)
    assert number_of_entries(dynamo) == 1
    assert_sound(dynamo, contract())


def test_f02_another_command_came_between_the_lost_answer_and_the_repetition(
    dynamo: DynamoStore, dynamodb: Any
) -> None:
    """F02: every other condition fails as well then, and still the command is known."""

    def somebody_else() -> None:
        head = (
            another(dynamodb)
            .read(ref(ContractHead, contract().contract_id))
            .need(ref(ContractHead, contract().contract_id))
        )
        assert not another(dynamodb).commit(commit(head, head, command="theirs")).replayed
        raise ReadTimeoutError(endpoint_url="dynamodb")

    Faults(dynamodb, "after-call", WRITE, somebody_else)

    done = dynamo.commit(commit(contract(), command="ours", items=(lease(),)))

    assert (done.replayed, done.version) == (True, 1)
    assert number_of_entries(dynamo) == 2
    assert_sound(dynamo, contract())


def test_a_lost_answer_leaves_the_store_usable(dynamo: DynamoStore, dynamodb: Any) -> None:
    """What it remembers of the lane is not what it could not confirm."""
    Faults(dynamodb, "after-call", WRITE, ReadTimeoutError(endpoint_url="dynamodb"))
    dynamo.commit(commit(contract()))

    head = dynamo.read(ref(ContractHead, contract().contract_id)).need(ref(ContractHead, contract().contract_id))
    written(dynamo, head, head)

    assert_sound(dynamo, head)


def test_silence_ends_in_unavailable_and_repeating_finds_out(dynamo: DynamoStore, dynamodb: Any, waits: Waits) -> None:
    silence = [ReadTimeoutError(endpoint_url="dynamodb")] * (UNANSWERED + 1)
    faults = Faults(dynamodb, "after-call", WRITE, *silence)

    with pytest.raises(Unavailable, match="no answer"):
        dynamo.commit(commit(contract()))
    assert (faults.calls, len(waits.waited)) == (UNANSWERED + 1, UNANSWERED)

    assert dynamo.commit(commit(contract())).replayed
    assert number_of_entries(dynamo) == 1


def test_f01_throttling_ends_in_throttled_and_nothing_is_written(
    dynamo: DynamoStore, dynamodb: Any, waits: Waits
) -> None:
    faults = Faults(dynamodb, "before-call", WRITE, *BUSY * 99)

    with pytest.raises(Throttled):
        dynamo.commit(commit(contract(), items=(lease(),)))

    assert faults.calls == ANSWERED + 1
    assert waits.waited == [0.025, 0.05, 0.1, 0.2, 0.4, 0.8]
    assert scan(dynamo, keys.Table.STATE) == scan(dynamo, keys.Table.LOG) == []


@pytest.mark.parametrize(
    "reasons",
    [
        ["ConditionalCheckFailed", "None", "None"],
        ["TransactionConflict", "None", "None"],
        ["None", "TransactionConflict", "None"],
        ["None", "None", "TransactionConflict"],
        ["None", "ThrottlingError", "None"],
        ["None", "ProvisionedThroughputExceeded", "None"],
        ["ConditionalCheckFailed", "None", "ConditionalCheckFailed"],
    ],
)
@pytest.mark.parametrize("times", [5, ANSWERED, ANSWERED + 1])
def test_f03_a_contended_lane(dynamo: DynamoStore, dynamodb: Any, waits: Waits, reasons: list[str], times: int) -> None:
    """F03: five in a row succeed; one more than the patience is a clean error, and nothing was written."""
    Faults(dynamodb, "before-call", WRITE, *[cancelled(reasons)] * times)

    if times > ANSWERED:
        with pytest.raises(Throttled, match="stayed busy"):
            dynamo.commit(commit(contract()))
        assert scan(dynamo, keys.Table.STATE) == scan(dynamo, keys.Table.LOG) == []
    else:
        assert dynamo.commit(commit(contract())).version == 1
        assert_sound(dynamo, contract())
    assert len(waits.waited) == min(times, ANSWERED)


@pytest.mark.parametrize(
    ("reasons", "error"),
    [
        (["None", "ConditionalCheckFailed", "None"], Conflict),
        (["ConditionalCheckFailed", "ConditionalCheckFailed", "None"], Conflict),
        (["TransactionConflict", "ConditionalCheckFailed", "None"], Conflict),
        (["None", "None", "ConditionalCheckFailed"], IntegrityError),
        (["None", "ValidationError", "None"], BadRequest),
    ],
)
def test_what_repeating_cannot_help_is_not_repeated(
    dynamo: DynamoStore, dynamodb: Any, waits: Waits, reasons: list[str], error: type[GraceError]
) -> None:
    faults = Faults(dynamodb, "before-call", WRITE, cancelled(reasons))

    with pytest.raises(error):
        dynamo.commit(commit(contract()))

    assert (faults.calls, waits.waited) == (1, [])


def test_a_stale_lane_head_is_read_again(dynamo: DynamoStore, dynamodb: Any, waits: Waits) -> None:
    """Somebody else's commit between our read and our commit costs one repetition, not the commit."""
    head = written(dynamo, contract())
    other = another(dynamodb)
    dynamo.read(ref(Mission, head.mission_id), stream=head.family)
    written(other, mission())

    assert written(dynamo, head, head).version == 2

    assert len(waits.waited) == 1
    assert_sound(dynamo, head, mission())


def test_a_commit_after_a_read_is_one_call(dynamo: DynamoStore, dynamodb: Any) -> None:
    calls: list[str] = []
    dynamodb.meta.events.register("before-call.dynamodb", lambda model, **_: calls.append(model.name))

    dynamo.read(ref(Mission, mission().mission_id), stream=mission().family)
    head = written(dynamo, mission())
    written(dynamo, head, head)

    assert calls == [BATCH, WRITE, WRITE]


def test_a_commit_without_a_read_reads_the_lane_first(dynamo: DynamoStore, dynamodb: Any) -> None:
    calls: list[str] = []
    dynamodb.meta.events.register("before-call.dynamodb", lambda model, **_: calls.append(model.name))

    written(dynamo, mission())

    assert calls == [BATCH, WRITE]


def reads(store: DynamoStore) -> dict[str, Any]:
    stream = contract().stream
    return {
        "read": lambda: store.read(ref(ContractHead, stream), stream=stream).need(ref(ContractHead, stream)),
        "members": lambda: store.members(ContractHead, stream),
        "open": lambda: store.open(ContractHead, FAR),
        "story": lambda: store.story(stream),
    }


@pytest.mark.parametrize("when", ["before-call", "after-call"])
@pytest.mark.parametrize("operation", [BATCH, QUERY])
@pytest.mark.parametrize("verb", ["read", "members", "open", "story"])
def test_a_read_that_got_no_answer_is_repeated(
    dynamo: DynamoStore, dynamodb: Any, when: str, operation: str, verb: str
) -> None:
    written(dynamo, contract())
    expected = reads(dynamo)[verb]()
    faults = Faults(dynamodb, when, operation, *LOST[2:4] if when == "after-call" else [LOST[0], BUSY[0], LOST[4]])

    assert reads(dynamo)[verb]() == expected
    assert faults.left == [] or faults.calls == 0


@pytest.mark.parametrize("verb", ["read", "members", "open", "story"])
def test_a_read_gives_up_in_the_end(dynamo: DynamoStore, dynamodb: Any, verb: str) -> None:
    written(dynamo, contract())
    for operation in (BATCH, QUERY):
        Faults(dynamodb, "before-call", operation, *[LOST[0]] * 99)

    with pytest.raises(Unavailable):
        reads(dynamo)[verb]()


def test_keys_left_unprocessed_are_asked_for_again(dynamo: DynamoStore, dynamodb: Any, waits: Waits) -> None:
    head = written(dynamo, contract())
    asked: list[Any] = []

    def half(parsed: dict[str, Any], model: Any, **_: Any) -> None:
        """Take one row out of the first two answers, as a busy table does."""
        asked.append(parsed)
        if len(asked) <= 2:
            rows = parsed["Responses"].pop(STATE)
            row_keys = [{"pk": row["pk"], "sk": row["sk"]} for row in rows]
            parsed["UnprocessedKeys"] = {STATE: {"Keys": row_keys, "ConsistentRead": True}}

    dynamodb.meta.events.register("after-call.dynamodb.BatchGetItem", half)

    view = dynamo.read(ref(ContractHead, head.stream), stream=head.family)

    assert view.need(ref(ContractHead, head.stream)) == head
    assert (len(asked), len(waits.waited)) == (3, 2)


def test_keys_never_processed_are_an_error_not_an_absence(dynamo: DynamoStore, dynamodb: Any) -> None:
    head = written(dynamo, contract())

    def none(parsed: dict[str, Any], **_: Any) -> None:
        parsed["Responses"] = {}
        parsed["UnprocessedKeys"] = {STATE: {"Keys": [{"pk": {"S": f"C#{head.stream}"}, "sk": {"S": "head"}}]}}

    dynamodb.meta.events.register("after-call.dynamodb.BatchGetItem", none)

    with pytest.raises(Throttled, match="busy"):
        dynamo.read(ref(ContractHead, head.stream))


def test_pages_are_all_read(dynamo: DynamoStore, dynamodb: Any) -> None:
    for n in range(7):
        written(dynamo, mission(str(n)))

    def small_pages(params: dict[str, Any], **_: Any) -> None:
        params["Limit"] = 1

    dynamodb.meta.events.register("before-parameter-build.dynamodb.Query", small_pages)

    assert len(dynamo.open(Mission, FAR)) == 7


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal("AccessDeniedException"), AccessDenied),
        (refusal("UnrecognizedClientException"), AccessDenied),
        (refusal("ExpiredTokenException"), AccessDenied),
        (NoCredentialsError(), AccessDenied),
        (refusal("ResourceNotFoundException"), InvalidSetting),
        (refusal("ValidationException"), BadRequest),
        (refusal("ItemCollectionSizeLimitExceededException"), BadRequest),
    ],
    ids=repr,
)
def test_a_refusal_fails_closed_and_at_once(
    dynamo: DynamoStore, dynamodb: Any, waits: Waits, answer: Any, error: type[GraceError]
) -> None:
    """F68: a missing table or right is never taken for a missing item, and is not asked for again."""
    for operation in (WRITE, BATCH):
        Faults(dynamodb, "before-call", operation, answer)

    with pytest.raises(error):
        dynamo.read(ref(Mission, mission().mission_id))
    with pytest.raises(error):
        dynamo.commit(commit(contract()))

    assert waits.waited == []


def test_a_missing_table_is_named(dynamodb: Any, waits: Waits) -> None:
    with pytest.raises(InvalidSetting, match="grace-nowhere and grace-log does not exist: deploy"):
        DynamoStore(dynamodb, "grace-nowhere", LOG, LANES, waits).read(ref(Mission, "m-1"))


def test_a_row_of_the_log_that_is_gone_or_another_is_found(dynamo: DynamoStore, dynamodb: Any) -> None:
    head = written(dynamo, contract(), entries=(entry(), entry()))
    lane = keys.entry(next(iter(dynamo._lane_heads)), 2)
    where = {"pk": {"S": lane.pk}, "sk": {"S": lane.sk}}
    row = dynamodb.get_item(TableName=LOG, Key=where)["Item"]

    for data, says in (
        (b"nonsense", "not an entry"),
        (bytes(row["entry"]["B"]).replace(b'"sseq":2', b'"sseq":3'), "next"),
    ):
        dynamodb.put_item(TableName=LOG, Item=where | {"entry": {"B": data}})
        with pytest.raises(IntegrityError, match=says):
            dynamo.story(head.stream)

    dynamodb.delete_item(TableName=LOG, Key=where)
    with pytest.raises(IntegrityError, match=r"entry 2 .* missing"):
        dynamo.story(head.stream)
