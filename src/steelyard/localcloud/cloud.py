from __future__ import annotations

import logging
import random
import string
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from steelyard.localcloud.idempotence import ClientTokens
from steelyard.localcloud.identity import TEMPORARY_KEY_KIND, Identity
from steelyard.localcloud.service import ActionSpec, ApiError, Authorizer, Request, Service
from steelyard.localcloud.store import Store
from steelyard.localcloud.terms import Terms, Throttle
from steelyard.localcloud.unserved import UnservedActions
from steelyard.localcloud.wire.answer import shape_answer
from steelyard.localcloud.wire.error import action_not_found
from steelyard.localcloud.wire.message import WireAnswer, WireRequest
from steelyard.localcloud.wire.older import OLDER_VERSIONS, newer_parameters, older_answer
from steelyard.localcloud.wire.parameter import parse_parameters
from steelyard.localcloud.wire.schema import VERSION_ALIASES, ActionShape, Schema, load_schema
from steelyard.localcloud.wire.signature import AccessKey, KeyRing, Verifier
from steelyard.spec.catalogue import REGIONS

_log = logging.getLogger(__name__)

# Ids are no secrets. It is none that others seed, as tests do with the module's own.
_random = random.Random()
_ID_LETTERS = string.ascii_lowercase + string.digits
_ID_LENGTH = 20
# Of 256 bytes, 4 letters get one more than the others; ids need not be even, only their own.
_ID_TABLE = bytes(ord(_ID_LETTERS[byte % len(_ID_LETTERS)]) for byte in range(256))


def _new_request_id() -> str:
    """Give a random UUID in capitals, without what `uuid.uuid4` spends on an object and on the kernel's randomness."""
    digits = f"{_random.getrandbits(128):032X}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-A{digits[17:20]}-{digits[20:]}"


def _pass(product: str, request: Request) -> None:
    """Let a call pass."""


