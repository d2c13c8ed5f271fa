"""An application load balancer that stands before two servers for a whole module, and what its rules do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from alibabacloud_alb20200616 import models
from alibabacloud_alb20200616.client import Client
from contract_application import HTTP_PORT, SCRIPT, Application, ask
from contract_sdk import sdk_config, wait_for
from contract_servers import Servers

from steelyard.localcloud.daemon import CloudInfo


@dataclass(frozen=True, kw_only=True)
class Front:
    """A load balancer that stands for a whole module, and two servers.

    Attributes:
        first: Id of the first server; `addresses` has its address.
        second: Id of the second.
    """

    application: Application
    balancer_id: str
    address: str
    first: str
    second: str
    addresses: dict[str, str]


@contextmanager
def standing_front(cloud: CloudInfo, servers: Servers) -> Iterator[Front]:
    """Boot the servers and make the load balancer, and clear everything away afterwards."""
    fleet = servers.fleet
    first, second = fleet.run(SCRIPT, amount=2)
    application = Application(Client(sdk_config(cloud)), fleet.vpc_id, list(servers.vswitch_ids))
    balancer_id = application.balance()
    yield Front(
        application=application,
        balancer_id=balancer_id,
        address=application.address(balancer_id),
        first=first,
        second=second,
        addresses={one: fleet.address(one) for one in (first, second)},
    )
    application.clear()
    for one in (first, second):
        fleet.delete(one)
        fleet.wait_status(one, "gone")


def wait_for_servers(front: Front) -> None:
    """Wait until both servers answer."""
    for address in front.addresses.values():
        wait_for(lambda address=address: _answers(address), bool)


def _answers(address: str) -> bool:
    try:
        return ask(address, HTTP_PORT).status == 200
    except OSError:
        return False


def delete_listeners(front: Front) -> None:
    """Leave the load balancer without listeners."""
    client = front.application.client
    request = models.ListListenersRequest(load_balancer_ids=[front.balancer_id])
    for listener in client.list_listeners(request).body.listeners:
        front.application.wait_running(listener.listener_id)
        client.delete_listener(models.DeleteListenerRequest(listener_id=listener.listener_id))


def groups_of_one(front: Front, **settings) -> tuple[str, str]:
    """Make a server group of each of the two servers."""
    make = front.application.group
    return make(servers={front.first: 100}, **settings), make(servers={front.second: 100}, **settings)


def header(key: str, value: str, value_type: str, order: int) -> dict:
    config = {"Key": key, "Value": value, "ValueType": value_type}
    return {"Type": "InsertHeader", "Order": order, "InsertHeaderConfig": config}


def limit(order: int = 1, **bounds: int) -> dict:
    return {"Type": "TrafficLimit", "Order": order, "TrafficLimitConfig": bounds}


def fixed_reply(code: str, content: str = "x") -> dict:
    config = {"HttpCode": code, "ContentType": "text/plain", "Content": content}
    return {"Type": "FixedResponse", "Order": 1, "FixedResponseConfig": config}
