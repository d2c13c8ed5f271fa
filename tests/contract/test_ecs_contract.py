from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import psutil
import pytest
from alibabacloud_ecs20140526 import models
from alibabacloud_ram20150501 import models as ram
from alibabacloud_vpc20160428 import models as vpc
from contract_fleet import IMAGE, REGION, TYPE, encoded
from contract_sdk import refused, wait_for


class TestLife:
    def test_an_instance_is_pending_then_boots_by_its_user_data(self, fleet):
        script = "#!/bin/bash\necho hello from $(hostname) in $PWD\n"
        (instance_id,) = fleet.run(script, status="", instance_name="node-0", host_name="node-0")
        assert instance_id.startswith("i-")
        assert fleet.status(instance_id) in ("Pending", "Starting", "Running")

        fleet.wait_status(instance_id, "Running")

        instance = fleet.instance(instance_id)
        assert (instance.instance_name, instance.host_name) == ("node-0", "node-0")
        assert (instance.instance_type, instance.image_id, instance.zone_id) == (TYPE, IMAGE, "cn-hangzhou-h")
        assert (instance.cpu, instance.memory) == (8, 30 * 1024)
        assert instance.vpc_attributes.vpc_id == fleet.vpc_id
        assert instance.vpc_attributes.v_switch_id == fleet.vswitch_id
        assert instance.security_group_ids.security_group_id == [fleet.group_id]
        assert fleet.address(instance_id).startswith("127.77.0.")
        assert wait_for(lambda: fleet.console(instance_id), lambda text: "hello from" in text)

    def test_it_learns_who_it_is_from_the_metadata_service(self, fleet):
        script = (
            "#!/bin/bash\n"
            'get() { curl -s -H "X-aliyun-ecs-metadata-token: $token" "$STEELYARD_METADATA_URL/latest/$1"; }\n'
            'echo "without: $(get meta-data/instance-id)"\n'
            "token=$(curl -s -X PUT -H 'X-aliyun-ecs-metadata-token-ttl-seconds: 60' "
            '"$STEELYARD_METADATA_URL/latest/api/token")\n'
            'echo "I am $(get meta-data/instance-id) $(get meta-data/zone-id) $(get meta-data/private-ipv4)"\n'
            'echo "speed $(get meta-data/steelyard/imitated-speed)"\n'
        )
        (instance_id,) = fleet.run(script, http_tokens="required", instance_type="ecs.gn6i-c4g1.xlarge")

        console = wait_for(lambda: fleet.console(instance_id), lambda text: "speed" in text)

        assert "without: 403" in console
        assert f"I am {instance_id} cn-hangzhou-h {fleet.address(instance_id)}" in console
        assert float(console.split("speed ")[1].split()[0]) == pytest.approx(1 / 3)

    def test_its_environment_holds_nothing_of_the_host(self, fleet):
        (instance_id,) = fleet.run("#!/bin/bash\nenv -0 | tr '\\0' '\\n'; echo end\n")

        console = wait_for(lambda: fleet.console(instance_id), lambda text: "end" in text)

        names = {line.split("=")[0] for line in console.splitlines() if "=" in line}
        assert names - {"SHLVL", "_"} == {
            "PATH",
            "HOME",
            "PWD",
            "LANG",
            "TMPDIR",
            "STEELYARD_CLOUD_ENDPOINT",
            "STEELYARD_METADATA_URL",
            "STEELYARD_OSS_ENDPOINT",
        }

    def test_a_failed_script_leaves_it_running_and_the_console_tells(self, fleet):
        (instance_id,) = fleet.run("#!/bin/bash\nexit 7\n")
        wait_for(lambda: fleet.console(instance_id), lambda text: "exit code 7" in text)
        assert fleet.status(instance_id) == "Running"

    def test_user_data_that_is_no_script_is_left_alone(self, fleet):
        (instance_id,) = fleet.run("#cloud-config\n{}\n")
        assert fleet.console(instance_id) == ""
        assert fleet.status(instance_id) == "Running"

    def test_stop_start_and_reboot(self, fleet):
        (instance_id,) = fleet.run("#!/bin/bash\necho booted\nexec sleep 1000\n")
        target = {"instance_id": instance_id}

        fleet.ecs_client.stop_instance(models.StopInstanceRequest(**target))
        fleet.wait_status(instance_id, "Stopped")
        with refused("IncorrectInstanceStatus", 403):
            fleet.ecs_client.stop_instance(models.StopInstanceRequest(**target))
        with refused("IncorrectInstanceStatus", 403):
            fleet.ecs_client.reboot_instance(models.RebootInstanceRequest(**target))
        fleet.ecs_client.start_instance(models.StartInstanceRequest(**target))
        fleet.wait_status(instance_id, "Running")
        wait_for(lambda: fleet.console(instance_id).count("booted"), lambda count: count == 2)
        with refused("IncorrectInstanceStatus", 403):
            fleet.ecs_client.start_instance(models.StartInstanceRequest(**target))
        address = fleet.address(instance_id)
        fleet.ecs_client.reboot_instance(models.RebootInstanceRequest(**target, force_stop=True))
        wait_for(lambda: fleet.console(instance_id).count("booted"), lambda count: count == 3)
        fleet.wait_status(instance_id, "Running")
        assert fleet.address(instance_id) == address

    def test_sigterm_comes_before_sigkill(self, fleet):
        script = "#!/bin/bash\ntrap 'echo goodbye; exit' TERM\necho ready\nwhile :; do sleep 0.05; done\n"
        (instance_id,) = fleet.run(script)
        wait_for(lambda: fleet.console(instance_id), lambda text: "ready" in text)
        fleet.ecs_client.stop_instance(models.StopInstanceRequest(instance_id=instance_id))
        fleet.wait_status(instance_id, "Stopped")
        assert "goodbye" in fleet.console(instance_id)

    def test_one_whose_supervisor_is_killed_is_stopped_and_none_of_its_processes_is_left(
        self, fleet, local_cloud
    ):
        (instance_id,) = fleet.run("#!/bin/bash\n(setsid sleep 1000 &)\nsleep 1000\n")
        family = wait_for(lambda: family_of(local_cloud, instance_id), lambda found: len(found) >= 5)

        os.kill(family[0].pid, signal.SIGKILL)

        fleet.wait_status(instance_id, "Stopped")
        wait_for(lambda: [process for process in family if process.is_running()], lambda left: not left)

    def test_one_whose_node_process_is_killed_is_still_running(self, fleet, local_cloud):
        (instance_id,) = fleet.run("#!/bin/bash\nexec sleep 1000\n")
        family = wait_for(lambda: family_of(local_cloud, instance_id), lambda found: len(found) == 3)

        os.kill(family[-1].pid, signal.SIGKILL)

        wait_for(lambda: fleet.console(instance_id), lambda text: "exit code -9" in text)
        assert fleet.status(instance_id) == "Running"


