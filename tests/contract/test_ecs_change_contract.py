"""What can be changed of an instance that stands: type, bandwidth, place, options, disks; by the vendor's SDK."""

from __future__ import annotations

import http.client
import json

from alibabacloud_ecs20140526 import models
from alibabacloud_slb20140515 import models as slb
from alibabacloud_vpc20160428 import models as vpc
from contract_fleet import REGION, SERVER, TYPE
from contract_sdk import refused, wait_for
from own_range import inner, served

OTHER_TYPE = "ecs.gn6i-c4g1.xlarge"
OTHER_IMAGE = "ubuntu_22_04_x64_20G_alibase_20260612.vhd"


def stopped(fleet, script: str = "", **settings: object) -> str:
    (instance_id,) = fleet.run(script, **settings)
    stop(fleet, instance_id)
    return instance_id


def stop(fleet, instance_id: str) -> None:
    fleet.ecs_client.stop_instance(models.StopInstanceRequest(instance_id=instance_id, force_stop=True))
    fleet.wait_status(instance_id, "Stopped")


def start(fleet, instance_id: str) -> None:
    fleet.ecs_client.start_instance(models.StartInstanceRequest(instance_id=instance_id))
    fleet.wait_status(instance_id, "Running")


class TestType:
    def change(self, fleet, instance_id: str, instance_type: str, **settings: object) -> None:
        fleet.ecs_client.modify_instance_spec(
            models.ModifyInstanceSpecRequest(instance_id=instance_id, instance_type=instance_type, **settings)
        )

    def test_a_stopped_instance_boots_as_another_type(self, fleet):
        instance_id = stopped(fleet)
        self.change(fleet, instance_id, OTHER_TYPE)
        start(fleet, instance_id)
        instance = fleet.instance(instance_id)
        assert (instance.instance_type, instance.cpu, instance.memory) == (OTHER_TYPE, 4, 15 * 1024)

    def test_it_has_to_be_stopped_and_the_type_to_be_another_that_there_is(self, fleet):
        (instance_id,) = fleet.run()
        with refused("IncorrectInstanceStatus", 403):
            self.change(fleet, instance_id, OTHER_TYPE)
        stop(fleet, instance_id)
        with refused("InvalidInstanceType.ValueNotSupported", 403):
            self.change(fleet, instance_id, "ecs.nothing")
        with refused("InvalidInstanceType.ValueUnauthorized", 403):
            self.change(fleet, instance_id, TYPE)
        with refused("InvalidInstanceId.NotFound", 404):
            self.change(fleet, "i-nowhere", OTHER_TYPE)
        with refused("UnsupportedOperation", text="SystemDisk"):
            self.change(
                fleet,
                instance_id,
                OTHER_TYPE,
                system_disk=models.ModifyInstanceSpecRequestSystemDisk(category="cloud_essd"),
            )

    def test_one_with_rdma_keeps_a_type_that_has_it(self, fleet):
        interface = models.RunInstancesRequestNetworkInterface(
            instance_type="Primary", network_interface_traffic_mode="HighPerformance"
        )
        instance_id = stopped(fleet, instance_type="ecs.gn8is.2xlarge", network_interface=[interface])
        with refused("InvalidInstanceType.NotSupportERI", 403):
            self.change(fleet, instance_id, OTHER_TYPE)

    def test_one_that_is_paid_for_in_advance_has_an_action_of_its_own(self, fleet):
        instance_id = stopped(fleet, instance_charge_type="PrePaid", period=1)
        with refused("ChargeTypeViolation", 403):
            self.change(fleet, instance_id, OTHER_TYPE)
        request = models.ModifyPrepayInstanceSpecRequest(
            region_id=REGION, instance_id=instance_id, instance_type=OTHER_TYPE, operator_type="downgrade"
        )
        fleet.ecs_client.modify_prepay_instance_spec(request)
        assert fleet.instance(instance_id).instance_type == OTHER_TYPE
        request.instance_id = stopped(fleet)
        with refused("ChargeTypeViolation", 403):
            fleet.ecs_client.modify_prepay_instance_spec(request)


