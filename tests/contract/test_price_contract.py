from __future__ import annotations

import pytest
from alibabacloud_bssopenapi20171214 import models as bss
from alibabacloud_bssopenapi20171214.client import Client as BssClient
from alibabacloud_ecs20140526 import models
from contract_fleet import REGION, TYPE
from contract_sdk import refused, sdk_config

from steelyard.spec.price import CURRENCY, ESTIMATE_NOTE, disk_price, instance_price


@pytest.fixture
def bss_client(local_cloud) -> BssClient:
    return BssClient(sdk_config(local_cloud))


def price(client, **settings):
    request = models.DescribePriceRequest(region_id=REGION, **settings)
    return client.describe_price(request).body.price_info


class TestDescribePrice:
    def test_an_instance_costs_what_its_type_and_its_disks_cost(self, ecs_client):
        info = price(
            ecs_client,
            instance_type=TYPE,
            amount=3,
            system_disk=models.DescribePriceRequestSystemDisk(category="cloud_essd", size=100),
            data_disk=[models.DescribePriceRequestDataDisk(category="cloud_auto", size=500)],
        )
        parts = {one.resource: one.trade_price for one in info.price.detail_infos.detail_info}
        assert parts == {
            "instanceType": pytest.approx(3 * instance_price(TYPE).amount),
            "systemDisk": pytest.approx(3 * disk_price("cloud_essd", 100).amount),
            "dataDisk": pytest.approx(3 * disk_price("cloud_auto", 500).amount),
        }
        assert info.price.trade_price == pytest.approx(sum(parts.values()))
        assert (info.price.currency, info.price.discount_price) == (CURRENCY, 0)

    def test_the_answer_says_that_it_is_an_estimate(self, ecs_client):
        rules = price(ecs_client, instance_type=TYPE).rules.rule
        assert [rule.description for rule in rules] == [ESTIMATE_NOTE]

    def test_a_spot_instance_costs_less_and_the_answer_tells_by_how_much(self, ecs_client):
        info = price(ecs_client, instance_type=TYPE, spot_strategy="SpotAsPriceGo").price
        assert 0 < info.trade_price < info.original_price == pytest.approx(instance_price(TYPE).amount)
        assert info.discount_price == pytest.approx(info.original_price - info.trade_price)

    def test_a_disk_alone(self, ecs_client):
        disk = models.DescribePriceRequestDataDisk(category="cloud_essd", size=200, performance_level="PL2")
        info = price(ecs_client, resource_type="disk", data_disk=[disk])
        assert info.price.original_price == pytest.approx(disk_price("cloud_essd", 200, "PL2").amount)

    def test_refusals(self, ecs_client):
        with refused("MissingParameter", text="InstanceType"):
            price(ecs_client)
        with refused("InvalidInstanceType.ValueNotSupported", 403):
            price(ecs_client, instance_type="ecs.none.large")
        with refused("MissingParameter", text="DataDisk"):
            price(ecs_client, resource_type="disk")
        with refused("InvalidResourceType.ValueNotSupported"):
            price(ecs_client, resource_type="moon")
        with refused("UnsupportedOperation"):
            price(ecs_client, instance_type=TYPE, price_unit="Month")
        with refused("InvalidParameter", text="Amount"):
            price(ecs_client, instance_type=TYPE, amount=0)