def family_of(cloud, instance_id: str) -> list[psutil.Process]:
    """Find the supervisor of an instance and everything below it."""
    for child in psutil.Process(cloud.pid).children(recursive=True):
        if any(instance_id in argument for argument in child.cmdline()):
            return [child, *child.children(recursive=True)]
    return []


class TestRelease:
    def test_a_running_one_needs_force(self, fleet):
        (instance_id,) = fleet.run("#!/bin/bash\nexec sleep 1000\n")
        with refused("IncorrectInstanceStatus", 403):
            fleet.delete(instance_id, force=False)
        fleet.delete(instance_id)
        fleet.wait_status(instance_id, "gone")
        with refused("InvalidInstanceId.NotFound", 404):
            fleet.delete(instance_id)

    def test_a_stopped_one_does_not(self, fleet, local_cloud):
        (instance_id,) = fleet.run()
        fleet.ecs_client.stop_instance(models.StopInstanceRequest(instance_id=instance_id, force_stop=True))
        fleet.wait_status(instance_id, "Stopped")
        fleet.delete(instance_id, force=False)
        fleet.wait_status(instance_id, "gone")
        assert not (Path(local_cloud.data_dir) / "instances" / instance_id).exists()

    def test_a_protected_one_is_refused(self, fleet):
        (instance_id,) = fleet.run(deletion_protection=True)
        with refused("InvalidOperation.DeletionProtection", 403):
            fleet.delete(instance_id)

    def test_a_dry_run_deletes_nothing(self, fleet):
        (instance_id,) = fleet.run()
        with refused("DryRunOperation"):
            fleet.ecs_client.delete_instance(
                models.DeleteInstanceRequest(instance_id=instance_id, force=True, dry_run=True)
            )
        assert fleet.status(instance_id) == "Running"

    def test_its_address_can_be_had_again(self, fleet):
        (first,) = fleet.run()
        address = fleet.address(first)
        fleet.delete(first)
        fleet.wait_status(first, "gone")
        (second,) = fleet.run(private_ip_address=address)
        assert fleet.address(second) == address


