from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.slb import errors
from steelyard.localcloud.services.slb.domain_extension import DomainExtension
from steelyard.localcloud.services.slb.listener_actions import ListenerActions
from steelyard.localcloud.services.slb.rule import DOMAIN
from steelyard.localcloud.wire.error import missing_parameter


class DomainExtensionActions(ListenerActions):
    """Further certificates of HTTPS listeners. Which one a client gets is decided by the names in the certificates."""

    @action("CreateDomainExtension")
    def create_domain_extension(self, request: Request) -> dict[str, object]:
        """Give an HTTPS listener a certificate for a further domain."""
        listener, domain = self.listener(request, "https"), request.text("Domain")
        if not DOMAIN.fullmatch(domain):
            raise errors.domain_malformed(domain)
        if any(one.domain == domain for one in self.extensions_of(listener.id)):
            raise errors.domain_extension_exists()
        extension = DomainExtension(
            id=self.cloud.new_id("de"),
            created_at=self.cloud.clock(),
            load_balancer_id=listener.load_balancer_id,
            listener_id=listener.id,
            port=listener.port,
            domain=domain,
            certificate_id=self._certificate_id(request),
        )
        self.domain_extensions.put(extension)
        self.apply(request, listener.load_balancer_id)
        return {"DomainExtensionId": extension.id, "ListenerPort": listener.port}

    @action("SetDomainExtensionAttribute")
    def set_domain_extension_attribute(self, request: Request) -> dict[str, object]:
        """Let another certificate answer for a domain, without losing a request."""
        extension = self._extension(request)
        self.domain_extensions.put(replace(extension, certificate_id=self._certificate_id(request)))
        self.apply(request, extension.load_balancer_id)
        return {}

    @action("DeleteDomainExtension")
    def delete_domain_extension(self, request: Request) -> dict[str, object]:
        """Let the default certificate answer for a domain again."""
        extension = self._extension(request)
        self.domain_extensions.delete(extension.id)
        self.apply(request, extension.load_balancer_id)
        return {}

    @action("DescribeDomainExtensions")
    def describe_domain_extensions(self, request: Request) -> dict[str, object]:
        """List the domains of a listener that have certificates of their own, or the one that is named."""
        wanted = request.text("DomainExtensionId")
        found = self.extensions_of(self.listener(request, "https").id)
        rows = [one.to_answer() for one in found if wanted in ("", one.id)]
        return {"DomainExtensions": {"DomainExtension": rows}}

    @action("DescribeDomainExtensionAttribute")
    def describe_domain_extension_attribute(self, request: Request) -> dict[str, object]:
        """Give one domain that has a certificate of its own."""
        return self._extension(request).to_answer()

    def _extension(self, request: Request) -> DomainExtension:
        extension = self.domain_extensions.get(request.text("DomainExtensionId"))
        if extension is None:
            raise errors.domain_extension_not_found()
        return extension

    def _certificate_id(self, request: Request) -> str:
        certificate_id = request.text("ServerCertificateId")
        if not certificate_id:
            raise missing_parameter("ServerCertificateId")
        if self.server_certificates.get(certificate_id) is None:
            raise errors.server_certificate_not_found()
        return certificate_id
