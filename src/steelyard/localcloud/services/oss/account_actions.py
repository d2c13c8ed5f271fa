from __future__ import annotations

from xml.etree import ElementTree

from steelyard.localcloud.services.oss import errors
from steelyard.localcloud.services.oss.document import read_document
from steelyard.localcloud.services.oss.models import StorageAccount
from steelyard.localcloud.services.oss.request import Body, Level, StorageAnswer, StorageRequest, operation
from steelyard.localcloud.services.oss.setting import PUBLIC_BLOCK, check_public_block
from steelyard.localcloud.services.oss.state import StorageState


class AccountActions:
    """What holds for all buckets of the account.

    Args:
        state: What OSS keeps.
    """

    def __init__(self, state: StorageState) -> None:
        self._state = state

    @operation("PutPublicAccessBlock", "PUT", Level.SERVICE, "publicAccessBlock", body=Body.DOCUMENT)
    def put_public_access_block(self, request: StorageRequest) -> StorageAnswer:
        """Let every bucket refuse strangers, or let each bucket say so itself."""
        root = read_document(request.document, PUBLIC_BLOCK)
        check_public_block(root)
        text = ElementTree.tostring(root, encoding="unicode")
        now = self._state.clock()
        self._state.accounts.put(StorageAccount(id=StorageAccount.ID, created_at=now, public_block=text))
        return StorageAnswer()

    @operation("GetPublicAccessBlock", "GET", Level.SERVICE, "publicAccessBlock")
    def get_public_access_block(self, request: StorageRequest) -> StorageAnswer:
        """Tell whether every bucket refuses strangers."""
        account = self._state.accounts.get(StorageAccount.ID)
        if account is None:
            text = "The account has no block of public access."
            raise errors.StorageError("NoSuchPublicAccessBlockConfiguration", text, 404)
        return StorageAnswer(content=account.public_block.encode())

    @operation("DeletePublicAccessBlock", "DELETE", Level.SERVICE, "publicAccessBlock")
    def delete_public_access_block(self, request: StorageRequest) -> StorageAnswer:
        """Let each bucket say itself whether it refuses strangers."""
        self._state.accounts.delete(StorageAccount.ID)
        return StorageAnswer(status=204)
