from __future__ import annotations

from collections.abc import Mapping

from steelyard.localcloud.service import ApiError, Request, Service, action
from steelyard.localcloud.text import whole_number
from steelyard.localcloud.wire.error import invalid_parameter
from steelyard.spec.price import CURRENCY, ESTIMATE_NOTE, FEES, Price, disk_price, instance_price

# Product codes of the price API, with the fee of the table that one such thing costs by the hour. Codes other than
# `ecs`, `slb` and `eip` are from memory.
_FEES = {"slb": "slb", "nlb": "nlb", "alb": "alb", "nat_gw": "nat", "eip": "eip"}
_DISKS = {"SystemDisk", "DataDisk"}


class BssOpenApiService(Service):
    """Prices of what is paid as one goes, and the probe that tells a China account from an international one."""

    code, version = "bssopenapi", "2017-12-14"

    @action("GetPayAsYouGoPrice")
    def get_pay_as_you_go_price(self, request: Request) -> dict[str, object]:
        """Tell what each module of a thing costs by the hour.

        ECS has the modules `InstanceType`, `SystemDisk` and `DataDisk`; a load balancer, a NAT gateway or an elastic
        address has one, whatever its name. A promotion called `ESTIMATE_NOTE` says that the figures are estimates.
        """
        if request.text("SubscriptionType") != "PayAsYouGo":
            raise invalid_parameter("SubscriptionType", request.text("SubscriptionType"), "PayAsYouGo")
        product = request.text("ProductCode").lower()
        priced = [(module, _module_price(product, module)) for module in request.records("ModuleList")]
        details = [
            {
                "ModuleCode": module["ModuleCode"],
                "OriginalCost": price.amount,
                "UnitPrice": price.amount,
                "InvoiceDiscount": 0.0,
                "CostAfterDiscount": price.amount,
            }
            for module, price in priced
        ]
        are_estimates = any(price.is_estimate for _, price in priced)
        promotion = {"PromotionId": 0, "PromotionName": "estimate", "PromotionDesc": ESTIMATE_NOTE}
        return _answer(
            {
                "Currency": CURRENCY,
                "ModuleDetails": {"ModuleDetail": details},
                "PromotionDetails": {"PromotionDetail": [promotion] if are_estimates else []},
            }
        )

    @action("QueryAvailableInstances")
    def query_available_instances(self, request: Request) -> dict[str, object]:
        """List what was paid for in advance: nothing, since nothing here can be."""
        head = {"PageNum": request.number("PageNum", 1), "PageSize": request.number("PageSize", 20)}
        return _answer({**head, "TotalCount": 0, "InstanceList": []})


def _answer(data: Mapping[str, object]) -> dict[str, object]:
    return {"Code": "Success", "Message": "Successful!", "Success": True, "Data": data}


def _module_price(product: str, module: Mapping[str, object]) -> Price:
    code, text = str(module["ModuleCode"]), str(module["Config"])
    if str(module["PriceType"]) != "Hour":
        raise invalid_parameter("ModuleList.PriceType", module["PriceType"], "Hour")
    config = dict(part.partition(":")[::2] for part in text.split(",") if ":" in part)
    price: Price | None = None
    if product in _FEES:
        price = FEES[_FEES[product]]
    elif product == "ecs" and code == "InstanceType":
        price = instance_price(config.get("InstanceType", ""))
    elif product == "ecs" and code in _DISKS:
        size_gib = whole_number(config.get(f"{code}.Size", ""))
        if size_gib is not None:
            level = config.get(f"{code}.PerformanceLevel", "")
            price = disk_price(config.get(f"{code}.Category", "cloud_essd"), size_gib, level)
    if price is None:
        # The code is from memory.
        raise ApiError(
            "PRICE.PRICING_PLAN_RESULT_NOT_FOUND",
            f"There is no price for {product}, module {code}, configured as {text!r}.",
        )
    return price
