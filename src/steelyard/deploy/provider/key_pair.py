"""SSH key pairs, and the instances that let their owners in."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import ECS, Api
from steelyard.deploy.provider.resource_type import ResourceType, shown, wire
from steelyard.deploy.provider.tag import TagWriter, tag_list, tag_map
from steelyard.errors import ResourceError


class EcsKeyPair(ResourceType):
    """`alicloud.ecs.EcsKeyPair`; its id is its name."""

    token = "alicloud:ecs/ecsKeyPair:EcsKeyPair"
    create_only = frozenset({"keyPairName", "publicKey", "keyFile", "resourceGroupId"})
    changeable = frozenset({"tags"})
    deletes_before_replace = True

    _CREATE: ClassVar = {
        "keyPairName": "KeyPairName",
        "publicKey": "PublicKeyBody",
        "resourceGroupId": "ResourceGroupId",
    }
    _READ: ClassVar = {
        "keyPairName": "KeyPairName",
        "fingerPrint": "KeyPairFingerPrint",
        "createTime": "CreationTime",
        "resourceGroupId": "ResourceGroupId",
    }

    def create(self, api: Api, inputs: Values) -> str:
        """ImportKeyPair where there is a public key, else CreateKeyPair, whose private key goes to `keyFile`."""
        key_file = inputs.get("keyFile")
        action = "ImportKeyPair" if inputs.get("publicKey") else "CreateKeyPair"
        params = {**wire(inputs, self._CREATE), "Tag": tag_list(inputs.get("tags"))}
        answer = api.call(ECS, action, params)
        name = str(answer["KeyPairName"])
        api.operation.allocated(name)
        if key_file and answer.get("PrivateKeyBody"):
            _write_key(Path(str(key_file)), str(answer["PrivateKeyBody"]), api.operation.urn)
        return name

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeKeyPairs."""
        answer = api.call(ECS, "DescribeKeyPairs", {"KeyPairName": resource_id})
        rows = (answer.get("KeyPairs") or {}).get("KeyPair") or []
        row = next((row for row in rows if row["KeyPairName"] == resource_id), None)
        if row is None:
            return None
        return {**shown(row, self._READ), "tags": tag_map((row.get("Tags") or {}).get("Tag") or [])}

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """TagResources, UntagResources."""
        TagWriter(api, ECS, "keypair").change(resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteKeyPairs, again as long as an instance that goes as well still has it."""
        params = {"KeyPairNames": json.dumps([resource_id])}
        api.call(ECS, "DeleteKeyPairs", params, retry_on=("InvalidParameter.KeypairAlreadyAttachedInstance",))


class EcsKeyPairAttachment(ResourceType):
    """`alicloud.ecs.EcsKeyPairAttachment`; its id is `<key pair>:<JSON list of instances>`."""

    token = "alicloud:ecs/ecsKeyPairAttachment:EcsKeyPairAttachment"
    create_only = frozenset({"keyPairName", "instanceIds"})

    def create(self, api: Api, inputs: Values) -> str:
        """AttachKeyPair."""
        name, instance_ids = str(inputs["keyPairName"]), json.dumps(list(inputs["instanceIds"]))
        api.call(ECS, "AttachKeyPair", {"KeyPairName": name, "InstanceIds": instance_ids})
        api.operation.allocated(f"{name}:{instance_ids}")
        return f"{name}:{instance_ids}"

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeInstances."""
        name, instance_ids = resource_id.split(":", 1)
        answer = api.call(ECS, "DescribeInstances", {"InstanceIds": instance_ids, "PageSize": 100})
        rows: list[dict[str, Any]] = (answer.get("Instances") or {}).get("Instance") or []
        if not rows or any(row.get("KeyPairName") != name for row in rows):
            return None
        return {"keyPairName": name, "instanceIds": json.loads(instance_ids)}

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DetachKeyPair."""
        name, instance_ids = resource_id.split(":", 1)
        api.call(ECS, "DetachKeyPair", {"KeyPairName": name, "InstanceIds": instance_ids})


def _write_key(path: Path, text: str, urn: str) -> None:
    """Write a private key that its owner alone may read, in place of no other file."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
    except OSError as err:
        raise ResourceError(
            f"the private key was made and could not be written to {path}: {err.strerror}",
            "take another `key_file`; the key pair is made anew",
            urn=urn,
        ) from err
