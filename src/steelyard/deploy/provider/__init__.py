"""The Alibaba Cloud provider of the embedded engine: Pulumi's `alicloud:*` resources as API calls."""

from steelyard.deploy.provider.alicloud import AlicloudProvider

__all__ = ["AlicloudProvider"]