class TestSpotPriceHistory:
    def history(self, client, **settings):
        request = models.DescribeSpotPriceHistoryRequest(
            **{"region_id": REGION, "network_type": "vpc", "instance_type": TYPE, **settings}
        )
        return client.describe_spot_price_history(request).body

    def test_each_zone_has_a_price_for_each_hour_that_stays_what_it_was(self, ecs_client):
        span = {"start_time": "2026-11-20T00:00:00Z", "end_time": "2026-11-20T11:00:00Z"}
        body = self.history(ecs_client, zone_id="cn-hangzhou-h", **span)
        rows = body.spot_prices.spot_price_type
        assert [row.timestamp for row in rows][:2] == ["2026-11-20T11:00:00Z", "2026-11-20T10:00:00Z"]
        assert len(rows) == 12
        assert {row.zone_id for row in rows} == {"cn-hangzhou-h"}
        assert all(0 < row.spot_price < row.origin_price for row in rows)
        assert len({row.spot_price for row in rows}) > 1
        again = self.history(ecs_client, zone_id="cn-hangzhou-h", **span)
        assert again.spot_prices.to_map() == body.spot_prices.to_map()

    def test_pages(self, ecs_client):
        span = {"start_time": "2026-10-26T00:00:00Z", "end_time": "2026-11-20T00:00:00Z"}
        first = self.history(ecs_client, **span)
        assert len(first.spot_prices.spot_price_type) == first.next_offset == 1000
        second = self.history(ecs_client, offset=1000, **span)
        assert second.spot_prices.spot_price_type[0].timestamp < "2026-11-20"

    def test_refusals(self, ecs_client):
        with refused("InvalidZoneId.NotFound", 404):
            self.history(ecs_client, zone_id="cn-hangzhou-z")
        with refused("InvalidParameter", text="StartTime"):
            self.history(ecs_client, start_time="yesterday")
        with refused("InvalidParameter", text="StartTime"):
            self.history(ecs_client, start_time="2026-01-01T00:00:00Z")


class TestPayAsYouGoPrice:
    def ask(self, client, product: str, *modules: tuple[str, str], kind: str = "PayAsYouGo"):
        listed = [
            bss.GetPayAsYouGoPriceRequestModuleList(module_code=code, config=config, price_type="Hour")
            for code, config in modules
        ]
        request = bss.GetPayAsYouGoPriceRequest(
            product_code=product, subscription_type=kind, module_list=listed, region=REGION
        )
        return client.get_pay_as_you_go_price(request).body

    def test_it_agrees_with_the_price_of_ecs(self, bss_client):
        body = self.ask(
            bss_client,
            "ecs",
            ("InstanceType", f"InstanceType:{TYPE},IoOptimized:IoOptimized,ImageOs:linux"),
            ("SystemDisk", "SystemDisk.Category:cloud_essd,SystemDisk.Size:100"),
        )
        assert (body.code, body.success, body.data.currency) == ("Success", True, CURRENCY)
        costs = {one.module_code: one.original_cost for one in body.data.module_details.module_detail}
        assert costs == {
            "InstanceType": instance_price(TYPE).amount,
            "SystemDisk": disk_price("cloud_essd", 100).amount,
        }
        notes = [one.promotion_desc for one in body.data.promotion_details.promotion_detail]
        assert notes == [ESTIMATE_NOTE]

    @pytest.mark.parametrize("product", ["slb", "nlb", "alb", "nat_gw", "eip"])
    def test_what_stands_costs_by_the_hour(self, bss_client, product):
        body = self.ask(bss_client, product, ("InstanceRent", "InstanceRent:1"))
        (detail,) = body.data.module_details.module_detail
        assert detail.cost_after_discount > 0

    def test_refusals(self, bss_client):
        with refused("PRICE.PRICING_PLAN_RESULT_NOT_FOUND", text="moon"):
            self.ask(bss_client, "moon", ("InstanceType", "InstanceType:x"))
        with refused("PRICE.PRICING_PLAN_RESULT_NOT_FOUND"):
            self.ask(bss_client, "ecs", ("InstanceType", "InstanceType:ecs.none.large"))
        with refused("InvalidParameter", text="SubscriptionType"):
            self.ask(bss_client, "slb", ("InstanceRent", "x"), kind="Subscription")

    def test_nothing_was_paid_for_in_advance(self, bss_client):
        body = bss_client.query_available_instances(bss.QueryAvailableInstancesRequest(page_num=1)).body
        assert (body.success, body.data.total_count) == (True, 0)
