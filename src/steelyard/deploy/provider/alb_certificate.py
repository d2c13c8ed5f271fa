"""Further certificates of application load balancers' listeners."""

from __future__ import annotations

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.alb import CONFIGURING, AlbType
from steelyard.deploy.provider.api import ALB, Api, token_items
from steelyard.deploy.provider.resource_type import wait_gone


class ListenerAdditionalCertificateAttachment(AlbType):
    """`alicloud.alb.ListenerAdditionalCertificateAttachment`: a certificate for one more server name."""

    token = "alicloud:alb/listenerAdditionalCertificateAttachment:ListenerAdditionalCertificateAttachment"
    create_only = frozenset({"listenerId", "certificateId"})
    # Its id is the listener's and the certificate's: a new one must not be taken away as the old one.
    deletes_before_replace = True

    def create(self, api: Api, inputs: Values) -> str:
        """AssociateAdditionalCertificatesWithListener, then wait until they are associated."""
        attachment_id = f"{inputs['listenerId']}:{inputs['certificateId']}"
        self._change(api, "AssociateAdditionalCertificatesWithListener", attachment_id)
        api.operation.allocated(attachment_id)

        def look() -> bool | None:
            return True if (self.read(api, attachment_id) or {}).get("status") == "Associated" else None

        api.wait(look, what=f"certificate of a listener, {attachment_id}")
        return attachment_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """ListListenerCertificates, and in it the certificate."""
        listener_id, certificate_id = resource_id.split(":")
        rows = token_items(api, ALB, "ListListenerCertificates", {"ListenerId": listener_id}, "Certificates")
        for row in rows:
            if row.get("CertificateId") == certificate_id and not row.get("IsDefault"):
                known = {"listenerId": listener_id, "certificateId": certificate_id}
                return {**known, "status": row.get("Status")}
        return None

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DissociateAdditionalCertificatesFromListener, then wait until they are apart."""
        self._change(api, "DissociateAdditionalCertificatesFromListener", resource_id)
        wait_gone(
            api, lambda: self.read(api, resource_id) is not None, f"certificate of a listener, {resource_id}"
        )

    def _change(self, api: Api, action: str, attachment_id: str) -> None:
        listener_id, certificate_id = attachment_id.split(":")
        params = {"ListenerId": listener_id, "Certificates": [{"CertificateId": certificate_id}]}
        api.call(ALB, action, params, retry_on=(*self.busy, *CONFIGURING))
