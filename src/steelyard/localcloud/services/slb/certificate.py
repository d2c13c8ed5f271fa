from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from steelyard.localcloud.pem import KeyPair, read_facts
from steelyard.localcloud.record import Record
from steelyard.localcloud.tag import tag_rows
from steelyard.localcloud.text import utc_text


@dataclass(frozen=True, kw_only=True)
class StoredCertificate(Record):
    """What CLB keeps of a certificate of either kind, each region its own.

    Attributes:
        certificate: PEM text of it and its chain.
    """

    region_id: str
    name: str
    certificate: str
    resource_group_id: str

    def facts(self) -> dict[str, object]:
        """Give what the answers about both kinds have."""
        facts = read_facts(self.certificate)
        pairs = (facts.fingerprint[i : i + 2] for i in range(0, len(facts.fingerprint), 2))
        return {
            "RegionId": self.region_id,
            "CommonName": facts.common_name,
            "Fingerprint": ":".join(pairs),
            "SubjectAlternativeNames": {"SubjectAlternativeName": list(facts.alternative_names)},
            "CreateTime": utc_text(self.created_at),
            "CreateTimeStamp": int(self.created_at * 1000),
            "ExpireTime": utc_text(facts.ends_at),
            "ExpireTimeStamp": facts.ends_at * 1000,
            "ResourceGroupId": self.resource_group_id,
            "Tags": {"Tag": tag_rows(self.tags)},
        }


@dataclass(frozen=True, kw_only=True)
class ServerCertificate(StoredCertificate):
    """What an HTTPS listener answers with.

    Attributes:
        key: PEM text of its private key.
        service_certificate_id: The certificate service's number of it; empty for one that was uploaded here.
        service_certificate_name: Its name there.
    """

    kind: ClassVar[str] = "slb_server_certificate"

    key: str
    service_certificate_id: str = ""
    service_certificate_name: str = ""

    @property
    def bundle(self) -> str:
        """Certificate, chain and key in one text."""
        return KeyPair(certificate=self.certificate, key=self.key).bundle

    def to_answer(self) -> dict[str, object]:
        """Give the fields that UploadServerCertificate and DescribeServerCertificates share; never the key."""
        return {
            **self.facts(),
            "ServerCertificateId": self.id,
            "ServerCertificateName": self.name,
            "AliCloudCertificateId": self.service_certificate_id,
            "AliCloudCertificateName": self.service_certificate_name,
            "IsAliCloudCertificate": int(bool(self.service_certificate_id)),
        }


@dataclass(frozen=True, kw_only=True)
class CaCertificate(StoredCertificate):
    """The authority that an HTTPS listener's clients have to be known to."""

    kind: ClassVar[str] = "slb_ca_certificate"

    def to_answer(self) -> dict[str, object]:
        """Give the fields that UploadCACertificate and DescribeCACertificates share."""
        return {**self.facts(), "CACertificateId": self.id, "CACertificateName": self.name}
