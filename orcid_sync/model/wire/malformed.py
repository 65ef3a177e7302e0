"""What is wrong with an answer that is not a record, said without quoting it."""

import msgspec


class MalformedRecord(ValueError):
    """The answer is JSON, but not of the shape that a record has; the message names the place, never the content."""


class shape_of:  # noqa: N801 - reads as a phrase: with shape_of("works")
    """Turns msgspec's complaint about a value into MalformedRecord, keeping the place and leaving out the content."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        """Translate what the decoder raised."""
        if isinstance(error, msgspec.ValidationError):
            raise MalformedRecord(f"{self.place}: {error}") from None
        if isinstance(error, (msgspec.DecodeError, RecursionError, UnicodeDecodeError)):
            raise MalformedRecord(f"{self.place}: not JSON") from None
