"""The life of instances, and their release; by the vendor's SDK."""

from __future__ import annotations

import base64
import gzip
import os
import signal
import urllib.request
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from alibabacloud_ecs20140526 import models
from contract_fleet import IMAGE, TYPE
from contract_sdk import refused, wait_for
from own_range import served


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
        assert fleet.address(instance_id).startswith(served("0."))
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

        console = wait_for(lambda: fleet.console(instance_id), lambda text: "\nend\n" in text)

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

    def test_user_data_is_told_to_the_instance_byte_by_byte(self, fleet, local_cloud):
        given = gzip.compress(b"#cloud-config\n{}\n")
        (instance_id,) = fleet.run(user_data=base64.b64encode(given).decode())
        url = f"http://{local_cloud.endpoint}/metadata/{instance_id}/latest/user-data"
        with urllib.request.urlopen(url, timeout=10) as told:
            assert told.read() == given

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
        with suppress(psutil.Error):  # Others come and go.
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
