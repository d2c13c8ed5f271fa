from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pulumi
from pulumi_alicloud import cas, slb

from steelyard.components.tag import cluster_tags
from steelyard.spec.tls import TlsSpec

_KEEPER = "cn-hangzhou"
"""Where the certificate service of the China site keeps all certificates."""


@dataclass(frozen=True, kw_only=True)
class CertificateArgs:
    """What listeners with TLS answer with: a certificate that is there, or one that is uploaded.

    Attributes:
        certificate_id: Id of one that is there: a classic load balancer's own, or the certificate service's number.
        certificate: PEM text of one that is uploaded, and of its chain.
        key: PEM text of its private key; kept as a secret.
        policy: The cloud's TLS policy.
    """

    certificate_id: pulumi.Input[str] | None = None
    certificate: str | None = None
    key: pulumi.Input[str] | None = None
    policy: str = "tls_cipher_policy_1_2"

    @classmethod
    def read(cls, spec: TlsSpec) -> CertificateArgs | None:
        """Read the files that a spec names.

        Args:
            spec: The settings.

        Returns:
            None where they name no certificate.

        Raises:
            UsageError: If a file cannot be read.
        """
        if spec.certificate_id:
            return cls(certificate_id=spec.certificate_id, policy=spec.policy)
        certificate, key = spec.read("certificate_file"), spec.read("key_file")
        if certificate is None or key is None:
            return None
        return cls(
            certificate=certificate,
            key=pulumi.Output.secret(key),
            policy=spec.policy,
        )


def classic_certificate_id(
    name: str, cluster: str, args: CertificateArgs, parent: pulumi.Resource
) -> pulumi.Input[str]:
    """Give the id of the certificate for a classic load balancer, which keeps its own; upload it where it is new.

    Args:
        name: Beginning of the resource's name.
        cluster: The cluster's name.
        args: The certificate.
        parent: The component that it belongs to.
    """
    if args.certificate_id is not None:
        return args.certificate_id
    return slb.ServerCertificate(
        f"{name}-certificate",
        name=_name(cluster, args),
        server_certificate=args.certificate,
        private_key=pulumi.Output.secret(args.key),
        tags=cluster_tags(cluster),
        opts=pulumi.ResourceOptions(parent=parent),
    ).id


def service_certificate_id(
    name: str, cluster: str, args: CertificateArgs, parent: pulumi.Resource
) -> pulumi.Input[str]:
    """Give the certificate service's number of the certificate; upload it there where it is new.

    Args:
        name: Beginning of the resource's name.
        cluster: The cluster's name.
        args: The certificate.
        parent: The component that it belongs to.
    """
    if args.certificate_id is not None:
        return args.certificate_id
    return cas.ServiceCertificate(
        f"{name}-certificate",
        certificate_name=_name(cluster, args),
        cert=args.certificate,
        key=pulumi.Output.secret(args.key),
        tags=cluster_tags(cluster),
        opts=pulumi.ResourceOptions(parent=parent),
    ).id


def service_certificate_identifier(
    name: str, cluster: str, args: CertificateArgs, parent: pulumi.Resource
) -> pulumi.Output[str]:
    """Give what ALB calls a certificate: its number in the certificate service, and the region that keeps it.

    Args:
        name: Beginning of the resource's name.
        cluster: The cluster's name.
        args: The certificate; an id that names its region is left as it is.
        parent: The component that it belongs to.
    """
    number = pulumi.Output.from_input(service_certificate_id(name, cluster, args, parent))
    return number.apply(lambda text: text if "-" in text else f"{text}-{_KEEPER}")


def _name(cluster: str, args: CertificateArgs) -> str:
    """Give a name that another certificate does not have: old and new stand side by side while they are exchanged."""
    return f"{cluster}-{hashlib.sha256(str(args.certificate).encode()).hexdigest()[:12]}"
