"""Checks of ECS parameters, by the rules of the API's parameter descriptions."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection

from steelyard.localcloud.service import Request
from steelyard.localcloud.services.ecs import errors
from steelyard.localcloud.text import whole_number
from steelyard.localcloud.wire.error import invalid_parameter

MAX_USER_DATA_BYTES = 32 * 1024  # Before base64, as RunInstances' parameter description says.
DISK_CATEGORIES = (
    "cloud_essd",
    "cloud_auto",
    "cloud_essd_entry",
    "cloud_efficiency",
    "cloud_ssd",
    "cloud",
    "cloud_regional_disk_auto",
    "elastic_ephemeral_disk_standard",
    "elastic_ephemeral_disk_premium",
)
PROVISIONED_CATEGORIES = ("cloud_auto", "cloud_regional_disk_auto")
"""Whose performance may burst or be provisioned (help page of CreateDisk)."""
_PASSWORD_SIGNS = "()`~!@#$%^&*-_+=|{}[]:;\"<>,.?/'\\"
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?")


def read_choice(request: Request, name: str, choices: Collection[str], default: str) -> str:
    """Read a parameter that may have some values only.

    Raises:
        ApiError: `Invalid<name>.ValueNotSupported`.
    """
    value = request.text(name) or default
    if value not in choices:
        raise errors.value_not_supported(name, value)
    return value


def read_name(request: Request, name: str, default: str) -> str:
    """Read a name: 2 to 128 characters that begin with a letter, no address of the web.

    Raises:
        ApiError: `Invalid<name>.Malformed`.
    """
    return checked_name(name, request.text(name)) or default


def checked_name(parameter: str, text: str) -> str:
    """Give a name, or nothing, as it came.

    Raises:
        ApiError: `Invalid<parameter>.Malformed`.
    """
    is_formed = not text or (2 <= len(text) <= 128 and text[0].isalpha())
    if not is_formed or text.startswith(("http://", "https://")):
        raise errors.malformed(parameter)
    return text


def read_description(request: Request, default: str = "") -> str:
    """Read `Description`: up to 256 characters, no address of the web.

    Raises:
        ApiError: `InvalidDescription.Malformed`.
    """
    text = request.text("Description", default)
    if len(text) > 256 or text.startswith(("http://", "https://")):
        raise errors.malformed("Description")
    return text


def read_host_name(request: Request, default: str) -> str:
    """Read `HostName`: letters, digits, dots and hyphens, neither doubled nor at an end.

    Raises:
        ApiError: `InvalidHostName.Malformed`.
    """
    text = request.text("HostName")
    check_host_name(text)
    return text or default


def check_host_name(text: str) -> None:
    """Check a host name, or nothing.

    Raises:
        ApiError: `InvalidHostName.Malformed`.
    """
    is_formed = _HOST_NAME.fullmatch(text) and not any(pair in text for pair in ("..", "--", ".-", "-."))
    if text and not is_formed:
        raise errors.malformed("HostName")


def read_password(request: Request) -> None:
    """Check `Password`, which opens nothing here: 8 to 30 characters of at least three of four sorts.

    Raises:
        ApiError: `InvalidPassword.Malformed`.
    """
    text = request.text("Password")
    sorts = (str.islower, str.isupper, str.isdigit, lambda letter: letter in _PASSWORD_SIGNS)
    used = [any(map(is_one, text)) for is_one in sorts]
    is_known = all(any(is_one(letter) for is_one in sorts) for letter in text) and text.isascii()
    if text and not (8 <= len(text) <= 30 and sum(used) >= 3 and is_known):
        raise errors.malformed("Password")


def read_user_data(request: Request, default: str = "") -> str:
    """Read `UserData` and leave it in base64.

    Raises:
        ApiError: `InvalidUserData.Base64FormatInvalid` or `InvalidUserData.SizeExceeded`.
    """
    text = request.text("UserData", default)
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise errors.user_data_not_base64() from None
    if len(data) > MAX_USER_DATA_BYTES:
        raise errors.user_data_too_long()
    return text


def read_disk_size(name: str, value: object, default: int, bounds: range) -> int:
    """Read a disk's size in GiB, a number or a number's text.

    Raises:
        ApiError: `InvalidParameter`.
    """
    if value in (None, ""):
        return default
    size_gib = whole_number(str(value))
    if size_gib is None or size_gib not in bounds:
        raise invalid_parameter(name, value, f"from {bounds.start} to {bounds.stop - 1} GiB")
    return size_gib
