from __future__ import annotations

import secrets
from dataclasses import replace

from steelyard.localcloud.pem import KeyPair, PemError, read_facts, read_pair
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.cas.models import REGION
from steelyard.localcloud.services.slb import errors
from steelyard.localcloud.services.slb.certificate import CaCertificate, ServerCertificate
from steelyard.localcloud.services.slb.state import SlbState
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter

_MAX_NAME = 80


class CertificateActions(SlbState):
    """Certificates of HTTPS listeners, and of the authorities that their clients have to be known to."""

    @action("UploadServerCertificate")
    def upload_server_certificate(self, request: Request) -> dict[str, object]:
        """Keep a certificate and its key, both from the call or both from the certificate service."""
        pair = self._service_pair(request) or _uploaded_pair(request)
        certificate = ServerCertificate(
            id=self._new_certificate_id(),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=request.region_id,
            name=_name(request, "ServerCertificateName"),
            certificate=pair.certificate,
            key=pair.key,
            resource_group_id=request.text("ResourceGroupId"),
            service_certificate_id=request.text("AliCloudCertificateId"),
            service_certificate_name=request.text("AliCloudCertificateName"),
        )
        self.server_certificates.put(certificate)
        return certificate.to_answer()

    @action("DescribeServerCertificates")
    def describe_server_certificates(self, request: Request) -> dict[str, object]:
        """List the region's server certificates, or the one that is named."""
        wanted, tags = request.text("ServerCertificateId"), read_tags(request)
        rows = [
            certificate.to_answer()
            for certificate in self.server_certificates.list()
            if certificate.region_id == request.region_id
            and wanted in ("", certificate.id)
            and has_tags(certificate.tags, tags)
        ]
        return {"ServerCertificates": {"ServerCertificate": rows}}

    @action("SetServerCertificateName")
    def set_server_certificate_name(self, request: Request) -> dict[str, object]:
        """Change a server certificate's name."""
        certificate = self._server_certificate(request)
        self.server_certificates.put(replace(certificate, name=_name(request, "ServerCertificateName")))
        return {}

    @action("DeleteServerCertificate")
    def delete_server_certificate(self, request: Request) -> dict[str, object]:
        """Delete a server certificate that no listener answers with."""
        certificate = self._server_certificate(request)
        self._check_unused("ServerCertificateId", certificate.id)
        self.server_certificates.delete(certificate.id)
        return {}

    @action("UploadCACertificate")
    def upload_ca_certificate(self, request: Request) -> dict[str, object]:
        """Keep the certificate of an authority."""
        text = request.text("CACertificate").strip()
        try:
            read_facts(text)
        except PemError as err:
            raise errors.malformed_certificate(str(err)) from err
        certificate = CaCertificate(
            id=self._new_certificate_id(),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=request.region_id,
            name=_name(request, "CACertificateName"),
            certificate=text,
            resource_group_id=request.text("ResourceGroupId"),
        )
        self.ca_certificates.put(certificate)
        return certificate.to_answer()

    @action("DescribeCACertificates")
    def describe_ca_certificates(self, request: Request) -> dict[str, object]:
        """List the region's certificates of authorities, or the one that is named."""
        wanted, tags = request.text("CACertificateId"), read_tags(request)
        rows = [
            certificate.to_answer()
            for certificate in self.ca_certificates.list()
            if certificate.region_id == request.region_id
            and wanted in ("", certificate.id)
            and has_tags(certificate.tags, tags)
        ]
        return {"CACertificates": {"CACertificate": rows}}

    @action("SetCACertificateName")
    def set_ca_certificate_name(self, request: Request) -> dict[str, object]:
        """Change the name of an authority's certificate."""
        certificate = self._ca_certificate(request)
        self.ca_certificates.put(replace(certificate, name=_name(request, "CACertificateName")))
        return {}

    @action("DeleteCACertificate")
    def delete_ca_certificate(self, request: Request) -> dict[str, object]:
        """Delete the certificate of an authority that no listener asks its clients for."""
        certificate = self._ca_certificate(request)
        self._check_unused("CACertificateId", certificate.id)
        self.ca_certificates.delete(certificate.id)
        return {}

    def _server_certificate(self, request: Request) -> ServerCertificate:
        certificate = self.server_certificates.get(request.text("ServerCertificateId"))
        if certificate is None:
            raise errors.server_certificate_not_found()
        return certificate

    def _ca_certificate(self, request: Request) -> CaCertificate:
        certificate = self.ca_certificates.get(request.text("CACertificateId"))
        if certificate is None:
            raise errors.ca_certificate_not_found()
        return certificate

    def _check_unused(self, setting: str, certificate_id: str) -> None:
        named = {listener.settings.get(setting) for listener in self.listeners.list()}
        further = {one.certificate_id for one in self.domain_extensions.list()}
        if certificate_id in named | further:
            raise errors.certificate_in_use()

    def _service_pair(self, request: Request) -> KeyPair | None:
        """Give what the certificate service has under the number that the call names, None where it names none."""
        number = request.text("AliCloudCertificateId")
        if not number:
            return None
        if request.text("AliCloudCertificateRegionId", REGION) != REGION:
            raise invalid_parameter(
                "AliCloudCertificateRegionId", request.text("AliCloudCertificateRegionId"), REGION
            )
        pair = self.find_pair(number)
        if pair is None:
            raise invalid_parameter(
                "AliCloudCertificateId", number, "a certificate of the certificate service"
            )
        return pair

    def _new_certificate_id(self) -> str:
        """Give an id of the form of the real ones: the account, the time and what makes it single."""
        moment = f"{int(self.cloud.clock() * 1000):x}"
        return (
            f"{self.cloud.identity.account_id}_{moment}_{secrets.randbelow(2**31)}_{secrets.randbelow(2**31)}"
        )


def _uploaded_pair(request: Request) -> KeyPair:
    for name in ("ServerCertificate", "PrivateKey"):
        if not request.text(name).strip():
            raise missing_parameter(name)
    try:
        return read_pair(request.text("ServerCertificate"), request.text("PrivateKey"))
    except PemError as err:
        if "not that of" in str(err):
            raise errors.certificate_without_its_key() from err
        raise errors.malformed_certificate(str(err)) from err


def _name(request: Request, parameter: str) -> str:
    name = request.text(parameter)
    if len(name) > _MAX_NAME:
        raise invalid_parameter(parameter, name, f"of 1 to {_MAX_NAME} characters")
    return name
