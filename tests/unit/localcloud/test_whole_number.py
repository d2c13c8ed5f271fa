"""Numbers that come as texts: one that is none, or has thousands of digits, is refused and never raises."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from steelyard.localcloud.page import token_page
from steelyard.localcloud.request import Request
from steelyard.localcloud.services.alb.rule_setting import read_actions
from steelyard.localcloud.services.cms.moment import read_moment
from steelyard.localcloud.services.ecs.check import read_disk_size
from steelyard.localcloud.services.oss.errors import StorageError
from steelyard.localcloud.services.oss.website import check_website
from steelyard.localcloud.services.vpc.check import read_cidr
from steelyard.localcloud.services.vpc.forward_entry import ports
from steelyard.localcloud.text import whole_number
from steelyard.localcloud.wire.error import ApiError
from steelyard.localcloud.wire.parameter import parse_scalar

NONE = ("9" * 5000, "²", "٣", "+1", " 1", "1_0", "-1", "")


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("007", 7), ("9" * 18, 10**18 - 1)])
def test_digits_are_a_number(text, number):
    assert whole_number(text) == number


@pytest.mark.parametrize("text", NONE)
def test_other_texts_are_none(text):
    assert whole_number(text) is None


@pytest.mark.parametrize("text", NONE[:-1])
def test_a_token_that_no_page_gave_is_refused(text, bare_cloud):
    request = Request(
        action="DescribeDisks",
        params={"NextToken": text},
        region_id="cn-hangzhou",
        dry_run=False,
        request_id="r",
        caller=bare_cloud.identity.root_key(),
    )
    with pytest.raises(ApiError, match="NextToken"):
        token_page(request, [])


@pytest.mark.parametrize("text", NONE[:2])
def test_settings_that_are_no_numbers_are_refused(text):
    with pytest.raises(ApiError, match="Size"):
        read_disk_size("Size", text, 0, range(1, 100))
    with pytest.raises(ApiError, match="StartTime"):
        read_moment(text, "StartTime", 0.0)
    with pytest.raises(ApiError, match="Port"):
        read_actions([{"Type": "Redirect", "Order": 1, "RedirectConfig": {"Host": "a.b", "Port": text}}])
    with pytest.raises(ValueError, match="is no port"):
        ports(text)
    assert read_cidr(f"10.0.0.0/{text}") is None


@pytest.mark.parametrize("text", [text for text in NONE if text == text.strip()])
def test_a_rule_of_a_web_site_without_a_number_is_refused(text):
    rule = f"<RuleNumber>{text}</RuleNumber><Redirect><RedirectType>External</RedirectType></Redirect>"
    root = ElementTree.fromstring(f"<W><RoutingRules><RoutingRule>{rule}</RoutingRule></RoutingRules></W>")
    with pytest.raises(StorageError, match="RuleNumber"):
        check_website(root)


def test_a_number_that_no_float_holds_is_refused():
    with pytest.raises(ApiError, match="SpotPriceLimit"):
        parse_scalar("float", 10**400, "SpotPriceLimit")
