from __future__ import annotations

import itertools
from collections.abc import Iterator

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
        """List all versions and delete markers, the newest of a key first."""
        encoding, encode = encoder(request)
        self._state.bucket(request.bucket)
        id_marker = request.query.get("version-id-marker", "")
        wanted = Selection.of(request, request.query.get("key-marker", ""))
        page = self._version_page(wanted, id_marker)
        last_key, _, last_id = page.last.partition("\0")
        described = [
            (found, self._describe_version(found, encode(found.key), is_latest=self._is_latest(found)))
            for found in page.records
        ]
        body = {
            **self._head(request, wanted, page),
            "KeyMarker": encode(wanted.after),
            "VersionIdMarker": id_marker,
            "NextKeyMarker": encode(last_key) if page.is_truncated else None,
            "NextVersionIdMarker": last_id if page.is_truncated else None,
            "EncodingType": encoding,
            "Version": [entry for found, entry in described if not found.is_delete_marker],
            "DeleteMarker": [entry for found, entry in described if found.is_delete_marker],
        }
        return answer_document("ListVersionsResult", body)

    def _version_page(self, wanted: Selection, id_marker: str) -> Page[StorageObject]:
        """Give a page of versions; its last one is told as its key, a zero byte and its id."""
        shown = list(itertools.islice(self._versions(wanted, id_marker), wanted.max_keys + 1))
        page = shown[: wanted.max_keys]
        last = page[-1] if page else ""
        return Page(
            records=tuple(one for one in page if not isinstance(one, str)),
            prefixes=tuple(one for one in page if isinstance(one, str)),
            last=last if isinstance(last, str) else f"{last.key}\0{last.version_id}",
            is_truncated=len(shown) > len(page),
        )

    def _versions(self, wanted: Selection, id_marker: str) -> Iterator[StorageObject | str]:
        """Give versions and common prefixes after the markers, in order."""
        newest = self._state.objects.get(f"{wanted.bucket}/{wanted.after}") if id_marker else None
        if newest is not None:
            versions = [newest, *self._state.old_versions(newest.id)]
            ids = [version.version_id for version in versions]
            # Where the marker was deleted meanwhile, so were those before it, by who clears a bucket page by page.
            yield from versions[ids.index(id_marker) + 1 if id_marker in ids else 0 :]
        for entry in listing.entries(self._state, StorageObject, wanted, lambda found: True):
            yield entry
            if not isinstance(entry, str):
                yield from self._state.old_versions(entry.id)

    def _is_latest(self, found: StorageObject) -> bool:
        newest = self._state.objects.get(found.id)
        return newest is not None and newest.version_id == found.version_id

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
