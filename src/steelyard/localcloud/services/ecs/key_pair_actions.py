from __future__ import annotations

import fnmatch
from dataclasses import replace

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import check, errors
from steelyard.localcloud.services.ecs.key_pair import KeyPair, fingerprint_of, generate_key, read_public_key
from steelyard.localcloud.services.ecs.models import Instance
from steelyard.localcloud.services.ecs.state import EcsState, read_json_texts
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.wire.error import missing_parameter

MAX_KEY_PAIRS = 500
"""Key pairs of a region at most (help page of CreateKeyPair)."""


class KeyPairActions(EcsState):
    """Key pairs, and the instances that let their owners in."""

    @action("CreateKeyPair")
    def create_key_pair(self, request: Request) -> dict[str, object]:
        """Make a key pair; its private half is in this answer and nowhere else."""
        self._check_new(request)
        request.stop_if_dry_run()
        private_key, public_key = generate_key()
        pair = self._keep(request, public_key)
        return {
            "KeyPairId": self.cloud.new_id("ssh"),
            "KeyPairName": pair.id,
            "KeyPairFingerPrint": pair.fingerprint,
            "PrivateKeyBody": private_key,
        }

    @action("ImportKeyPair")
    def import_key_pair(self, request: Request) -> dict[str, object]:
        """Keep a public key that the caller made."""
        self._check_new(request)
        public_key = read_public_key(request.text("PublicKeyBody"))
        if public_key is None:
            raise errors.public_key_malformed()
        pair = self._keep(request, public_key)
        return {"KeyPairName": pair.id, "KeyPairFingerPrint": pair.fingerprint}

    @action("DescribeKeyPairs")
    def describe_key_pairs(self, request: Request) -> dict[str, object]:
        """List key pairs by name, in which `*` stands for anything, fingerprint, group and tags."""
        name, fingerprint = request.text("KeyPairName"), request.text("KeyPairFingerPrint")
        group_id, tags = request.text("ResourceGroupId"), read_tags(request)
        found = [
            pair
            for pair in self.key_pairs(request.region_id).list()
            if (not name or fnmatch.fnmatchcase(pair.id, name))
            and fingerprint in ("", pair.fingerprint)
            and group_id in ("", pair.resource_group_id)
            and has_tags(pair.tags, tags)
        ]
        page, head = number_page(request, found)
        has_public_key = request.flag("IncludePublicKey")
        rows = [pair.to_answer(has_public_key=has_public_key) for pair in page]
        return {**head, "KeyPairs": {"KeyPair": rows}}

    @action("AttachKeyPair")
    def attach_key_pair(self, request: Request) -> dict[str, object]:
        """Let a key pair's owner into instances, in place of the key pair that they have."""
        name = request.text("KeyPairName")
        self.check_key_pair(name, request.region_id)
        instances = self._instances_of(request)
        for instance in instances:
            self.instances.put(replace(instance, key_pair_name=name))
        return _results(name, instances)

    @action("DetachKeyPair")
    def detach_key_pair(self, request: Request) -> dict[str, object]:
        """Keep a key pair's owner out of instances again."""
        name = request.text("KeyPairName")
        self.check_key_pair(name, request.region_id)
        instances = self._instances_of(request)
        for instance in instances:
            if instance.key_pair_name == name:
                self.instances.put(replace(instance, key_pair_name=""))
        return _results(name, instances)

    @action("DeleteKeyPairs")
    def delete_key_pairs(self, request: Request) -> dict[str, object]:
        """Delete key pairs that no instance has; one that is not there is passed over."""
        names = read_json_texts(request, "KeyPairNames")
        if not names:
            raise missing_parameter("KeyPairNames")
        used = {
            instance.key_pair_name
            for instance in self.instances.list()
            if instance.region_id == request.region_id
        }
        for name in names:
            if name in used:
                raise errors.key_pair_in_use(name)
            self.key_pairs(request.region_id).delete(name)
        return {}

    def _check_new(self, request: Request) -> None:
        name = check.read_name(request, "KeyPairName", "")
        pairs = self.key_pairs(request.region_id)
        if pairs.get(name) is not None:
            raise errors.key_pair_there()
        if self.cloud.terms.has_quotas and len(pairs.list()) >= MAX_KEY_PAIRS:
            raise errors.too_many_key_pairs()

    def _keep(self, request: Request, public_key: str) -> KeyPair:
        pair = KeyPair(
            id=request.text("KeyPairName"),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=request.region_id,
            public_key=public_key,
            fingerprint=fingerprint_of(public_key),
            resource_group_id=request.text("ResourceGroupId"),
        )
        self.key_pairs(request.region_id).put(pair)
        return pair

    def _instances_of(self, request: Request) -> list[Instance]:
        instances = self.named_instances(request)
        if not instances:
            raise errors.instance_not_found()
        return instances


def _results(name: str, instances: list[Instance]) -> dict[str, object]:
    rows = [
        {"InstanceId": instance.id, "Code": "200", "Message": "successful", "Success": "true"}
        for instance in instances
    ]
    return {
        "KeyPairName": name,
        "TotalCount": str(len(rows)),
        "FailCount": "0",
        "Results": {"Result": rows},
    }
