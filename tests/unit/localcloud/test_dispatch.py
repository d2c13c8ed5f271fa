from __future__ import annotations

import itertools
import random
import re
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from alibabacloud_tea_openapi.utils import Utils
from full_disk import no_room_beyond

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.dispatch import Dispatcher
from steelyard.localcloud.identity import load_identity
from steelyard.localcloud.service import ApiError, Request, Service, action
from steelyard.localcloud.store import Store
from steelyard.localcloud.wire.message import WireAnswer, WireRequest

NOW = 1_795_000_000.0
_nonces = itertools.count()


class Shop(Service):
    """A product of the tests' own, on action names and shapes of the real VPC."""

    code, version = "vpc", "2016-04-28"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.events: list[str] = []
        self.requests: list[Request] = []

    @action("CreateVpc", optional=("RegionId",))
    def create(self, request: Request) -> dict[str, object]:
        self.requests.append(request)
        vpc_id = self.cloud.new_id("vpc")
        self.cloud.store.put("vpc", vpc_id, {"id": vpc_id})
        self.cloud.after_commit(lambda: self.events.append(vpc_id))
        if request.text("VpcName") == "refused":
            raise ApiError("InvalidVpcName.Malformed", "Specified VPC name is not valid.")
        if request.text("VpcName") == "broken":
            raise RuntimeError("a bug")
        return {"VpcId": vpc_id, "NotOfTheAnswer": object()}

    @action("DeleteVpc", optional=("RegionId",))
    def delete(self, request: Request) -> dict[str, object]:
        request.stop_if_dry_run()
        self.events.append("process ended")
        return {}

    @action("DescribeVpcAttribute")
    def describe(self, request: Request) -> dict[str, object]:
        return {"CidrBlock": 10}

    def start(self) -> None:
        self.events.append("started")

    def stop(self) -> None:
        self.events.append("stopped")


class Scaling(Service):
    code, version = "ess", "2022-02-22"

    @action("DescribeRegions")
    def regions(self, request: Request) -> dict[str, object]:
        return {"Regions": []}

    def stop(self) -> None:
        shop = self.cloud.services["vpc"]
        assert isinstance(shop, Shop)
        shop.events.append("scaling stopped")


def make_cloud(folder: Path, *services: type[Service]) -> Cloud:
    store = Store(folder / "state.sqlite")
    return Cloud(
        data_dir=folder,
        store=store,
        identity=load_identity(store, "cn-hangzhou"),
        endpoint="127.0.0.1:1",
        clock=lambda: NOW,
        services=services or (Shop, Scaling),
    )


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    cloud = make_cloud(tmp_path)
    yield cloud
    cloud.stop()


@pytest.fixture
def shop(cloud) -> Shop:
    return cloud.services["vpc"]


def call(cloud: Cloud, name: str, version: str = "2016-04-28", **parameters: str) -> WireAnswer:
    query = {
        "Action": name,
        "Version": version,
        "AccessKeyId": cloud.identity.access_key_id,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": str(next(_nonces)),
        "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW)),
        **parameters,
    }
    query["Signature"] = Utils.get_rpcsignature(query, "POST", cloud.identity.access_key_secret)
    return Dispatcher(cloud).answer(
        WireRequest(method="POST", path="/", query_string=urlencode(query), headers={"host": "cloud.test"})
    )


def test_an_answer_is_cut_to_its_shape_and_carries_the_requests_id(cloud, shop):
    answer = call(cloud, "CreateVpc")
    assert answer.status == 200
    assert set(answer.body) == {"RequestId", "VpcId"}
    assert answer.body["RequestId"] == shop.requests[0].request_id


def test_a_handler_is_told_region_and_caller(cloud, shop):
    call(cloud, "CreateVpc")
    call(cloud, "CreateVpc", RegionId="cn-beijing")
    assert [request.region_id for request in shop.requests] == ["cn-hangzhou", "cn-beijing"]
    assert shop.requests[0].caller == cloud.identity.root_key()


