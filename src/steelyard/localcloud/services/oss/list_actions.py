from __future__ import annotations

from steelyard.localcloud.services.oss import listing
from steelyard.localcloud.services.oss.document import answer_document
from steelyard.localcloud.services.oss.listing import Page, Selection, encoder, list_page
from steelyard.localcloud.services.oss.models import StorageObject
from steelyard.localcloud.services.oss.request import Level, StorageAnswer, StorageRequest, operation
from steelyard.localcloud.services.oss.state import StorageState
from steelyard.localcloud.services.oss.text import milli_text


class ListActions:
    """Lists of a bucket's objects.

    Args:
        state: What OSS keeps.
        owner_id: The account.
    """

    def __init__(self, state: StorageState, owner_id: str) -> None:
        self._state = state
        self._owner = {"ID": owner_id, "DisplayName": owner_id}

    @operation("ListObjects", "GET", Level.BUCKET)
    def list_objects(self, request: StorageRequest) -> StorageAnswer:
        """List objects after a marker."""
        encoding, encode = encoder(request)
        wanted, page = self._page(request, after=request.query.get("marker", ""))
        body = {
            **self._head(request, wanted, page),
            "Marker": encode(wanted.after),
            "NextMarker": encode(page.last) if page.is_truncated else None,
            "EncodingType": encoding,
            "Contents": [self._describe(found, encode(found.key), has_owner=True) for found in page.records],
        }
        return answer_document("ListBucketResult", body)

    @operation("ListObjectsV2", "GET", Level.BUCKET, "list-type", action="ListObjects")
    def list_objects_v2(self, request: StorageRequest) -> StorageAnswer:
        """List objects after a token."""
        encoding, encode = encoder(request)
        token, start_after = request.query.get("continuation-token", ""), request.query.get("start-after", "")
        wanted, page = self._page(request, after=listing.read_token(token) if token else start_after)
        has_owner = request.query.get("fetch-owner") == "true"
        body = {
            **self._head(request, wanted, page),
            "StartAfter": encode(start_after),
            "ContinuationToken": token or None,
            "NextContinuationToken": listing.make_token(page.last) if page.is_truncated else None,
            "KeyCount": len(page.records) + len(page.prefixes),
            "EncodingType": encoding,
            "Contents": [
                self._describe(found, encode(found.key), has_owner=has_owner) for found in page.records
            ],
        }
        return answer_document("ListBucketResult", body)

    @operation("ListObjectVersions", "GET", Level.BUCKET, "versions")
    def list_object_versions(self, request: StorageRequest) -> StorageAnswer:
        """List all versions and delete markers, the newest of a key first.

        A page ends between two keys: all versions of a key stand in one page, which may be longer for it.
        """
        encoding, encode = encoder(request)
        self._state.bucket(request.bucket)
        wanted = Selection.of(request, request.query.get("key-marker", ""))
        page = list_page(self._state, StorageObject, wanted)
        versions: list[dict[str, object]] = []
        markers: list[dict[str, object]] = []
        for newest in page.records:
            for found in (newest, *self._state.old_versions(newest.id)):
                entry = self._describe_version(found, encode(found.key), is_latest=found is newest)
                (markers if found.is_delete_marker else versions).append(entry)
        body = {
            **self._head(request, wanted, page),
            "KeyMarker": encode(wanted.after),
            "VersionIdMarker": request.query.get("version-id-marker", ""),
            "NextKeyMarker": encode(page.last) if page.is_truncated else None,
            "NextVersionIdMarker": "" if page.is_truncated else None,
            "EncodingType": encoding,
            "Version": versions,
            "DeleteMarker": markers,
        }
        return answer_document("ListVersionsResult", body)

    def _page(self, request: StorageRequest, after: str) -> tuple[Selection, Page[StorageObject]]:
        self._state.bucket(request.bucket)
        wanted = Selection.of(request, after)
        page = list_page(self._state, StorageObject, wanted, lambda found: not found.is_delete_marker)
        return wanted, page

    def _head(
        self, request: StorageRequest, wanted: Selection, page: Page[StorageObject]
    ) -> dict[str, object]:
        _, encode = encoder(request)
        return {
            "Name": wanted.bucket,
            "Prefix": encode(wanted.prefix),
            "MaxKeys": wanted.max_keys,
            "Delimiter": encode(wanted.delimiter),
            "IsTruncated": page.is_truncated,
            "CommonPrefixes": [{"Prefix": encode(prefix)} for prefix in page.prefixes],
        }

    def _describe(self, found: StorageObject, key: str, *, has_owner: bool) -> dict[str, object]:
        return {
            "Key": key,
            "LastModified": milli_text(found.created_at),
            "ETag": f'"{found.etag}"',
            "Type": found.object_type,
            "Size": found.size,
            "StorageClass": found.storage_class,
            "Owner": self._owner if has_owner else None,
        }

    def _describe_version(self, found: StorageObject, key: str, *, is_latest: bool) -> dict[str, object]:
        head = {"Key": key, "VersionId": found.version_id, "IsLatest": is_latest}
        if found.is_delete_marker:
            return {**head, "LastModified": milli_text(found.created_at), "Owner": self._owner}
        return {**head, **self._describe(found, key, has_owner=True)}
