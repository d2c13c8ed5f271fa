"""The provider with its rules and checks, for previews that reach no cloud."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recording_monitor import ACCOUNT_ID, IMAGE_ID

from steelyard.deploy import AlicloudProvider

ZONES = ["cn-hangzhou-h", "cn-hangzhou-i"]


class ProviderWithoutCloud(AlicloudProvider):
    """Answers the look-ups of the programs here itself."""

    def __init__(self) -> None:
        super().__init__(
            endpoint="127.0.0.1:1", access_key_id="id", access_key_secret="secret", region_id="cn-hangzhou"
        )

    def invoke(self, token: str, args: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "alicloud:index/getCallerIdentity:getCallerIdentity": {"id": ACCOUNT_ID, "accountId": ACCOUNT_ID},
            "alicloud:ecs/getImages:getImages": {"id": "lookup", "ids": [IMAGE_ID], "images": []},
            "alicloud:index/getZones:getZones": {"id": "lookup", "ids": ZONES, "zones": []},
            "alicloud:vpc/getSwitches:getSwitches": {"id": "lookup", "vswitches": []},
            "alicloud:ecs/getInstanceTypes:getInstanceTypes": {
                "id": "lookup",
                "instanceTypes": [{"id": args.get("instanceType"), "availabilityZones": ZONES}],
            },
        }[token]
