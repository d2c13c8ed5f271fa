from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from steelyard.localcloud.service import Request, Service
from steelyard.localcloud.services.oss import errors, metadata
from steelyard.localcloud.services.oss.access import StorageAccess
from steelyard.localcloud.services.oss.account_actions import AccountActions
from steelyard.localcloud.services.oss.blob import BlobStore, BlobWriter
from steelyard.localcloud.services.oss.bucket_actions import BucketActions
from steelyard.localcloud.services.oss.copy_actions import CopyActions
from steelyard.localcloud.services.oss.cors_actions import CorsActions
from steelyard.localcloud.services.oss.lifecycle import LifecycleSweep
from steelyard.localcloud.services.oss.list_actions import ListActions
from steelyard.localcloud.services.oss.multipart_actions import MultipartActions
from steelyard.localcloud.services.oss.object_actions import ObjectActions
from steelyard.localcloud.services.oss.request import (
    Body,
    Operation,
    StorageAnswer,
    StorageRequest,
    operations_of,
)
from steelyard.localcloud.services.oss.restore_actions import RestoreActions
from steelyard.localcloud.services.oss.setting import BucketSettings, setting_operations
from steelyard.localcloud.services.oss.signature import SUB_RESOURCES, StorageVerifier
from steelyard.localcloud.services.oss.state import StorageState
from steelyard.localcloud.services.oss.symlink_actions import SymlinkActions
from steelyard.localcloud.services.oss.visit import Visits
from steelyard.localcloud.services.ram.authorization import Authorization
from steelyard.localcloud.wire.signature import AccessKey

if TYPE_CHECKING:
    from steelyard.localcloud.cloud import Cloud

_NOBODY = AccessKey(access_key_id="", secret="", arn="", principal_id="", identity_type="Anonymous")
# A callback would be a call of the user's own server, and leave the machine.
_REFUSED_HEADERS = ("x-oss-callback",)
# Parameters that say how an operation is meant and not which.
_MANNERS = frozenset({"versionId", "position", "continuation-token", "security-token", "sequential"})


@dataclass(frozen=True, kw_only=True)
class Errand:
    """An operation and the method that serves it.

    Attributes:
        operation: The operation.
        serve: The method.
    """

    operation: Operation
    serve: Callable[[StorageRequest], StorageAnswer]


