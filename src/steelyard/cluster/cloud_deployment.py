"""A cluster's stack on Alibaba Cloud, applied by the Pulumi CLI."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from steelyard import settings
from steelyard.cluster.credentials import Credentials, Identity
from steelyard.cluster.deployment import Program
from steelyard.deploy import OnStep, Output, Resource, Result
from steelyard.deploy.automation import PulumiStack, find_command
from steelyard.deploy.engine.provider import Operation
from steelyard.deploy.provider import api as products
from steelyard.deploy.provider.api import Api, ApiPool
from steelyard.deploy.provider.connection import Connection

_PASSPHRASE_FILE = "pulumi.passphrase"
_NUM_PASSPHRASE_BYTES = 32
_CALL_TIMEOUT_S = 120.0
_PRODUCTS = (
    *(products.VPC, products.ECS, products.SLB, products.NLB, products.ALB, products.ESS),
    *(products.RAM, products.STS, products.BSS),
)
_OSS = "oss"
_CENTRAL = {"ram": "ram.aliyuncs.com", "bssopenapi": "business.aliyuncs.com"}
"""Products with one endpoint for all regions; the others have `<product>.<region>.aliyuncs.com`."""


def _never(question: str) -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class CloudAccess:
    """What the way to Alibaba Cloud takes from whoever calls.

    Attributes:
        environment: Holds the key, and where it is set the endpoints, Pulumi's backend and passphrase.
        may_install: Asked before the Pulumi CLI is installed.
        say: Told who calls, once that is known.
    """

    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    may_install: Callable[[str], bool] = _never
    say: Callable[[str], None] = lambda words: None


class CloudDeployment:
    """One stack of the project on Alibaba Cloud.

    Args:
        access: The way to the cloud.
        directory: Where the stack's files lie.
        project: Name of the Pulumi project.
        name: Name of the stack.
        region_id: Region that it stands in.
    """

    spends_money = True
    look_s = 3.0

    def __init__(
        self, access: CloudAccess, directory: Path, *, project: str, name: str, region_id: str
    ) -> None:
        self._access = access
        self._directory = directory
        self._project = project
        self._name = name
        self._region_id = region_id
        self._credentials: Credentials | None = None
        self._stack: PulumiStack | None = None
        self._outputs: Mapping[str, Output] | None = None
        self._resources: Sequence[Resource] | None = None

    @property
    def description(self) -> str:
        """Where the cluster stands, in words."""
        return f"Alibaba Cloud ({self._region_id})"

    def prepare(self) -> None:
        """Try the key, and find the Pulumi CLI or install it.

        Raises:
            CredentialError: There is no key, or the cloud does not take it.
            DeployError: There is no CLI, and none may or can be installed.
        """
        self._opened()

    def visit(self) -> AbstractContextManager[None]:
        """Do nothing: the cloud is there whether or not it is called."""
        return nullcontext()

    def preview(self, program: Program, on_step: OnStep, *, refresh: bool) -> Result:
        """Tell what `up` would do, and change nothing."""
        return self._opened().preview(program, on_step=on_step, refresh=refresh)

    def up(self, program: Program, on_step: OnStep, *, refresh: bool) -> Result:
        """Bring the cloud to what the program declares."""
        self._forget()
        return self._opened().up(program, on_step=on_step, refresh=refresh)

    def refresh(self, on_step: OnStep) -> Result:
        """Bring the state to what the cloud says."""
        self._forget()
        return self._opened().refresh(on_step=on_step)

    def down(self, on_step: OnStep) -> Result:
        """Delete all that stands, and the state."""
        self._forget()
        stack = self._opened()
        result = stack.destroy(on_step=on_step)
        stack.remove()
        (self._directory / _PASSPHRASE_FILE).unlink(missing_ok=True)
        return result

    def leave(self) -> None:
        """Do nothing: the cloud is others' as well."""

    def outputs(self) -> Mapping[str, Output]:
        """Return the program's exports, secrets hidden."""
        if self._outputs is None:
            self._outputs = self._opened().outputs()
        return self._outputs

    def resources(self) -> Sequence[Resource]:
        """Return what stands."""
        if self._resources is None:
            self._resources = self._opened().resources()
        return self._resources

    def api(self) -> Api:
        """Return what calls the cloud."""
        environment = self._access.environment
        known = self._found_credentials()
        codes = (*(product.code for product in _PRODUCTS), _OSS)
        endpoints = {code: _endpoint(code, self._region_id, environment) for code in codes}
        connection = Connection(
            endpoint=endpoints["ecs"],
            endpoints=endpoints,
            protocol="https",
            access_key_id=known.access_key_id,
            access_key_secret=known.access_key_secret,
            security_token=known.security_token,
            region_id=self._region_id,
            poll_s=self.look_s,
            timeout_s=_CALL_TIMEOUT_S,
        )
        return ApiPool(connection).api(Operation(urn=self._name))

    def check_credentials(self) -> Identity:
        """Make sure that the cloud takes the key, before anything else is done.

        Raises:
            CredentialError: There is no key, or the cloud does not take it.
        """
        return self._found_credentials().check(self.api())

    def _found_credentials(self) -> Credentials:
        if self._credentials is None:
            self._credentials = Credentials.find(self._access.environment)
        return self._credentials

    def _opened(self) -> PulumiStack:
        if self._stack is None:
            who = self.check_credentials()
            self._access.say(f"as {who.arn}, account {who.account_id}")
            self._stack = PulumiStack(
                self._directory,
                project=self._project,
                name=self._name,
                command=find_command(may_install=self._access.may_install),
                environment=self._cli_environment(),
                region_id=self._region_id,
            )
        return self._stack

    def _cli_environment(self) -> Mapping[str, str]:
        """Return what the CLI is told: the key, and a passphrase of the stack's own where the user has none.

        The CLI sees the user's environment as well; a backend or a passphrase that is set there stays in force.
        """
        environment = self._access.environment
        told = dict(self._found_credentials().environment)
        told.update({settings.BACKEND_URL: url} if (url := environment.get(settings.BACKEND_URL)) else {})
        if settings.CONFIG_PASSPHRASE not in environment and not environment.get(
            settings.CONFIG_PASSPHRASE_FILE
        ):
            told[settings.CONFIG_PASSPHRASE_FILE] = str(self._own_passphrase())
        return told

    def _own_passphrase(self) -> Path:
        """Return the file of a passphrase made for this stack, for its owner alone."""
        file = self._directory / _PASSPHRASE_FILE
        if not file.exists():
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(secrets.token_hex(_NUM_PASSPHRASE_BYTES) + "\n", encoding="utf-8")
        return file

    def _forget(self) -> None:
        self._outputs = self._resources = None


def _endpoint(code: str, region_id: str, environment: Mapping[str, str]) -> str:
    """Return where a product answers, by the rules of the vendor's provider (its `connectivity/endpoint.go`)."""
    name = code.upper()
    named = environment.get(f"{settings.ENDPOINT_PREFIX}{name}") or environment.get(f"{name}_ENDPOINT")
    separator = "-" if code == _OSS else "."
    return named or _CENTRAL.get(code) or f"{code}{separator}{region_id}.aliyuncs.com"
