from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_alicloud import nas, oss

from steelyard.components.tag import cluster_tags

_UNFINISHED_UPLOAD_DAYS = 7
_MOST_MOUNT_TARGETS = 2
"""Of a general-purpose file system (help page "Limits" of NAS, from memory); one serves its whole VPC."""


def bucket_name(cluster: str, region: str, account_id: str) -> str:
    """Give a name for a cluster's bucket that is the same in each run and nobody else's."""
    mark = hashlib.sha256(f"{account_id}/{region}/{cluster}".encode()).hexdigest()[:8]
    return f"{cluster}-checkpoints-{mark}"


@dataclass(frozen=True, kw_only=True)
class BucketArgs:
    """What a bucket for checkpoints is made from.

    Attributes:
        bucket: Its name, which is nobody else's in all of Alibaba Cloud.
        prefix: What the checkpoints' keys begin with, without a slash at its ends.
        keep_deleted_days: Days for which it keeps what was overwritten or deleted.
        force_destroy: Whether it may be deleted with what is in it.
    """

    bucket: pulumi.Input[str]
    prefix: str = "checkpoints"
    keep_deleted_days: int = 30
    force_destroy: bool = False


@dataclass(frozen=True, kw_only=True)
class FileSystemArgs:
    """What a file system for checkpoints is made from.

    Attributes:
        vpc_id: VPC that may mount it.
        vpc_cidr: The VPC's range; what comes from elsewhere is refused.
        vswitch_ids: VSwitches, of which the first two get a mount target.
        storage_type: NAS's storage type.
        folder: Where nodes mount it: an absolute path, or `~/` and one in a node's home; `/mnt/CLUSTER-checkpoints`
            where it is None. On the local cloud it has to be in the home, since nodes share all else there.
        force_destroy: Whether it may be deleted with what is in it; NAS itself deletes one with files in it.
    """

    vpc_id: pulumi.Input[str]
    vpc_cidr: pulumi.Input[str]
    vswitch_ids: Sequence[pulumi.Input[str]]
    storage_type: str = "Performance"
    folder: str | None = None
    force_destroy: bool = False


@dataclass(frozen=True, kw_only=True)
class CheckpointStoreArgs:
    """What a `CheckpointStore` is made from: one of the two.

    Attributes:
        cluster: The cluster's name.
        bucket: A bucket of OSS.
        file_system: A file system of NAS.
    """

    cluster: str
    bucket: BucketArgs | None = None
    file_system: FileSystemArgs | None = None


class CheckpointStore(pulumi.ComponentResource):
    """Where jobs keep their checkpoints: a bucket, or a file system that every node mounts.

    A bucket is private, refuses to be made public, encrypts what it keeps and keeps for a while what was overwritten or
    deleted.

    Attributes:
        url: What `steelyard train --checkpoint` is given: `oss://BUCKET/PREFIX`, or the folder that nodes mount.
        bucket_name: Name of the bucket; None of a file system.
        prefix: What the checkpoints' keys begin with; None of a file system.
        folder: The folder that nodes mount the file system on; None of a bucket.
        mount_domain: Host name of the file system's first mount target; None of a bucket.
    """

    url: pulumi.Output[str]
    bucket_name: pulumi.Output[str] | None = None
    prefix: str | None = None
    folder: str | None = None
    mount_domain: pulumi.Output[str] | None = None

    def __init__(
        self, name: str, args: CheckpointStoreArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("steelyard:index:CheckpointStore", name, None, opts)
        if (args.bucket is None) == (args.file_system is None):
            raise ValueError("a checkpoint store is a bucket or a file system: give one of the two")
        if args.bucket is not None:
            self.url = self._create_bucket(name, args.cluster, args.bucket)
        elif args.file_system is not None:
            self.url = self._create_file_system(name, args.cluster, args.file_system)
        self.register_outputs({"url": self.url})

    def _create_bucket(self, name: str, cluster: str, args: BucketArgs) -> pulumi.Output[str]:
        bucket = oss.Bucket(
            f"{name}-bucket",
            bucket=args.bucket,
            force_destroy=args.force_destroy,
            server_side_encryption_rule=oss.BucketServerSideEncryptionRuleArgs(sse_algorithm="AES256"),
            versioning=oss.BucketVersioningArgs(status="Enabled"),
            lifecycle_rules=[
                oss.BucketLifecycleRuleArgs(
                    id="old",
                    prefix="",
                    enabled=True,
                    noncurrent_version_expirations=[
                        oss.BucketLifecycleRuleNoncurrentVersionExpirationArgs(days=args.keep_deleted_days)
                    ],
                    abort_multipart_uploads=[
                        oss.BucketLifecycleRuleAbortMultipartUploadArgs(days=_UNFINISHED_UPLOAD_DAYS)
                    ],
                )
            ],
            tags=cluster_tags(cluster),
            # Without `force_destroy` a replacement would fail where checkpoints are; better before the new one stands.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        block = oss.BucketPublicAccessBlock(
            f"{name}-private",
            bucket=bucket.bucket,
            block_public_access=True,
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        # Whoever knows the name may write: so it is told once nobody else can read.
        self.bucket_name, self.prefix = block.bucket, args.prefix
        return pulumi.Output.concat("oss://", self.bucket_name, "/", args.prefix)

    def _create_file_system(self, name: str, cluster: str, args: FileSystemArgs) -> pulumi.Output[str]:
        file_system = nas.FileSystem(
            f"{name}-files",
            # NAS takes letters, digits, colons, underscores and hyphens alone.
            description=f"steelyard-checkpoints:{cluster}",
            file_system_type="standard",
            protocol_type="NFS",
            storage_type=args.storage_type,
            encrypt_type=1,
            tags=cluster_tags(cluster),
            opts=pulumi.ResourceOptions(parent=self, protect=not args.force_destroy),
        )
        group, rule = self._create_access(name, cluster, args.vpc_cidr)
        targets = [
            nas.MountTarget(
                f"{name}-target-{i}",
                file_system_id=file_system.id,
                access_group_name=group.access_group_name,
                network_type="Vpc",
                vpc_id=args.vpc_id,
                vswitch_id=vswitch_id,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[rule]),
            )
            for i, vswitch_id in enumerate(args.vswitch_ids[:_MOST_MOUNT_TARGETS])
        ]
        self.mount_domain = targets[0].mount_target_domain
        self.folder = args.folder or f"/mnt/{cluster}-checkpoints"
        return pulumi.Output.from_input(self.folder)

    def _create_access(
        self, name: str, cluster: str, vpc_cidr: pulumi.Input[str]
    ) -> tuple[nas.AccessGroup, nas.AccessRule]:
        """Let the network's addresses read and write."""
        group = nas.AccessGroup(
            f"{name}-access",
            access_group_name=f"{cluster}-checkpoints",
            access_group_type="Vpc",
            file_system_type="standard",
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        rule = nas.AccessRule(
            f"{name}-nodes",
            access_group_name=group.access_group_name,
            file_system_type="standard",
            source_cidr_ip=vpc_cidr,
            rw_access_type="RDWR",
            user_access_type="no_squash",
            opts=pulumi.ResourceOptions(parent=self),
        )
        return group, rule
