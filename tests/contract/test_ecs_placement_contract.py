"""Key pairs, deployment sets, stock and spot of ECS."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from alibabacloud_ecs20140526 import models
from alibabacloud_ecs20140526.client import Client as EcsClient
from contract_fleet import REGION, TYPE, Fleet
from contract_sdk import refused, wait_for
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_ssh_public_key,
)
from own_range import inner

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIDyCATjlmIpgCyhyqNpyywOAEx8SpjvUKJCHGJYxMYi me@home"


@pytest.fixture
def make_key_pair(ecs_client: EcsClient) -> Iterator[Callable[..., object]]:
    """Create key pairs, and delete them afterwards."""
    made: list[str] = []

    def make(name: str, **settings: object):
        request = models.CreateKeyPairRequest(region_id=REGION, key_pair_name=name, **settings)
        answer = ecs_client.create_key_pair(request).body
        made.append(name)
        return answer

    yield make
    if made:
        delete_key_pairs(ecs_client, *made)


def delete_key_pairs(client: EcsClient, *names: str) -> None:
    request = models.DeleteKeyPairsRequest(region_id=REGION, key_pair_names=json.dumps(names))
    client.delete_key_pairs(request)


def key_pairs(client: EcsClient, name: str = "", region_id: str = REGION, **filters: object):
    request = models.DescribeKeyPairsRequest(region_id=region_id, key_pair_name=name or None, **filters)
    return client.describe_key_pairs(request).body.key_pairs.key_pair


class TestKeyPairs:
    def test_the_two_halves_belong_together_and_the_private_one_is_told_once(self, ecs_client, make_key_pair):
        made = make_key_pair("laptop")

        private = load_pem_private_key(made.private_key_body.encode(), None)
        assert private.key_size == 2048
        (found,) = key_pairs(ecs_client, "laptop", include_public_key=True)
        public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        assert found.public_key == public
        assert found.key_pair_finger_print == made.key_pair_finger_print
        assert made.private_key_body not in json.dumps(found.to_map())
        assert key_pairs(ecs_client, "laptop")[0].public_key is None

    def test_a_public_key_can_be_brought_along(self, ecs_client):
        request = models.ImportKeyPairRequest(
            region_id=REGION, key_pair_name="brought", public_key_body=ED25519
        )
        ecs_client.import_key_pair(request)
        (found,) = key_pairs(ecs_client, "bro*", include_public_key=True)
        load_ssh_public_key(found.public_key.encode())
        assert found.public_key == " ".join(ED25519.split()[:2])
        with refused("KeyPair.AlreadyExist"):
            ecs_client.import_key_pair(request)
        delete_key_pairs(ecs_client, "brought", "never-there")
        assert key_pairs(ecs_client, "brought") == []

    def test_an_instance_learns_its_key_and_keeps_the_pair_from_being_deleted(
        self, fleet: Fleet, make_key_pair, ecs_client
    ):
        make_key_pair("laptop")
        make_key_pair("desktop")
        script = (
            "#!/bin/bash\n"
            'curl -s "$STEELYARD_METADATA_URL/latest/meta-data/public-keys/0/openssh-key"; echo " end"\n'
        )
        (instance_id,) = fleet.run(script, key_pair_name="laptop")
        console = wait_for(lambda: fleet.console(instance_id), lambda text: "end" in text)
        assert "ssh-rsa AAAA" in console
        with refused("InvalidParameter.KeypairAlreadyAttachedInstance", text="laptop"):
            delete_key_pairs(ecs_client, "laptop")

        named = {"region_id": REGION, "instance_ids": json.dumps([instance_id])}
        ecs_client.attach_key_pair(models.AttachKeyPairRequest(key_pair_name="desktop", **named))
        assert fleet.instance(instance_id).key_pair_name == "desktop"
        ecs_client.detach_key_pair(models.DetachKeyPairRequest(key_pair_name="laptop", **named))
        assert fleet.instance(instance_id).key_pair_name == "desktop"
        answer = ecs_client.detach_key_pair(models.DetachKeyPairRequest(key_pair_name="desktop", **named))
        assert [one.code for one in answer.body.results.result] == ["200"]
        assert fleet.instance(instance_id).key_pair_name in (None, "")

    def test_names_belong_to_regions_and_tags_to_them(self, ecs_client, make_key_pair):
        make_key_pair("laptop", tag=[models.CreateKeyPairRequestTag(key="team", value="vision")])
        assert key_pairs(ecs_client, "laptop", region_id="cn-beijing") == []
        tag = models.TagResourcesRequestTag(key="owner", value="me")
        ecs_client.tag_resources(
            models.TagResourcesRequest(
                region_id=REGION, resource_type="keypair", resource_id=["laptop"], tag=[tag]
            )
        )
        (found,) = key_pairs(ecs_client, tag=[models.DescribeKeyPairsRequestTag(key="owner")])
        assert {one.tag_key: one.tag_value for one in found.tags.tag} == {"team": "vision", "owner": "me"}

    def test_refusals(self, ecs_client, fleet: Fleet):
        with refused("InvalidPublicKeyBody.Malformed"):
            ecs_client.import_key_pair(
                models.ImportKeyPairRequest(
                    region_id=REGION, key_pair_name="bad", public_key_body="ssh-rsa x"
                )
            )
        with refused("InvalidKeyPairName.NotFound", 404):
            fleet.run(status="", key_pair_name="never-there")
        with refused("InvalidKeyPairName.NotFound", 404):
            ecs_client.attach_key_pair(
                models.AttachKeyPairRequest(
                    region_id=REGION, key_pair_name="never-there", instance_ids='["i-1"]'
                )
            )
        with refused("InvalidKeyPairName.Malformed"):
            ecs_client.create_key_pair(models.CreateKeyPairRequest(region_id=REGION, key_pair_name="x"))


@pytest.fixture
def make_set(ecs_client: EcsClient, fleet: Fleet) -> Iterator[Callable[..., str]]:
    """Create deployment sets, and delete them when the fleet's instances are gone."""
    made: list[str] = []

    def make(**settings: object) -> str:
        request = models.CreateDeploymentSetRequest(region_id=REGION, **settings)
        made.append(ecs_client.create_deployment_set(request).body.deployment_set_id)
        return made[-1]

    yield make
    for instance_id in fleet.instance_ids:
        if fleet.status(instance_id) != "gone":
            fleet.delete(instance_id)
    for instance_id in fleet.instance_ids:
        fleet.wait_status(instance_id, "gone")
    fleet.instance_ids.clear()
    for set_id in made:
        ecs_client.delete_deployment_set(
            models.DeleteDeploymentSetRequest(region_id=REGION, deployment_set_id=set_id)
        )


