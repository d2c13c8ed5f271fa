from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import check, errors
from steelyard.localcloud.services.ecs.cpu_option import read_cpu_options
from steelyard.localcloud.services.ecs.instance_actions import InstanceActions, refuse_released
from steelyard.localcloud.services.ecs.models import RUNNING, STOPPED, Instance
from steelyard.localcloud.services.ecs.run_actions import RunActions
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served

_UNSERVED = (
    "CreditSpecification",
    "NetworkInterfaceQueueNumber",
    "EnableNetworkEncryption",
    "PrivateDnsNameOptions",
    "RemoteConnectionOptions",
)


class AttributeActions(InstanceActions, RunActions):
    """Changes of instances, and the RAM roles that they act in."""

    @action("ModifyInstanceAttribute")
    def modify_instance_attribute(self, request: Request) -> dict[str, object]:
        """Change an instance's names, description, protection, groups, user data or, while it is stopped, cores."""
        instance = self.instance(request)
        refuse_released(instance)
        request.refuse_unserved(*_UNSERVED)
        check.read_password(request)
        if request.params.get("CpuOptions") and instance.status != STOPPED:
            raise errors.incorrect_status(instance.status)
        if "EnableJumboFrame" in request.params and instance.status not in (RUNNING, STOPPED):
            raise errors.incorrect_status(instance.status)
        group_ids = request.texts("SecurityGroupIds")
        self.instances.put(
            replace(
                instance,
                name=check.read_name(request, "InstanceName", instance.name),
                host_name=check.read_host_name(request, instance.host_name),
                description=check.read_description(request, instance.description),
                has_deletion_protection=request.flag("DeletionProtection", instance.has_deletion_protection),
                user_data=check.read_user_data(request, instance.user_data),
                has_jumbo_frame=request.flag("EnableJumboFrame", instance.has_jumbo_frame),
                **read_cpu_options(request, instance.instance_type, instance.cpu_options),
                security_group_ids=self.member_groups(group_ids, instance.vpc_id)
                if group_ids
                else instance.security_group_ids,
            )
        )
        return {}

    @action("ModifyInstanceMetadataOptions")
    def modify_instance_metadata_options(self, request: Request) -> dict[str, object]:
        """Change who may ask the metadata service, from the next request on."""
        instance = self.instance(request)
        refuse_released(instance)
        if request.text("InstanceMetadataTags", "disabled") != "disabled":
            raise not_served("tags in the metadata of instances (InstanceMetadataTags)")
        endpoint = check.read_choice(request, "HttpEndpoint", ("enabled", "disabled"), instance.http_endpoint)
        tokens = check.read_choice(request, "HttpTokens", ("optional", "required"), instance.http_tokens)
        hop_limit = request.number("HttpPutResponseHopLimit", instance.http_hop_limit)
        if not 1 <= hop_limit <= 64:
            raise invalid_parameter("HttpPutResponseHopLimit", hop_limit, "from 1 to 64")
        self.instances.put(
            replace(instance, http_endpoint=endpoint, http_tokens=tokens, http_hop_limit=hop_limit)
        )
        return {}

    @action("DescribeInstanceRamRole")
    def describe_instance_ram_role(self, request: Request) -> dict[str, object]:
        """List the roles of instances, by instances or by role."""
        role_name = request.text("RamRoleName")
        if request.text("InstanceIds"):
            found = self.named_instances(request)
        elif role_name:
            found = [instance for instance in self.in_region(request) if instance.ram_role_name]
        else:
            raise missing_parameter("InstanceIds")
        found = [instance for instance in found if role_name in ("", instance.ram_role_name)]
        page, head = number_page(request, found)
        rows = [_role_row(instance) for instance in page]
        return {**head, "RegionId": request.region_id, "InstanceRamRoleSets": {"InstanceRamRoleSet": rows}}

    @action("AttachInstanceRamRole")
    def attach_instance_ram_role(self, request: Request) -> dict[str, object]:
        """Let instances act in a role; the answer tells for each whether it could be done."""
        role_name = request.text("RamRoleName")
        self.check_role(role_name)
        results = []
        for instance in self._all_named(request):
            if instance.ram_role_name not in ("", role_name):
                results.append(
                    _result(
                        instance.id,
                        "InvalidOperation.RamRoleExist",
                        "The instance already has the RAM role.",
                    )
                )
                continue
            self.instances.put(replace(instance, ram_role_name=role_name))
            results.append(_result(instance.id, "200", "success"))
        return {
            "RamRoleName": role_name,
            "TotalCount": len(results),
            "FailCount": sum(not result["Success"] for result in results),
            "AttachInstanceRamRoleResults": {"AttachInstanceRamRoleResult": results},
        }

    @action("DetachInstanceRamRole")
    def detach_instance_ram_role(self, request: Request) -> dict[str, object]:
        """Take instances' role away; one that has none, or another one, is left alone."""
        role_name = request.text("RamRoleName")
        results = []
        for instance in self._all_named(request):
            if role_name in ("", instance.ram_role_name):
                self.instances.put(replace(instance, ram_role_name=""))
            rows = {"InstanceRamRoleSet": [_role_row(instance)]}
            results.append({**_result(instance.id, "200", "success"), "InstanceRamRoleSets": rows})
        return {
            "RamRoleName": role_name,
            "TotalCount": len(results),
            "FailCount": 0,
            "DetachInstanceRamRoleResults": {"DetachInstanceRamRoleResult": results},
        }

    def _all_named(self, request: Request) -> list[Instance]:
        instances = self.named_instances(request)
        if not instances:
            raise errors.instance_not_found()
        return instances


def _role_row(instance: Instance) -> dict[str, object]:
    return {"InstanceId": instance.id, "RamRoleName": instance.ram_role_name}


def _result(instance_id: str, code: str, message: str) -> dict[str, object]:
    return {"InstanceId": instance_id, "Code": code, "Message": message, "Success": code == "200"}
