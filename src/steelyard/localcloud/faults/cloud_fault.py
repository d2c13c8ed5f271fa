"""Faults of the cloud itself: calls that fail, types that are sold out, a zone without power."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import partial
from typing import ClassVar, Protocol, runtime_checkable

from steelyard.errors import LocalCloudError
from steelyard.localcloud.faults.fault import Fault, Order, invalid_fault
from steelyard.localcloud.faults.instance_fault import InstanceFault
from steelyard.localcloud.faults.kind import FaultKind
from steelyard.localcloud.service import ApiError, Request
from steelyard.localcloud.services.ecs.models import (
    PENDING,
    RUNNING,
    STARTING,
    STOPPED,
    STOPPING,
    Instance,
)
from steelyard.spec.catalogue import INSTANCE_TYPES, REGIONS

_log = logging.getLogger(__name__)

_MAX_COUNT = 1_000_000
_THROTTLED = "Request was denied due to user flow control."
_TOO_MANY = "The request rate is above the limit of OSS. Reduce it."
_FAILED = "The request processing has failed because a fault was asked for (steelyard cloud fault)."


class Failure(FaultKind):
    """Calls of an action fail, for a while or for a number of times.

    The target is the action's name, or as policies have it `<product>:<action>`, since products share names.

    Settings:
        code: The error's code.
        status: HTTP status of the answer.
        message: What the error says.
        times: How many calls fail; 0 for all.
    """

    name = "fail"
    settings: ClassVar[frozenset[str]] = frozenset({"code", "status", "message", "times"})
    survives_restart = True
    _code, _status, _message = "ServiceUnavailable", 503, _FAILED
    _by_product: ClassVar[Mapping[str, tuple[str, str, int]]] = {}

    def begin(self, order: Order) -> tuple[Mapping[str, object], bool]:
        """Let them fail from now on."""
        services = self.cloud.services.values()
        calls = [(service.code, name) for service in services for name in service.call_names()]
        if not any(_is_meant(order.target, product, name) for product, name in calls):
            near = get_close_matches(order.target, {name for _, name in calls}, n=1)
            meant = f"; was {near[0]} meant?" if near else "; `*` stands for any letters"
            raise invalid_fault(f"this cloud serves no action {order.target!r}{meant}")
        return {
            "code": order.text("code", self._code),
            "status": int(order.number("status", self._status, 400, 599)),
            "message": order.text("message", self._message),
            "times": int(order.number("times", 0, 0, _MAX_COUNT)),
            "num_failed": 0,
        }, True

    def end(self, target: str, settings: Mapping[str, object]) -> None:
        """Do nothing: calls fail only while it is kept."""

    def before_call(
        self, target: str, settings: Mapping[str, object], product: str, request: Request
    ) -> ApiError | None:
        """Give the error, if the action is meant."""
        if not _is_meant(target, product, request.action):
            return None
        if product in self._by_product and settings["code"] == self._code:
            return ApiError(*self._by_product[product])
        return ApiError(str(settings["code"]), str(settings["message"]), int(str(settings["status"])))


class Throttle(Failure):
    """Calls of an action are throttled, for a while or for a number of times; clients wait and call again.

    Settings: those of `fail`; the code and the status are the product's own unless others are given.
    """

    name = "throttle"
    _code, _status, _message = "Throttling.User", 400, _THROTTLED
    # OSS answers 503 (help page "OSS throttling"); the code is from memory.
    _by_product: ClassVar[Mapping[str, tuple[str, str, int]]] = {"oss": ("QpsLimitExceeded", _TOO_MANY, 503)}


def _is_meant(target: str, product: str, action: str) -> bool:
    return fnmatchcase(action, target) or fnmatchcase(f"{product}:{action}", target)


class SoldOut(InstanceFault):
    """An instance type is out of stock, in a zone or in all of the cloud's region.

    Settings:
        zone: The zone; all zones of the cloud's region where it is not given.
        left: How many instances there are at most, those that stand included; 0 where it is not given.
    """

    name = "stock"
    settings: ClassVar[frozenset[str]] = frozenset({"zone", "left"})
    survives_restart = True

    def begin(self, order: Order) -> tuple[Mapping[str, object], bool]:
        """Limit the stock."""
        if order.target not in INSTANCE_TYPES:
            near = get_close_matches(order.target, INSTANCE_TYPES, n=3)
            others = f"; there are {', '.join(near)}" if near else ""
            raise invalid_fault(f"there is no instance type {order.target!r}{others}")
        zones = [order.text("zone", "")] if "zone" in order.settings else self._zones()
        if unknown := [zone for zone in zones if zone not in self._zones()]:
            raise invalid_fault(f"there is no zone {unknown[0]!r}; there are {', '.join(self._zones())}")
        left = int(order.number("left", 0, 0, _MAX_COUNT))
        self._limit(order.target, zones, left)
        return {"zones": zones, "left": left}, True

    def end(self, target: str, settings: Mapping[str, object]) -> None:
        """Lift the limit."""
        self._limit(target, _zones_of(settings), None)

    def is_void(self, target: str, settings: Mapping[str, object]) -> bool:
        """Never: a limit stays until it is lifted."""
        return False

    def take_over(
        self, target: str, before: Mapping[str, object], now: Mapping[str, object]
    ) -> Mapping[str, object]:
        """Lift the limits of zones that are limited no more."""
        self._limit(target, [zone for zone in _zones_of(before) if zone not in _zones_of(now)], None)
        return now

    def tidy(self, faults: Sequence[Fault]) -> None:
        """Lift the limits that no fault has set."""
        for instance_type, zone in self.ecs.stock.limits() if "ecs" in self.cloud.services else ():
            if not any(one.target == instance_type and zone in _zones_of(one.settings) for one in faults):
                self._limit(instance_type, [zone], None)

    def _limit(self, instance_type: str, zones: list[str], left: int | None) -> None:
        with self.cloud.transaction():
            for zone in zones:
                self.ecs.stock.limit(instance_type, zone, left)

    def _zones(self) -> list[str]:
        return list(REGIONS[self.cloud.identity.region_id])


def _zones_of(settings: Mapping[str, object]) -> list[str]:
    zones = settings["zones"]
    assert isinstance(zones, list)
    return zones


@runtime_checkable
class ZoneTenant(Protocol):
    """A service of which something stands in zones besides instances (slb, nlb, alb)."""

    def follow_zone(self, zone_id: str, *, has_power: bool) -> None:
        """Take note that a zone has lost its power, or has it again."""


class ZoneOut(InstanceFault):
    """A zone loses its power: its instances die, and none can be started there until it is back.

    Load balancers lose their addresses in the zone, or move to their secondary zone. When it ends, the instances that
    died of it are booted again, as the cloud does.
    """

    name = "zone"
    survives_restart = True

    def begin(self, order: Order) -> tuple[Mapping[str, object], bool]:
        """Close the zone, and kill what runs in it."""
        zones = [zone for zones in REGIONS.values() for zone in zones]
        if order.target not in zones:
            own = REGIONS[self.cloud.identity.region_id]
            raise invalid_fault(f"there is no zone {order.target!r}; there are {', '.join(own)}")
        with self.cloud.transaction():
            self.ecs.stock.close_zone(order.target)
            struck = [one for one in self.ecs.instances.list() if one.zone_id == order.target and _is_up(one)]
            for instance in struck:
                self.ecs.life.strike(instance)
        settings: Mapping[str, object] = {"struck": [one.id for one in struck]}
        try:
            self._put_out(order.target, struck)
        except BaseException:
            self.end(order.target, settings)
            raise
        return settings, True

    def _put_out(self, zone_id: str, struck: Sequence[Instance]) -> None:
        try:
            self._tell_tenants(zone_id, has_power=False)
        finally:
            for instance in struck:
                if instance.status == STOPPING:
                    continue  # It is rebooted, and ends already.
                try:
                    self.ecs.life.kill(instance.id)
                except LocalCloudError as err:
                    _log.error("%s does not end with its zone: %s", instance.id, err)

    def end(self, target: str, settings: Mapping[str, object]) -> None:
        """Open the zone, and boot what died."""
        with self.cloud.transaction():
            self.ecs.stock.open_zone(target)
            for instance_id in _struck(settings):
                self._boot_again(instance_id)
        self._tell_tenants(target, has_power=True)

    def take_over(
        self, target: str, before: Mapping[str, object], now: Mapping[str, object]
    ) -> Mapping[str, object]:
        """Keep those in mind that died before."""
        return {"struck": list(dict.fromkeys([*_struck(before), *_struck(now)]))}

    def tidy(self, faults: Sequence[Fault]) -> None:
        """Open the zones that no fault has closed."""
        closed = self.ecs.stock.closed_zones() if "ecs" in self.cloud.services else frozenset()
        for zone in closed.difference(one.target for one in faults):
            self.end(zone, {"struck": []})

    def _tell_tenants(self, zone_id: str, *, has_power: bool) -> None:
        for service in self.cloud.services.values():
            if isinstance(service, ZoneTenant):
                service.follow_zone(zone_id, has_power=has_power)

    def _boot_again(self, instance_id: str) -> None:
        instance = self.ecs.find_instance(instance_id)
        if instance is None or instance.is_released:
            return
        if instance.status == STOPPED:
            self.ecs.instances.put(instance.starting())
            self.cloud.after_commit(partial(self.ecs.life.launch, instance_id))
        elif instance.status == STOPPING:
            self.ecs.instances.put(replace(instance, is_rebooting=True))

    def is_void(self, target: str, settings: Mapping[str, object]) -> bool:
        """Never: a zone is out until it is back."""
        return False


def _is_up(instance: Instance) -> bool:
    """Tell whether an instance runs, or is about to."""
    is_up = instance.status in (PENDING, STARTING, RUNNING) or instance.is_rebooting
    return is_up and not instance.is_released


def _struck(settings: Mapping[str, object]) -> list[str]:
    struck = settings["struck"]
    assert isinstance(struck, list)
    return struck
