"""The providers of one run: the default one, and those that the program configures itself."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping

from steelyard.deploy import urn, values
from steelyard.deploy.engine import diff
from steelyard.deploy.engine.journal import Journal
from steelyard.deploy.engine.provider import Provider, Rules
from steelyard.deploy.record import Record
from steelyard.deploy.values import Properties
from steelyard.errors import DeployError

DEFAULT_NAME = "default"


def is_default(record: Record) -> bool:
    """Whether a record is that of the default provider, which no program names."""
    return urn.is_provider(record.type) and record.name == DEFAULT_NAME and not record.parent


class Fleet:
    """Finds the provider of a resource.

    Args:
        base: The provider that was handed to the run.
        journal: Holds the records of the providers.
        project: Name of the project.
        stack: Name of the stack.
    """

    def __init__(self, base: Provider, journal: Journal, *, project: str, stack: str) -> None:
        self._base = base
        self._journal = journal
        self._type = urn.PROVIDER_PREFIX + base.package
        self.default_urn = urn.make(stack=stack, project=project, type_token=self._type, name=DEFAULT_NAME)
        self._default = ""
        self._known: dict[str, Provider] = {}
        self._lock = threading.Lock()

    @property
    def uses_default(self) -> bool:
        """Whether any resource of this run has asked for the default provider."""
        return bool(self._default)

    def rules(self, type_token: str) -> Rules:
        """Return the rules of a type, a provider's own included.

        Raises:
            DeployError: If the type is not supported.
        """
        self.check_package(type_token)
        return self._base.rules(type_token)

    def check(self, type_token: str, inputs: Properties) -> None:
        """Look at a resource's inputs before anything is done.

        Raises:
            DeployError: If the type cannot be given such inputs.
        """
        self._base.check(type_token, values.plain(inputs))

    def check_package(self, token: str) -> None:
        """Refuse a type or a function of a package that is not the provider's.

        Raises:
            DeployError: Naming the package.
        """
        package = urn.package_of(token)
        if package != self._base.package:
            raise DeployError(
                f"{token} is of the package {package!r}, which the embedded engine does not have",
                f"It has {self._base.package!r} alone: run the program with the Pulumi CLI",
            )

    def find(self, reference: str) -> Provider:
        """Return the provider of a reference `<urn>::<id>`; an unknown one stands for the base."""
        with self._lock:
            if reference not in self._known:
                record = self._journal.find_provider(reference)
                config: Mapping[str, object] = values.plain(record.inputs) if record else {}
                self._known[reference] = self._base.configured(config) if config else self._base
            return self._known[reference]

    def default(self) -> str:
        """Return the reference of the default provider, setting its record down on first use."""
        with self._lock:
            if not self._default:
                record = self._default_record()
                self._default = f"{record.urn}::{record.id}"
            return self._default

    def _default_record(self) -> Record:
        old = self._journal.find(self.default_urn)
        config = dict(self._base.config)
        changed = diff.compare(old.inputs, config) if old else None
        stays = changed is not None and not changed.touches(self._base.rules(self._type).replace_keys)
        record = Record(
            urn=self.default_urn,
            is_custom=True,
            id=old.id if old and stays else str(uuid.uuid4()),
            inputs=config,
            outputs=config,
        )
        self._journal.put(record, supersedes=None if stays else old)
        return record
