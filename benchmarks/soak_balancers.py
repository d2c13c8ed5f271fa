"""The load balancers of `soak.py`."""

from __future__ import annotations

import contextlib
import http.client
import json
import uuid
from contextlib import ExitStack

from alibabacloud_nlb20220430 import models as nlb
from alibabacloud_nlb20220430.client import Client as NlbClient
from alibabacloud_slb20140515 import models as slb
from alibabacloud_slb20140515.client import Client as SlbClient
from soak_caller import REGION
from soak_place import PORT, ZONES, Actor

NUM_REQUESTS = 5


class Balancers(Actor):
    """Load balancers that come and go, and one that stays; requests, and servers' weights that change."""

    def turn(self) -> None:
        self._classic()
        self._network()

    def _classic(self) -> None:
        client = SlbClient(self.caller.config())
        made = self.call(
            client.create_load_balancer,
            slb.CreateLoadBalancerRequest(
                region_id=REGION,
                v_switch_id=self.place.machines.vswitch_ids[0],
                address_type="intranet",
                instance_charge_type="PayByCLCU",
                client_token=uuid.uuid4().hex,
            ),
        )
        try:
            group_id = self.call(
                client.create_vserver_group,
                slb.CreateVServerGroupRequest(
                    region_id=REGION,
                    load_balancer_id=made.load_balancer_id,
                    vserver_group_name="nodes",
                    backend_servers=self._backends(100, 100),
                ),
            ).vserver_group_id
            self._listen(client, made.load_balancer_id, group_id)
            self.ask(made.address)
            for weights in ((100, 0), (30, 60)):
                self.call(
                    client.set_vserver_group_attribute,
                    slb.SetVServerGroupAttributeRequest(
                        region_id=REGION,
                        vserver_group_id=group_id,
                        backend_servers=self._backends(*weights),
                    ),
                )
                self.ask(made.address)
            self.call(
                client.set_load_balancer_httplistener_attribute,
                slb.SetLoadBalancerHTTPListenerAttributeRequest(
                    region_id=REGION,
                    load_balancer_id=made.load_balancer_id,
                    listener_port=PORT,
                    idle_timeout=20,
                ),
            )
            self.ask(made.address)
        finally:
            self.call(
                client.delete_load_balancer,
                slb.DeleteLoadBalancerRequest(load_balancer_id=made.load_balancer_id),
            )

    def _listen(self, client: SlbClient, load_balancer_id: str, group_id: str) -> None:
        self.call(
            client.create_load_balancer_httplistener,
            slb.CreateLoadBalancerHTTPListenerRequest(
                region_id=REGION,
                load_balancer_id=load_balancer_id,
                listener_port=PORT,
                bandwidth=-1,
                vserver_group_id=group_id,
                sticky_session="off",
                health_check="on",
                health_check_uri="/",
                health_check_interval=1,
                health_check_timeout=1,
                healthy_threshold=2,
                unhealthy_threshold=2,
            ),
        )
        self.call(
            client.start_load_balancer_listener,
            slb.StartLoadBalancerListenerRequest(
                region_id=REGION,
                load_balancer_id=load_balancer_id,
                listener_port=PORT,
                listener_protocol="http",
            ),
        )
        asked = slb.DescribeHealthStatusRequest(
            region_id=REGION, load_balancer_id=load_balancer_id, listener_port=PORT
        )
        self.caller.wait_for(
            lambda: all(
                server.server_health_status == "normal"
                for server in self.call(client.describe_health_status, asked).backend_servers.backend_server
            ),
            f"the health of {load_balancer_id}'s servers",
        )

    def _backends(self, *weights: int) -> str:
        servers = zip(self.place.server_ids, weights, strict=True)
        return json.dumps([{"ServerId": one, "Port": PORT, "Weight": weight} for one, weight in servers])

    def _network(self) -> None:
        client = NlbClient(self.caller.config())
        machines = self.place.machines
        zones = [
            nlb.CreateLoadBalancerRequestZoneMappings(v_switch_id=one, zone_id=zone)
            for one, zone in zip(machines.vswitch_ids, ZONES, strict=True)
        ]
        made = self.call(
            client.create_load_balancer,
            nlb.CreateLoadBalancerRequest(
                region_id=REGION, address_type="Intranet", vpc_id=machines.vpc_id, zone_mappings=zones
            ),
        ).loadbalancer_id
        with ExitStack() as stack:
            group_id = self._server_group(client, stack)
            stack.callback(
                self.call,
                client.delete_load_balancer,
                nlb.DeleteLoadBalancerRequest(region_id=REGION, load_balancer_id=made),
            )
            asked = nlb.GetLoadBalancerAttributeRequest(region_id=REGION, load_balancer_id=made)
            self.caller.wait_for(
                lambda: self.call(client.get_load_balancer_attribute, asked).load_balancer_status == "Active",
                f"the load balancer {made}",
            )
            self.call(
                client.create_listener,
                nlb.CreateListenerRequest(
                    region_id=REGION,
                    load_balancer_id=made,
                    listener_protocol="TCP",
                    listener_port=PORT,
                    server_group_id=group_id,
                    client_token=uuid.uuid4().hex,
                ),
            )
            self.ask(self.call(client.get_load_balancer_attribute, asked).dnsname)

    def _server_group(self, client: NlbClient, stack: ExitStack) -> str:
        unchecked = nlb.CreateServerGroupRequestHealthCheckConfig(health_check_enabled=False)
        group_id = self.call(
            client.create_server_group,
            nlb.CreateServerGroupRequest(
                region_id=REGION,
                vpc_id=self.place.machines.vpc_id,
                server_group_name="nodes",
                health_check_config=unchecked,
            ),
        ).server_group_id
        stack.callback(
            self.call,
            client.delete_server_group,
            nlb.DeleteServerGroupRequest(region_id=REGION, server_group_id=group_id),
        )
        servers = [
            nlb.AddServersToServerGroupRequestServers(server_id=one, server_type="Ecs", port=PORT, weight=100)
            for one in self.place.server_ids
        ]
        self.call(
            client.add_servers_to_server_group,
            nlb.AddServersToServerGroupRequest(region_id=REGION, server_group_id=group_id, servers=servers),
        )
        return str(group_id)

    def ask(self, address: str) -> None:
        """Make HTTP requests, each on a connection of its own."""
        for _ in range(NUM_REQUESTS):
            connection = http.client.HTTPConnection(address, PORT, timeout=10)
            with contextlib.closing(connection):
                connection.request("GET", "/")
                answer = connection.getresponse()
                answer.read()
            assert answer.status == 200, f"the load balancer at {address} answered {answer.status}"
            self.caller.tally.requests += 1
