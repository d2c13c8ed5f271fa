"""Certificates: those of the certificate service (CAS), and those that classic load balancers keep."""

from __future__ import annotations

from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import CAS, SLB, Api
from steelyard.deploy.provider.connection import Answer
from steelyard.deploy.provider.resource_type import ResourceType, shown, wait_gone, wire
from steelyard.deploy.provider.tag import TagWriter, tag_list, tag_map


class ServiceCertificate(ResourceType):
    """`alicloud.cas.ServiceCertificate`: an uploaded certificate with its key, which NLB and ALB take.

    The vendor's provider renames one in place, by an action of an API of 2018 whose endpoint is another; here a new
    name makes a new certificate.
    """

    token = "alicloud:cas/serviceCertificate:ServiceCertificate"
    create_only = frozenset({"cert", "key", "certificateName", "resourceGroupId", "tags"})

    _CREATE: ClassVar = {
        "cert": "Cert",
        "key": "Key",
        "certificateName": "Name",
        "resourceGroupId": "ResourceGroupId",
    }
    _READ: ClassVar = {
        "cert": "Cert",
        "certificateName": "Name",
        "name": "Name",
        "resourceGroupId": "ResourceGroupId",
    }

    def create(self, api: Api, inputs: Values) -> str:
        """UploadUserCertificate."""
        params = {**wire(inputs, self._CREATE), "Tags": tag_list(inputs.get("tags"))}
        certificate_id = str(api.call(CAS, "UploadUserCertificate", params)["CertId"])
        api.operation.allocated(certificate_id)
        return certificate_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """GetUserCertificateDetail; its key is not told again."""
        answer = api.call(CAS, "GetUserCertificateDetail", {"CertId": int(resource_id)})
        return {**shown(answer, self._READ), "tags": tag_map(answer.get("Tags") or [])}

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteUserCertificate, waiting for the listener that uses it to go."""
        params = {"CertId": int(resource_id)}
        api.call(CAS, "DeleteUserCertificate", params, retry_on=("CertificateInUse",))


class _KeptCertificate(ResourceType):
    """A certificate that a classic load balancer keeps, of a server or of an authority."""

    tag_kind: ClassVar[str]
    words: ClassVar[str]
    id_name: ClassVar[str]
    name_parameter: ClassVar[str]
    names: ClassVar[dict[str, str]]
    kept: ClassVar[dict[str, str]]

    changeable = frozenset({"name", "tags"})

    def create(self, api: Api, inputs: Values) -> str:
        """Upload it, then TagResources."""
        answer = api.call(SLB, f"Upload{self.words}", wire(inputs, {**self.names, **self.kept}))
        certificate_id = str(answer[self.id_name])
        api.operation.allocated(certificate_id)
        TagWriter(api, SLB, self.tag_kind).change(certificate_id, {}, inputs)
        return certificate_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """Describe it, and ListTagResources; what was uploaded is not told again."""
        row = self._row(api, resource_id)
        if row is None:
            return None
        tags = TagWriter(api, SLB, self.tag_kind).read(resource_id)
        return {**shown(row, self.kept), "name": row.get(self.name_parameter) or "", "tags": tags}

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """Rename it, and change its tags."""
        if old.get("name") != new.get("name"):
            params = {self.id_name: resource_id, self.name_parameter: new.get("name") or ""}
            api.call(SLB, f"Set{self.words}Name", params)
        TagWriter(api, SLB, self.tag_kind).change(resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """Delete it, waiting for the listener that uses it to go."""
        in_use = ("CertificateAndPrivateKeyIsRefered",)
        api.call(SLB, f"Delete{self.words}", {self.id_name: resource_id}, retry_on=in_use)
        wait_gone(api, lambda: self._row(api, resource_id) is not None, f"certificate {resource_id}")

    def _row(self, api: Api, certificate_id: str) -> Answer | None:
        answer = api.call(SLB, f"Describe{self.words}s", {self.id_name: certificate_id})
        rows: list[dict[str, Any]] = answer[f"{self.words}s"][self.words]
        return next((row for row in rows if row[self.id_name] == certificate_id), None)


class ServerCertificate(_KeptCertificate):
    """`alicloud.slb.ServerCertificate`: what HTTPS listeners answer with."""

    token = "alicloud:slb/serverCertificate:ServerCertificate"
    create_only = frozenset(
        {
            "serverCertificate",
            "privateKey",
            "alicloudCertificateId",
            "alicloudCertificateName",
            "alicloudCertificateRegionId",
            "resourceGroupId",
        }
    )
    tag_kind = "certificate"
    words, id_name, name_parameter = "ServerCertificate", "ServerCertificateId", "ServerCertificateName"
    names: ClassVar = {
        "name": "ServerCertificateName",
        "serverCertificate": "ServerCertificate",
        "privateKey": "PrivateKey",
        "alicloudCertificateRegionId": "AliCloudCertificateRegionId",
    }
    kept: ClassVar = {
        "alicloudCertificateId": "AliCloudCertificateId",
        "alicloudCertificateName": "AliCloudCertificateName",
        "resourceGroupId": "ResourceGroupId",
    }


class CaCertificate(_KeptCertificate):
    """`alicloud.slb.CaCertificate`: the authority that the clients of HTTPS listeners have to be known to."""

    token = "alicloud:slb/caCertificate:CaCertificate"
    create_only = frozenset({"caCertificate", "resourceGroupId"})
    changeable = frozenset({"name", "caCertificateName", "tags"})
    tag_kind = "certificate"
    words, id_name, name_parameter = "CACertificate", "CACertificateId", "CACertificateName"
    names: ClassVar = {
        "name": "CACertificateName",
        "caCertificateName": "CACertificateName",
        "caCertificate": "CACertificate",
    }
    kept: ClassVar = {"resourceGroupId": "ResourceGroupId"}