class TestRunInstances:
    def test_many_at_once_have_an_address_and_a_name_each(self, fleet):
        ids = fleet.run(amount=3, instance_name="worker", unique_suffix=True)
        found = fleet.instances(*ids)
        assert sorted(i.instance_name for i in found) == ["worker001", "worker002", "worker003"]
        assert len({fleet.address(i) for i in ids}) == 3

    def test_names_are_numbered_where_the_call_says_so_alone(self, fleet):
        def names(**settings: object) -> list[tuple[str, str]]:
            ids = fleet.run(status="", amount=2, **settings)
            return [(one.instance_name, one.host_name) for one in map(fleet.instance, ids)]

        assert names(instance_name="worker", host_name="node") == [("worker", "node")] * 2
        assert names(instance_name="worker-[8,3]", host_name="node-[2,2]-b") == [
            ("worker-008", "node-02-b"),
            ("worker-009", "node-03-b"),
        ]
        assert names(instance_name="w[]", host_name="n[9,1]x", unique_suffix=True) == [
            ("w000000", "n9x001"),
            ("w000001", "n10x002"),
        ]
        assert [host for _, host in names(host_names=["first", "second"])] == ["first", "second"]
        (instance_id,) = fleet.run(status="", host_name="k8s-${instance_id}")
        assert fleet.instance(instance_id).host_name == f"k8s-{instance_id}"
        with refused("InvalidParameter", text="HostNames"):
            names(host_name="node", host_names=["first"])
        with refused("InvalidHostName.Malformed"):
            names(host_names=["fine", "-bad-"])

    def test_fewer_than_asked_for_need_a_least_number_within_it(self, fleet):
        ids = fleet.run(status="", amount=2, min_amount=1)
        assert len(ids) == 2, "there is no limit to the stock"
        with refused("InvalidParameter", text="MinAmount"):
            fleet.run(status="", amount=2, min_amount=3)

    def test_what_is_kept_without_an_effect_is_told_as_it_was_set(self, fleet):
        (instance_id,) = fleet.run(
            status="",
            password="Right-and-long-1",
            internet_max_bandwidth_in=7,
            network_options=models.RunInstancesRequestNetworkOptions(enable_jumbo_frame=True),
            image_options=models.RunInstancesRequestImageOptions(login_as_non_root=True),
            cpu_options=models.RunInstancesRequestCpuOptions(core=2, threads_per_core=1),
            private_pool_options=models.RunInstancesRequestPrivatePoolOptions(match_criteria="Open"),
        )
        told = fleet.instance(instance_id)
        assert (told.internet_max_bandwidth_in, told.image_options.login_as_non_root) == (7, True)
        assert (told.cpu_options.core_count, told.cpu_options.threads_per_core) == (2, 1)
        attached = fleet.ecs_client.describe_instance_attachment_attributes(
            models.DescribeInstanceAttachmentAttributesRequest(
                region_id=REGION, instance_ids=json.dumps([instance_id])
            )
        ).body.instances.instance[0]
        assert attached.private_pool_options_match_criteria == "Open"
        attribute = fleet.ecs_client.describe_instance_attribute(
            models.DescribeInstanceAttributeRequest(instance_id=instance_id)
        ).body
        assert attribute.enable_jumbo_frame is True

    def test_what_has_no_meaning_here_is_refused_by_name(self, fleet):
        cases = [
            ({"dedicated_host_id": "dh-1"}, "DedicatedHostId"),
            ({"ipv_6address_count": 1}, "Ipv6AddressCount"),
            ({"storage_set_id": "ss-1"}, "StorageSetId"),
            ({"credit_specification": "Unlimited"}, "CreditSpecification"),
            ({"hibernation_options": models.RunInstancesRequestHibernationOptions(configured=True)}, "Hib"),
        ]
        for settings, name in cases:
            with refused("UnsupportedOperation", text=name):
                fleet.run(status="", **settings)
        (instance_id,) = fleet.run(
            hibernation_options=models.RunInstancesRequestHibernationOptions(configured=False)
        )
        assert fleet.status(instance_id) == "Running"

    def test_a_wanted_address_is_given_in_the_networks_own_words(self, fleet):
        (instance_id,) = fleet.run(private_ip_address="10.77.0.99")
        assert fleet.address(instance_id) == "127.77.0.99"
        with refused("InvalidPrivateIpAddress.Duplicated", 403):
            fleet.run(private_ip_address="10.77.0.99")
        with refused("InvalidPrivateIpAddress.Malformed"):
            fleet.run(private_ip_address="10.78.0.99")

    def test_a_client_token_has_64_letters_at_most(self, fleet):
        with refused("InvalidParameter", text="ClientToken"):
            fleet.run(status="", client_token="x" * 65)

    def test_a_repeated_client_token_makes_nothing_twice(self, fleet):
        first = fleet.run(client_token="token-of-one-run")
        assert fleet.run(client_token="token-of-one-run") == first
        assert len(fleet.instances(vpc_id=fleet.vpc_id)) == 1

    def test_a_dry_run_makes_nothing(self, fleet):
        with refused("DryRunOperation"):
            fleet.run(dry_run=True)
        assert fleet.instances(vpc_id=fleet.vpc_id) == []

    @pytest.mark.parametrize(
        ("changes", "code", "status"),
        [
            ({"image_id": "ubuntu_00"}, "InvalidImageId.NotFound", 404),
            ({"image_id": None}, "MissingParameter", 400),
            ({"instance_type": "ecs.none"}, "InvalidInstanceType.ValueNotSupported", 403),
            ({"v_switch_id": "vsw-none"}, "InvalidVSwitchId.NotFound", 404),
            ({"zone_id": "cn-hangzhou-i"}, "InvalidParameter.Mismatch", 400),
            ({"zone_id": "cn-nowhere-a"}, "InvalidZoneId.NotFound", 404),
            ({"security_group_id": "sg-none"}, "InvalidSecurityGroupId.NotFound", 404),
            ({"security_group_id": None}, "MissingParameter", 400),
            ({"user_data": "not base64!"}, "InvalidUserData.Base64FormatInvalid", 400),
            ({"user_data": encoded("#" * 40000)}, "InvalidUserData.SizeExceeded", 400),
            ({"amount": 101}, "InvalidParameter", 400),
            ({"host_name": "-bad-"}, "InvalidHostName.Malformed", 400),
            ({"instance_name": "http://x"}, "InvalidInstanceName.Malformed", 400),
            ({"http_tokens": "maybe"}, "InvalidHttpTokens.ValueNotSupported", 400),
            ({"password": "tooeasy"}, "InvalidPassword.Malformed", 400),
            (
                {"cpu_options": models.RunInstancesRequestCpuOptions(core=99)},
                "InvalidCpuOptions.Core.ValueNotSupported",
                400,
            ),
            (
                {"cpu_options": models.RunInstancesRequestCpuOptions(threads_per_core=3)},
                "InvalidCpuOptions.ThreadsPerCore.ValueNotSupported",
                400,
            ),
            (
                {"cpu_options": models.RunInstancesRequestCpuOptions(topology_type="Twisted")},
                "InvalidCpuOptions.TopologyType.ValueNotSupported",
                400,
            ),
            ({"ram_role_name": "nobody"}, "InvalidRamRole.NotFound", 404),
        ],
    )
    def test_mistakes_are_told_with_the_providers_codes(self, fleet, changes, code, status):
        with refused(code, status):
            fleet.run(**changes)

    def test_a_group_of_another_vpc_is_refused(self, fleet, make_vpc, ecs_client):
        other = make_vpc("10.78.0.0/16")
        group = ecs_client.create_security_group(
            models.CreateSecurityGroupRequest(region_id=REGION, vpc_id=other)
        ).body.security_group_id
        try:
            with refused("InvalidParameter.Mismatch"):
                fleet.run(security_group_id=group)
        finally:
            ecs_client.delete_security_group(
                models.DeleteSecurityGroupRequest(region_id=REGION, security_group_id=group)
            )

    def test_disks_come_as_asked_for(self, fleet):
        (instance_id,) = fleet.run(
            system_disk=models.RunInstancesRequestSystemDisk(
                category="cloud_essd", size="100", performance_level="PL0", encrypted="true"
            ),
            data_disk=[models.RunInstancesRequestDataDisk(size=200, category="cloud_auto", disk_name="data")],
        )
        disks = fleet.ecs_client.describe_disks(
            models.DescribeDisksRequest(region_id=REGION, instance_id=instance_id)
        ).body.disks.disk
        assert [(d.type, d.category, d.size, d.encrypted, d.performance_level) for d in disks] == [
            ("system", "cloud_essd", 100, True, "PL0"),
            ("data", "cloud_auto", 200, False, ""),
        ]
        assert {d.instance_id for d in disks} == {instance_id}
        system = fleet.ecs_client.describe_disks(
            models.DescribeDisksRequest(region_id=REGION, instance_id=instance_id, disk_type="system")
        ).body.disks.disk
        assert [d.disk_id for d in system] == [disks[0].disk_id]
        with refused("InvalidParameter"):
            fleet.run(system_disk=models.RunInstancesRequestSystemDisk(size="5"))


