from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from steelyard.localcloud.record import Record


@dataclass(frozen=True, kw_only=True)
class DomainExtension(Record):
    """A further certificate of an HTTPS listener, for clients that ask for another name than the default one's.

    Attributes:
        domain: The name, `*.` before it for all below.
        certificate_id: The server certificate.
    """

    kind: ClassVar[str] = "slb_domain_extension"

    load_balancer_id: str
    listener_id: str
    port: int
    domain: str
    certificate_id: str

    def to_answer(self) -> dict[str, object]:
        """Give the fields of DescribeDomainExtensionAttribute."""
        return {
            "DomainExtensionId": self.id,
            "Domain": self.domain,
            "ServerCertificateId": self.certificate_id,
            "LoadBalancerId": self.load_balancer_id,
            "ListenerPort": self.port,
        }
