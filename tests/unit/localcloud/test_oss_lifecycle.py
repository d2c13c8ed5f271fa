"""Lifecycle rules are carried out by the cloud's clock, which the tests move."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clocked_cloud import START, Clock, standing_cloud

from steelyard.localcloud.services.oss.actions import OssService
from steelyard.localcloud.services.oss.errors import StorageError
from steelyard.localcloud.services.oss.models import OldVersion, Part, StorageObject, Upload
from steelyard.localcloud.services.oss.request import StorageRequest
from steelyard.localcloud.services.oss.text import milli_text

DAY = 24 * 3600
NAME = "shelf"


class Warehouse:
    """One bucket of a cloud in process, and the clock."""

    def __init__(self, service: OssService, clock: Clock) -> None:
        self.service = service
        self.clock = clock
        self.call("PUT")

    def call(
        self,
        method: str,
        key: str = "",
        query: dict[str, str] | None = None,
        body: bytes = b"",
        **headers: str,
    ) -> dict[str, str]:
        request = StorageRequest(
            method=method,
            bucket=NAME,
            key=key,
            query=query or {},
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            request_id="r",
            caller=self.service.cloud.identity.root_key(),
            document=body,
        )
        errand = self.service.find(request)
        if errand.operation.name in ("PutObject", "UploadPart"):
            writer = self.service.writer(request)
            writer.write(body)
            request = StorageRequest(**{**vars(request), "blob": writer.close()})
        answer, _ = self.service.run(errand, request)
        return {**answer.headers, "body": answer.content.decode()}

    def rules(self, *rules: str) -> None:
        text = "".join(
            f"<Rule><Status>Enabled</Status>{rule}</Rule>"
            if "<Status>" not in rule
            else f"<Rule>{rule}</Rule>"
            for rule in rules
        )
        document = f"<LifecycleConfiguration>{text}</LifecycleConfiguration>"
        self.call("PUT", query={"lifecycle": ""}, body=document.encode())

    def versioning(self, status: str) -> None:
        document = f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>"
        self.call("PUT", query={"versioning": ""}, body=document.encode())

    def after(self, days: float) -> list[str]:
        """Carry out the rules some days after the start, and give the keys that are left."""
        self.clock.now = START + days * DAY
        self.service.lifecycle.sweep()
        return self.keys()

    def keys(self) -> list[str]:
        state = self.service.state
        return [one.key for one in state.walk(StorageObject, f"{NAME}/") if not one.is_delete_marker]

    def versions(self, key: str) -> list[str]:
        """Give what stands of a key, the newest first: sizes, or `marker`."""
        state = self.service.state
        bucket = state.bucket(NAME)
        newest = state.find(bucket, key)
        if newest is None:
            return []
        return [
            "marker" if one.is_delete_marker else str(one.size)
            for one in (newest, *state.old_versions(newest.id))
        ]

    def storage_class(self, key: str) -> str:
        return self.call("HEAD", key)["x-oss-storage-class"]

    def num_blobs(self) -> int:
        return len(list((self.service.cloud.data_dir / "oss").iterdir()))


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Warehouse]:
    clock = Clock()
    with standing_cloud(tmp_path, clock, OssService) as cloud:
        service = cloud.services["oss"]
        assert isinstance(service, OssService)
        yield Warehouse(service, clock)


def test_objects_go_when_their_days_are_over_with_their_bytes(shelf: Warehouse) -> None:
    shelf.rules("<Prefix>runs/</Prefix><Expiration><Days>3</Days></Expiration>")
    for key in ("runs/1", "runs/2", "other"):
        shelf.call("PUT", key, body=b"weights")
    assert shelf.after(2.99) == ["other", "runs/1", "runs/2"]
    shelf.call("PUT", "runs/2", body=b"written again")
    assert shelf.after(3) == ["other", "runs/2"]
    assert shelf.num_blobs() == 2
    assert shelf.after(6) == ["other"]


def test_a_rule_that_is_disabled_does_nothing(shelf: Warehouse) -> None:
    shelf.rules("<Status>Disabled</Status><Prefix/><Expiration><Days>1</Days></Expiration>")
    shelf.call("PUT", "a", body=b"1")
    assert shelf.after(100) == ["a"]


def test_a_date_decides_by_the_last_change(shelf: Warehouse) -> None:
    midnight = START - START % DAY + DAY
    before = f"<CreatedBeforeDate>{milli_text(midnight)}</CreatedBeforeDate>"
    shelf.rules(f"<Prefix/><Expiration>{before}</Expiration>")
    shelf.call("PUT", "early", body=b"1")
    shelf.clock.now = midnight
    shelf.call("PUT", "late", body=b"1")
    shelf.service.lifecycle.sweep()
    assert shelf.keys() == ["late"]


def test_from_a_date_on_everything_goes(shelf: Warehouse) -> None:
    midnight = START - START % DAY + 2 * DAY
    shelf.rules(f"<Prefix/><Expiration><Date>{milli_text(midnight)}</Date></Expiration>")
    shelf.call("PUT", "a", body=b"1")
    assert shelf.after(0) == ["a"]
    assert shelf.after(2) == []


def test_tags_sizes_and_exceptions_bound_a_rule(shelf: Warehouse) -> None:
    shelf.rules(
        "<Prefix>d/</Prefix><Tag><Key>keep</Key><Value>no</Value></Tag>"
        "<Filter><ObjectSizeGreaterThan>2</ObjectSizeGreaterThan><ObjectSizeLessThan>9</ObjectSizeLessThan>"
        "<Not><Prefix>d/final</Prefix></Not></Filter><Expiration><Days>1</Days></Expiration>"
    )
    tagged = {"x_oss_tagging": "keep=no&step=3"}
    shelf.call("PUT", "d/tagged", body=b"12345", **tagged)
    shelf.call("PUT", "d/untagged", body=b"12345")
    shelf.call("PUT", "d/small", body=b"12", **tagged)
    shelf.call("PUT", "d/large", body=b"123456789", **tagged)
    shelf.call("PUT", "d/final-1", body=b"12345", **tagged)
    assert shelf.after(1) == ["d/final-1", "d/large", "d/small", "d/untagged"]


def test_uploads_that_nobody_completes_are_given_up(shelf: Warehouse) -> None:
    shelf.rules("<Prefix>runs/</Prefix><AbortMultipartUpload><Days>2</Days></AbortMultipartUpload>")
    for key in ("runs/1", "other"):
        answer = shelf.call("POST", key, {"uploads": ""})["body"]
        upload_id = answer.partition("<UploadId>")[2].partition("<")[0]
        shelf.call("PUT", key, {"partNumber": "1", "uploadId": upload_id}, b"part")
    state = shelf.service.state
    shelf.after(1.9)
    assert [one.key for one in state.walk(Upload, f"{NAME}/")] == ["other", "runs/1"]
    shelf.after(2)
    assert [one.key for one in state.walk(Upload, f"{NAME}/")] == ["other"]
    assert len(list(state.walk(Part, f"{NAME}/"))) == 1
    assert shelf.num_blobs() == 1


def test_in_a_versioned_bucket_an_object_that_is_over_becomes_an_old_version(shelf: Warehouse) -> None:
    shelf.versioning("Enabled")
    shelf.rules(
        "<ID>1</ID><Prefix/><Expiration><Days>3</Days></Expiration>"
        "<NoncurrentVersionExpiration><NoncurrentDays>5</NoncurrentDays></NoncurrentVersionExpiration>",
        "<ID>2</ID><Prefix/><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
    )
    shelf.call("PUT", "a", body=b"1")
    shelf.clock.now += DAY
    shelf.call("PUT", "a", body=b"22")
    shelf.after(3.9)
    assert shelf.versions("a") == ["2", "1"]
    shelf.after(4)
    assert shelf.versions("a") == ["marker", "2", "1"]
    shelf.after(6)
    assert shelf.versions("a") == ["marker", "2"], "the first was replaced on the first day"
    shelf.after(9)
    assert shelf.versions("a") == [], "a marker that hides nothing goes, too"
    assert shelf.num_blobs() == 0
    assert list(shelf.service.state.walk(OldVersion, "")) == []


def test_a_marker_stays_while_it_hides_a_version(shelf: Warehouse) -> None:
    shelf.versioning("Enabled")
    shelf.rules(
        "<Prefix/><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"
    )
    shelf.call("PUT", "a", body=b"1")
    shelf.call("DELETE", "a")
    shelf.call("DELETE", "never")
    shelf.after(1)
    assert shelf.versions("a") == ["marker", "1"]
    assert shelf.versions("never") == []


def test_an_object_moves_to_colder_classes_and_never_back(shelf: Warehouse) -> None:
    shelf.rules(
        "<Prefix/><Transition><Days>2</Days><StorageClass>IA</StorageClass></Transition>"
        "<Transition><Days>4</Days><StorageClass>Archive</StorageClass></Transition>"
    )
    shelf.call("PUT", "a", body=b"1")
    shelf.call("PUT", "cold", body=b"1", x_oss_storage_class="ColdArchive")
    seen = []
    for days in (1, 2, 4):
        shelf.after(days)
        seen.append((shelf.storage_class("a"), shelf.storage_class("cold")))
    assert seen == [("Standard", "ColdArchive"), ("IA", "ColdArchive"), ("Archive", "ColdArchive")]


def test_old_versions_move_by_when_they_were_replaced(shelf: Warehouse) -> None:
    shelf.versioning("Enabled")
    shelf.rules(
        "<Prefix/><NoncurrentVersionTransition><NoncurrentDays>2</NoncurrentDays>"
        "<StorageClass>IA</StorageClass></NoncurrentVersionTransition>"
    )
    shelf.call("PUT", "a", body=b"1")
    shelf.clock.now += 5 * DAY
    shelf.call("PUT", "a", body=b"22")

    def classes(days: float) -> list[str]:
        shelf.after(days)
        state = shelf.service.state
        return [one.storage_class for one in state.old_versions(f"{NAME}/a")]

    assert classes(6.9) == ["Standard"]
    assert classes(7) == ["IA"]
    assert shelf.storage_class("a") == "Standard"


def test_every_object_of_a_large_bucket_is_looked_at(shelf: Warehouse) -> None:
    shelf.rules("<Prefix/><Expiration><Days>1</Days></Expiration>")
    for number in range(250):
        shelf.call("PUT", f"n/{number}", body=b"")
    shelf.clock.now += DAY
    shelf.call("PUT", "late", body=b"")
    assert shelf.after(1) == ["late"]


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("<Prefix/>", "MalformedXML"),
        ("<Status>Perhaps</Status><Prefix/><Expiration><Days>1</Days></Expiration>", "MalformedXML"),
        ("<Prefix/><Expiration/>", "MalformedXML"),
        (
            "<Prefix/><Expiration><Days>1</Days>"
            "<ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
            "MalformedXML",
        ),
        ("<Prefix/><Expiration><Days>0</Days></Expiration>", "InvalidArgument"),
        ("<Prefix/><Expiration><Days>soon</Days></Expiration>", "InvalidArgument"),
        (
            "<Prefix/><Expiration><CreatedBeforeDate>2026-01-01T12:00:00.000Z</CreatedBeforeDate></Expiration>",
            "InvalidArgument",
        ),
        (
            "<Prefix/><Expiration><CreatedBeforeDate>2026-13-01T00:00:00.000Z</CreatedBeforeDate></Expiration>",
            "InvalidArgument",
        ),
        (
            "<Prefix/><Transition><Days>1</Days><StorageClass>Standard</StorageClass></Transition>",
            "InvalidArgument",
        ),
        (
            "<Prefix/><Transition><Days>1</Days><IsAccessTime>true</IsAccessTime>"
            "<StorageClass>IA</StorageClass></Transition>",
            "NotImplemented",
        ),
    ],
)
def test_a_rule_that_cannot_be_carried_out_is_refused(shelf: Warehouse, rule: str, code: str) -> None:
    with pytest.raises(StorageError) as caught:
        shelf.rules(rule)
    assert caught.value.code == code