class TestDescription:
    def test_filters_and_pages(self, fleet):
        ids = fleet.run(
            amount=3,
            instance_name="worker",
            unique_suffix=True,
            tag=[models.RunInstancesRequestTag(key="a", value="b")],
        )
        tag = models.DescribeInstancesRequestTag

        def found(**filters):
            return {i.instance_id for i in fleet.instances(vpc_id=fleet.vpc_id, **filters)}

        assert found(instance_name="worker00*") == set(ids)
        assert found(instance_name="worker002") == {ids[1]}
        assert found(status="Stopped") == set()
        assert found(tag=[tag(key="a", value="b")]) == set(ids)
        assert found(tag=[tag(key="a", value="c")]) == set()
        assert found(private_ip_addresses=json.dumps([fleet.address(ids[2])])) == {ids[2]}
        page = fleet.ecs_client.describe_instances(
            models.DescribeInstancesRequest(region_id=REGION, vpc_id=fleet.vpc_id, page_size=2, page_number=2)
        ).body
        assert (page.total_count, page.page_number, len(page.instances.instance)) == (3, 2, 1)
        page = fleet.ecs_client.describe_instances(
            models.DescribeInstancesRequest(region_id=REGION, vpc_id=fleet.vpc_id, max_results=2)
        ).body
        assert [i.instance_id for i in page.instances.instance] == ids, "less than 10 is taken for 10"
        statuses = fleet.ecs_client.describe_instance_status(
            models.DescribeInstanceStatusRequest(region_id=REGION, instance_id=ids)
        ).body.instance_statuses.instance_status
        assert {s.status for s in statuses} == {"Running"}

    def test_each_filter_asks_for_what_instances_are(self, fleet):
        (plain,) = fleet.run(status="", internet_charge_type="PayByBandwidth", http_tokens="required")
        (public,) = fleet.run(internet_max_bandwidth_out=5, http_put_response_hop_limit=7)
        (paid,) = fleet.run(status="", instance_charge_type="PrePaid", period=1)
        window = models.DescribeInstancesRequestFilter

        def found(**filters):
            return {i.instance_id for i in fleet.instances(vpc_id=fleet.vpc_id, **filters)}

        address = fleet.instance(public).public_ip_address.ip_address
        tomorrow = time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(time.time() + 86400))
        for filters, ids in (
            ({"internet_charge_type": "PayByBandwidth"}, {plain}),
            ({"http_tokens": "required"}, {plain}),
            ({"http_put_response_hop_limit": 7}, {public}),
            ({"public_ip_addresses": json.dumps(address)}, {public}),
            ({"eip_addresses": '["203.0.113.250"]'}, set()),
            ({"inner_ip_addresses": '["10.0.0.1"]'}, set()),
            ({"ipv_6address": ["fd00::1"]}, set()),
            ({"instance_type_family": "ecs.gn7i"}, {plain, public, paid}),
            ({"instance_type_family": "ecs.g7"}, set()),
            ({"instance_network_type": "classic"}, set()),
            ({"lock_reason": "Recycling"}, set()),
            ({"hpc_cluster_id": "hpc-1"}, set()),
            ({"io_optimized": False}, set()),
            ({"filter": [window(key="CreationStartTime", value=tomorrow)]}, set()),
            ({"filter": [window(key="CreationEndTime", value=tomorrow)]}, {plain, public, paid}),
            ({"filter": [window(key="ExpiredStartTime", value=tomorrow)]}, {paid}),
        ):
            assert found(**filters) == ids, filters
        for filters in ([window(key="Mood", value="good")], [window(key="CreationEndTime", value="now")]):
            with refused("InvalidParameter", text="Filter.N"):
                found(filter=filters)

    def test_an_elastic_address_finds_its_instance(self, fleet, vpc_client):
        (instance_id,) = fleet.run()
        eip = vpc_client.allocate_eip_address(vpc.AllocateEipAddressRequest(region_id=REGION)).body
        bound = {"allocation_id": eip.allocation_id, "instance_id": instance_id}
        vpc_client.associate_eip_address(vpc.AssociateEipAddressRequest(**bound))
        (found,) = fleet.instances(eip_addresses=json.dumps([eip.eip_address]))
        assert found.instance_id == instance_id
        told = fleet.ecs_client.describe_instance_attribute(
            models.DescribeInstanceAttributeRequest(instance_id=instance_id)
        ).body
        assert told.eip_address.ip_address == found.eip_address.ip_address == eip.eip_address
        vpc_client.unassociate_eip_address(vpc.UnassociateEipAddressRequest(**bound))
        vpc_client.release_eip_address(vpc.ReleaseEipAddressRequest(allocation_id=eip.allocation_id))

    def test_all_that_a_provider_reads_is_there(self, fleet):
        (instance_id,) = fleet.run("#!/bin/sh\n")
        client = fleet.ecs_client
        attribute = client.describe_instance_attribute(
            models.DescribeInstanceAttributeRequest(instance_id=instance_id)
        ).body
        assert (attribute.instance_id, attribute.status) == (instance_id, "Running")
        assert attribute.enable_jumbo_frame is False
        user_data = client.describe_user_data(
            models.DescribeUserDataRequest(region_id=REGION, instance_id=instance_id)
        ).body
        assert user_data.user_data == encoded("#!/bin/sh\n")
        interfaces = client.describe_network_interfaces(
            models.DescribeNetworkInterfacesRequest(region_id=REGION, instance_id=instance_id)
        ).body.network_interface_sets.network_interface_set
        assert [i.private_ip_address for i in interfaces] == [fleet.address(instance_id)]
        maintenance = client.describe_instance_maintenance_attributes(
            models.DescribeInstanceMaintenanceAttributesRequest(region_id=REGION, instance_id=[instance_id])
        ).body.maintenance_attributes.maintenance_attribute
        assert [m.instance_id for m in maintenance] == [instance_id]
        attachment = client.describe_instance_attachment_attributes(
            models.DescribeInstanceAttachmentAttributesRequest(
                region_id=REGION, instance_ids=json.dumps([instance_id])
            )
        ).body.instances.instance
        assert [a.instance_id for a in attachment] == [instance_id]

    def test_attributes_change(self, fleet):
        (instance_id,) = fleet.run()
        client = fleet.ecs_client
        client.modify_instance_attribute(
            models.ModifyInstanceAttributeRequest(
                instance_id=instance_id, instance_name="renamed", description="text"
            )
        )
        client.modify_instance_metadata_options(
            models.ModifyInstanceMetadataOptionsRequest(
                region_id=REGION, instance_id=instance_id, http_endpoint="enabled", http_tokens="required"
            )
        )
        instance = fleet.instance(instance_id)
        assert (instance.instance_name, instance.description) == ("renamed", "text")
        assert instance.metadata_options.http_tokens == "required"
        change = models.ModifyInstanceAttributeRequest(
            instance_id=instance_id, user_data=encoded("#!/bin/sh\necho second\n")
        )
        # As the vendor's Terraform provider does it: it stops the instance after this, and starts it again.
        client.modify_instance_attribute(change)
        client.stop_instance(models.StopInstanceRequest(instance_id=instance_id, force_stop=True))
        fleet.wait_status(instance_id, "Stopped")
        client.start_instance(models.StartInstanceRequest(instance_id=instance_id))
        wait_for(lambda: fleet.console(instance_id), lambda text: "second" in text)

    def test_tags_come_and_go(self, fleet):
        (instance_id,) = fleet.run()
        client, kind = fleet.ecs_client, {"region_id": REGION, "resource_type": "instance"}
        client.tag_resources(
            models.TagResourcesRequest(
                **kind,
                resource_id=[instance_id],
                tag=[models.TagResourcesRequestTag(key="env", value="test")],
            )
        )
        listed = client.list_tag_resources(
            models.ListTagResourcesRequest(**kind, resource_id=[instance_id])
        ).body.tag_resources.tag_resource
        assert [(t.tag_key, t.tag_value) for t in listed] == [("env", "test")]
        wanted = models.ListTagResourcesRequestTagFilter
        for key, values, is_there in (
            ("env", ["prod", "test"], True),
            ("env", [], True),
            ("env", ["prod"], False),
            ("team", [], False),
        ):
            request = models.ListTagResourcesRequest(
                **kind, resource_id=[instance_id], tag_filter=[wanted(tag_key=key, tag_values=values)]
            )
            found = client.list_tag_resources(request).body.tag_resources.tag_resource
            assert bool(found) is is_there, (key, values)
        assert [(t.tag_key, t.tag_value) for t in fleet.instance(instance_id).tags.tag] == [("env", "test")]
        client.untag_resources(
            models.UntagResourcesRequest(**kind, resource_id=[instance_id], tag_key=["env"])
        )
        assert fleet.instance(instance_id).tags.tag == []


