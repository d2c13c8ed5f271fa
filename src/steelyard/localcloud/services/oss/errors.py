"""Codes, texts and statuses of the OSS API (its error table; texts from memory where a test of the SDK shows none)."""

from __future__ import annotations

from collections.abc import Mapping

from steelyard.localcloud.wire.error import ApiError


class StorageError(ApiError):
    """An error of OSS, with the values that its XML carries beside code and message.

    Args:
        code: OSS's error code.
        message: OSS's text.
        status: HTTP status.
        headers: Headers of the answer beside those that every one has.
        details: Further elements of the answer, e.g. the bucket's name.
    """

    def __init__(
        self,
        code: str,
        message: str,
        status: int = 400,
        headers: Mapping[str, str] | None = None,
        **details: str,
    ) -> None:
        super().__init__(code, message, status)
        self.headers: Mapping[str, str] = headers or {}
        self.details: Mapping[str, str] = details


def access_denied(why: str) -> StorageError:
    """Tell that the caller may not do this."""
    return StorageError("AccessDenied", why, 403)


def access_key_not_found(access_key_id: str) -> StorageError:
    """Tell that nobody has this access key."""
    text = "The OSS Access Key Id you provided does not exist in our records."
    return StorageError("InvalidAccessKeyId", text, 403, OSSAccessKeyId=access_key_id)


def access_key_disabled(access_key_id: str) -> StorageError:
    """Tell that this access key was made inactive."""
    text = "The OSS Access Key Id you provided is disabled."
    return StorageError("InvalidAccessKeyId", text, 403, OSSAccessKeyId=access_key_id)


def token_expired() -> StorageError:
    """Tell that a temporary key is void."""
    return StorageError("SecurityTokenExpired", "The security token you provided has expired.", 403)


def signature_mismatch(access_key_id: str, signature: str, string_to_sign: str) -> StorageError:
    """Tell that the signature is not the key's."""
    text = (
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method."
    )
    return StorageError(
        "SignatureDoesNotMatch",
        text,
        403,
        OSSAccessKeyId=access_key_id,
        SignatureProvided=signature,
        StringToSign=string_to_sign,
    )


def too_skewed() -> StorageError:
    """Tell that the request was signed at another time."""
    text = "The difference between the request time and the current time is too large."
    return StorageError("RequestTimeTooSkewed", text, 403, MaxAllowedSkewMilliseconds="900000")


def request_expired() -> StorageError:
    """Tell that a signed URL is over."""
    return access_denied("Request has expired.")


def invalid_argument(name: str, value: object, want: str) -> StorageError:
    """Tell that a header or parameter has a value that it may not have."""
    text = f"The argument {name} is not valid: {value!r} is not {want}."
    return StorageError("InvalidArgument", text, 400, ArgumentName=name, ArgumentValue=str(value))


def cors_forbidden(why: str) -> StorageError:
    """Tell that a script of another web site may not call."""
    return StorageError("AccessForbidden", f"CORSResponse: {why}", 403)


def unknown_encryption(algorithm: str) -> StorageError:
    """Tell that nothing can be encrypted so."""
    text = f"The encryption request you specified is not valid: {algorithm!r}. Supported values: AES256, SM4, KMS."
    return StorageError("InvalidEncryptionAlgorithmError", text)


def kms_not_enabled() -> StorageError:
    """Tell that there is no KMS to encrypt with; the code and its status are from memory."""
    text = "The KMS service is not enabled: the local cloud has none. AES256 and SM4 are encrypted with keys of OSS."
    return StorageError("KmsServiceNotEnabled", text, 403)


def invalid_policy(why: str) -> StorageError:
    """Tell what is wrong with a bucket's policy."""
    return StorageError("InvalidPolicyDocument", f"The policy document is invalid. {why}")


def malformed_xml(why: str) -> StorageError:
    """Tell that a body is not the document that the operation takes."""
    return StorageError("MalformedXML", f"The XML you provided was not well-formed: {why}.")


def invalid_digest() -> StorageError:
    """Tell that the body is not the one that `Content-MD5` was made of."""
    return StorageError("InvalidDigest", "The Content-MD5 you specified was invalid.")


def entity_too_large(max_bytes: int) -> StorageError:
    """Tell that a body is too long."""
    return StorageError("EntityTooLarge", f"The body is longer than {max_bytes} bytes.")


def not_implemented(what: str) -> StorageError:
    """Tell, loudly, that the local cloud does not serve what was asked for."""
    return StorageError("NotImplemented", f"The local cloud does not serve {what} of OSS.", 501)


def invalid_bucket_name(name: str) -> StorageError:
    """Tell that a bucket cannot be called so."""
    return StorageError("InvalidBucketName", "The specified bucket is not valid.", 400, BucketName=name)


def bucket_not_found(name: str) -> StorageError:
    """Tell that there is no such bucket."""
    return StorageError("NoSuchBucket", "The specified bucket does not exist.", 404, BucketName=name)


