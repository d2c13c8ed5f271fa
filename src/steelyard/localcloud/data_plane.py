"""What carries a load balancer's traffic: an HAProxy, and a process of its own for datagrams."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from steelyard.errors import LocalCloudError
from steelyard.localcloud.datagram.balancer import DatagramBalancer
from steelyard.localcloud.datagram.plan import Place
from steelyard.localcloud.hosts.supervised import AT_LARGE, Placement
from steelyard.localcloud.proxy.balancer import ProxyBalancer
from steelyard.localcloud.proxy.config import ProxyConfig
from steelyard.localcloud.traffic.server_status import ServerStatus

DATAGRAMS_SUFFIX = "-datagrams"
"""How the name of the folder ends that the process for datagrams has."""

_log = logging.getLogger(__name__)


class DataPlane:
    """Keeps the processes of one load balancer at what a configuration says; each runs while there is work for it.

    Args:
        name: The load balancer's id.
        directory: Folder of HAProxy's files; the other process has one beside it.
        placement: Where the processes live.
        claim_files: Gives copies of the claims of addresses, which the processes' supervisors hold.
    """

    def __init__(
        self,
        name: str,
        directory: Path,
        placement: Placement = AT_LARGE,
        claim_files: Callable[[Sequence[str]], Sequence[int]] = lambda addresses: (),
    ) -> None:
        self._addresses: Sequence[str] = ()
        """Those whose claims the supervisors of the processes hold."""
        placement = replace(placement, claims=lambda: claim_files(self._addresses))
        self._proxy = ProxyBalancer(name, directory, placement)
        self._datagrams = DatagramBalancer(name, directory.with_name(f"{name}{DATAGRAMS_SUFFIX}"), placement)
        self._config: ProxyConfig | None = None

    def apply(self, config: ProxyConfig) -> None:
        """Bring the processes to a configuration, and wait until it is in force.

        Raises:
            LocalCloudError: If one of them cannot be brought to it; what was in force before still is.
        """
        before, self._addresses = self._addresses, config.addresses
        try:
            self._bring(config)
        except LocalCloudError:
            self._addresses = before
            raise
        if set(before) != set(config.addresses):
            self._proxy.hold_claims()
            self._datagrams.hold_claims()

    def _bring(self, config: ProxyConfig) -> None:
        self._proxy.apply(config)
        places = [
            *(Place(address=address) for address in config.addresses),
            *(Place(address=one.address, namespace=one.namespace) for one in config.inner),
        ]
        try:
            self._datagrams.apply(places, config.datagrams)
        except LocalCloudError:
            self._restore()
            raise
        self._config = config

    def statuses(self) -> Mapping[tuple[str, str], ServerStatus]:
        """Return the status of each server by pool's and server's name.

        Raises:
            LocalCloudError: If a process does not answer.
        """
        return {**self._proxy.statuses(), **self._datagrams.statuses()}

    def stop(self) -> None:
        """End the processes with all of their connections, and wait until they are gone."""
        self._proxy.stop()
        self._datagrams.stop()

    def discard(self) -> None:
        """Stop, and remove the files."""
        self._proxy.discard()
        self._datagrams.discard()

    def _restore(self) -> None:
        """Bring HAProxy back to what was in force, after the other process refused a change."""
        try:
            self._proxy.apply(self._config or ProxyConfig(addresses=()))
        except LocalCloudError as err:
            _log.error("HAProxy is ahead of the process for datagrams: %s", err)
