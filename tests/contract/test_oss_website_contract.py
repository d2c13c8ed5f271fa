"""A bucket as a web site: configured through the vendor's SDK, visited as a browser does."""

from __future__ import annotations

from collections.abc import Callable

import alibabacloud_oss_v2 as oss
import httpx
import pytest
from contract_storage import Shelf, storage_refused

from steelyard.localcloud.daemon import CloudInfo

PAGES = {"index.html": b"home", "docs/index.html": b"docs", "404.html": b"lost", "a.txt": b"a"}
Visit = Callable[..., httpx.Response]


@pytest.fixture
def visit(local_cloud: CloudInfo, shelf: Shelf) -> Visit:
    """Make pages that everybody may read, and give what visits them."""
    shelf.client.put_bucket_acl(oss.PutBucketAclRequest(bucket=shelf.bucket, acl="public-read"))
    for key, content in PAGES.items():
        shelf.put(key, content, content_type="text/html")

    def visit(path: str, method: str = "GET", **headers: str) -> httpx.Response:
        url = f"http://{local_cloud.endpoint}/{shelf.bucket}/{path}"
        return httpx.request(method, url, headers=headers, timeout=30)

    return visit


def configure(shelf: Shelf, *rules: oss.RoutingRule, error: bool = True, **index: object) -> None:
    website = oss.WebsiteConfiguration(
        index_document=oss.IndexDocument(suffix="index.html", **index),
        error_document=oss.ErrorDocument(key="404.html", http_status=404) if error else None,
        routing_rules=oss.RoutingRules(routing_rules=list(rules)) if rules else None,
    )
    shelf.client.put_bucket_website(
        oss.PutBucketWebsiteRequest(bucket=shelf.bucket, website_configuration=website)
    )


def rule(number: int, condition: dict[str, object], **redirect: object) -> oss.RoutingRule:
    return oss.RoutingRule(
        rule_number=number,
        condition=oss.RoutingRuleCondition(**condition),
        redirect=oss.RoutingRuleRedirect(**{"redirect_type": "External", **redirect}),
    )


def test_a_visitor_gets_the_first_page_and_who_signs_the_list(shelf: Shelf, visit: Visit) -> None:
    configure(shelf)
    assert (visit("").content, visit("").headers["content-type"]) == (b"home", "text/html")
    assert visit("docs/").content == b"home"
    assert visit("", method="HEAD").headers["content-length"] == "4"
    assert "<ListBucketResult>" in visit("?list-type=2").text
    listed = shelf.client.list_objects_v2(oss.ListObjectsV2Request(bucket=shelf.bucket))
    assert {one.key for one in listed.contents} == set(PAGES)
    shelf.client.delete_bucket_website(oss.DeleteBucketWebsiteRequest(bucket=shelf.bucket))
    assert "<ListBucketResult>" in visit("").text


def test_folders_have_first_pages_where_the_site_says_so(shelf: Shelf, visit: Visit) -> None:
    configure(shelf, support_sub_dir=True)
    assert visit("docs/").content == b"docs"
    led = visit("docs")
    assert (led.status_code, led.headers["location"]) == (302, f"/{shelf.bucket}/docs/")
    configure(shelf, support_sub_dir=True, type=1)
    assert (visit("docs").status_code, visit("docs").content) == (404, b"lost")
    configure(shelf, support_sub_dir=True, type=2)
    assert (visit("docs").status_code, visit("docs").content) == (200, b"docs")


def test_what_is_not_there_is_told_by_a_page(shelf: Shelf, visit: Visit) -> None:
    configure(shelf)
    lost = visit("nowhere", Range="bytes=0-1")
    assert (lost.status_code, lost.content) == (404, b"lost")
    with storage_refused("NoSuchKey", 404):
        shelf.get("nowhere")
    shelf.delete("404.html")
    assert "<Code>NoSuchKey</Code>" in visit("nowhere").text
    configure(shelf, error=False)
    assert visit("nowhere").status_code == 404


