"""Settings of the certificate that listeners with TLS answer with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from steelyard.errors import UsageError
from steelyard.spec import rule
from steelyard.spec.part import Part
from steelyard.spec.rule import Text

FILE_SETTINGS = ("certificate_file", "key_file", "ca_file")
"""Those that name files."""


class TlsSpec(Part):
    """The certificate of listeners with TLS: one that is there, by its id, or one that is uploaded, from two files.

    Attributes:
        certificate_id: An existing certificate: a classic load balancer's own kind, or the certificate service's number
            for the others.
        certificate_file: PEM file of a certificate and its chain; a relative path begins at the cluster file's folder.
        key_file: PEM file of its private key, without a passphrase; kept as a secret.
        policy: Which versions and ciphers clients may use.
        ca_file: PEM file of the authorities that `steelyard` trusts when it calls the gateways; the machine's own where
            it is not given.
        server_name: The name in the certificate that `steelyard` looks for; the address that it calls where it is not
            given.
    """

    certificate_id: (
        Annotated[Text, rule.matching(r"[A-Za-z0-9_-]{1,200}", "a certificate's id", "12345678")] | None
    ) = None
    certificate_file: Text | None = None
    key_file: Text | None = None
    policy: Annotated[
        Text,
        rule.one_of(
            "tls_cipher_policy_1_2", "tls_cipher_policy_1_2_strict", "tls_cipher_policy_1_2_strict_with_1_3"
        ),
    ] = "tls_cipher_policy_1_2"
    ca_file: Text | None = None
    server_name: (
        Annotated[Text, rule.matching(r"[A-Za-z0-9.-]{1,253}", "a host name", "gateway.example.com")] | None
    ) = None

    def based_on(self, folder: Path) -> TlsSpec:
        """Return the same with absolute paths.

        Args:
            folder: Where relative ones begin.
        """
        paths = {name: str(folder / path) for name in FILE_SETTINGS if (path := getattr(self, name))}
        return self.model_copy(update=paths)

    def read(self, setting: str) -> str | None:
        """Return the text of the file that a setting names; None where it names none.

        Args:
            setting: One of `FILE_SETTINGS`.

        Raises:
            UsageError: If the file cannot be read.
        """
        path = getattr(self, setting)
        if path is None:
            return None
        try:
            # A bundle of authorities has comments with their names; what is uploaded is PEM and nothing else.
            return Path(path).read_text(encoding="utf-8" if setting == "ca_file" else "ascii")
        except (OSError, UnicodeDecodeError) as err:
            reason = getattr(err, "strerror", None) or "it is no PEM text"
            raise UsageError(
                f"load_balancer.tls.{setting}: {path} cannot be read: {reason}", "name a PEM file"
            ) from err
