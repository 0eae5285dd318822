"""`ports.Archive` and `ports.Witness` over S3: objects under lock, written if absent; one that is replaced by its mark."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Literal

from grace.errors import IntegrityError, Mismatch, NotFound
from grace.log_ports import ObjectVersion, Published
from grace.model.log import CHECKPOINT, KEPT, TILES
from grace.stores.calling import Patience, Tries

PARTIAL = "tlog=partial"
"""The tag of what a full tile or bundle will replace; the bucket's lifecycle goes by it."""
NEWEST, LARGEST = f"{KEPT}newest-", 10**15 - 1
"""A witness keeps each checkpoint under a second name too, which falls as sizes grow: so the newest is listed first."""
TEXT, BYTES = "text/plain; charset=utf-8", "application/octet-stream"


class _Bucket:
    def __init__(self, client: Any, bucket: str, patience: Patience | None) -> None:
        self.client = client
        self.bucket = bucket
        self._patience = patience or Patience()

    def call(self, function: Any, **arguments: Any) -> dict[str, Any]:
        """Call one operation on this bucket, repeating while that may help."""
        return Tries(self._patience).call(function, self.bucket, Bucket=self.bucket, **arguments)

    def read(self, path: str) -> dict[str, Any] | None:
        """Return the answer for one object, its body read, or None when there is none."""

        def get_object(**arguments: Any) -> dict[str, Any]:
            """Read the stream inside the repeated call: a body that breaks off is a call without an answer."""
            answer = self.client.get_object(**arguments)
            return {**answer, "Body": answer["Body"].read()}

        try:
            return self.call(get_object, Key=path)
        except NotFound:
            return None

    def create(self, path: str, body: bytes, **more: Any) -> None:
        """Write if absent; the same bytes again are success, other bytes an `IntegrityError`."""
        try:
            self.call(self.client.put_object, Key=path, Body=body, IfNoneMatch="*", **_sums(body), **more)
        except Mismatch as exc:
            found = self.read(path)
            if found is None or found["Body"] != body:
                raise IntegrityError(f"{path} is kept already with other bytes") from exc


