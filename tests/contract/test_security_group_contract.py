"""Security groups and their rules, called through the vendor's SDK."""

from __future__ import annotations

import pytest
from alibabacloud_ecs20140526 import models
from alibabacloud_vpc20160428 import models as vpc
from contract_fleet import REGION
from contract_sdk import refused


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
            ({"source_cidr_ip": None}, "MissingParameter.Source", 400),
            ({"source_cidr_ip": None, "source_group_id": "sg-x"}, "InvalidSecurityGroupId.NotFound", 404),
            ({"priority": "101"}, "InvalidPriority.ValueNotSupported", 400),
            ({"policy": "maybe"}, "InvalidPolicy.ValueNotSupported", 400),
        ],
    )
    def test_wrong_rules_are_refused(self, fleet, changes, code, status):
        with refused(code, status):
            self.authorize(fleet, self.permission(**changes))

    def test_no_rule_names_its_own_group(self, fleet):
        with refused("InvalidParamter.Conflict", 403, "different from the SourceGroupId"):
            self.authorize(fleet, self.permission(source_cidr_ip=None, source_group_id=fleet.group_id))
        with refused("InvalidParamter.Conflict", 403, "different from the DestGroupId"):
            fleet.ecs_client.authorize_security_group_egress(
                models.AuthorizeSecurityGroupEgressRequest(
                    region_id=REGION,
                    security_group_id=fleet.group_id,
                    ip_protocol="all",
                    port_range="-1/-1",
                    dest_group_id=fleet.group_id,
                )
            )
        assert self.rules(fleet) == []

    def test_a_group_has_200_rules_of_which_a_call_brings_100(self, fleet):
        def permissions(first: int, number: int):
            return [self.permission(port_range=f"{port}/{port}") for port in range(first, first + number)]

        with refused("InvalidParameter", text="Permissions"):
            self.authorize(fleet, *permissions(1, 101))
        for first in (1, 101):
            self.authorize(fleet, *permissions(first, 100))
        with refused("AuthorizationLimitExceed", 403):
            self.authorize(fleet, *permissions(201, 1))

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
