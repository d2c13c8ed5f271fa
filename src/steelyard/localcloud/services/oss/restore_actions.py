"""Objects of the archive classes: they are restored before they are read.

Days, states and headers are those of OSS's help page of RestoreObject. What takes the real one a minute (`Archive`) to
two days (`DeepColdArchive`) takes a second here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from xml.etree.ElementTree import Element

from steelyard.localcloud.services.oss import errors, metadata
from steelyard.localcloud.services.oss.document import child_text, read_document
from steelyard.localcloud.services.oss.models import Bucket, StorageObject
from steelyard.localcloud.services.oss.request import Body, Level, StorageAnswer, StorageRequest, operation
from steelyard.localcloud.services.oss.state import StorageState
from steelyard.localcloud.services.oss.symlink_actions import SYMLINK
from steelyard.localcloud.services.oss.text import http_text
from steelyard.localcloud.text import whole_number

_MOST_DAYS: Mapping[str, int] = {"Archive": 7, "ColdArchive": 365, "DeepColdArchive": 365}
"""For how long an object of an archive class stays readable at most."""
_TIERS = ("Expedited", "Standard", "Bulk")
_TAKES_S = 1.0
_DAY_S = 24 * 3600.0


class RestoreActions:
    """The restoring of archived objects.

    Args:
        state: What OSS keeps.
    """

    def __init__(self, state: StorageState) -> None:
        self._state = state

    @operation("RestoreObject", "POST", Level.OBJECT, "restore", body=Body.DOCUMENT)
    def restore_object(self, request: StorageRequest) -> StorageAnswer:
        """Let an archived object be read for some days, or one that can be read for longer."""
        bucket = self._state.bucket(request.bucket)
        found = self._state.read(bucket, request.key, request.query.get("versionId", ""))
        if found.storage_class not in _MOST_DAYS:
            raise errors.not_archived(found.storage_class)
        now, lasts_s = self._state.clock(), _days(request.document, found.storage_class) * _DAY_S
        if now < found.readable_from:
            raise errors.restore_in_progress()
        begins = found.readable_from if is_readable(found, now) else now + _TAKES_S
        self._state.change(replace(found, readable_from=begins, readable_until=max(begins, now) + lasts_s))
        status = 200 if is_readable(found, now) else 202
        return StorageAnswer(status=status, headers=metadata.version_headers(bucket, found))


def is_readable(found: StorageObject, now: float) -> bool:
    """Tell whether an object's bytes can be read: it is of no archive class, or restored."""
    return found.storage_class not in _MOST_DAYS or found.readable_from <= now < found.readable_until


def check_readable(state: StorageState, bucket: Bucket, found: StorageObject) -> None:
    """Check that the bytes of an object, or of what a link leads to, can be read.

    Raises:
        StorageError: `InvalidObjectState`.
    """
    target = state.find(bucket, found.target) if found.object_type == SYMLINK else found
    if target is not None and not is_readable(target, state.clock()):
        raise errors.invalid_object_state(target.key)


def restore_headers(found: StorageObject, now: float) -> dict[str, str]:
    """Give the header that tells of an archived object how far it is restored; none where nobody asked for it."""
    if found.storage_class not in _MOST_DAYS or now >= found.readable_until:
        return {}
    if now < found.readable_from:
        return {"x-oss-restore": 'ongoing-request="true"'}
    until = http_text(found.readable_until)
    return {"x-oss-restore": f'ongoing-request="false", expiry-date="{until}"'}


def _days(document: bytes, storage_class: str) -> int:
    """Read for how many days an object is to be readable: one where nobody says."""
    root = read_document(document, "RestoreRequest") if document else Element("RestoreRequest")
    text, tier = child_text(root, "Days", "1"), child_text(root, "JobParameters/Tier", "Standard")
    days, most = whole_number(text), _MOST_DAYS[storage_class]
    if days is None or not 1 <= days <= most:
        raise errors.malformed_xml(f"Days is {text!r}, want 1 to {most} for {storage_class}")
    if tier not in _TIERS:
        raise errors.malformed_xml(f"Tier is {tier!r}, want one of {', '.join(_TIERS)}")
    return days
