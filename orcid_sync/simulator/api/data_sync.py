"""The data sync of premium members: S3 buckets, served in path style from here (contract section 7.2).

`/orcid-lambda-file/last_modified.csv.tar`, `/v3.0-summaries/…`, `/v3.0-activities-a/…` (and -b, -c). Signatures are not
checked; of S3's API only the reading of an object is there.
"""

import gzip
import hashlib
import io
import tarfile
from datetime import UTC, datetime
from email.utils import formatdate
from xml.sax.saxutils import escape

import msgspec

from orcid_sync.simulator.answers.bulk_documents import BulkDocuments
from orcid_sync.simulator.answers.http_answer import Answer
from orcid_sync.simulator.api.request import Call
from orcid_sync.simulator.records.profiles import Profiles, RecordState

LAMBDA_FILE = "orcid-lambda-file/last_modified.csv.tar"
HEADER = "orcid, path, date_created, last_modified"
SUMMARIES = "v3.0-summaries"
ACTIVITIES = {
    **dict.fromkeys("0123", "v3.0-activities-a"),
    **dict.fromkeys("4567", "v3.0-activities-b"),
    **dict.fromkeys("89X", "v3.0-activities-c"),
}
"""Buckets by the last character of the iD."""
BUCKETS = frozenset((LAMBDA_FILE.partition("/")[0], SUMMARIES, *ACTIVITIES.values()))


class DataSyncSettings(msgspec.Struct, kw_only=True):
    """How old the buckets are. Seconds are virtual."""

    data_sync_period: float = 86_400
    """The buckets are brought up to date this often."""
    data_sync_stalled: bool = False
    """True: not any more."""


class DataSync:
    """The buckets' content as of their last update; it changes when somebody looks and the time has come."""

    def __init__(self, profiles: Profiles, documents: BulkDocuments) -> None:
        self.settings = DataSyncSettings()
        self._profiles = profiles
        self._documents = documents
        self._updated_ms: int | None = None

    def get(self, call: Call) -> Answer:
        """An object, or S3's 404 and 405."""
        if call.method not in ("GET", "HEAD"):
            return _problem(405, "MethodNotAllowed", call.path)
        body = self.object(call.path.strip("/"))
        if body is None:
            return _problem(404, "NoSuchKey", call.path)
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        modified = formatdate(self.updated_ms() / 1000, usegmt=True)
        return Answer(200, body, "binary/octet-stream", {"ETag": f'"{etag}"', "Last-Modified": modified})

    def object(self, key: str) -> bytes | None:
        """The content under `bucket/key`, None if there is no such object."""
        if key == LAMBDA_FILE:
            return self.last_modified_file()
        bucket, _, name = key.partition("/")
        folder, _, rest = name.partition("/")
        orcid = rest.partition("/")[0].removesuffix(".xml")
        state = self._state(orcid) if orcid in self._profiles else None
        if state is None or folder != orcid[-3:]:
            return None
        if bucket == SUMMARIES:
            return self._documents.summary(state) if rest == f"{orcid}.xml" else None
        return dict(self._documents.activities(state)).get(name) if bucket == ACTIVITIES[orcid[-1]] else None

    def updated_ms(self) -> int:
        """When the buckets were brought up to date, in milliseconds since 1970."""
        now = self._profiles.clock.now_ms()
        period_ms = self.settings.data_sync_period * 1000
        if self._updated_ms is None:
            self._updated_ms = now
        elif now - self._updated_ms >= period_ms and not self.settings.data_sync_stalled:
            self._updated_ms = now - round((now - self._updated_ms) % max(1, period_ms))
        return self._updated_ms

    def last_modified_file(self) -> bytes:
        """`last_modified.csv.tar`: a tar of one CSV file, compressed with gzip in spite of its name."""
        body = self.last_modified_csv().encode()
        packed = io.BytesIO()
        with (
            gzip.GzipFile("", "wb", 6, packed, mtime=0) as zipped,
            tarfile.open(fileobj=zipped, mode="w|", format=tarfile.GNU_FORMAT) as archive,
        ):
            member = tarfile.TarInfo("last_modified.csv")
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
        return packed.getvalue()

    def last_modified_csv(self) -> str:
        """One line for each record that is exported, the one modified last first."""
        states = [state for orcid in self._profiles if (state := self._state(orcid)) is not None and state.claimed]
        states.sort(key=lambda state: (-state.modified_ms, state.orcid))
        lines = (
            f"{state.orcid},http://orcid.org/{state.orcid},{_moment(state.submitted_ms)},{_moment(state.modified_ms)}"
            for state in states
        )
        return "\n".join((HEADER, *lines, ""))

    def _state(self, orcid: str) -> RecordState | None:
        """The record at the last update, None if it is younger."""
        updated_ms, profile = self.updated_ms(), self._profiles[orcid]
        return profile.as_of(updated_ms) if profile.created_ms <= updated_ms else None


def _moment(milliseconds: int) -> str:
    """As a database writes a timestamp without zone: zeros at the end of the fraction are missing, or all of it."""
    text = datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return text.rstrip("0").rstrip(".")


def _problem(status: int, code: str, key: str) -> Answer:
    text = f"<Error><Code>{code}</Code><Key>{escape(key)}</Key></Error>"
    return Answer(status, f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode(), "application/xml")
