"""ALB's nested settings: Pulumi's names and the API's differ by their first letter, with few exceptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_UNLIKE: Mapping[str, str] = {
    "vswitchId": "VSwitchId",
    "qps": "QPS",
    "allowOrigins": "AllowOrigin",
    "xForwardedForSlbIdEnabled": "XForwardedForSLBIdEnabled",
    "xForwardedForSlbPortEnabled": "XForwardedForSLBPortEnabled",
    "xForwardedForClientCertFingerPrintAlias": "XForwardedForClientCertFingerprintAlias",
    "xForwardedForClientCertFingerPrintEnabled": "XForwardedForClientCertFingerprintEnabled",
    "xForwardedForClientCertIssuerDnAlias": "XForwardedForClientCertIssuerDNAlias",
    "xForwardedForClientCertIssuerDnEnabled": "XForwardedForClientCertIssuerDNEnabled",
    "xForwardedForClientCertSubjectDnAlias": "XForwardedForClientCertSubjectDNAlias",
    "xForwardedForClientCertSubjectDnEnabled": "XForwardedForClientCertSubjectDNEnabled",
}
_ALIKE = {api_name: name for name, api_name in _UNLIKE.items()}


def sent(value: Any) -> Any:
    """Return a nested input under the API's names; what is not set is left out."""
    if isinstance(value, Mapping):
        return {_api_name(name): sent(item) for name, item in value.items() if item is not None}
    return [sent(item) for item in value] if isinstance(value, list | tuple) else value


def found(value: Any) -> Any:
    """Return a nested part of an answer under Pulumi's names; what the answer leaves empty is left out."""
    if isinstance(value, Mapping):
        parts = {_own_name(name): found(item) for name, item in value.items()}
        return {name: part for name, part in parts.items() if part not in (None, "", [], {})}
    return [found(item) for item in value] if isinstance(value, list | tuple) else value


def _api_name(name: str) -> str:
    return _UNLIKE.get(name) or name[0].upper() + name[1:]


def _own_name(api_name: str) -> str:
    return _ALIKE.get(api_name) or api_name[0].lower() + api_name[1:]