def deployment_set(client: EcsClient, set_id: str):
    request = models.DescribeDeploymentSetsRequest(region_id=REGION, deployment_set_ids=json.dumps([set_id]))
    (found,) = client.describe_deployment_sets(request).body.deployment_sets.deployment_set
    return found


class TestDeploymentSets:
    def test_it_tells_its_instances_by_zone(self, ecs_client, fleet: Fleet, make_set):
        set_id = make_set(strategy="Availability", deployment_set_name="spread", description="one")
        ids = fleet.run(deployment_set_id=set_id, amount=2)

        found = deployment_set(ecs_client, set_id)

        assert (found.deployment_strategy, found.deployment_set_name) == ("Availability", "spread")
        assert sorted(found.instance_ids.instance_id) == sorted(ids)
        (capacity,) = found.capacities.capacity
        assert (capacity.zone_id, capacity.used_amount, capacity.available_amount) == ("cn-hangzhou-h", 2, 18)
        assert fleet.instance(ids[0]).deployment_set_id == set_id
        with refused("DependencyViolation", 403):
            ecs_client.delete_deployment_set(
                models.DeleteDeploymentSetRequest(region_id=REGION, deployment_set_id=set_id)
            )

    def test_it_holds_twenty_instances_of_a_zone(self, fleet: Fleet, make_set):
        set_id = make_set()
        with refused("QuotaExceed.DeploymentSetInstanceQuotaFull", 403):
            fleet.run(status="", deployment_set_id=set_id, amount=21)

    def test_a_set_for_low_latency_stays_in_one_zone(self, fleet: Fleet, make_set, make_vswitch):
        set_id = make_set(strategy="LowLatency")
        fleet.run(deployment_set_id=set_id)
        other = make_vswitch(fleet.vpc_id, inner("1.0/24"), zone_id="cn-hangzhou-i")
        with refused("InvalidParameter.NotMatch", 403, "cn-hangzhou-h"):
            fleet.run(status="", deployment_set_id=set_id, v_switch_id=other)

    def test_groups_are_filled_in_turn_or_as_asked(self, ecs_client, fleet: Fleet, make_set):
        set_id = make_set(strategy="AvailabilityGroup", group_count=2)
        ids = [fleet.run(status="", deployment_set_id=set_id)[0] for _ in range(2)]
        ids += fleet.run(status="", deployment_set_id=set_id, deployment_set_group_no=2)
        numbers = [fleet.instance(instance_id).deployment_set_group_no for instance_id in ids]
        assert numbers == [1, 2, 2]
        with refused("InvalidParameter", text="DeploymentSetGroupNo"):
            fleet.run(status="", deployment_set_id=set_id, deployment_set_group_no=3)

    def test_an_instance_can_move(self, ecs_client, fleet: Fleet, make_set):
        first, second = make_set(), make_set()
        (instance_id,) = fleet.run(deployment_set_id=first)
        move = models.ModifyInstanceDeploymentRequest(
            region_id=REGION, instance_id=instance_id, deployment_set_id=second
        )
        ecs_client.modify_instance_deployment(move)
        assert fleet.instance(instance_id).deployment_set_id == second
        move.deployment_set_id = "ds-none"
        with refused("DeploymentSet.InvalidId"):
            ecs_client.modify_instance_deployment(move)
        move.remove_from_deployment_set = True
        ecs_client.modify_instance_deployment(move)
        assert fleet.instance(instance_id).deployment_set_id in (None, "")

    def test_its_name_can_change(self, ecs_client, make_set):
        set_id = make_set(deployment_set_name="before")
        ecs_client.modify_deployment_set_attribute(
            models.ModifyDeploymentSetAttributeRequest(
                region_id=REGION, deployment_set_id=set_id, deployment_set_name="after"
            )
        )
        assert deployment_set(ecs_client, set_id).deployment_set_name == "after"

    def test_refusals(self, ecs_client, fleet: Fleet):
        with refused("InvalidDeploymentSetId.NotFound"):
            fleet.run(status="", deployment_set_id="ds-none")
        with refused("InvalidStrategy.ValueNotSupported"):
            ecs_client.create_deployment_set(
                models.CreateDeploymentSetRequest(region_id=REGION, strategy="Closest")
            )


