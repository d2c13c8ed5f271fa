from __future__ import annotations

from steelyard.localcloud.services.oss.cors import CorsConfiguration
from steelyard.localcloud.services.oss.request import Level, StorageAnswer, StorageRequest, operation
from steelyard.localcloud.services.oss.state import StorageState


class CorsActions:
    """What browsers ask before a script of another web site may call.

    Args:
        state: What OSS keeps.
    """

    def __init__(self, state: StorageState) -> None:
        self._state = state

    @operation("OptionObject", "OPTIONS", Level.OBJECT, is_public=True)
    def option_object(self, request: StorageRequest) -> StorageAnswer:
        """Tell whether a script may call for an object, which need not be there."""
        return self._answer(request)

    @operation("OptionObject", "OPTIONS", Level.BUCKET, is_public=True)
    def option_bucket(self, request: StorageRequest) -> StorageAnswer:
        """Tell whether a script may call for a bucket."""
        return self._answer(request)

    def _answer(self, request: StorageRequest) -> StorageAnswer:
        bucket = self._state.bucket(request.bucket)
        rules = CorsConfiguration.read(bucket.settings.get("cors", ""))
        return StorageAnswer(headers=rules.preflight(request.headers))

    def answer_headers(self, request: StorageRequest) -> dict[str, str]:
        """Give what the answer to a call carries for the browser that made it; nothing where none did."""
        bucket = self._state.buckets.get(request.bucket)
        if bucket is None or request.method == "OPTIONS":
            return {}
        rules = CorsConfiguration.read(bucket.settings.get("cors", ""))
        return rules.answer_headers(request.header("origin"), request.method)
