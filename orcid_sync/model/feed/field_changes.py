"""What a field lost and what it gained between two moments, in words."""

from datetime import datetime
from typing import Any

import msgspec

from orcid_sync.model.record.past import FieldChange
from orcid_sync.model.text.wording import moment


def gone(change: FieldChange) -> list[str]:
    """What was there before and is not there after; of a list only the elements that differ."""
    return _values(change.before, change.after)


def come(change: FieldChange) -> list[str]:
    """What is there after and was not there before."""
    return _values(change.after, change.before)


def _values(these: Any, others: Any) -> list[str]:
    if isinstance(these, list) and isinstance(others, list):
        return [_value(one) for one in these if one not in others]
    return [] if these is None else [_value(these)]


def _value(value: Any) -> str:
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value(one)}" for name, one in value.items())
    return value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()
