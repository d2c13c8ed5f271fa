from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

from steelyard.localcloud.pem import KeyPair, read_facts
from steelyard.localcloud.record import Record
from steelyard.localcloud.tag import tag_rows

REGION = "cn-hangzhou"
"""Where the certificate service of the China site keeps all certificates; their identifiers end with it."""


@dataclass(frozen=True, kw_only=True)
class Certificate(Record):
    """An uploaded certificate. Its id is a number, and `<number>-cn-hangzhou` its identifier.

    Attributes:
        certificate: PEM text of it and its chain.
        key: PEM text of its private key.
    """

    kind: ClassVar[str] = "cas_certificate"

    name: str
    certificate: str
    key: str
    resource_group_id: str

    @property
    def identifier(self) -> str:
        """What ALB calls it; NLB takes the number as well."""
        return f"{self.id}-{REGION}"

    @property
    def pair(self) -> KeyPair:
        """It with its key."""
        return KeyPair(certificate=self.certificate, key=self.key)

    def to_answer(self, now: float) -> dict[str, object]:
        """Give the fields that GetUserCertificateDetail and ListUserCertificateOrder share.

        Args:
            now: The Unix time.
        """
        facts = read_facts(self.certificate)
        return {
            "Id": int(self.id),
            "CertificateId": int(self.id),
            "Name": self.name,
            "CertIdentifier": self.identifier,
            "Common": facts.common_name,
            "CommonName": facts.common_name,
            "Issuer": facts.issuer,
            "OrgName": facts.organization,
            "Sans": ",".join(facts.alternative_names),
            "Fingerprint": facts.fingerprint,
            "Sha2": facts.sha256,
            "SerialNo": facts.serial_number,
            "Algorithm": facts.algorithm,
            "StartDate": _day(facts.starts_at),
            "EndDate": _day(facts.ends_at),
            "NotBefore": facts.starts_at * 1000,
            "NotAfter": facts.ends_at * 1000,
            "CertStartTime": facts.starts_at * 1000,
            "CertEndTime": facts.ends_at * 1000,
            "Expired": facts.ends_at < now,
            "BuyInAliyun": False,
            "Upload": True,
            "Status": "EXPIRED" if facts.ends_at < now else "ISSUED",
            "ResourceGroupId": self.resource_group_id,
            "Tags": tag_rows(self.tags),
        }


def _day(unix_time: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(unix_time))
