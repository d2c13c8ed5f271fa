"""Application load balancers for the contract tests, by the SDK, over servers that tell what they were asked."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass

from alibabacloud_alb20200616 import models
from alibabacloud_alb20200616.client import Client
from contract_sdk import wait_for
from contract_servers import ZONES

HTTP_PORT, GRPC_PORT = 8000, 9000
SCRIPT = """#!/usr/bin/env python3
import http.server, json, os, time, urllib.request
from concurrent.futures import ThreadPoolExecutor

import grpc

url = os.environ["STEELYARD_METADATA_URL"] + "/latest/meta-data/private-ipv4"
address = urllib.request.urlopen(url).read().decode()


checks = [""]  # The last check of health, as it came.


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path.startswith("/slow"):
            time.sleep(float(self.path.removeprefix("/slow")))
        if self.command == "PUT" and self.path.startswith("/health/"):
            health[0] = int(self.path.removeprefix("/health/"))
        if self.path == "/healthz":
            checks[:] = [f"{self.command} {self.request_version} {self.headers.get('Host')}"]
        seen = {"server": address, "method": self.command, "path": self.path, "check": checks[-1]}
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.dumps({**seen, "headers": headers}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_PUT = do_GET

    def log_message(self, *words):
        pass


health = [1]  # SERVING


def check(request, context):
    return bytes([8, health[0]])  # HealthCheckResponse{status: …}


def name(request, context):
    for word in request.split():
        yield address.encode() + b" " + word


server = grpc.server(ThreadPoolExecutor(4))
def echo(requests, context):
    for request in requests:
        yield address.encode() + b" " + request


def fail(request, context):
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today")


methods = {
    "grpc.health.v1.Health": {"Check": grpc.unary_unary_rpc_method_handler(check)},
    "test.Names": {
        "Name": grpc.unary_stream_rpc_method_handler(name),
        "Echo": grpc.stream_stream_rpc_method_handler(echo),
        "Fail": grpc.unary_unary_rpc_method_handler(fail),
    },
}
for service, handlers in methods.items():
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
server.add_insecure_port(f"{address}:9000")
server.start()
http.server.ThreadingHTTPServer((address, 8000), Handler).serve_forever()
"""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer through a load balancer."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def seen(self) -> dict:
        """What the server says that it was asked."""
        return json.loads(self.body)


class Application:
    """Application load balancers of a VPC, by the names of the tests' verbs; each change is waited for."""

    def __init__(self, client: Client, vpc_id: str, vswitch_ids: list[str]) -> None:
        self.client, self.vpc_id, self.vswitch_ids = client, vpc_id, vswitch_ids
        self.balancer_ids: list[str] = []
        self.group_ids: list[str] = []
        self.acl_ids: list[str] = []

    def balance(self, vswitch_ids=None, zones=ZONES, **settings) -> str:
        mappings = [
            models.CreateLoadBalancerRequestZoneMappings(v_switch_id=vswitch_id, zone_id=zone)
            for vswitch_id, zone in zip(vswitch_ids or self.vswitch_ids, zones, strict=True)
        ]
        request = models.CreateLoadBalancerRequest(
            **{
                "address_type": "Intranet",
                "vpc_id": self.vpc_id,
                "zone_mappings": mappings,
                "load_balancer_name": "front",
                "load_balancer_edition": "Standard",
                "load_balancer_billing_config": models.CreateLoadBalancerRequestLoadBalancerBillingConfig(
                    pay_type="PostPay"
                ),
                **settings,
            }
        )
        balancer_id = self.client.create_load_balancer(request).body.load_balancer_id
        self.balancer_ids.append(balancer_id)
        self.wait_active(balancer_id)
        return balancer_id

    def wait_active(self, balancer_id: str) -> None:
        wait_for(
            lambda: self.describe(balancer_id).load_balancer_status,
            lambda status: status == "Active",
        )

    def describe(self, balancer_id: str):
        request = models.GetLoadBalancerAttributeRequest(load_balancer_id=balancer_id)
        return self.client.get_load_balancer_attribute(request).body

    def address(self, balancer_id: str) -> str:
        return self.describe(balancer_id).dnsname

    def group(self, check=None, servers=None, port: int = HTTP_PORT, **settings) -> str:
        config = {
            "health_check_enabled": False,
            "health_check_interval": 1,
            "health_check_timeout": 5,  # What is gone refuses at once; a busy machine's servers are slow.
            "healthy_threshold": 2,
            "unhealthy_threshold": 2,
            **(check or {}),
        }
        request = models.CreateServerGroupRequest(
            **{
                "vpc_id": self.vpc_id,
                "server_group_name": "nodes",
                "health_check_config": models.CreateServerGroupRequestHealthCheckConfig(**config),
                **settings,
            }
        )
        group_id = self.client.create_server_group(request).body.server_group_id
        self.group_ids.append(group_id)
        self.wait_available(group_id)
        if servers:
            self.add(group_id, servers, port)
        return group_id

    def find_group(self, group_id: str):
        request = models.ListServerGroupsRequest(server_group_ids=[group_id])
        return self.client.list_server_groups(request).body.server_groups[0]

    def wait_available(self, group_id: str) -> None:
        wait_for(lambda: self.find_group(group_id).server_group_status, lambda status: status == "Available")

    def add(self, group_id: str, weights: dict[str, int | None], port: int = HTTP_PORT, **settings):
        servers = [
            models.AddServersToServerGroupRequestServers(
                **{"server_id": one, "server_type": "Ecs", "port": port, "weight": weight, **settings}
            )
            for one, weight in weights.items()
        ]
        request = models.AddServersToServerGroupRequest(server_group_id=group_id, servers=servers)
        job_id = self.client.add_servers_to_server_group(request).body.job_id
        self.wait_available(group_id)
        return job_id

    def weigh(self, group_id: str, weights: dict[str, int], port: int = HTTP_PORT) -> None:
        servers = [
            models.UpdateServerGroupServersAttributeRequestServers(
                server_id=one, server_type="Ecs", port=port, weight=weight
            )
            for one, weight in weights.items()
        ]
        self.client.update_server_group_servers_attribute(
            models.UpdateServerGroupServersAttributeRequest(server_group_id=group_id, servers=servers)
        )
        self.wait_available(group_id)

    def remove(self, group_id: str, *server_ids: str, port: int = HTTP_PORT) -> None:
        servers = [
            models.RemoveServersFromServerGroupRequestServers(server_id=one, server_type="Ecs", port=port)
            for one in server_ids
        ]
        self.client.remove_servers_from_server_group(
            models.RemoveServersFromServerGroupRequest(server_group_id=group_id, servers=servers)
        )
        self.wait_available(group_id)

    def servers(self, group_id: str):
        request = models.ListServerGroupServersRequest(server_group_id=group_id)
        return {one.server_id: one for one in self.client.list_server_group_servers(request).body.servers}

    def change_group(self, group_id: str, **settings) -> None:
        self.client.update_server_group_attribute(
            models.UpdateServerGroupAttributeRequest(server_group_id=group_id, **settings)
        )
        self.wait_available(group_id)

    def delete_group(self, group_id: str) -> str:
        request = models.DeleteServerGroupRequest(server_group_id=group_id)
        return self.client.delete_server_group(request).body.job_id

    def listen(self, balancer_id: str, group_id: str, port: int = 8080, **settings) -> str:
        request = models.CreateListenerRequest(
            **{
                "load_balancer_id": balancer_id,
                "listener_port": port,
                "listener_protocol": "HTTP",
                "default_actions": [forward(models.CreateListenerRequestDefaultActions, group_id)],
                **settings,
            }
        )
        listener_id = self.client.create_listener(request).body.listener_id
        self.wait_running(listener_id)
        return listener_id

    def describe_listener(self, listener_id: str):
        request = models.GetListenerAttributeRequest(listener_id=listener_id)
        return self.client.get_listener_attribute(request).body

    def wait_running(self, listener_id: str, status: str = "Running") -> None:
        wait_for(lambda: self.describe_listener(listener_id).listener_status, lambda seen: seen == status)

    def rule(self, listener_id: str, priority: int, conditions, actions, name: str = "rule") -> str:
        request = models.CreateRuleRequest().from_map(
            {
                "ListenerId": listener_id,
                "RuleName": name,
                "Priority": priority,
                "RuleConditions": conditions,
                "RuleActions": actions,
            }
        )
        rule_id = self.client.create_rule(request).body.rule_id
        self.wait_running(listener_id)
        return rule_id

    def rules(self, listener_id: str):
        return self.client.list_rules(models.ListRulesRequest(listener_ids=[listener_id])).body.rules

    def job(self, job_id: str):
        jobs = self.client.list_asyn_jobs(models.ListAsynJobsRequest(job_ids=[job_id])).body.jobs
        return jobs[0] if jobs else None

    def wait_job(self, job_id: str) -> None:
        wait_for(lambda: self.job(job_id).status, lambda status: status == "Succeeded")

    def acl(self, *ranges: str) -> str:
        acl_id = self.client.create_acl(models.CreateAclRequest(acl_name="clients")).body.acl_id
        self.acl_ids.append(acl_id)
        self.wait_acl(acl_id)
        if ranges:
            self.add_ranges(acl_id, *ranges)
        return acl_id

    def add_ranges(self, acl_id: str, *ranges: str) -> None:
        entries = [models.AddEntriesToAclRequestAclEntries(entry=one) for one in ranges]
        self.client.add_entries_to_acl(models.AddEntriesToAclRequest(acl_id=acl_id, acl_entries=entries))
        self.wait_acl(acl_id)

    def wait_acl(self, acl_id: str) -> None:
        request = models.ListAclsRequest(acl_ids=[acl_id])
        wait_for(
            lambda: self.client.list_acls(request).body.acls[0].acl_status,
            lambda status: status == "Available",
        )

    def unhealthy(self, listener_id: str) -> dict[str, str]:
        """Give the servers of a listener's own group that are not healthy, and what is said of them."""
        request = models.GetListenerHealthStatusRequest(listener_id=listener_id)
        entry = self.client.get_listener_health_status(request).body.listener_health_status[0]
        return {one.server_id: one for one in entry.server_group_infos[0].non_normal_servers}

    def wait_healthy(self, listener_id: str) -> None:
        wait_for(lambda: self.unhealthy(listener_id), lambda servers: not servers)

    def delete(self, balancer_id: str) -> str:
        request = models.DeleteLoadBalancerRequest(load_balancer_id=balancer_id)
        return self.client.delete_load_balancer(request).body.job_id

    def clear(self) -> None:
        listed = self.client.list_load_balancers(
            models.ListLoadBalancersRequest(load_balancer_ids=self.balancer_ids, max_results=100)
        ).body.load_balancers
        for balancer in listed if self.balancer_ids else []:
            self.wait_active(balancer.load_balancer_id)
            self.delete(balancer.load_balancer_id)
        request = models.ListServerGroupsRequest(server_group_ids=self.group_ids, max_results=100)
        for group in self.client.list_server_groups(request).body.server_groups if self.group_ids else []:
            self.wait_available(group.server_group_id)
            self.delete_group(group.server_group_id)
        request = models.ListAclsRequest(acl_ids=self.acl_ids, max_results=100)
        for acl in self.client.list_acls(request).body.acls if self.acl_ids else []:
            self.wait_acl(acl.acl_id)
            self.client.delete_acl(models.DeleteAclRequest(acl_id=acl.acl_id))


def forward(action_class, group_id: str):
    """Give the default action of a listener, of the class that the request wants."""
    return action_class().from_map(
        {
            "Type": "ForwardGroup",
            "ForwardGroupConfig": {"ServerGroupTuples": [{"ServerGroupId": group_id}]},
        }
    )


def forward_to(*targets: str | tuple[str, int], order: int = 10) -> dict:
    """Give the action of a rule that sends requests to server groups."""
    tuples = [
        {"ServerGroupId": one} if isinstance(one, str) else {"ServerGroupId": one[0], "Weight": one[1]}
        for one in targets
    ]
    return {"Type": "ForwardGroup", "Order": order, "ForwardGroupConfig": {"ServerGroupTuples": tuples}}


def when(kind: str, *values, **config) -> dict:
    """Give a condition of a rule."""
    return {"Type": kind, f"{kind}Config": {"Values": list(values), **config}}


def ask(
    address: str,
    port: int = 8080,
    path: str = "/",
    method: str = "GET",
    headers: dict[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
    source: str = "127.0.0.1",
    timeout_s: float = 5,
) -> Answer:
    """Send one request on a connection of its own."""
    settings = {"timeout": timeout_s, "source_address": (source, 0)}
    connection = (
        http.client.HTTPSConnection(address, port, context=tls, **settings)
        if tls is not None
        else http.client.HTTPConnection(address, port, **settings)
    )
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        body = answer.read().decode()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(status=answer.status, headers=found, body=body)
    finally:
        connection.close()