class TestBandwidth:
    def change(self, fleet, instance_id: str, **settings: object) -> None:
        fleet.ecs_client.modify_instance_network_spec(
            models.ModifyInstanceNetworkSpecRequest(instance_id=instance_id, **settings)
        )

    def test_with_some_it_has_a_public_address(self, fleet):
        (instance_id,) = fleet.run()
        assert fleet.instance(instance_id).public_ip_address.ip_address == []
        self.change(fleet, instance_id, internet_max_bandwidth_out=10, network_charge_type="PayByBandwidth")
        instance = fleet.instance(instance_id)
        assert instance.public_ip_address.ip_address == [fleet.address(instance_id)]
        assert (instance.internet_max_bandwidth_out, instance.internet_charge_type) == (10, "PayByBandwidth")
        with refused("InvalidInternetMaxBandwidthOut.ValueNotSupported"):
            self.change(fleet, instance_id, internet_max_bandwidth_out=101)
        with refused("InvalidNetworkChargeType.ValueNotSupported"):
            self.change(fleet, instance_id, network_charge_type="PayByHope")
        with refused("UnsupportedOperation", text="for a while"):
            self.change(fleet, instance_id, internet_max_bandwidth_out=20, end_time="2099-01-01T00:00Z")

    def test_an_address_is_given_once(self, fleet):
        (instance_id,) = fleet.run()
        request = models.AllocatePublicIpAddressRequest(instance_id=instance_id)
        given = fleet.ecs_client.allocate_public_ip_address(request).body.ip_address
        assert fleet.instance(instance_id).public_ip_address.ip_address == [given]
        with refused("AllocatedAlready", 403):
            fleet.ecs_client.allocate_public_ip_address(request)
        request.instance_id = "i-nowhere"
        with refused("InvalidInstanceId.NotFound", 404):
            fleet.ecs_client.allocate_public_ip_address(request)


class TestOptions:
    def change(self, fleet, instance_id: str, **settings: object) -> None:
        fleet.ecs_client.modify_instance_attribute(
            models.ModifyInstanceAttributeRequest(instance_id=instance_id, **settings)
        )

    def test_cores_are_chosen_while_it_is_stopped_and_are_its_types_again_with_another(self, fleet):
        cores = models.ModifyInstanceAttributeRequestCpuOptions(core=2, threads_per_core=1)
        (instance_id,) = fleet.run()
        with refused("IncorrectInstanceStatus", 403):
            self.change(fleet, instance_id, cpu_options=cores)
        stop(fleet, instance_id)
        self.change(fleet, instance_id, cpu_options=cores)
        options = fleet.instance(instance_id).cpu_options
        assert (options.core_count, options.threads_per_core) == (2, 1)
        fleet.ecs_client.modify_instance_spec(
            models.ModifyInstanceSpecRequest(instance_id=instance_id, instance_type="ecs.gn7i-c16g1.4xlarge")
        )
        options = fleet.instance(instance_id).cpu_options
        assert (options.core_count, options.threads_per_core) == (8, 2)

    def test_large_frames_a_password_and_the_bandwidth_inwards_are_taken(self, fleet):
        (instance_id,) = fleet.run()
        self.change(fleet, instance_id, enable_jumbo_frame=True, password="Right-and-long-1")
        told = fleet.ecs_client.describe_instance_attribute(
            models.DescribeInstanceAttributeRequest(instance_id=instance_id)
        ).body
        assert told.enable_jumbo_frame is True
        with refused("InvalidPassword.Malformed"):
            self.change(fleet, instance_id, password="nodigitsnosigns")
        fleet.ecs_client.modify_instance_network_spec(
            models.ModifyInstanceNetworkSpecRequest(instance_id=instance_id, internet_max_bandwidth_in=20)
        )
        assert fleet.instance(instance_id).internet_max_bandwidth_in == 20

    def test_what_has_no_meaning_here_is_refused_by_name(self, fleet):
        (instance_id,) = fleet.run()
        with refused("UnsupportedOperation", text="CreditSpecification"):
            self.change(fleet, instance_id, credit_specification="Unlimited")
        with refused("UnsupportedOperation", text="Hibernate"):
            fleet.ecs_client.stop_instance(
                models.StopInstanceRequest(instance_id=instance_id, hibernate=True)
            )
        with refused("UnsupportedOperation", text="DedicatedHostId"):
            fleet.ecs_client.modify_instance_deployment(
                models.ModifyInstanceDeploymentRequest(
                    region_id=REGION,
                    instance_id=instance_id,
                    deployment_set_id="ds-1",
                    dedicated_host_id="dh-1",
                )
            )
        with refused("UnsupportedOperation", text="Bootable"):
            fleet.ecs_client.attach_disk(
                models.AttachDiskRequest(instance_id=instance_id, disk_id="d-1", bootable=True)
            )
        with refused("UnsupportedOperation", text="InstanceMetadataTags"):
            fleet.ecs_client.modify_instance_metadata_options(
                models.ModifyInstanceMetadataOptionsRequest(
                    region_id=REGION,
                    instance_id=instance_id,
                    http_endpoint="enabled",
                    instance_metadata_tags="enabled",
                )
            )


