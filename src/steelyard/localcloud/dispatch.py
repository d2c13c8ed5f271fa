"""The path from a signed request to an answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.fresh_id import new_request_id
from steelyard.localcloud.idempotence import ClientTokens
from steelyard.localcloud.request import Request
from steelyard.localcloud.service import ActionSpec, Authorizer, Service
from steelyard.localcloud.terms import Throttle
from steelyard.localcloud.wire.answer import shape_answer
from steelyard.localcloud.wire.error import ApiError, action_not_found
from steelyard.localcloud.wire.message import WireAnswer, WireRequest
from steelyard.localcloud.wire.older import OLDER_VERSIONS, newer_parameters, older_answer
from steelyard.localcloud.wire.parameter import parse_parameters
from steelyard.localcloud.wire.schema import VERSION_ALIASES, ActionShape, load_schema
from steelyard.localcloud.wire.signature import Verifier
from steelyard.spec.catalogue import REGIONS

_log = logging.getLogger(__name__)


class Dispatcher:
    """Has the services of a cloud answer what is called.

    Args:
        cloud: The cloud.

    Raises:
        LookupError: A service serves an action that its product does not have.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._schema = load_schema()
        self._verifier = Verifier(cloud, cloud.clock)
        self._throttle = Throttle(cloud.terms.calls_per_s, cloud.clock)
        self._tokens = ClientTokens(cloud.store)
        self._handlers = self._collect_handlers()
        self._authorizers = [one for one in cloud.services.values() if isinstance(one, Authorizer)]

    def _collect_handlers(self) -> dict[tuple[str, str], tuple[Service, ActionSpec, str]]:
        handlers = {}
        for service in self._cloud.services.values():
            assert isinstance(service, Service)
            for name, (spec, method) in type(service).handlers().items():
                if self._schema.action(service.version, name) is None:
                    raise LookupError(f"{service.code} {service.version} has no action {name}")
                handlers[service.version, name] = (service, spec, method)
        return handlers

    def is_quick(self, wire: WireRequest) -> bool:
        """Tell whether a request can be answered without waiting for anything but the cloud's lock."""
        handler = self._handlers.get((wire.version, wire.action))
        return handler is not None and handler[0].is_quick

    def answer(self, wire: WireRequest) -> WireAnswer:
        """Answer one signed request; every fault becomes an error answer."""
        request_id = new_request_id()
        try:
            body = self._carry_out(wire, request_id)
        except ApiError as err:
            return self._error(wire, request_id, err)
        except Exception as err:  # noqa: BLE001 - a handler's bug must answer 500 and leave the cloud standing
            _log.exception("%s %s failed", wire.version, wire.action)
            text = f"The request processing has failed due to some unknown error: {type(err).__name__}: {err}"
            return self._error(wire, request_id, ApiError("InternalError", text, 500))
        return WireAnswer(status=200, body={"RequestId": request_id, **body})

    def _error(self, wire: WireRequest, request_id: str, err: ApiError) -> WireAnswer:
        body = {
            "RequestId": request_id,
            "HostId": wire.headers.get("host", self._cloud.endpoint),
            "Code": err.code,
            "Message": err.message,
            "Recommend": "",
        }
        return WireAnswer(status=err.status, body=body)

    def _carry_out(self, wire: WireRequest, request_id: str) -> dict[str, object]:
        version = VERSION_ALIASES.get(wire.version, wire.version)
        caller = self._verifier.verify(wire)
        self._throttle.admit(caller.access_key_id, version, wire.action)
        shape = self._schema.action(version, wire.action)
        handler = self._handlers.get((version, wire.action))
        if shape is None or handler is None:
            self._cloud.unserved.count(shape.product if shape else "", wire.version, wire.action)
            # Names are the caller's to choose, as long as a request may be.
            _log.warning("%.40s %.160s was called, and is not served", wire.version, wire.action)
            raise action_not_found(wire.version, wire.action, shape.product if shape else "")
        service, spec, method = handler
        params = self._parse(shape, spec, wire)
        request = Request(
            action=wire.action,
            params=params,
            region_id=self._region_id(wire.parameters),
            dry_run=bool(params.get("DryRun", False)),
            request_id=request_id,
            caller=caller,
            source_address=wire.client,
            is_secure=wire.is_secure,
        )
        for authorizer in self._authorizers:
            authorizer.authorize(service.code, request)
        self._cloud.before_call(service.code, request)
        answer = self._run(request, getattr(service, method), shape.answer)
        return older_answer(answer) if wire.version in OLDER_VERSIONS else answer

    def _parse(self, shape: ActionShape, spec: ActionSpec, wire: WireRequest) -> dict[str, object]:
        if shape.request is None:
            return {}
        parameters: Mapping[str, str] = wire.parameters
        if wire.version in OLDER_VERSIONS:
            parameters = newer_parameters(self._schema, shape.request, parameters)
        return parse_parameters(self._schema, shape.request, parameters, spec.optional)

    def _region_id(self, parameters: Mapping[str, str]) -> str:
        region_id = parameters.get("RegionId") or self._cloud.identity.region_id
        if region_id not in REGIONS:
            raise ApiError(
                "InvalidRegionId.NotFound", f"The specified RegionId does not exist: {region_id!r}.", 404
            )
        return region_id

    def _run(
        self, request: Request, handler: Callable[[Request], dict[str, object]], answer_shape: str
    ) -> dict[str, object]:
        # Products have actions of one name.
        product = answer_shape.partition(".")[0]
        has_token = bool(request.text("ClientToken"))
        with self._cloud.transaction():
            answer = self._tokens.recall(product, request) if has_token else None
            if answer is None:
                answer = shape_answer(self._schema, answer_shape, handler(request))
                request.stop_if_dry_run()
                if has_token:
                    self._tokens.keep(product, request, answer)
            return answer