class TestSpot:
    def test_it_tells_how_it_was_asked_for(self, fleet: Fleet):
        (instance_id,) = fleet.run(
            spot_strategy="SpotWithPriceLimit",
            spot_price_limit=9.5,
            spot_duration=0,
            spot_interruption_behavior="Stop",
        )
        found = fleet.instance(instance_id)
        assert (found.spot_strategy, found.spot_price_limit) == ("SpotWithPriceLimit", 9.5)
        assert (found.spot_duration, found.spot_interruption_behavior) == (0, "Stop")

    def test_nothing_is_announced_to_it_at_first(self, fleet: Fleet):
        script = (
            "#!/bin/bash\n"
            'url="$STEELYARD_METADATA_URL/latest/meta-data/instance/spot/termination-time"\n'
            'echo "answer $(curl -s -o /dev/null -w \'%{http_code}\' "$url") end"\n'
        )
        (instance_id,) = fleet.run(script, spot_strategy="SpotAsPriceGo")
        console = wait_for(lambda: fleet.console(instance_id), lambda text: "end" in text)
        assert "answer 404 end" in console

    def test_refusals(self, fleet: Fleet):
        with refused("InvalidSpotPriceLimit.LowerThanPublicPrice", text="0.01"):
            fleet.run(status="", spot_strategy="SpotWithPriceLimit", spot_price_limit=0.01)
        with refused("InvalidSpotPriceLimit", text="-1"):
            fleet.run(status="", spot_strategy="SpotWithPriceLimit", spot_price_limit=-1.0)
        with refused("InvalidSpotPrepaid"):
            fleet.run(status="", spot_strategy="SpotAsPriceGo", instance_charge_type="PrePaid")
        with refused("InvalidSpotDuration", text="9"):
            fleet.run(status="", spot_strategy="SpotAsPriceGo", spot_duration=9)


def test_every_zone_has_every_type_in_stock(ecs_client):
    request = models.DescribeAvailableResourceRequest(
        region_id=REGION, destination_resource="InstanceType", instance_type=TYPE, zone_id="cn-hangzhou-h"
    )
    (zone,) = ecs_client.describe_available_resource(request).body.available_zones.available_zone
    (resource,) = zone.available_resources.available_resource
    (supported,) = resource.supported_resources.supported_resource
    assert (zone.status_category, supported.value) == ("WithStock", TYPE)
    assert (supported.status, supported.status_category) == ("Available", "WithStock")