class TestPlace:
    def move(self, fleet, instance_id: str, vswitch_id: str, **settings: object) -> None:
        fleet.ecs_client.modify_instance_vpc_attribute(
            models.ModifyInstanceVpcAttributeRequest(
                instance_id=instance_id, v_switch_id=vswitch_id, **settings
            )
        )

    def test_a_stopped_instance_boots_at_another_address(self, fleet, make_vswitch):
        other = make_vswitch(fleet.vpc_id, inner("1.0/24"))
        script = (
            '#!/bin/bash\necho "I am $(curl -s "$STEELYARD_METADATA_URL/latest/meta-data/private-ipv4")"\n'
        )
        # No other cloud of the machine takes it by itself once it is free: they begin at the first ones.
        own = inner("0.173")
        instance_id = stopped(fleet, script, private_ip_address=own)
        before = fleet.address(instance_id)

        self.move(fleet, instance_id, other, private_ip_address=inner("1.50"))
        start(fleet, instance_id)

        assert fleet.instance(instance_id).vpc_attributes.v_switch_id == other
        assert fleet.address(instance_id) == served("1.50")
        wait_for(lambda: fleet.console(instance_id), lambda text: f"I am {served('1.50')}" in text)
        # What it had can be had by another.
        (heir,) = fleet.run(private_ip_address=own)
        assert fleet.address(heir) == before

    def test_it_stays_in_its_zone_and_its_vpc_and_takes_no_address_that_is_taken(self, fleet, make_vswitch):
        far = make_vswitch(fleet.vpc_id, inner("2.0/24"), zone_id="cn-hangzhou-i")
        (running,) = fleet.run()
        with refused("IncorrectInstanceStatus", 403):
            self.move(fleet, running, fleet.vswitch_id, private_ip_address=inner("0.60"))
        instance_id = stopped(fleet)
        with refused("InvalidVSwitchId.ZoneMismatch", 403):
            self.move(fleet, instance_id, far)
        with refused("InvalidVSwitchId.NotFound", 404):
            self.move(fleet, instance_id, "vsw-nowhere")
        with refused("InvalidVSwitchId.NotFound", 404):
            self.move(fleet, instance_id, fleet.vswitch_id, vpc_id="vpc-nowhere")
        taken = fleet.address(running).replace("127.", "10.", 1)
        with refused("InvalidPrivateIpAddress.Duplicated", 403):
            self.move(fleet, instance_id, fleet.vswitch_id, private_ip_address=taken)
        address = fleet.address(instance_id)
        self.move(fleet, instance_id, fleet.vswitch_id)
        assert fleet.address(instance_id) == address

    def test_to_another_vpc_it_takes_groups_of_that_one_and_nothing_that_holds_it(
        self, fleet, make_vpc, make_vswitch, vpc_client
    ):
        other_vpc = make_vpc("10.79.0.0/16")
        there = make_vswitch(other_vpc, "10.79.0.0/24")
        group_id = fleet.ecs_client.create_security_group(
            models.CreateSecurityGroupRequest(region_id=REGION, vpc_id=other_vpc)
        ).body.security_group_id
        instance_id = stopped(fleet)
        interface_id = fleet.ecs_client.create_network_interface(
            models.CreateNetworkInterfaceRequest(
                region_id=REGION, v_switch_id=fleet.vswitch_id, security_group_id=fleet.group_id
            )
        ).body.network_interface_id
        attached = {"region_id": REGION, "network_interface_id": interface_id, "instance_id": instance_id}
        fleet.ecs_client.attach_network_interface(models.AttachNetworkInterfaceRequest(**attached))
        with refused("InvalidOperation.EniAttached", 403):
            self.move(fleet, instance_id, there, vpc_id=other_vpc, security_group_id=[group_id])
        fleet.ecs_client.detach_network_interface(models.DetachNetworkInterfaceRequest(**attached))
        fleet.ecs_client.delete_network_interface(
            models.DeleteNetworkInterfaceRequest(region_id=REGION, network_interface_id=interface_id)
        )
        eip_id = vpc_client.allocate_eip_address(
            vpc.AllocateEipAddressRequest(region_id=REGION)
        ).body.allocation_id
        bound = {"region_id": REGION, "allocation_id": eip_id, "instance_id": instance_id}
        vpc_client.associate_eip_address(vpc.AssociateEipAddressRequest(**bound))
        with refused("InvalidInstance.EipAssociated", 403):
            self.move(fleet, instance_id, there, vpc_id=other_vpc, security_group_id=[group_id])
        vpc_client.unassociate_eip_address(vpc.UnassociateEipAddressRequest(**bound))
        vpc_client.release_eip_address(vpc.ReleaseEipAddressRequest(allocation_id=eip_id))
        with refused("MissingParameter", text="SecurityGroupId"):
            self.move(fleet, instance_id, there, vpc_id=other_vpc)
        with refused("InvalidParameter.Mismatch"):
            self.move(fleet, instance_id, there, vpc_id=other_vpc, security_group_id=[fleet.group_id])
        self.move(fleet, instance_id, there, vpc_id=other_vpc, security_group_id=[group_id])
        instance = fleet.instance(instance_id)
        assert (instance.vpc_attributes.vpc_id, instance.security_group_ids.security_group_id) == (
            other_vpc,
            [group_id],
        )
        fleet.delete(instance_id)
        fleet.wait_status(instance_id, "gone")
        fleet.ecs_client.delete_security_group(
            models.DeleteSecurityGroupRequest(region_id=REGION, security_group_id=group_id)
        )

    def test_its_load_balancer_finds_it_at_its_new_address(self, fleet):
        (instance_id,) = fleet.run(SERVER)
        balancer = fleet.balance()
        listened = {"load_balancer_id": balancer.load_balancer_id, "listener_port": 8080}
        fleet.slb_client.add_backend_servers(
            slb.AddBackendServersRequest(
                region_id=REGION,
                load_balancer_id=balancer.load_balancer_id,
                backend_servers=json.dumps([{"ServerId": instance_id, "Weight": "100"}]),
            )
        )
        fleet.slb_client.create_load_balancer_tcplistener(
            slb.CreateLoadBalancerTCPListenerRequest(
                **listened,
                backend_server_port=8000,
                bandwidth=-1,
                health_check_interval=1,
                healthy_threshold=2,
                unhealthy_threshold=2,
            )
        )
        fleet.slb_client.start_load_balancer_listener(slb.StartLoadBalancerListenerRequest(**listened))
        wait_for(lambda: answers(balancer.address), bool)
        stop(fleet, instance_id)

        self.move(fleet, instance_id, fleet.vswitch_id, private_ip_address=inner("0.99"))
        start(fleet, instance_id)

        assert fleet.address(instance_id) == served("0.99")
        wait_for(lambda: answers(balancer.address), bool)


