from __future__ import annotations

import secrets
import string
from dataclasses import asdict, dataclass

from steelyard.localcloud.store import Store
from steelyard.localcloud.wire.signature import AccessKey

_LETTERS = string.ascii_letters + string.digits
_KIND, _ID = "identity", "root"
TEMPORARY_KEY_KIND = "temporary_key"
"""Kind of the store that holds temporary keys, by access key id."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who the local cloud belongs to: one account with one access key, in one region.

    Attributes:
        account_id: 16 digits.
        access_key_id: Public part of the account's access key.
        access_key_secret: Its secret part.
        region_id: Region of the calls that name none.
    """

    account_id: str
    access_key_id: str
    access_key_secret: str
    region_id: str

    def root_key(self) -> AccessKey:
        """Give the account's own key."""
        return AccessKey(
            access_key_id=self.access_key_id,
            secret=self.access_key_secret,
            arn=f"acs:ram::{self.account_id}:root",
            principal_id=self.account_id,
        )


def load_identity(store: Store, region_id: str) -> Identity:
    """Give the identity that the store holds; make one, of random keys, where it holds none.

    Args:
        store: The cloud's state.
        region_id: Region of a new identity; a kept one stays in its own.
    """
    body = store.get(_KIND, _ID)
    if body is None:
        identity = Identity(
            account_id="1" + "".join(secrets.choice(string.digits) for _ in range(15)),
            access_key_id="LTAI5t" + "".join(secrets.choice(_LETTERS) for _ in range(18)),
            access_key_secret="".join(secrets.choice(_LETTERS) for _ in range(30)),
            region_id=region_id,
        )
        store.put(_KIND, _ID, asdict(identity))
        return identity
    return Identity(**body)  # type: ignore[arg-type]
