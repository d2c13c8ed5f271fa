"""What an image can be booted as, which families there are, and what instances use; by the vendor's SDK."""

from __future__ import annotations

import calendar
import json
import time

import pytest
from alibabacloud_cms20190101 import models as cms
from alibabacloud_cms20190101.client import Client as CmsClient
from alibabacloud_ecs20140526 import models
from alibabacloud_ecs20140526.client import Client
from contract_fleet import IMAGE, REGION, TYPE
from contract_sdk import refused, wait_for

MEASURE_LIMIT_S = 60.0


class TestTypes:
    def test_an_image_boots_as_every_type(self, ecs_client):
        request = models.DescribeImageSupportInstanceTypesRequest(region_id=REGION, image_id=IMAGE)
        told = ecs_client.describe_image_support_instance_types(request).body
        types = {row.instance_type_id: row for row in told.instance_types.instance_type}
        assert told.image_id == IMAGE
        assert (types[TYPE].cpu_core_count, types[TYPE].instance_type_family) == (8, "ecs.gn7i")
        request.filter = [
            models.DescribeImageSupportInstanceTypesRequestFilter(key="instanceTypeFamily", value="ecs.gn7i")
        ]
        told = ecs_client.describe_image_support_instance_types(request).body
        assert {row.instance_type_family for row in told.instance_types.instance_type} == {"ecs.gn7i"}
        request.image_id = "nothing"
        with refused("InvalidImageId.NotFound", 404):
            ecs_client.describe_image_support_instance_types(request)

    def test_families_are_those_of_the_types(self, ecs_client):
        request = models.DescribeInstanceTypeFamiliesRequest(region_id=REGION)
        rows = ecs_client.describe_instance_type_families(request).body.instance_type_families
        found = {row.instance_type_family_id: row.generation for row in rows.instance_type_family}
        assert (found["ecs.gn6v"], found["ecs.gn7i"]) == ("ecs-5", "ecs-6")
        request.generation = "ecs-6"
        rows = ecs_client.describe_instance_type_families(request).body.instance_type_families
        assert {row.generation for row in rows.instance_type_family} == {"ecs-6"}


class TestUse:
    def points(self, client: Client, instance_id: str, *, hours: float = 1.0, **settings: object):
        now = time.time()
        request = models.DescribeInstanceMonitorDataRequest(
            **{
                "instance_id": instance_id,
                "start_time": written(now - hours * 3600),
                "end_time": written(now + 60),
                **settings,
            }
        )
        return client.describe_instance_monitor_data(request).body.monitor_data.instance_monitor_data

    def test_it_is_what_cloud_monitor_measures(self, ecs_client, cms_client, servers):
        instance_id = servers.ids[0]

        def both() -> tuple[list[tuple[float, int]], list[tuple[float, int]]]:
            told = [(moment(one.time_stamp), one.cpu) for one in self.points(ecs_client, instance_id)]
            return told, measured(cms_client, instance_id)

        # A sample may come between the two calls.
        told, known = wait_for(both, lambda pair: pair[0] and pair[0] == pair[1], limit_s=MEASURE_LIMIT_S)
        assert told == known
        assert self.points(ecs_client, instance_id)[-1].internet_rx is None

    @pytest.mark.parametrize(
        ("settings", "code", "text"),
        [
            ({"period": 61}, "InvalidParameter", "Period"),
            ({"start_time": "yesterday"}, "InvalidParameter", "StartTime"),
            ({"end_time": "2026-01-01T00:00:00Z"}, "InvalidParameter", "EndTime"),
            ({"hours": 24.0}, "InvalidParameter.TooManyDataQueried", "400"),
        ],
    )
    def test_what_is_asked_for_is_checked(self, ecs_client, servers, settings, code, text):
        with refused(code, text=text):
            self.points(ecs_client, servers.ids[0], **settings)

    def test_of_an_unknown_instance_there_is_none(self, ecs_client):
        with refused("InvalidInstanceId.NotFound", 404):
            self.points(ecs_client, "i-nowhere")


def written(unix_time: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(unix_time))


def moment(text: str) -> float:
    return float(calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")))


def measured(client: CmsClient, instance_id: str) -> list[tuple[float, int]]:
    """Give what CloudMonitor tells of an instance's CPUs by minutes."""
    request = cms.DescribeMetricListRequest(
        namespace="acs_ecs_dashboard",
        metric_name="CPUUtilization",
        period="60",
        dimensions=json.dumps([{"instanceId": instance_id}]),
    )
    points = json.loads(client.describe_metric_list(request).body.datapoints)
    return [(one["timestamp"] / 1000, round(one["Average"])) for one in points]


class TestOffer:
    def test_zones_types_and_images_of_a_region(self, ecs_client):
        regions = ecs_client.describe_regions(models.DescribeRegionsRequest()).body.regions.region
        assert "cn-hangzhou" in {region.region_id for region in regions}
        zones = ecs_client.describe_zones(models.DescribeZonesRequest(region_id=REGION)).body.zones.zone
        assert "cn-hangzhou-h" in {zone.zone_id for zone in zones}
        assert TYPE in zones[0].available_instance_types.instance_types
        types = ecs_client.describe_instance_types(
            models.DescribeInstanceTypesRequest(instance_types=[TYPE])
        ).body.instance_types.instance_type
        assert [(t.cpu_core_count, t.gpuamount) for t in types] == [(8, 1)]
        for bounds, is_there in (
            ({"minimum_cpu_core_count": 8, "maximum_cpu_core_count": 8, "minimum_gpuamount": 1}, True),
            ({"minimum_memory_size": 31.0}, False),
            ({"maximum_gpuamount": 4, "gpu_specs": ["NVIDIA A10"]}, True),
            ({"instance_categories": ["General-purpose"]}, False),
            ({"cpu_architectures": ["ARM"]}, False),
            ({"minimum_local_storage_amount": 1}, False),
        ):
            asked = models.DescribeInstanceTypesRequest(instance_types=[TYPE], **bounds)
            found = ecs_client.describe_instance_types(asked).body.instance_types.instance_type
            assert bool(found) is is_there, bounds
        with refused("UnsupportedOperation", text="MinimumInstancePpsRx"):
            ecs_client.describe_instance_types(
                models.DescribeInstanceTypesRequest(minimum_instance_pps_rx=1000)
            )
        with refused("InvalidParameter", text="MaxResults"):
            ecs_client.describe_instance_types(models.DescribeInstanceTypesRequest(max_results=1601))
        available = ecs_client.describe_available_resource(
            models.DescribeAvailableResourceRequest(
                region_id=REGION, destination_resource="InstanceType", instance_type=TYPE
            )
        ).body.available_zones.available_zone
        offered = available[0].available_resources.available_resource[0].supported_resources
        assert [r.value for r in offered.supported_resource] == [TYPE]
        images = ecs_client.describe_images(
            models.DescribeImagesRequest(region_id=REGION, image_owner_alias="system")
        ).body.images.image
        assert IMAGE in {image.image_id for image in images}
