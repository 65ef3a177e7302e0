"""The error answers of the Registry (contract sections 1.5, 2.8, 3.8 and 4)."""

from http import HTTPStatus
from typing import Any

import msgspec

Json = dict[str, Any]

MORE_INFO = "https://members.orcid.org/api/resources/troubleshooting"


class ErrorText(msgspec.Struct, frozen=True):
    """Status and texts of one error code."""

    status: int
    developer: str
    user: str


_DEPRECATED = "This account is deprecated. Please refer to account: {}."
_NOT_ALLOWED = "The client application is not allowed to do this."

ERRORS: dict[int, ErrorText] = {
    9001: ErrorText(400, "The request could not be handled.", "The client application made a bad request."),
    9005: ErrorText(403, "Illegal state.", "The client application is not allowed to do this."),
    9006: ErrorText(400, "An argument is not legal.", "The client application sent an illegal argument."),
    9007: ErrorText(301, f"301 Moved Permanently: {_DEPRECATED}", _DEPRECATED),
    9008: ErrorText(500, "Unexpected error.", "Something went wrong in ORCID."),
    9011: ErrorText(404, "404 Not Found: no record under ORCID iD", "The ORCID record could not be found."),
    9012: ErrorText(400, "The client application made a bad request to the ORCID API.", "Bad request."),
    9013: ErrorText(403, "The item is private and the client is not its source.", "The item is private."),
    9014: ErrorText(403, "The webhook was registered by another client.", _NOT_ALLOWED),
    9016: ErrorText(404, "404 Not Found: The resource was not found.", "The resource was not found."),
    9017: ErrorText(401, "The token does not fit this record or this host.", _NOT_ALLOWED),
    9018: ErrorText(409, "409 Conflict: The ORCID record is locked and cannot be edited.", "The record is locked."),
    9028: ErrorText(404, "404 Not Found: no such webhook.", "The webhook was not found."),
    9034: ErrorText(400, "The put code is not valid:", "The put code is not valid."),
    9036: ErrorText(409, "409 Conflict: The ORCID record is not claimed yet.", "The record is not claimed yet."),
    9038: ErrorText(403, "409 Conflict: The token lacks the scope for this.", _NOT_ALLOWED),  # says 409, is 403
    9039: ErrorText(403, "403 Forbidden: The item is not public.", "The item is not public."),
    9041: ErrorText(404, "404 Not Found: The record has no biography.", "There is no biography."),
    9042: ErrorText(400, "org.orcid.core.exception.ExceedMaxNumberOfPutCodesException", "Too many put codes."),
    9043: ErrorText(400, "The start parameter is beyond 10000 and there are no credentials.", "Bad request."),
    9044: ErrorText(409, "409 Conflict: The ORCID record is deactivated.", "The record is deactivated."),
    9056: ErrorText(308, "Release candidates have been replaced by", "This version of the API is gone."),
    9057: ErrorText(409, "409 Conflict: The client is deactivated.", "The client application is deactivated."),
}


class Refusal(Exception):
    """The Registry's answer is an error of its own making."""

    def __init__(self, code: int, detail: str = "", *, status: int | None = None, location: str | None = None) -> None:
        self.code = code
        self.status = status or ERRORS[code].status
        self.location = location
        self.body = error_body(code, detail, status=status)
        super().__init__(f"{self.status}/{code}")


class Unauthenticated(Exception):
    """The security layer's refusal: JSON of two members, or one, whatever was accepted (contract sections 2.8, 12a)."""

    def __init__(self, error: str, description: str | None = None, *, status: int = 401) -> None:
        self.status = status
        self.body = {"error": error} if description is None else {"error": error, "error_description": description}
        super().__init__(f"{status}/{error}")


def invalid_token(token: str) -> Unauthenticated:
    """The one answer for every token that does not work; it echoes the token (contract section 2.6)."""
    return Unauthenticated("invalid_token", f"Invalid access token: {token}")


def error_body(code: int, detail: str = "", *, status: int | None = None, suffix: str = "") -> Json:
    """The five members of an error object; the detail stands in the texts where they have a place for it."""
    text = ERRORS[code]
    developer = text.developer.replace("{}", detail) if "{}" in text.developer else f"{text.developer} {detail}"
    return {
        "response-code": status or text.status,
        "developer-message": f"{developer.strip()} {suffix}".strip(),
        "user-message": text.user.replace("{}", detail),
        "error-code": code,
        "more-info": MORE_INFO,
    }


def html_page(status: int) -> bytes:
    """What a proxy in front of the Registry says."""
    phrase = f"{status} {HTTPStatus(status).phrase}"
    return (
        f"<html>\r\n<head><title>{phrase}</title></head>\r\n<body>\r\n<center><h1>{phrase}</h1></center>\r\n"
        "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    ).encode()