class TestRamRole:
    @pytest.fixture
    def role(self, ram_client):
        trust = {
            "Version": "1",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "sts:AssumeRole",
                    "Principal": {"Service": ["ecs.aliyuncs.com"]},
                }
            ],
        }
        name = "contract-node"
        ram_client.create_role(
            ram.CreateRoleRequest(role_name=name, assume_role_policy_document=json.dumps(trust))
        )
        yield name
        ram_client.delete_role(ram.DeleteRoleRequest(role_name=name))

    def test_is_attached_and_detached(self, fleet, role):
        (instance_id,) = fleet.run()
        ids = json.dumps([instance_id])
        client = fleet.ecs_client

        def roles():
            found = client.describe_instance_ram_role(
                models.DescribeInstanceRamRoleRequest(region_id=REGION, instance_ids=ids)
            ).body.instance_ram_role_sets.instance_ram_role_set
            return [(r.instance_id, r.ram_role_name) for r in found]

        assert roles() == [(instance_id, "")]
        done = client.attach_instance_ram_role(
            models.AttachInstanceRamRoleRequest(region_id=REGION, instance_ids=ids, ram_role_name=role)
        ).body
        assert (done.ram_role_name, done.fail_count, done.total_count) == (role, 0, 1)
        assert roles() == [(instance_id, role)]
        client.detach_instance_ram_role(
            models.DetachInstanceRamRoleRequest(region_id=REGION, instance_ids=ids, ram_role_name=role)
        )
        assert roles() == [(instance_id, "")]


