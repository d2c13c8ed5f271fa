"""Calls of Alibaba Cloud's API: products, retries, waiting, pages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from steelyard.deploy.engine.provider import Operation
from steelyard.deploy.provider.connection import Answer, Connection
from steelyard.deploy.provider.wait import wait_until
from steelyard.errors import ResourceError
from steelyard.product import Product

if TYPE_CHECKING:
    from steelyard.deploy.provider.sender import Sender
    from steelyard.deploy.provider.storage import StorageSender

VPC: Final = Product(code="vpc", version="2016-04-28")
ECS: Final = Product(code="ecs", version="2014-05-26")
SLB: Final = Product(code="slb", version="2014-05-15")
NLB: Final = Product(code="nlb", version="2022-04-30")
ALB: Final = Product(code="alb", version="2020-06-16")
ESS: Final = Product(code="ess", version="2014-08-28")
CMS: Final = Product(code="cms", version="2019-01-01")
NAS: Final = Product(code="nas", version="2017-06-26")
RAM: Final = Product(code="ram", version="2015-05-01", is_regional=False)
BSS: Final = Product(code="bssopenapi", version="2017-12-14", is_regional=False)
CAS: Final = Product(code="cas", version="2020-04-07", is_regional=False)
STS: Final = Product(code="sts", version="2015-04-01", is_regional=False)

T = TypeVar("T")


class Api:
    """Sends the calls of one operation on one resource.

    Args:
        sender: Sends them.
        connection: Where it is connected to.
        operation: The operation at hand: its URN goes into errors, its end into waiters.
        storage: Gives what sends the calls of OSS.
    """

    def __init__(
        self,
        sender: Sender,
        connection: Connection,
        operation: Operation,
        storage: Callable[[], StorageSender] | None = None,
    ) -> None:
        self._sender = sender
        self._storage = storage
        self._connection = connection
        self.operation = operation

    @property
    def region_id(self) -> str:
        """The region that calls go to."""
        return self._connection.region_id

    def call(
        self,
        product: Product,
        action: str,
        params: Mapping[str, Any],
        *,
        retry_on: Collection[str] = (),
    ) -> Answer:
        """Call an action and return its answer.

        Args:
            product: The product that has it.
            action: Its name.
            params: Its parameters by wire name; lists and maps are sent as `Name.1.Key`, None is left out.
            retry_on: Beginnings of error codes that pass by themselves, such as a dependency that is about to go.
                Throttling is always waited out.

        Raises:
            ResourceError: With the cloud's code and request id, if it refuses.
        """
        region = {"RegionId": self.region_id} if product.is_regional else {}
        passing = ("Throttling", "ServiceUnavailable", *retry_on)
        refusal: list[ResourceError] = []

        def attempt() -> Answer | None:
            try:
                return self._sender.send(product, action, {**region, **params}, self.operation.urn)
            except ResourceError as err:
                if not err.code.startswith(passing):
                    raise
                refusal[:] = [err]
                return None

        return self.wait(attempt, what=action, why=lambda: refusal[-1] if refusal else None)

    def call_storage(self, what: str, call: Callable[[Any], T]) -> T:
        """Call OSS: `call` takes the vendor's client of it; see `StorageSender.send`.

        Raises:
            ResourceError: With the cloud's code and request id, if it refuses.
        """
        assert self._storage is not None
        return self._storage().send(what, call, self.operation.urn)

    def wait(
        self,
        look: Callable[[], T | None],
        *,
        what: str,
        why: Callable[[], ResourceError | None] | None = None,
    ) -> T:
        """Look again and again until there is something to see; see `wait_until`."""
        limit_s = self.operation.timeout_s or self._connection.timeout_s
        return wait_until(
            look,
            what=what,
            operation=self.operation,
            limit_s=limit_s,
            poll_s=self._connection.poll_s,
            why=why,
        )


class ApiPool:
    """Hands out `Api` objects over one client, which keeps its connections.

    Args:
        connection: Where the cloud is and who asks.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._sender: Sender | None = None
        self._storage: StorageSender | None = None
        self._lock = threading.Lock()

    def api(self, operation: Operation) -> Api:
        """Return what sends the calls of one operation."""
        with self._lock:
            if self._sender is None:
                from steelyard.deploy.provider.sender import Sender

                self._sender = Sender(self.connection)
        return Api(self._sender, self.connection, operation, self._storage_sender)

    def _storage_sender(self) -> StorageSender:
        with self._lock:
            if self._storage is None:
                from steelyard.deploy.provider.storage import StorageSender

                self._storage = StorageSender(self.connection)
            return self._storage


def pages(api: Api, product: Product, action: str, params: Mapping[str, Any]) -> Iterator[Answer]:
    """Call a listing action page by page (`PageNumber`, `PageSize`, `TotalCount`)."""
    number, seen = 1, 0
    while True:
        answer = api.call(product, action, {**params, "PageNumber": number, "PageSize": 50})
        yield answer
        seen += int(answer.get("PageSize") or 50)
        number += 1
        if seen >= int(answer.get("TotalCount") or 0):
            return


def token_items(
    api: Api, product: Product, action: str, params: Mapping[str, Any], field: str
) -> Iterator[Mapping[str, Any]]:
    """Call a listing action page by page (`NextToken`, `MaxResults`) and give the items of one field."""
    token: Mapping[str, Any] = {}
    while True:
        answer = api.call(product, action, {**params, "MaxResults": 100, **token})
        yield from answer.get(field) or ()
        if not answer.get("NextToken"):
            return
        token = {"NextToken": answer["NextToken"]}


def is_not_found(error: ResourceError) -> bool:
    """Whether the cloud says that a thing is not there (rules of the vendor's provider, `errors.go`)."""
    words = ("NotFound", "Notfound", "EntityNotExist", "ResourceNotFound", "NotExist")
    return error.status == 404 or any(word in error.code for word in words)
