"""Codes, texts and statuses of the CAS API.

`NotFound` is what the real one answers for an id that it does not know (seen in public logs of callers); the others are
from memory.
"""

from __future__ import annotations

from steelyard.localcloud.wire.error import ApiError


def not_found(certificate_id: object) -> ApiError:
    """Tell that there is no such certificate."""
    return ApiError("NotFound", f"The necessary content was not found: CertId {certificate_id}.", 404)


def name_repeated(name: str) -> ApiError:
    """Tell that a certificate of this name is there."""
    return ApiError("NameRepeat", f"The certificate name is already used: {name}.")


def invalid_certificate(reason: str) -> ApiError:
    """Tell that what was uploaded is no pair of certificate and key."""
    return ApiError("InvalidParameter", f"The specified Cert or Key is not valid: {reason}.")


def in_use(certificate_id: object, user: str) -> ApiError:
    """Tell that a listener still answers with a certificate."""
    return ApiError("CertificateInUse", f"The certificate {certificate_id} is used by the listener {user}.")