class TestSecurityGroup:
    def rules(self, fleet, **filters):
        return fleet.ecs_client.describe_security_group_attribute(
            models.DescribeSecurityGroupAttributeRequest(
                region_id=REGION, security_group_id=fleet.group_id, **filters
            )
        ).body.permissions.permission

    def permission(self, **changes):
        fields = {
            "ip_protocol": "tcp",
            "port_range": "8000/8000",
            "source_cidr_ip": "10.0.0.0/8",
            "description": "gateway",
        }
        return models.AuthorizeSecurityGroupRequestPermissions(**{**fields, **changes})

    def authorize(self, fleet, *permissions):
        fleet.ecs_client.authorize_security_group(
            models.AuthorizeSecurityGroupRequest(
                region_id=REGION, security_group_id=fleet.group_id, permissions=list(permissions)
            )
        )

    def test_rules_come_once_and_go(self, fleet):
        for _ in range(2):
            self.authorize(fleet, self.permission())
        (rule,) = self.rules(fleet)
        assert (rule.direction, rule.ip_protocol.lower(), rule.port_range) == ("ingress", "tcp", "8000/8000")
        assert (rule.source_cidr_ip, rule.policy.lower(), rule.priority) == ("10.0.0.0/8", "accept", "1")
        assert rule.security_group_rule_id.startswith("sgr-")
        assert self.rules(fleet, direction="egress") == []
        assert len(self.rules(fleet, direction="ingress", nic_type="<nil>")) == 1

        fleet.ecs_client.modify_security_group_rule(
            models.ModifySecurityGroupRuleRequest(
                region_id=REGION,
                security_group_id=fleet.group_id,
                security_group_rule_id=rule.security_group_rule_id,
                port_range="9000/9001",
            )
        )
        (rule,) = self.rules(fleet)
        assert (rule.port_range, rule.source_cidr_ip) == ("9000/9001", "10.0.0.0/8")
        revoke = models.RevokeSecurityGroupRequest(
            region_id=REGION,
            security_group_id=fleet.group_id,
            permissions=[
                models.RevokeSecurityGroupRequestPermissions(
                    ip_protocol="tcp", port_range="9000/9001", source_cidr_ip="10.0.0.0/8"
                )
            ],
        )
        fleet.ecs_client.revoke_security_group(revoke)
        assert self.rules(fleet) == []
        fleet.ecs_client.revoke_security_group(revoke)

    def test_many_rules_come_in_pages(self, fleet):
        rules = [
            models.AuthorizeSecurityGroupRequestPermissions(
                ip_protocol="tcp", port_range=f"{port}/{port}", source_cidr_ip="10.0.0.0/8"
            )
            for port in range(1, 16)
        ]
        fleet.ecs_client.authorize_security_group(
            models.AuthorizeSecurityGroupRequest(
                region_id=REGION, security_group_id=fleet.group_id, permissions=rules
            )
        )
        asked = {"region_id": REGION, "security_group_id": fleet.group_id, "max_results": 5}
        first = fleet.ecs_client.describe_security_group_attribute(
            models.DescribeSecurityGroupAttributeRequest(**asked)
        ).body
        assert len(first.permissions.permission) == 10, "less is taken for 10"
        rest = fleet.ecs_client.describe_security_group_attribute(
            models.DescribeSecurityGroupAttributeRequest(**asked, next_token=first.next_token)
        ).body
        assert (len(rest.permissions.permission), rest.next_token) == (5, "")

    def test_egress_rules_are_apart(self, fleet):
        fleet.ecs_client.authorize_security_group_egress(
            models.AuthorizeSecurityGroupEgressRequest(
                region_id=REGION,
                security_group_id=fleet.group_id,
                ip_protocol="all",
                dest_cidr_ip="0.0.0.0/0",
                policy="drop",
            )
        )
        (rule,) = self.rules(fleet)
        assert (rule.direction, rule.dest_cidr_ip, rule.policy) == ("egress", "0.0.0.0/0", "Drop")
        fleet.ecs_client.revoke_security_group_egress(
            models.RevokeSecurityGroupEgressRequest(
                region_id=REGION,
                security_group_id=fleet.group_id,
                security_group_rule_id=[rule.security_group_rule_id],
            )
        )
        assert self.rules(fleet) == []

    @pytest.mark.parametrize(
        ("changes", "code", "status"),
        [
            ({"port_range_list_id": "prl-1"}, "UnsupportedOperation", 400),
            ({"ip_protocol": "sctp"}, "InvalidIpProtocol.ValueNotSupported", 400),
            ({"port_range": "9000/8000"}, "InvalidPortRange.Malformed", 400),
            ({"port_range": None}, "MissingParameter", 400),
            ({"source_cidr_ip": "10.0.0.0/40"}, "InvalidSourceCidrIp.Malformed", 400),
            ({"source_cidr_ip": None}, "MissingParameter", 400),
            ({"source_cidr_ip": None, "source_group_id": "sg-x"}, "InvalidSecurityGroupId.NotFound", 404),
            ({"priority": "101"}, "InvalidPriority.ValueNotSupported", 400),
            ({"policy": "maybe"}, "InvalidPolicy.ValueNotSupported", 400),
        ],
    )
    def test_wrong_rules_are_refused(self, fleet, changes, code, status):
        with refused(code, status):
            self.authorize(fleet, self.permission(**changes))

    def test_it_stays_while_an_instance_or_another_groups_rule_needs_it(self, fleet, ecs_client, vpc_client):
        delete = models.DeleteSecurityGroupRequest(region_id=REGION, security_group_id=fleet.group_id)
        (instance_id,) = fleet.run()
        with refused("DependencyViolation", 403):
            ecs_client.delete_security_group(delete)
        with refused("DependencyViolation.Instance"):
            vpc_client.delete_vswitch(vpc.DeleteVSwitchRequest(v_switch_id=fleet.vswitch_id))
        fleet.delete(instance_id)
        fleet.wait_status(instance_id, "gone")
        other = ecs_client.create_security_group(
            models.CreateSecurityGroupRequest(region_id=REGION, vpc_id=fleet.vpc_id)
        ).body.security_group_id
        ecs_client.authorize_security_group(
            models.AuthorizeSecurityGroupRequest(
                region_id=REGION,
                security_group_id=other,
                permissions=[self.permission(source_cidr_ip=None, source_group_id=fleet.group_id)],
            )
        )
        with refused("DependencyViolation", 403):
            ecs_client.delete_security_group(delete)
        ecs_client.delete_security_group(
            models.DeleteSecurityGroupRequest(region_id=REGION, security_group_id=other)
        )
        vpc_client.delete_vswitch(vpc.DeleteVSwitchRequest(v_switch_id=fleet.vswitch_id))
        with refused("DependencyViolation.SecurityGroup"):
            vpc_client.delete_vpc(vpc.DeleteVpcRequest(vpc_id=fleet.vpc_id))

    def test_names_and_policy_change(self, fleet):
        target = {"region_id": REGION, "security_group_id": fleet.group_id}
        client = fleet.ecs_client
        client.modify_security_group_attribute(
            models.ModifySecurityGroupAttributeRequest(**target, security_group_name="named")
        )
        client.modify_security_group_policy(
            models.ModifySecurityGroupPolicyRequest(**target, inner_access_policy="Drop")
        )
        attribute = client.describe_security_group_attribute(
            models.DescribeSecurityGroupAttributeRequest(**target)
        ).body
        assert (attribute.security_group_name, attribute.inner_access_policy) == ("named", "Drop")
        with refused("InvalidSecurityGroupId.NotFound", 404):
            client.describe_security_group_attribute(
                models.DescribeSecurityGroupAttributeRequest(region_id=REGION, security_group_id="sg-none")
            )


