"""What belongs to application load balancers is not changed while it takes an earlier change in."""

from __future__ import annotations

from alibabacloud_alb20200616 import models
from contract_application import Application
from contract_sdk import wait_for, wait_refusal
from contract_servers import ZONES


def test_a_server_group(application: Application) -> None:
    client = application.client

    def make() -> str:
        check = models.CreateServerGroupRequestHealthCheckConfig(health_check_enabled=False)
        request = models.CreateServerGroupRequest(
            vpc_id=application.vpc_id, server_group_name="new", health_check_config=check
        )
        application.group_ids.append(client.create_server_group(request).body.server_group_id)
        return application.group_ids[-1]

    def use(group_id: str) -> None:
        client.update_server_group_attribute(
            models.UpdateServerGroupAttributeRequest(server_group_id=group_id, server_group_name="other")
        )

    wait_refusal("IncorrectStatus.ServerGroup", make, use)


def test_an_access_control_list(application: Application) -> None:
    client = application.client

    def make() -> str:
        application.acl_ids.append(client.create_acl(models.CreateAclRequest(acl_name="new")).body.acl_id)
        return application.acl_ids[-1]

    def use(acl_id: str) -> None:
        entry = models.AddEntriesToAclRequestAclEntries(entry="10.0.0.0/8")
        client.add_entries_to_acl(models.AddEntriesToAclRequest(acl_id=acl_id, acl_entries=[entry]))

    wait_refusal("IncorrectStatus.Acl", make, use)


def test_a_load_balancer(application: Application) -> None:
    client = application.client

    def make() -> str:
        mappings = [
            models.CreateLoadBalancerRequestZoneMappings(v_switch_id=vswitch_id, zone_id=zone)
            for vswitch_id, zone in zip(application.vswitch_ids, ZONES, strict=True)
        ]
        bill = models.CreateLoadBalancerRequestLoadBalancerBillingConfig(pay_type="PostPay")
        request = models.CreateLoadBalancerRequest(
            address_type="Intranet",
            vpc_id=application.vpc_id,
            zone_mappings=mappings,
            load_balancer_name="new",
            load_balancer_edition="Standard",
            load_balancer_billing_config=bill,
        )
        application.balancer_ids.append(client.create_load_balancer(request).body.load_balancer_id)
        return application.balancer_ids[-1]

    def use(balancer_id: str) -> None:
        client.update_load_balancer_attribute(
            models.UpdateLoadBalancerAttributeRequest(
                load_balancer_id=balancer_id, load_balancer_name="other"
            )
        )

    wait_refusal("IncorrectStatus.LoadBalancer", make, use)


def test_a_listener(application: Application) -> None:
    client = application.client
    listener_id = application.listen(application.balance(), application.group())

    def change() -> str:
        """Change it in a way that asks for no new process of its load balancer, so that the next call is in time."""
        application.wait_running(listener_id)
        client.update_listener_log_config(models.UpdateListenerLogConfigRequest(listener_id=listener_id))
        return listener_id

    def use(listener_id: str) -> None:
        client.update_listener_attribute(
            models.UpdateListenerAttributeRequest(listener_id=listener_id, idle_timeout=30)
        )

    wait_refusal("IncorrectStatus.Listener", change, use)
    application.wait_running(listener_id)


def test_a_security_policy(application: Application) -> None:
    client, made = application.client, []

    def make() -> str:
        request = models.CreateSecurityPolicyRequest(
            security_policy_name="new",
            tlsversions=["TLSv1.2"],
            ciphers=["ECDHE-ECDSA-AES128-GCM-SHA256"],
        )
        made.append(client.create_security_policy(request).body.security_policy_id)
        return made[-1]

    def use(policy_id: str) -> None:
        client.update_security_policy_attribute(
            models.UpdateSecurityPolicyAttributeRequest(
                security_policy_id=policy_id, security_policy_name="other"
            )
        )

    wait_refusal("IncorrectStatus.SecurityPolicy", make, use)
    for policy_id in made:
        request = models.ListSecurityPoliciesRequest(security_policy_ids=[policy_id])
        wait_for(
            lambda request=request: (
                client.list_security_policies(request).body.security_policies[0].security_policy_status
            ),
            lambda status: status == "Available",
        )
        client.delete_security_policy(models.DeleteSecurityPolicyRequest(security_policy_id=policy_id))
