"""Fresh ids of resources and requests."""

from __future__ import annotations

import random
import string

# Ids are no secrets. It is none that others seed, as tests do with the module's own.
_random = random.Random()
_ID_LETTERS = string.ascii_lowercase + string.digits
_ID_LENGTH = 20
# Of 256 bytes, 4 letters get one more than the others; ids need not be even, only their own.
_ID_TABLE = bytes(ord(_ID_LETTERS[byte % len(_ID_LETTERS)]) for byte in range(256))


def new_resource_id(prefix: str) -> str:
    """Give a resource's id, e.g. `vpc-` and 20 letters and digits."""
    return f"{prefix}-{_random.randbytes(_ID_LENGTH).translate(_ID_TABLE).decode()}"


def new_request_id() -> str:
    """Give a random UUID in capitals, without what `uuid.uuid4` spends on an object and on the kernel's randomness."""
    digits = f"{_random.getrandbits(128):032X}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-A{digits[17:20]}-{digits[20:]}"