def bucket_not_empty(name: str) -> StorageError:
    """Tell that a bucket still has objects, versions or parts."""
    text = "The bucket has objects. Please delete them first."
    return StorageError("BucketNotEmpty", text, 409, BucketName=name)


def no_such_setting(code: str, what: str, bucket: str) -> StorageError:
    """Tell that a bucket was never given this configuration."""
    return StorageError(code, f"The bucket has no {what}.", 404, BucketName=bucket)


def object_not_found(key: str, marker: str = "") -> StorageError:
    """Tell that there is no such object, or none any more where a delete marker, of this version, stands for it."""
    headers = {"x-oss-delete-marker": "true", "x-oss-version-id": marker} if marker else {}
    return StorageError("NoSuchKey", "The specified key does not exist.", 404, headers, Key=key)


def version_not_found(key: str, version_id: str) -> StorageError:
    """Tell that an object has no such version."""
    text = "The specified version does not exist."
    return StorageError("NoSuchVersion", text, 404, Key=key, VersionId=version_id)


def delete_marker(key: str, version_id: str) -> StorageError:
    """Tell that what was asked for is a delete marker, which has no content."""
    text = "The specified method is not allowed against this resource."
    headers = {"x-oss-delete-marker": "true", "x-oss-version-id": version_id}
    return StorageError("MethodNotAllowed", text, 405, headers, Key=key)


def invalid_object_state(key: str) -> StorageError:
    """Tell that an archived object has to be restored before it is read."""
    text = "The operation is not valid for the object's state."
    return StorageError("InvalidObjectState", text, 403, ObjectName=key)


def not_archived(storage_class: str) -> StorageError:
    """Tell that an object needs no restoring."""
    text = f"The operation is not supported for this resource, whose storage class is {storage_class}."
    return StorageError("OperationNotSupported", text)


def restore_in_progress() -> StorageError:
    """Tell that an object is being restored."""
    return StorageError("RestoreAlreadyInProgress", "The restore operation is in progress.", 409)


def not_a_symlink(key: str) -> StorageError:
    """Tell that an object is no link."""
    return StorageError("NotSymlink", "The object is not symlink object.", 400, Key=key)


def symlink_target_not_found(key: str) -> StorageError:
    """Tell that a link leads nowhere."""
    return StorageError("SymlinkTargetNotExist", "The symlink target object does not exist.", 404, Key=key)


def symlink_of_symlink(key: str) -> StorageError:
    """Tell that a link leads to a link, which OSS does not follow."""
    return StorageError("InvalidTargetType", "The type of the symlink target is invalid.", 400, Key=key)


def invalid_object_name(key: str) -> StorageError:
    """Tell that an object cannot be called so."""
    return StorageError("InvalidObjectName", "The specified object is not valid.", 400, Key=key)


def object_exists(key: str) -> StorageError:
    """Tell that the object is there and must not be overwritten."""
    text = "The object you specified already exists and can not be overwritten."
    return StorageError("FileAlreadyExists", text, 409, Key=key)


def precondition_failed(name: str) -> StorageError:
    """Tell that a condition of the request does not hold."""
    text = "At least one of the pre-conditions you specified did not hold."
    return StorageError("PreconditionFailed", text, 412, Condition=name)


def not_modified() -> StorageError:
    """Tell that the client has the object already."""
    return StorageError("NotModified", "Not Modified", 304)


def invalid_range(value: str) -> StorageError:
    """Tell that the object has no byte of this range."""
    text = "The requested range cannot be satisfied."
    return StorageError("InvalidRange", text, 416, RangeRequested=value)


def not_appendable(key: str) -> StorageError:
    """Tell that the object was not made by appending."""
    return StorageError("ObjectNotAppendable", "The object is not appendable.", 409, Key=key)


def wrong_position(size: int) -> StorageError:
    """Tell where the next byte of an appendable object goes."""
    text = "Position is not equal to file length."
    return StorageError("PositionNotEqualToLength", text, 409, Length=str(size))


def upload_not_found(upload_id: str) -> StorageError:
    """Tell that there is no such multipart upload."""
    text = "The specified upload does not exist. The upload ID may be invalid, or the upload may be over."
    return StorageError("NoSuchUpload", text, 404, UploadId=upload_id)


def invalid_part(number: int, etag: str) -> StorageError:
    """Tell that a part was never uploaded, or is another one."""
    text = "One or more of the specified parts could not be found or the entity tag might not have matched."
    return StorageError("InvalidPart", text, 400, PartNumber=str(number), PartEtag=etag)


def invalid_part_order() -> StorageError:
    """Tell that the parts are not named in ascending order."""
    text = (
        "The list of parts was not in ascending order. Parts list must be specified in order by part number."
    )
    return StorageError("InvalidPartOrder", text)


def entity_too_small(number: int, size: int, min_bytes: int) -> StorageError:
    """Tell that a part but the last is too short."""
    text = "Your proposed upload smaller than the minimum allowed size."
    return StorageError(
        "EntityTooSmall",
        text,
        400,
        PartNumber=str(number),
        ProposedSize=str(size),
        MinSizeAllowed=str(min_bytes),
    )