def answers(address: str) -> bool:
    connection = http.client.HTTPConnection(address, 8080, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class TestDisks:
    def test_a_new_system_disk_takes_all_files_and_another_image(self, fleet):
        script = "#!/bin/bash\nls kept 2>/dev/null && echo found || echo fresh\ntouch kept\n"
        (instance_id,) = fleet.run(script)
        wait_for(lambda: fleet.console(instance_id), lambda text: "fresh" in text)
        stop(fleet, instance_id)
        (old,) = fleet.disks(instance_id)
        told = fleet.ecs_client.replace_system_disk(
            models.ReplaceSystemDiskRequest(
                instance_id=instance_id,
                image_id=OTHER_IMAGE,
                system_disk=models.ReplaceSystemDiskRequestSystemDisk(size=60),
            )
        ).body
        (new,) = fleet.disks(instance_id)
        assert told.disk_id == new.disk_id != old.disk_id
        assert (new.image_id, new.size, new.type, new.device) == (OTHER_IMAGE, 60, "system", old.device)
        assert fleet.instance(instance_id).image_id == OTHER_IMAGE
        start(fleet, instance_id)
        console = wait_for(lambda: fleet.console(instance_id), bool)
        assert "found" not in console

    def test_it_needs_a_stopped_instance_and_an_image(self, fleet):
        (instance_id,) = fleet.run()
        with refused("IncorrectInstanceStatus", 403):
            replace_disk(fleet, instance_id)
        stop(fleet, instance_id)
        with refused("InvalidImageId.NotFound", 404):
            replace_disk(fleet, instance_id, image_id="nothing")
        with refused("InvalidParameter", text="SystemDisk.Size"):
            replace_disk(fleet, instance_id, system_disk=models.ReplaceSystemDiskRequestSystemDisk(size=10))
        with refused("InvalidKeyPairName.NotFound", 404):
            replace_disk(fleet, instance_id, key_pair_name="nobody")
        with refused("InvalidPassword.Malformed"):
            replace_disk(fleet, instance_id, password="short")

    def test_a_disk_becomes_faster_where_it_is_large_enough(self, fleet):
        data = models.RunInstancesRequestDataDisk(category="cloud_efficiency", size=500)
        (instance_id,) = fleet.run(data_disk=[data])
        system, found = fleet.disks(instance_id)
        change = fleet.ecs_client.modify_disk_spec
        change(
            models.ModifyDiskSpecRequest(
                disk_id=found.disk_id, disk_category="cloud_essd", performance_level="PL2"
            )
        )
        _, found = fleet.disks(instance_id)
        assert (found.category, found.performance_level) == ("cloud_essd", "PL2")
        with refused("InvalidDiskSpec.Unchanged"):
            change(models.ModifyDiskSpecRequest(disk_id=found.disk_id, performance_level="PL2"))
        with refused("InvalidPerformanceLevel.ValueNotSupported"):
            change(models.ModifyDiskSpecRequest(disk_id=system.disk_id, performance_level="PL3"))
        with refused("InvalidPerformanceLevel.ValueNotSupported"):
            change(models.ModifyDiskSpecRequest(disk_id=system.disk_id, performance_level="PL9"))
        with refused("InvalidDiskCategory.ValueNotSupported"):
            change(models.ModifyDiskSpecRequest(disk_id=system.disk_id, disk_category="tape"))
        with refused("InvalidDiskId.NotFound", 404):
            change(models.ModifyDiskSpecRequest(disk_id="d-nowhere", performance_level="PL0"))
        with refused("DryRunOperation"):
            change(
                models.ModifyDiskSpecRequest(disk_id=system.disk_id, performance_level="PL0", dry_run=True)
            )


def replace_disk(fleet, instance_id: str, **settings: object) -> None:
    fleet.ecs_client.replace_system_disk(
        models.ReplaceSystemDiskRequest(**{"instance_id": instance_id, "image_id": OTHER_IMAGE, **settings})
    )
