"""Answers that come whole and are wrong: what a fault makes of the body and of the headers."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from orcid_sync.simulator.answers.http_answer import Answer, encode
from orcid_sync.simulator.faults.faults import Fault
from orcid_sync.simulator.records.identifiers import numbered_orcid

FOREIGN = numbered_orcid(4_999_999)
"""An iD that nobody in the simulation has."""
UNEXPECTED = {"unexpected": ["a", "list"], "value": None}
REJECTED = {"headers": {}, "body": {"responseCode": 400}, "statusCode": "BAD_REQUEST", "statusCodeValue": 400}
"""What stands in some rejections, which come as HTTP 200 without Content-Type (contract section 12a)."""


def spoiled(answer: Answer, faults: Mapping[str, Fault]) -> Answer:
    """The answer with everything done to it that the faults say."""
    for kind, spoil in _SPOILERS.items():
        if kind in faults:
            answer = spoil(answer, faults[kind])
    return answer


def _with_body(answer: Answer, body: bytes) -> Answer:
    return msgspec.structs.replace(answer, body=body)


def _truncated(answer: Answer, _: Fault) -> Answer:
    return _with_body(answer, answer.body[: len(answer.body) // 2])


def _wrong_shape(answer: Answer, fault: Fault) -> Answer:
    return _with_body(answer, encode(fault.options.get("body", UNEXPECTED)))


def _list(answer: Answer, _: Fault) -> Answer:
    return _with_body(answer, b"[" + answer.body + b"]")


def _empty(answer: Answer, _: Fault) -> Answer:
    return _with_body(answer, b"")


def _bom(answer: Answer, _: Fault) -> Answer:
    return _with_body(answer, b"\xef\xbb\xbf" + answer.body)


def _padded(answer: Answer, fault: Fault) -> Answer:
    return _with_body(answer, answer.body + b" " * int(fault.options.get("bytes", 1 << 20)))


def _untyped(answer: Answer, _: Fault) -> Answer:
    return msgspec.structs.replace(answer, content_type=None)


def _rejected(_answer: Answer, _: Fault) -> Answer:
    return Answer(200, encode(REJECTED))


def _wrong_put_code(answer: Answer, fault: Fault) -> Answer:
    def change(item: dict[str, Any]) -> dict[str, Any]:
        return {**item, "put-code": fault.options.get("value", item["put-code"] + 1_000_000)}

    return _with_items(answer, fault, change)


def _foreign_path(answer: Answer, fault: Fault) -> Answer:
    def change(item: dict[str, Any]) -> dict[str, Any]:
        _, _, rest = str(item["path"]).lstrip("/").partition("/")
        return {**item, "path": f"/{fault.options.get('other', FOREIGN)}/{rest}"}

    return _with_items(answer, fault, change)


def _with_items(answer: Answer, fault: Fault, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Answer:
    """The answer with its items changed, or the one item that the fault names; what is no JSON stays as it is."""

    def walk(value: Any) -> Any:
        if isinstance(value, list):
            return [walk(one) for one in value]
        if not isinstance(value, dict):
            return value
        code, walked = value.get("put-code"), {key: walk(one) for key, one in value.items()}
        return change(walked) if isinstance(code, int) and fault.put_code in (None, code) else walked

    try:
        document = msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return answer
    return _with_body(answer, encode(walk(document)))


_SPOILERS: dict[str, Callable[[Answer, Fault], Answer]] = {
    "wrong-shape": _wrong_shape,
    "wrong-put-code": _wrong_put_code,
    "foreign-path": _foreign_path,
    "list": _list,
    "bom": _bom,
    "padded": _padded,
    "truncated": _truncated,
    "empty": _empty,
    "untyped": _untyped,
    "rejected": _rejected,
}
