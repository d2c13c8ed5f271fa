"""The key to a bucket comes from the instance's role, and is asked for again before it expires."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from steelyard.metadata import ALIBABA_METADATA_URL, MetadataClient
from steelyard.training.checkpoint.oss import RoleKeys


class Metadata(MetadataClient):
    """A metadata service that hands out a new key each time, good for some minutes."""

    def __init__(self, minutes: int) -> None:
        super().__init__(ALIBABA_METADATA_URL)
        self._minutes = minutes
        self.num_keys = 0

    def item(self, path: str) -> str:
        if path == "ram/security-credentials/":
            return "node-role\n"
        assert path == "ram/security-credentials/node-role"
        self.num_keys += 1
        expires_at = datetime.now(UTC) + timedelta(minutes=self._minutes)
        return json.dumps(
            {
                "AccessKeyId": f"STS.{self.num_keys}",
                "AccessKeySecret": "secret",
                "SecurityToken": "token",
                "Expiration": expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "Code": "Success",
            }
        )


def test_a_key_is_used_until_shortly_before_its_end() -> None:
    lasting = Metadata(minutes=60)
    keys = RoleKeys(lasting)
    assert [keys.get_credentials().access_key_id for _ in range(3)] == ["STS.1"] * 3
    assert keys.get_credentials().security_token == "token"

    ending = RoleKeys(Metadata(minutes=5))
    assert [ending.get_credentials().access_key_id for _ in range(3)] == ["STS.1", "STS.2", "STS.3"]
