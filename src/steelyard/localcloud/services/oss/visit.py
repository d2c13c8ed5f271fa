"""Visits of a bucket that is a web site: requests that nobody signed, as browsers make them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from steelyard.localcloud.services.oss.errors import StorageError
from steelyard.localcloud.services.oss.request import Level, StorageAnswer, StorageRequest
from steelyard.localcloud.services.oss.signature import SUB_RESOURCES
from steelyard.localcloud.services.oss.state import StorageState
from steelyard.localcloud.services.oss.website import LEADS_ON, RoutingRule, Website

Serve = Callable[[StorageRequest], StorageAnswer]

_OF_THE_OBJECT: Final = ("range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since")
"""Headers that say something of the object that was asked for, and nothing of the page for what is not there."""


class Visits:
    """Leads visitors to pages. A request that somebody signed is served as everywhere.

    Args:
        state: What OSS keeps.
    """

    def __init__(self, state: StorageState) -> None:
        self._state = state

    def lead(self, request: StorageRequest) -> StorageRequest:
        """Give a request as one for the page that it means: of the site, or of a folder, the first one."""
        site = self._site(request)
        return request if site is None else replace(request, key=site.page(request.key))

    def serve(self, request: StorageRequest, serve: Serve) -> StorageAnswer:
        """Serve a request, and a visit of a site by its rules.

        Args:
            request: The request.
            serve: Serves it, and others like it, if they may be made.

        Raises:
            StorageError: As `serve`.
        """
        site = self._site(request)
        if site is None or not request.key:
            return serve(request)
        rule = site.rule(request.key, request.headers, None)
        if rule is not None:
            return _led(rule, request)
        try:
            return serve(request)
        except StorageError as err:
            if err.code != "NoSuchKey":
                raise
            answer = self._instead(site, request, serve)
            if answer is None:
                raise
            return answer

    def _instead(self, site: Website, request: StorageRequest, serve: Serve) -> StorageAnswer | None:
        """Answer for an object that is not there; None where nothing stands in for it."""
        rule = site.rule(request.key, request.headers, 404)
        if rule is not None:
            return _led(rule, request)
        page = site.folder_page(request.key)
        if page and self._is_there(request.bucket, page):
            if site.folder_type == LEADS_ON:
                return StorageAnswer(status=302, headers={"Location": quote(f"{request.root}{request.key}/")})
            return serve(replace(request, key=page))
        if not site.error_key or not self._is_there(request.bucket, site.error_key):
            return None
        headers = {name: value for name, value in request.headers.items() if name not in _OF_THE_OBJECT}
        answer = serve(replace(request, key=site.error_key, headers=headers))
        return replace(answer, status=site.error_status)

    def _site(self, request: StorageRequest) -> Website | None:
        """Give the site that a request is a visit of; None where it is none."""
        is_plain = (
            not request.query if request.level is Level.BUCKET else not SUB_RESOURCES & set(request.query)
        )
        if request.caller is not None or request.method not in ("GET", "HEAD") or not is_plain:
            return None
        bucket = self._state.buckets.get(request.bucket)
        document = bucket.settings.get("website", "") if bucket is not None else ""
        return Website.read(document) if document else None

    def _is_there(self, bucket: str, key: str) -> bool:
        found = self._state.find(self._state.bucket(bucket), key)
        return found is not None and not found.is_delete_marker


def _led(rule: RoutingRule, request: StorageRequest) -> StorageAnswer:
    own = f"{request.header('host')}{request.root}"
    scheme = "https" if request.is_secure else "http"
    location = rule.location(request.key, request.query, own=own, scheme=scheme)
    return StorageAnswer(status=rule.code, headers={"Location": location})
