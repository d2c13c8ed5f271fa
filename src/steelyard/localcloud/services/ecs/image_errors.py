"""Codes, texts and statuses of custom images; where they are from, `errors` says."""

from __future__ import annotations

from steelyard.localcloud.wire.error import ApiError


def image_name_duplicated(name: str) -> ApiError:
    """Tell that an image of this name is there (help page of CreateImage)."""
    return ApiError("InvalidImageName.Duplicated", f"The specified Image name has already bean used: {name}.")


def incorrect_image_status(status: str) -> ApiError:
    """Tell that an image's status does not allow a call; the code from memory."""
    return ApiError(
        "IncorrectImageStatus",
        f"The current status of the image does not support this operation: {status}.",
        403,
    )


def image_in_use() -> ApiError:
    """Tell that instances have an image that is to be deleted; code and text from memory."""
    return ApiError("ImageUsedByInstances", "The image is used by instances; delete it with Force.", 403)


def image_is_public() -> ApiError:
    """Tell that a public image is nobody's to change; code and text from memory."""
    return ApiError("OperationDenied", "The specified image is a public one.", 403)


def too_many_images() -> ApiError:
    """Tell that a region holds no more images (help page of CreateImage)."""
    return ApiError("QuotaExceed.Image", "The Image Quota exceeds.", 403)