class OssService(Service):
    """Object storage: buckets and objects over OSS's own REST and XML wire.

    Objects are files in the cloud's folder `oss`, under names of their own; what an object is called, consists of and
    carries is in the store. A write is a file first and a record then, so that a killed cloud has all of it or nothing.
    Of a bucket's configurations logging and acceleration are kept and not carried out.
    """

    code, version = "oss", "2019-05-17"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.blobs = BlobStore(cloud.data_dir / "oss")
        self.state = StorageState(
            cloud.store, self.blobs, cloud.after_commit, cloud.clock, cloud.terms.has_quotas
        )
        self._verifier = StorageVerifier(cloud, cloud.clock)
        self.lifecycle = LifecycleSweep(self.state, cloud.transaction)
        self.cors = CorsActions(self.state)
        self._visits = Visits(self.state)
        self._multipart = MultipartActions(self.state, cloud.transaction, cloud.identity.account_id)
        self._errands = self._collect()

    def _collect(self) -> tuple[Errand, ...]:
        account_id = self.cloud.identity.account_id
        owners = (
            BucketActions(self.state, self.cloud.identity.region_id, account_id, self.cloud.endpoint),
            ObjectActions(self.state, account_id),
            AccountActions(self.state),
            SymlinkActions(self.state),
            CopyActions(self.state, self.cloud.transaction),
            RestoreActions(self.state),
            self.cors,
            ListActions(self.state, account_id),
            self._multipart,
        )
        errands = [
            Errand(operation=operation, serve=getattr(owner, method))
            for owner in owners
            for operation, method in operations_of(type(owner))
        ]
        settings = BucketSettings(self.state, self.lifecycle.wake).operations()
        errands += [Errand(operation=operation, serve=serve) for operation, serve in settings]
        return tuple(sorted(errands, key=lambda errand: -errand.operation.rank))

    @property
    def operations(self) -> tuple[Operation, ...]:
        """Everything that is served."""
        return tuple(errand.operation for errand in self._errands)

    @classmethod
    def call_names(cls) -> Collection[str]:
        """Name everything that it can be called for."""
        return operation_names()

    def start(self) -> None:
        """Remove what a killed cloud had received and not committed, and begin to carry out lifecycle rules."""
        with self.cloud.transaction():
            self.blobs.sweep(self.state.used_blobs())
        self.lifecycle.start()

    def stop(self) -> None:
        """Carry out lifecycle rules no more."""
        self.lifecycle.stop()

    def verify(self, request: StorageRequest, raw_query: str) -> StorageRequest:
        """Give the call with its caller.

        Raises:
            StorageError: The signature is not good.
        """
        caller = self._verifier.verify(request, raw_query)
        return StorageRequest(**{**vars(request), "caller": caller})

    def lead(self, request: StorageRequest) -> StorageRequest:
        """Give the call as one for the page that it means, where it is a visit of a web site."""
        if request.caller is not None:
            return request
        with self.cloud.transaction():
            return self._visits.lead(request)

    def find(self, request: StorageRequest) -> Errand:
        """Find who serves a call, and check that the caller may have it served.

        Raises:
            StorageError: `NotImplemented`, or `AccessDenied`.
        """
        errand = next((errand for errand in self._errands if errand.operation.fits(request)), None)
        marks = set(errand.operation.marks) if errand else set()
        unknown = [
            name
            for name in request.query
            if name in SUB_RESOURCES and name not in marks | _MANNERS and not name.startswith("response-")
        ]
        unknown += [name for name in _REFUSED_HEADERS if name in request.headers]
        if errand is None or unknown:
            what = f"{request.method} {request.level.value} {''.join(f'?{name}' for name in unknown)}".strip()
            self.cloud.unserved.count(self.code, self.version, what)
            raise errors.not_implemented(what)
        if errand.operation.body is Body.OBJECT:
            # Before the body, which may be long; others are asked once it is there.
            self._access().check(errand.operation, request)
        self._meet_faults(errand.operation, request)
        return errand

    def _meet_faults(self, operation: Operation, request: StorageRequest) -> None:
        """Let a fault that was asked for fail the call, before its body is read.

        Raises:
            ApiError: The fault's.
        """
        call = Request(
            action=operation.name,
            params={},
            region_id=self.cloud.identity.region_id,
            dry_run=False,
            request_id=request.request_id,
            caller=request.caller or _NOBODY,
        )
        self.cloud.before_call(self.code, call)

    def _access(self) -> StorageAccess:
        ram = self.cloud.services.get("ram")
        identity = self.cloud.identity
        return StorageAccess(
            self.state,
            ram if isinstance(ram, Authorization) else None,
            identity.region_id,
            identity.account_id,
        )

    def writer(self, request: StorageRequest) -> BlobWriter:
        """Begin the blob that a call's body goes to, encrypted as its object or part will be.

        Raises:
            StorageError: There is no such bucket or upload, or it cannot be encrypted so.
        """
        with self.cloud.transaction():
            bucket = self.state.bucket(request.bucket)
            if "uploadId" in request.query:
                encryption = self._multipart.upload(request).encryption
            else:
                encryption = metadata.read_encryption(request, bucket)
        return self.blobs.writer(encryption)

    def run(self, errand: Errand, request: StorageRequest) -> tuple[StorageAnswer, tuple[str, ...]]:
        """Carry an operation out.

        Returns:
            The answer, and the names of the blobs that are kept for it until they are given to `BlobStore.release`.
        """
        access = self._access()
        access.check(errand.operation, request)
        if errand.operation.is_open:
            return errand.serve(request), ()

        def serve(asked: StorageRequest) -> StorageAnswer:
            if asked is not request:
                access.check(errand.operation, asked)
            return errand.serve(asked)

        with self.cloud.transaction():
            answer = self._visits.serve(request, serve)
            held = self.blobs.hold(answer.segments if request.method == "GET" else ())
        return answer, held


def operation_names() -> frozenset[str]:
    """Name every operation that is served, without a cloud."""
    owners: tuple[type, ...] = (
        BucketActions,
        ObjectActions,
        AccountActions,
        SymlinkActions,
        CopyActions,
        RestoreActions,
        CorsActions,
        ListActions,
        MultipartActions,
    )
    names = {operation.name for owner in owners for operation, _ in operations_of(owner)}
    return frozenset(names | setting_operations())
