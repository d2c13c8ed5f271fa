"""Settings of where jobs keep their checkpoints."""

from __future__ import annotations

from typing import Annotated

from steelyard.spec import rule
from steelyard.spec.part import Part
from steelyard.spec.rule import Flag, Text, WholeNumber


class CheckpointsSpec(Part):
    """Where jobs keep their checkpoints.

    Attributes:
        kind: `oss` for a bucket, `nas` for a file system that every node mounts, `none` for nothing of the cluster's
            own.
        bucket: Name of the bucket, which is nobody else's in all of Alibaba Cloud; made of the cluster's name, account
            and region where it is not given.
        prefix: What the checkpoints' keys begin with.
        keep_deleted_days: Days for which the bucket keeps what was overwritten or deleted.
        force_destroy: Whether `down` deletes bucket or file system with the checkpoints that are in it. Otherwise it is
            refused: of a bucket with something in it, of a file system always.
        nas_storage: The file system's storage type.
    """

    kind: Annotated[Text, rule.one_of("none", "oss", "nas")] = "none"
    bucket: (
        Annotated[
            Text,
            rule.matching(
                r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]",
                "3 to 63 small letters, digits and hyphens",
                "my-team-checkpoints",
            ),
        ]
        | None
    ) = None
    prefix: Annotated[
        Text,
        rule.matching(
            r"[A-Za-z0-9_.-]{1,64}(/[A-Za-z0-9_.-]{1,64})*", "a path without a slash at its ends", "runs"
        ),
    ] = "checkpoints"
    keep_deleted_days: Annotated[WholeNumber, rule.within(1, 3650, " days")] = 30
    force_destroy: Flag = False
    nas_storage: Annotated[Text, rule.one_of("Performance", "Capacity", "Premium")] = "Performance"
