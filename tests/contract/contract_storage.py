"""A bucket and a client of OSS for the contract tests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import alibabacloud_oss_v2 as oss
import pytest

from steelyard.localcloud.daemon import CloudInfo


def storage_client(cloud: CloudInfo, **settings: Any) -> oss.Client:
    """Make the vendor's client; see `storage_config`."""
    return oss.Client(storage_config(cloud, **settings))


def storage_config(
    cloud: CloudInfo,
    *,
    key_id: str = "",
    secret: str = "",
    token: str = "",
    version: str = "v4",
    max_attempts: int = 1,
    endpoint: str = "",
) -> oss.Config:
    """Point the vendor's client at a cloud; with an endpoint that is an IP address it puts the bucket into the path."""
    config = oss.config.load_default()
    config.credentials_provider = oss.credentials.StaticCredentialsProvider(
        key_id or cloud.access_key_id, secret or cloud.access_key_secret, token or None
    )
    config.region = cloud.region_id
    config.endpoint = endpoint or f"http://{cloud.endpoint}"
    config.signature_version = version
    config.retry_max_attempts = max_attempts
    return config


@contextmanager
def storage_refused(code: str, status: int) -> Iterator[None]:
    """Expect OSS to answer with an error."""
    with pytest.raises(oss.exceptions.OperationError) as caught:
        yield
    error = caught.value.unwrap()
    assert isinstance(error, oss.exceptions.ServiceError), error
    assert (error.code, error.status_code) == (code, status), error.message
    assert error.request_id


class Shelf:
    """A bucket of a test's own, in the vendor's words but for the bucket's name.

    Args:
        client: The vendor's client.
        bucket: The bucket.
    """

    def __init__(self, client: oss.Client, bucket: str) -> None:
        self.client = client
        self.bucket = bucket

    def put(self, key: str, body: bytes = b"", **settings: object) -> oss.PutObjectResult:
        return self.client.put_object(
            oss.PutObjectRequest(bucket=self.bucket, key=key, body=body, **settings)
        )

    def get(self, key: str, **settings: object) -> bytes:
        result = self.client.get_object(oss.GetObjectRequest(bucket=self.bucket, key=key, **settings))
        content: bytes = result.body.content
        return content

    def head(self, key: str, **settings: object) -> oss.HeadObjectResult:
        return self.client.head_object(oss.HeadObjectRequest(bucket=self.bucket, key=key, **settings))

    def delete(self, key: str, **settings: object) -> oss.DeleteObjectResult:
        return self.client.delete_object(oss.DeleteObjectRequest(bucket=self.bucket, key=key, **settings))

    def keys(self, **settings: object) -> list[str]:
        request = oss.ListObjectsV2Request(bucket=self.bucket, **settings)
        pages = self.client.list_objects_v2_paginator().iter_page(request)
        return [entry.key for page in pages for entry in page.contents or ()]

    def versioning(self, status: str) -> None:
        configuration = oss.VersioningConfiguration(status=status)
        self.client.put_bucket_versioning(
            oss.PutBucketVersioningRequest(bucket=self.bucket, versioning_configuration=configuration)
        )

    def begin(self, key: str, **settings: object) -> str:
        request = oss.InitiateMultipartUploadRequest(bucket=self.bucket, key=key, **settings)
        upload_id: str = self.client.initiate_multipart_upload(request).upload_id
        return upload_id

    def upload_part(self, key: str, upload_id: str, number: int, body: bytes) -> oss.UploadPart:
        result = self.client.upload_part(
            oss.UploadPartRequest(
                bucket=self.bucket, key=key, upload_id=upload_id, part_number=number, body=body
            )
        )
        return oss.UploadPart(part_number=number, etag=result.etag)

    def complete(
        self, key: str, upload_id: str, parts: list[oss.UploadPart]
    ) -> oss.CompleteMultipartUploadResult:
        upload = oss.CompleteMultipartUpload(parts=parts)
        return self.client.complete_multipart_upload(
            oss.CompleteMultipartUploadRequest(
                bucket=self.bucket, key=key, upload_id=upload_id, complete_multipart_upload=upload
            )
        )

    def clear(self) -> None:
        """Remove the bucket with all that is in it."""
        for page in self.client.list_object_versions_paginator().iter_page(
            oss.ListObjectVersionsRequest(bucket=self.bucket)
        ):
            for entry in (*(page.version or ()), *(page.delete_marker or ())):
                self.delete(entry.key, version_id=entry.version_id)
        for page in self.client.list_multipart_uploads_paginator().iter_page(
            oss.ListMultipartUploadsRequest(bucket=self.bucket)
        ):
            for upload in page.uploads or ():
                self.client.abort_multipart_upload(
                    oss.AbortMultipartUploadRequest(
                        bucket=self.bucket, key=upload.key, upload_id=upload.upload_id
                    )
                )
        with contextlib.suppress(oss.exceptions.OperationError):
            self.client.delete_bucket(oss.DeleteBucketRequest(bucket=self.bucket))