class S3Archive:
    """The log's bucket. How long full objects are locked is the bucket's own setting, in the mode named here too."""

    def __init__(
        self,
        client: Any,
        bucket: str,
        mode: Literal["COMPLIANCE", "GOVERNANCE"],
        patience: Patience | None = None,
        *,
        days: int = 1,
    ) -> None:
        """Keep the client (see `calling.client`), the bucket's name, its mode and days of locking; nothing is called."""
        self._bucket = _Bucket(client, bucket, patience)
        self._mode = mode
        self._days = days

    @property
    def lock(self) -> timedelta:
        """How long full objects are locked, as the deployment says."""
        return timedelta(days=self._days)

    def get(self, path: str) -> bytes | None:
        """Return an object's bytes, or None when there is none."""
        found = self._bucket.read(path)
        return None if found is None else bytes(found["Body"])

    def put(self, path: str, body: bytes, until: datetime | None = None) -> None:
        """Write if absent, locked as the bucket says, or until then; the same bytes again are success."""
        lock: dict[str, Any] = (
            {"ObjectLockMode": self._mode, "ObjectLockRetainUntilDate": until, "Tagging": PARTIAL} if until else {}
        )
        kind = BYTES if path.startswith(TILES) else TEXT
        self._bucket.create(path, body, ContentType=kind, **lock)

    def newest(self) -> Published | None:
        """Return the newest checkpoint."""
        found = self._bucket.read(CHECKPOINT)
        return None if found is None else Published(bytes(found["Body"]), found["ETag"], found["LastModified"])

    def publish(self, note: bytes, mark: str | None) -> None:
        """Replace the checkpoint that carries `mark`; raises `Mismatch` when it is another by now.

        A call repeated because its answer was lost is refused, too: the caller looks again, and finds its own.
        """
        condition = {"IfMatch": mark} if mark else {"IfNoneMatch": "*"}
        self._bucket.call(
            self._bucket.client.put_object, Key=CHECKPOINT, Body=note, ContentType=TEXT, **condition, **_sums(note)
        )

    def paths(self) -> Iterator[str]:
        """Yield the path of every object."""
        more: dict[str, Any] = {}
        while True:
            answer = self._bucket.call(self._bucket.client.list_objects_v2, **more)
            yield from (str(one["Key"]) for one in answer.get("Contents", []))
            if not answer.get("IsTruncated"):
                return
            more = {"ContinuationToken": answer["NextContinuationToken"]}

    def versions(self, path: str) -> list[ObjectVersion]:
        """Return every version of one object, the newest first."""
        answer = self._bucket.call(self._bucket.client.list_object_versions, Prefix=path)
        rows = [(one, deleted) for kind, deleted in (("Versions", False), ("DeleteMarkers", True))
                for one in answer.get(kind, []) if one["Key"] == path]  # fmt: skip
        rows.sort(key=lambda row: (row[0]["LastModified"], row[0]["IsLatest"]), reverse=True)
        return [
            ObjectVersion(
                path,
                str(one["VersionId"]),
                deleted,
                self.locked(path, one["VersionId"]) if one["IsLatest"] and not deleted else None,
                one["LastModified"],
            )
            for one, deleted in rows
        ]

    def listed(self, after: str) -> list[list[ObjectVersion]]:
        """Return every version of the next objects beyond that path, as one page or two of the bucket's list have them."""
        found: dict[str, list[tuple[datetime, bool, ObjectVersion]]] = {}
        more: dict[str, Any] = {"KeyMarker": after} if after else {}
        leapt = False
        while True:
            answer = self._bucket.call(self._bucket.client.list_object_versions, **more)
            for kind, deleted in (("Versions", False), ("DeleteMarkers", True)):
                for one in answer.get(kind, []):
                    path, at = str(one["Key"]), one["LastModified"]
                    version = ObjectVersion(path, str(one["VersionId"]), deleted, at=at)
                    if path > after and path != CHECKPOINT:
                        found.setdefault(path, []).append((at, bool(one["IsLatest"]), version))
            if not answer.get("IsTruncated"):
                break
            last = str(answer["NextKeyMarker"])
            if last == CHECKPOINT and not leapt:
                # It has a version for every checkpoint ever. Without a version, a marker leaps over all of its key.
                more, leapt = {"KeyMarker": CHECKPOINT}, True
            elif found.keys() - {last}:
                found.pop(last, None)  # the next page has all of it
                break
            else:
                more = {"KeyMarker": last, "VersionIdMarker": answer["NextVersionIdMarker"]}
        return [
            [version for *_, version in sorted(found[path], key=lambda row: row[:2], reverse=True)]
            for path in sorted(found)
        ]

    def locked(self, path: str, version: str) -> datetime | None:
        """Return until when that version is locked, or None."""
        try:
            answer = self._bucket.call(self._bucket.client.get_object_retention, Key=path, VersionId=version)
        except NotFound:
            return None
        return answer["Retention"]["RetainUntilDate"]  # type: ignore[no-any-return]


class S3Witness:
    """A bucket that somebody else owns, or in another region: copies of checkpoints, each written once."""

    def __init__(self, client: Any, bucket: str, patience: Patience | None = None) -> None:
        """Keep the client and the bucket's name; nothing is called."""
        self._bucket = _Bucket(client, bucket, patience)

    def keep(self, size: int, note: bytes) -> None:
        """Keep the checkpoint; raises `IntegrityError` when another one of that size is kept."""
        self._bucket.create(f"{KEPT}{size}", note, ContentType=TEXT)
        self._bucket.create(f"{NEWEST}{LARGEST - size:015d}", note, ContentType=TEXT)

    def kept(self, size: int) -> bytes | None:
        """Return the checkpoint of that size as it was kept, or None."""
        found = self._bucket.read(f"{KEPT}{size}")
        return None if found is None else bytes(found["Body"])

    def newest(self) -> bytes | None:
        """Return the largest checkpoint that was kept, or None."""
        listed = self._bucket.call(self._bucket.client.list_objects_v2, Prefix=NEWEST, MaxKeys=1).get("Contents", [])
        found = self._bucket.read(str(listed[0]["Key"])) if listed else None
        return None if found is None else bytes(found["Body"])


def _sums(body: bytes) -> dict[str, str]:
    """Return the checksum that S3 asks for where objects are locked."""
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": digest}