def test_what_a_refused_call_wrote_is_undone(cloud, shop):
    answer = call(cloud, "CreateVpc", VpcName="refused")
    assert answer.status == 400
    assert answer.body["Code"] == "InvalidVpcName.Malformed"
    assert answer.body["HostId"] == "cloud.test"
    assert set(answer.body) == {"RequestId", "HostId", "Code", "Message", "Recommend"}
    assert cloud.store.list("vpc") == []
    assert shop.events == []


def test_a_bug_answers_500_and_leaves_the_cloud_standing(cloud, shop):
    answer = call(cloud, "CreateVpc", VpcName="broken")
    assert (answer.status, answer.body["Code"]) == (500, "InternalError")
    assert "a bug" in str(answer.body["Message"])
    assert cloud.store.list("vpc") == []
    assert call(cloud, "CreateVpc").status == 200
    assert len(shop.events) == 1


def test_an_answer_of_the_wrong_type_is_a_bug(cloud):
    answer = call(cloud, "DescribeVpcAttribute", RegionId="cn-hangzhou", VpcId="vpc-1")
    assert answer.status == 500
    assert "CidrBlock" in str(answer.body["Message"])


def test_what_a_dry_run_wrote_is_undone(cloud, shop):
    answer = call(cloud, "CreateVpc", DryRun="true")
    assert answer.body["Code"] == "DryRunOperation"
    assert cloud.store.list("vpc") == []
    assert shop.events == []


def test_a_dry_run_ends_before_what_cannot_be_undone(cloud, shop):
    assert call(cloud, "DeleteVpc", VpcId="vpc-1", DryRun="true").body["Code"] == "DryRunOperation"
    assert shop.events == []
    assert call(cloud, "DeleteVpc", VpcId="vpc-1").status == 200
    assert shop.events == ["process ended"]


def test_work_after_the_commit_runs_once_it_is_kept_with_the_lock_free(cloud):
    seen = []

    def look() -> None:
        # Another thread gets the lock, so this one does not hold it.
        reader = threading.Thread(target=lambda: seen.append(cloud.store.list("vpc")))
        reader.start()
        reader.join(30)

    with cloud.transaction():
        with cloud.transaction():
            cloud.store.put("vpc", "vpc-1", {})
            cloud.after_commit(look)
        assert seen == []
    assert seen == [[{}]]


def test_a_repeated_call_gets_the_first_ones_answer(cloud, shop):
    first = call(cloud, "CreateVpc", ClientToken="t1")
    second = call(cloud, "CreateVpc", ClientToken="t1")
    assert first.body["VpcId"] == second.body["VpcId"]
    assert len(cloud.store.list("vpc")) == 1
    other = call(cloud, "CreateVpc", ClientToken="t1", VpcName="other")
    assert other.body["Code"] == "IdempotentParameterMismatch"
    assert call(cloud, "CreateVpc", ClientToken="t2").body["VpcId"] != first.body["VpcId"]


def test_a_token_of_a_call_that_failed_is_not_used_up(cloud):
    assert call(cloud, "CreateVpc", ClientToken="t1", VpcName="refused").status == 400
    assert call(cloud, "CreateVpc", ClientToken="t1").status == 200


def test_terraforms_version_of_ess_is_the_newer_one(cloud):
    assert call(cloud, "DescribeRegions", version="2014-08-28").status == 200
    assert call(cloud, "DescribeRegions", version="2022-02-22").status == 200


def test_what_nobody_serves_is_not_found(cloud):
    for name, version in (
        ("CreateVSwitch", "2016-04-28"),
        ("MakeTea", "2016-04-28"),
        ("CreateVpc", "1999-01-01"),
    ):
        answer = call(cloud, name, version=version)
        assert (answer.status, answer.body["Code"]) == (404, "InvalidAction.NotFound")


def test_a_handler_of_an_action_that_the_vendor_does_not_have_is_a_bug(tmp_path):
    class Typo(Service):
        code, version = "vpc", "2016-04-28"

        @action("CreateVcp")
        def create(self, request: Request) -> dict[str, object]:
            return {}

    cloud = make_cloud(tmp_path, Typo)
    with pytest.raises(LookupError, match="CreateVcp"):
        Dispatcher(cloud)
    cloud.stop()


