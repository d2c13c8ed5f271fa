from __future__ import annotations

from typing import Any

import pulumi
from pulumi.runtime import config as runtime_config

from steelyard.components.program import declare
from steelyard.components.training_cluster import TrainingCluster
from steelyard.spec import ClusterSpec, Mistake, SpecError
from steelyard.spec.config import NAMESPACE, SOURCE, read_config

_TOKEN = "token"
_REGION = "region"


def declare_from_config() -> TrainingCluster:
    """Declare the cluster that the stack's config describes, as `pulumi up` does.

    Raises:
        pulumi.RunError: If a setting is wrong or the token is missing; the Pulumi CLI shows it without a traceback.
    """
    try:
        spec = _read_spec()
    except SpecError as err:
        raise pulumi.RunError(err.message) from err
    token = pulumi.Config(NAMESPACE).get_secret(_TOKEN)
    if token is None:
        mend = f'pulumi config set --secret {NAMESPACE}:{_TOKEN} "$(openssl rand -hex 32)"'
        raise pulumi.RunError(f"{NAMESPACE}:{_TOKEN}, the gateways' bearer token, is not set; run: {mend}")
    return declare(spec, token)


def _read_spec() -> ClusterSpec:
    """Read the spec from the stack's config.

    Raises:
        SpecError: If a setting is wrong, or the spec's region is not the one that the provider works in.
    """
    settings = _settings()
    mistakes: list[Mistake] = []
    provider_region = pulumi.Config("alicloud").get(_REGION)
    if provider_region and settings.setdefault(_REGION, provider_region) != provider_region:
        mistakes.append(_region_mistake(settings[_REGION], provider_region))
    try:
        spec = read_config(settings)
    except SpecError as err:
        raise SpecError(SOURCE, [*mistakes, *err.mistakes]) from err
    if mistakes:
        raise SpecError(SOURCE, mistakes)
    return spec


def _settings() -> dict[str, Any]:
    """Return the spec's config keys, unknown ones too, so that a misspelt one is no silent default."""
    prefix = f"{NAMESPACE}:"
    keys = {*runtime_config.get_config_env(), *runtime_config.CONFIG.get()}
    settings = {
        key.removeprefix(prefix): runtime_config.get_config(key)
        for key in sorted(keys)
        if key.startswith(prefix) and key != f"{prefix}{_TOKEN}"
    }
    return {"target": "alicloud", **settings}


def _region_mistake(region: str, provider_region: str) -> Mistake:
    return Mistake(
        line=0,
        column=0,
        path=f"{NAMESPACE}:{_REGION}",
        message=f"`{region}` is not the provider's region, `{provider_region}`",
        hint=f"run: pulumi config set alicloud:region {region}",
    )