class _Transaction(AbstractContextManager[None]):
    """Begins and ends a cloud's transactions; it has no state of its own, so that one serves all."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud, self._store = cloud, cloud.store

    def __enter__(self) -> None:
        self._store.begin()
        if not self._store.is_nested:
            self._cloud._after_commit = []

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        calls = [] if self._store.is_nested else self._cloud._after_commit
        self._store.end(is_kept=kind is None)
        if kind is None:
            for call in calls:
                call()


class Cloud:
    """The local cloud: its state, its services, and the path from a signed request to an answer.

    Args:
        data_dir: Folder of everything that the cloud keeps.
        store: Its state.
        identity: Its account, access key and region.
        endpoint: Host and port that it answers on.
        clock: Gives the Unix time.
        services: The products to offer.
        schema: Shapes of requests and answers; the shipped one where it is None.
        terms: How it treats its callers.
    """

    def __init__(
        self,
        *,
        data_dir: Path,
        store: Store,
        identity: Identity,
        endpoint: str,
        clock: Callable[[], float],
        services: Sequence[type[Service]],
        schema: Schema | None = None,
        terms: Terms | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.store = store
        self._transaction = _Transaction(self)
        self._after_commit: list[Callable[[], None]] = []
        self.identity = identity
        self.endpoint = endpoint
        self.clock = clock
        self.terms = terms or Terms()
        self.schema = schema or load_schema()
        self.services: dict[str, Service] = {service.code: service(self) for service in services}
        self._root_key = identity.root_key()
        self._verifier = Verifier(self, clock)
        self._throttle = Throttle(self.terms.calls_per_s, clock)
        self._tokens = ClientTokens(store)
        self.unserved = UnservedActions(store)
        self._handlers = self._collect_handlers()
        self._authorizers = [one for one in self.services.values() if isinstance(one, Authorizer)]
        self._key_rings = [one for one in self.services.values() if isinstance(one, KeyRing)]
        self.before_call: Callable[[str, Request], None] = _pass
        """Told of each call before it is served, with its product's code; it may raise an `ApiError` in its place."""

    @property
    def actions(self) -> Collection[tuple[str, str]]:
        """Version and name of every action that is served."""
        return self._handlers.keys()

    def _collect_handlers(self) -> dict[tuple[str, str], tuple[Service, ActionSpec, str]]:
        handlers = {}
        for service in self.services.values():
            for name, (spec, method) in type(service).handlers().items():
                if self.schema.action(service.version, name) is None:
                    raise LookupError(f"{service.code} {service.version} has no action {name}")
                handlers[service.version, name] = (service, spec, method)
        return handlers

    def start(self) -> None:
        """Let every service take up what was running."""
        for service in self.services.values():
            service.start()

    def stop(self) -> None:
        """Let every service end what is running, last one first, then close the store; one's fault stops no other."""
        with ExitStack() as stack:
            stack.callback(self.store.close)
            for service in self.services.values():
                stack.callback(service.stop)

    def new_id(self, prefix: str) -> str:
        """Give a fresh resource id, e.g. `vpc-` and 20 letters and digits."""
        return f"{prefix}-{_random.randbytes(_ID_LENGTH).translate(_ID_TABLE).decode()}"

    def metadata_url(self, instance_id: str) -> str:
        """Give the base of an instance's metadata service, as `http://100.100.100.200` is on the real cloud."""
        return f"http://{self.endpoint}/metadata/{instance_id}"

    def access_key(self, access_key_id: str) -> AccessKey | None:
        """Give the cloud's own key, a temporary one, or one that a service has given out."""
        if access_key_id == self.identity.access_key_id:
            return self._root_key
        body = self.store.get(TEMPORARY_KEY_KIND, access_key_id)
        if body:
            return AccessKey(**body)  # type: ignore[arg-type]
        found = (ring.access_key(access_key_id) for ring in self._key_rings)
        return next((key for key in found if key is not None), None)

    def transaction(self) -> AbstractContextManager[None]:
        """Hold the cloud's lock and make all writes one; threads of services use it for each change of state.

        Calls given to `after_commit` inside of it run once the outermost transaction is kept and the lock is free.
        """
        return self._transaction

    def after_commit(self, call: Callable[[], None]) -> None:
        """Run a call when the transaction that is open is kept; never where it is undone.

        Raises:
            RuntimeError: No transaction is open.
        """
        if not self.store.is_open:
            raise RuntimeError("after_commit was called outside of a transaction")
        self._after_commit.append(call)

    def is_quick(self, wire: WireRequest) -> bool:
        """Tell whether a request can be answered without waiting for anything but the cloud's lock."""
        handler = self._handlers.get((wire.version, wire.action))
        return handler is not None and handler[0].is_quick

    def answer(self, wire: WireRequest) -> WireAnswer:
        """Answer one signed request; every fault becomes an error answer."""
        request_id = _new_request_id()
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
            "HostId": wire.headers.get("host", self.endpoint),
            "Code": err.code,
            "Message": err.message,
            "Recommend": "",
        }
        return WireAnswer(status=err.status, body=body)

    def _carry_out(self, wire: WireRequest, request_id: str) -> dict[str, object]:
        version = VERSION_ALIASES.get(wire.version, wire.version)
        caller = self._verifier.verify(wire)
        self._throttle.admit(caller.access_key_id, version, wire.action)
        shape = self.schema.action(version, wire.action)
        handler = self._handlers.get((version, wire.action))
        if shape is None or handler is None:
            self.unserved.count(shape.product if shape else "", wire.version, wire.action)
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
        self.before_call(service.code, request)
        answer = self._run(request, getattr(service, method), shape.answer)
        return older_answer(answer) if wire.version in OLDER_VERSIONS else answer

    def _parse(self, shape: ActionShape, spec: ActionSpec, wire: WireRequest) -> dict[str, object]:
        if shape.request is None:
            return {}
        parameters: Mapping[str, str] = wire.parameters
        if wire.version in OLDER_VERSIONS:
            parameters = newer_parameters(self.schema, shape.request, parameters)
        return parse_parameters(self.schema, shape.request, parameters, spec.optional)

    def _region_id(self, parameters: Mapping[str, str]) -> str:
        region_id = parameters.get("RegionId") or self.identity.region_id
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
        with self.transaction():
            answer = self._tokens.recall(product, request) if has_token else None
            if answer is None:
                answer = shape_answer(self.schema, answer_shape, handler(request))
                request.stop_if_dry_run()
                if has_token:
                    self._tokens.keep(product, request, answer)
            return answer
