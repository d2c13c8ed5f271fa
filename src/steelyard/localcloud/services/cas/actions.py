from __future__ import annotations

import secrets
from typing import Protocol, runtime_checkable

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.pem import KeyPair, PemError, read_pair
from steelyard.localcloud.record import Records
from steelyard.localcloud.service import Request, Service, action
from steelyard.localcloud.services.cas import errors
from steelyard.localcloud.services.cas.models import REGION, Certificate
from steelyard.localcloud.tag import read_tags
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served

_MAX_NAME = 64
_LOWEST_ID = 10_000_000
_NUM_IDS = 90_000_000
_MAX_PAGE = 100


@runtime_checkable
class CertificateUser(Protocol):
    """A product whose listeners answer with certificates of this service."""

    def certificate_user(self, certificate_id: str) -> str | None:
        """Name a listener that uses a certificate of this number, or give None."""


class CasService(Service):
    """Keeps uploaded certificates with their keys, for the listeners of NLB and ALB.

    It sells none. What is uploaded is read: a certificate without its key, or with another's, is refused.
    """

    code, version = "cas", "2020-04-07"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.certificates = Records(cloud.store, Certificate)

    def find_pair(self, certificate_id: str) -> KeyPair | None:
        """Give a certificate with its key, by its number or its identifier; None where there is none."""
        certificate = self.certificates.get(certificate_number(certificate_id))
        return None if certificate is None else certificate.pair

    @action("UploadUserCertificate")
    def upload_user_certificate(self, request: Request) -> dict[str, object]:
        """Keep a certificate and its key."""
        name = request.text("Name")
        if not 1 <= len(name) <= _MAX_NAME:
            raise invalid_parameter("Name", name, f"of 1 to {_MAX_NAME} characters")
        if any(request.text(word) for word in ("SignCert", "SignPrivateKey", "EncryptCert")):
            raise not_served("certificates of the SM algorithms")
        for word in ("Cert", "Key"):
            if not request.text(word):
                raise missing_parameter(word)
        try:
            pair = read_pair(request.text("Cert"), request.text("Key"))
        except PemError as err:
            raise errors.invalid_certificate(str(err)) from err
        if any(certificate.name == name for certificate in self.certificates.list()):
            raise errors.name_repeated(name)
        certificate = Certificate(
            id=self._new_number(),
            created_at=self.cloud.clock(),
            tags=read_tags(request, "Tags"),
            name=name,
            certificate=pair.certificate,
            key=pair.key,
            resource_group_id=request.text("ResourceGroupId"),
        )
        self.certificates.put(certificate)
        return {"CertId": int(certificate.id), "ResourceId": f"cas-upload-{certificate.id}"}

    @action("GetUserCertificateDetail")
    def get_user_certificate_detail(self, request: Request) -> dict[str, object]:
        """Give one certificate, with its key unless `CertFilter` is set."""
        certificate = self._named(request)
        detail = certificate.to_answer(self.cloud.clock())
        if not request.flag("CertFilter"):
            detail |= {"Cert": certificate.certificate, "Key": certificate.key}
        return detail

    @action("ListUserCertificateOrder")
    def list_user_certificate_order(self, request: Request) -> dict[str, object]:
        """List uploaded certificates; there are no others."""
        if request.text("OrderType") != "UPLOAD":
            raise not_served("orders of certificates: ask for the OrderType UPLOAD")
        now, word, status = self.cloud.clock(), request.text("Keyword"), request.text("Status")
        rows = [certificate.to_answer(now) for certificate in self.certificates.list()]
        found = [
            row
            for row in rows
            if (not word or word in f"{row['Name']} {row['CommonName']} {row['Sans']}")
            and status in ("", str(row["Status"]))
        ]
        number, size = request.number("CurrentPage", 1), request.number("ShowSize", 50)
        if number < 1 or not 1 <= size <= _MAX_PAGE:
            raise invalid_parameter("ShowSize", size, f"from 1 to {_MAX_PAGE}, from page 1 on")
        return {
            "CertificateOrderList": found[(number - 1) * size : number * size],
            "CurrentPage": number,
            "ShowSize": size,
            "TotalCount": len(found),
        }

    @action("DeleteUserCertificate")
    def delete_user_certificate(self, request: Request) -> dict[str, object]:
        """Delete a certificate that no listener answers with any more; whether the real one asks is not known."""
        certificate = self._named(request)
        for service in self.cloud.services.values():
            user = service.certificate_user(certificate.id) if isinstance(service, CertificateUser) else None
            if user:
                raise errors.in_use(certificate.id, user)
        self.certificates.delete(certificate.id)
        return {}

    def _named(self, request: Request) -> Certificate:
        number = request.number("CertId", 0)
        certificate = self.certificates.get(str(number))
        if certificate is None:
            raise errors.not_found(number)
        return certificate

    def _new_number(self) -> str:
        while True:
            number = str(_LOWEST_ID + secrets.randbelow(_NUM_IDS))
            if self.certificates.get(number) is None:
                return number


def certificate_number(certificate_id: str) -> str:
    """Give the number in a certificate's id, which NLB and ALB may be given as `<number>-cn-hangzhou`."""
    return certificate_id.removesuffix(f"-{REGION}")