def test_a_page_without_a_name_is_none_as_the_sdk_for_go_puts_it(shelf: Shelf, visit: Visit) -> None:
    website = oss.WebsiteConfiguration(
        index_document=oss.IndexDocument(suffix="index.html"), error_document=oss.ErrorDocument(key="")
    )
    shelf.client.put_bucket_website(
        oss.PutBucketWebsiteRequest(bucket=shelf.bucket, website_configuration=website)
    )
    assert visit("").content == b"home"
    assert "<Code>NoSuchKey</Code>" in visit("nowhere").text


def test_who_may_not_read_sees_no_page(shelf: Shelf, visit: Visit) -> None:
    configure(shelf)
    shelf.client.put_bucket_acl(oss.PutBucketAclRequest(bucket=shelf.bucket, acl="private"))
    for path in ("", "nowhere"):
        assert visit(path).status_code == 403


def test_rules_lead_requests_elsewhere_the_first_that_fits(shelf: Shelf, visit: Visit) -> None:
    configure(
        shelf,
        rule(2, {"key_prefix_equals": "old/"}, host_name="never.test"),
        rule(
            1,
            {"key_prefix_equals": "old/"},
            protocol="https",
            host_name="new.test",
            http_redirect_code=301,
            enable_replace_prefix=True,
            replace_key_prefix_with="new/",
            pass_query_string=True,
        ),
        rule(
            3,
            {"http_error_code_returned_equals": 404, "key_suffix_equals": ".txt"},
            replace_key_with="texts/${key}",
        ),
    )
    led = visit("old/page?x=1")
    assert (led.status_code, led.headers["location"]) == (301, "https://new.test/new/page?x=1")
    assert visit("a.txt").content == b"a"
    own = visit("b.txt")
    assert own.status_code == 302
    assert own.headers["location"].endswith(f"/{shelf.bucket}/texts/b.txt")
    assert visit("nowhere").content == b"lost"


def test_a_rule_may_ask_for_a_header(shelf: Shelf, visit: Visit) -> None:
    header = oss.RoutingRuleIncludeHeader(key="x-kind", equals="old")
    configure(shelf, rule(1, {"include_headers": [header]}, host_name="old.test"))
    assert visit("a.txt", **{"X-Kind": "old"}).status_code == 302
    assert visit("a.txt", **{"X-Kind": "older"}).content == b"a"
    assert visit("a.txt").content == b"a"


@pytest.mark.parametrize(
    ("website", "code", "status"),
    [
        (oss.WebsiteConfiguration(), "MalformedXML", 400),
        (oss.WebsiteConfiguration(index_document=oss.IndexDocument(suffix="a/b")), "MalformedXML", 400),
        (
            oss.WebsiteConfiguration(error_document=oss.ErrorDocument(key="404.html", http_status=500)),
            "MalformedXML",
            400,
        ),
        (
            oss.WebsiteConfiguration(
                routing_rules=oss.RoutingRules(
                    routing_rules=[rule(1, {}, redirect_type="Mirror", mirror_url="http://elsewhere.test/")]
                )
            ),
            "NotImplemented",
            501,
        ),
        *(
            (
                oss.WebsiteConfiguration(
                    routing_rules=oss.RoutingRules(routing_rules=[rule(1, {}, **redirect)])
                ),
                "MalformedXML",
                400,
            )
            for redirect in ({"http_redirect_code": 200}, {"host_name": "a.test\nSet-Cookie: x"})
        ),
    ],
)
def test_what_is_malformed_or_would_leave_the_machine_is_refused(
    shelf: Shelf, website: oss.WebsiteConfiguration, code: str, status: int
) -> None:
    with storage_refused(code, status):
        shelf.client.put_bucket_website(
            oss.PutBucketWebsiteRequest(bucket=shelf.bucket, website_configuration=website)
        )