def test_services_stop_in_the_reverse_order(tmp_path):
    cloud = make_cloud(tmp_path)
    cloud.start()
    cloud.stop()
    assert cloud.services["vpc"].events == ["started", "scaling stopped", "stopped"]


def test_a_service_that_cannot_stop_keeps_no_other_from_stopping(cloud, shop, monkeypatch):
    def fail(self) -> None:
        raise RuntimeError("stuck")

    monkeypatch.setattr(Scaling, "stop", fail)
    with pytest.raises(RuntimeError, match="stuck"):
        cloud.stop()
    assert shop.events == ["stopped"]
    monkeypatch.undo()


def test_work_after_the_commit_needs_a_transaction(cloud):
    with pytest.raises(RuntimeError, match="outside"):
        cloud.after_commit(lambda: None)


def test_ids_are_fresh_whatever_the_program_seeds(bare_cloud):
    ids = []
    for _ in range(2):
        random.seed(1)
        ids.append(bare_cloud.new_id("vpc"))
    assert ids[0] != ids[1]
    assert re.fullmatch("vpc-[a-z0-9]{20}", ids[0])


def test_every_answer_has_an_id_of_its_own_in_the_form_of_a_uuid(cloud):
    ids = [str(call(cloud, "CreateVpc").body["RequestId"]) for _ in range(2)]
    assert ids[0] != ids[1]
    assert all(uuid.UUID(one).version == 4 and one == str(uuid.UUID(one)).upper() for one in ids)


def test_an_identity_is_made_once(tmp_path):
    store = Store(tmp_path / "state.sqlite")
    first = load_identity(store, "cn-hangzhou")
    assert load_identity(store, "cn-beijing") == first
    assert first.account_id.isdigit()
    assert len(first.account_id) == 16
    store.close()


def test_what_else_a_change_did_is_undone_with_it_before_anybody_else_comes(cloud):
    undone: list[object] = []

    def break_off(error: Exception) -> None:
        with cloud.transaction():
            with cloud.transaction():
                cloud.on_undo(lambda: undone.append("first"))
            cloud.on_undo(lambda: undone.append(is_free()))
            raise error

    def is_free() -> bool:
        found: list[bool] = []
        other = threading.Thread(target=lambda: found.append(cloud.store.take_if_free()))
        other.start()
        other.join()
        return found[0]

    with pytest.raises(RuntimeError, match="a bug"):
        break_off(RuntimeError("a bug"))
    assert undone == [False, "first"]
    assert cloud.store.take_if_free()
    cloud.store.give_back()


def test_what_else_a_change_did_is_undone_where_it_cannot_be_committed_and_stays_where_it_is_kept(
    cloud, tmp_path
):
    undone: list[str] = []

    def change() -> None:
        with cloud.transaction():
            cloud.store.put("vpc", "vpc-1", {"text": "x" * 100_000})
            cloud.on_undo(lambda: undone.append("undone"))

    with no_room_beyond(tmp_path / "state.sqlite-wal"), pytest.raises(sqlite3.OperationalError):
        change()
    assert undone == ["undone"]
    change()
    assert undone == ["undone"]


def test_what_happened_is_written_once_there_is_room(cloud, tmp_path):
    tries: list[float] = []

    def write() -> str:
        tries.append(time.monotonic())
        cloud.store.put("vpc", "vpc-1", {"text": "x" * 100_000})
        return "written"

    written: list[str | None] = []
    writer = threading.Thread(target=lambda: written.append(cloud.insist(write, threading.Event())))
    with no_room_beyond(tmp_path / "state.sqlite-wal"):
        writer.start()
        deadline = time.monotonic() + 30
        while len(tries) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    writer.join(30)
    assert written == ["written"]
    assert len(tries) >= 2


def test_what_happened_is_left_to_the_next_start_where_the_cloud_ends(cloud, tmp_path):
    over = threading.Event()
    over.set()
    with no_room_beyond(tmp_path / "state.sqlite-wal"):
        assert cloud.insist(lambda: cloud.store.put("vpc", "vpc-1", {"text": "x" * 100_000}), over) is None
    assert cloud.store.list("vpc") == []