class TestOffer:
    def test_zones_types_and_images_of_a_region(self, ecs_client):
        regions = ecs_client.describe_regions(models.DescribeRegionsRequest()).body.regions.region
        assert "cn-hangzhou" in {region.region_id for region in regions}
        zones = ecs_client.describe_zones(models.DescribeZonesRequest(region_id=REGION)).body.zones.zone
        assert "cn-hangzhou-h" in {zone.zone_id for zone in zones}
        assert TYPE in zones[0].available_instance_types.instance_types
        types = ecs_client.describe_instance_types(
            models.DescribeInstanceTypesRequest(instance_types=[TYPE])
        ).body.instance_types.instance_type
        assert [(t.cpu_core_count, t.gpuamount) for t in types] == [(8, 1)]
        for bounds, is_there in (
            ({"minimum_cpu_core_count": 8, "maximum_cpu_core_count": 8, "minimum_gpuamount": 1}, True),
            ({"minimum_memory_size": 31.0}, False),
            ({"maximum_gpuamount": 4, "gpu_specs": ["NVIDIA A10"]}, True),
            ({"instance_categories": ["General-purpose"]}, False),
            ({"cpu_architectures": ["ARM"]}, False),
            ({"minimum_local_storage_amount": 1}, False),
        ):
            asked = models.DescribeInstanceTypesRequest(instance_types=[TYPE], **bounds)
            found = ecs_client.describe_instance_types(asked).body.instance_types.instance_type
            assert bool(found) is is_there, bounds
        with refused("UnsupportedOperation", text="MinimumInstancePpsRx"):
            ecs_client.describe_instance_types(
                models.DescribeInstanceTypesRequest(minimum_instance_pps_rx=1000)
            )
        with refused("InvalidParameter", text="MaxResults"):
            ecs_client.describe_instance_types(models.DescribeInstanceTypesRequest(max_results=1601))
        available = ecs_client.describe_available_resource(
            models.DescribeAvailableResourceRequest(
                region_id=REGION, destination_resource="InstanceType", instance_type=TYPE
            )
        ).body.available_zones.available_zone
        offered = available[0].available_resources.available_resource[0].supported_resources
        assert [r.value for r in offered.supported_resource] == [TYPE]
        images = ecs_client.describe_images(
            models.DescribeImagesRequest(region_id=REGION, image_owner_alias="system")
        ).body.images.image
        assert IMAGE in {image.image_id for image in images}
