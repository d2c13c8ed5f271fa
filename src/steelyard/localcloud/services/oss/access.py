"""Who may do what: the account everything, others what their policies, the bucket's and its access control say."""

from __future__ import annotations

from steelyard.localcloud.services.oss import errors
from steelyard.localcloud.services.oss.bucket_policy import decide_for
from steelyard.localcloud.services.oss.document import read_document
from steelyard.localcloud.services.oss.models import Bucket
from steelyard.localcloud.services.oss.referer import RefererRules
from steelyard.localcloud.services.oss.request import Level, Operation, StorageRequest
from steelyard.localcloud.services.oss.state import StorageState
from steelyard.localcloud.services.oss.text import plain_path
from steelyard.localcloud.services.ram.authorization import Authorization, is_account
from steelyard.localcloud.services.ram.decision import Call, Decision

_PUBLIC_READS = frozenset({"GetObject", "HeadObject", "GetObjectMeta", "ListObjects", "ListObjectsV2"})
_PUBLIC_WRITES = frozenset({"PutObject", "AppendObject", "DeleteObject"})


class StorageAccess:
    """Decides over calls of OSS.

    A denial by a policy of the caller's or of the bucket weighs most, then that one of them allows the call, then what
    access control lets everybody do. A block of public access takes from strangers what the last two give.

    Args:
        state: What OSS keeps.
        ram: Knows what keys may do; None lets every key do anything.
        region_id: The cloud's region.
        account_id: Whose buckets they are.
    """

    def __init__(
        self, state: StorageState, ram: Authorization | None, region_id: str, account_id: str
    ) -> None:
        self._state = state
        self._ram = ram
        self._owner = f"acs:oss:{region_id}:{account_id}"

    def check(self, operation: Operation, request: StorageRequest) -> None:
        """Check that a call may be carried out.

        Raises:
            StorageError: `AccessDenied`, or `NoSuchBucket` of a stranger.
        """
        caller = request.caller
        if not operation.is_public:
            self._check_referer(request)
        if operation.is_public or (caller is not None and (self._ram is None or is_account(caller))):
            return
        context = _context_of(request)
        for number, (action, place) in enumerate(_wanted_rights(operation, request)):
            call = Call(action=action, resources=(f"{self._owner}:{place}",), context=context)
            verdicts = self._verdicts(request, call, place)
            if Decision.DENIED in verdicts:
                raise errors.access_denied(f"You have no right to {action} on {call.resources[0]}.")
            # What everybody may do is asked of the place that the call is about, not of one that it copies from.
            if Decision.ALLOWED not in verdicts and not (number == 0 and self._is_open(operation, request)):
                if caller is None:
                    raise errors.access_denied("Anonymous access is forbidden for this operation.")
                raise errors.access_denied(f"You have no right to {action} on {call.resources[0]}.")

    def _check_referer(self, request: StorageRequest) -> None:
        """Check which page a call for an object comes from; one that is signed in a header comes from a program."""
        if request.level is not Level.OBJECT or "authorization" in request.headers:
            return
        bucket = self._state.buckets.get(request.bucket)
        document = bucket.settings.get("referer", "") if bucket is not None else ""
        if document and not RefererRules.read(document).lets_in(request.header("referer")):
            raise errors.access_denied("You are denied by bucket referer policy.")

    def _verdicts(self, request: StorageRequest, call: Call, place: str) -> set[Decision]:
        caller, bucket = request.caller, self._state.buckets.get(place.partition("/")[0])
        verdicts = set() if caller is None or self._ram is None else {self._ram.decide(caller, call)}
        if bucket is not None:
            verdict = decide_for(bucket.settings.get("policy", ""), caller, call)
            if caller is None and verdict is Decision.ALLOWED and self._state.is_public_blocked(bucket):
                verdict = Decision.NOT_ALLOWED
            verdicts.add(verdict)
        return verdicts

    def _is_open(self, operation: Operation, request: StorageRequest) -> bool:
        """Tell whether the access control of bucket and object lets anybody make a call."""
        if request.level is Level.SERVICE or operation.name not in _PUBLIC_READS | _PUBLIC_WRITES:
            return False
        bucket = self._state.bucket(request.bucket)
        return not self._state.is_public_blocked(bucket) and self._acl(bucket, operation, request) in (
            {"public-read-write"}
            if operation.name in _PUBLIC_WRITES
            else {"public-read", "public-read-write"}
        )

    def _acl(self, bucket: Bucket, operation: Operation, request: StorageRequest) -> str:
        if request.key and operation.name in _PUBLIC_READS:
            found = self._state.find(bucket, request.key)
            if found is not None and found.acl != "default":
                return found.acl
        return bucket.acl


def _wanted_rights(operation: Operation, request: StorageRequest) -> list[tuple[str, str]]:
    """Give the RAM actions that a call needs, each with what it is done to: `*`, a bucket, or a bucket and a key.

    Raises:
        StorageError: `MalformedXML`: the objects to delete cannot be read.
    """
    place = f"{request.bucket}/{request.key}" if request.key else request.bucket or "*"
    if operation.name == "DeleteMultipleObjects":
        root = read_document(request.document, "Delete")
        keys = [entry.findtext("Key") or "" for entry in root.iterfind("Object")]
        return [(f"oss:{operation.action}", f"{request.bucket}/{key}") for key in keys]
    rights = [(f"oss:{operation.action}", place)]
    source = request.header("x-oss-copy-source").partition("?")[0]
    if source:
        rights.append(("oss:GetObject", plain_path(source).removeprefix("/")))
    return rights


def _context_of(request: StorageRequest) -> dict[str, set[str]]:
    """Give the values of condition keys by lower-case name; a list always has a prefix, if an empty one."""
    context = {"acs:securetransport": {"true" if request.is_secure else "false"}}
    if request.source_address:
        context["acs:sourceip"] = {request.source_address}
    if request.bucket and not request.key:
        names = {"oss:prefix": "prefix", "oss:delimiter": "delimiter"}
        context |= {key: {request.query.get(name, "")} for key, name in names.items()}
    return context
