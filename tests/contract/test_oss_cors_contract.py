"""Cross-origin rules of a bucket: preflights through the vendor's SDK, the calls themselves as a browser makes them."""

from __future__ import annotations

from datetime import timedelta

import alibabacloud_oss_v2 as oss
import httpx
import pytest
from contract_storage import Shelf, storage_refused

SITE = "https://lab.example.com"


def put_rules(shelf: Shelf, *rules: oss.CORSRule, **settings: object) -> None:
    configuration = oss.CORSConfiguration(cors_rules=list(rules), **settings)
    shelf.client.put_bucket_cors(
        oss.PutBucketCorsRequest(bucket=shelf.bucket, cors_configuration=configuration)
    )


def ask(
    shelf: Shelf, method: str = "GET", origin: str = SITE, headers: str | None = None
) -> oss.OptionObjectResult:
    return shelf.client.option_object(
        oss.OptionObjectRequest(
            bucket=shelf.bucket,
            key="data/1",
            origin=origin,
            access_control_request_method=method,
            access_control_request_headers=headers,
        )
    )


RULE = oss.CORSRule(
    allowed_origins=["https://*.example.com"],
    allowed_methods=["GET", "PUT"],
    allowed_headers=["x-oss-*", "Content-Type"],
    expose_headers=["ETag", "x-oss-request-id"],
    max_age_seconds=600,
)


def test_a_preflight_is_answered_by_the_rule_that_fits(shelf: Shelf):
    put_rules(shelf, oss.CORSRule(allowed_origins=["https://other.test"], allowed_methods=["GET"]), RULE)
    found = ask(shelf, "PUT", headers="x-oss-meta-step, content-type")
    assert found.access_control_allow_origin == SITE
    assert found.access_control_allow_methods == "PUT"
    assert found.access_control_allow_headers == "x-oss-meta-step, content-type"
    assert found.access_control_expose_headers == "ETag, x-oss-request-id"
    assert int(found.access_control_max_age) == 600


@pytest.mark.parametrize(
    ("method", "origin", "headers"),
    [
        ("DELETE", SITE, None),
        ("GET", "https://example.com", None),
        ("GET", SITE, "authorization"),
        ("GET", SITE, "x-oss-date, cookie"),
    ],
)
def test_a_preflight_that_no_rule_fits_is_refused(shelf: Shelf, method, origin, headers):
    put_rules(shelf, RULE)
    with storage_refused("AccessForbidden", 403):
        ask(shelf, method, origin, headers)


def test_without_rules_every_preflight_is_refused(shelf: Shelf):
    with storage_refused("AccessForbidden", 403):
        ask(shelf)


def test_a_browser_asks_without_a_signature_for_objects_and_for_the_bucket(shelf: Shelf, local_cloud):
    put_rules(shelf, RULE)
    question = {"Origin": SITE, "Access-Control-Request-Method": "GET"}
    bucket_first = {**question, "Host": f"{shelf.bucket}.{local_cloud.endpoint}"}
    for path, headers in (
        (f"/{shelf.bucket}/a", question),
        (f"/{shelf.bucket}", question),
        ("/", bucket_first),
    ):
        answer = httpx.options(f"http://{local_cloud.endpoint}{path}", headers=headers)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["access-control-allow-origin"] == SITE


def test_an_answer_carries_what_lets_the_script_read_it_also_where_it_is_an_error(shelf: Shelf):
    put_rules(shelf, RULE, response_vary=True)
    shelf.put("there", b"content")
    for key, status in (("there", 200), ("nowhere", 404)):
        url = shelf.client.presign(
            oss.GetObjectRequest(bucket=shelf.bucket, key=key), expires=timedelta(minutes=1)
        ).url
        answer = httpx.get(url, headers={"Origin": SITE})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == SITE
        assert answer.headers["access-control-allow-methods"] == "GET, PUT"
        assert answer.headers["vary"] == "Origin"
        foreign = httpx.get(url, headers={"Origin": "https://evil.test"})
        assert foreign.status_code == status, "the browser is who keeps it from the script"
        assert "access-control-allow-origin" not in foreign.headers
        assert foreign.headers["vary"] == "Origin"
        assert "vary" not in httpx.get(url).headers


def test_every_site_is_called_by_a_star(shelf: Shelf):
    put_rules(shelf, oss.CORSRule(allowed_origins=["*"], allowed_methods=["GET"], allowed_headers=["*"]))
    found = ask(shelf, headers="authorization, x-oss-date")
    assert found.access_control_allow_origin == "*"
    assert found.access_control_max_age is None


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (oss.CORSRule(allowed_origins=["*"]), "MalformedXML"),
        (oss.CORSRule(allowed_methods=["GET"]), "MalformedXML"),
        (oss.CORSRule(allowed_origins=["*"], allowed_methods=["PATCH"]), "InvalidArgument"),
        (oss.CORSRule(allowed_origins=["*.*"], allowed_methods=["GET"]), "InvalidArgument"),
        (
            oss.CORSRule(allowed_origins=["*"], allowed_methods=["GET"], expose_headers=["x-*"]),
            "InvalidArgument",
        ),
        (
            oss.CORSRule(allowed_origins=["*"], allowed_methods=["GET"], max_age_seconds=10**9),
            "InvalidArgument",
        ),
    ],
)
def test_a_rule_that_says_nothing_or_too_much_is_refused(shelf: Shelf, rule, code):
    with storage_refused(code, 400):
        put_rules(shelf, rule)
    with storage_refused("MalformedXML", 400):
        put_rules(shelf, *[RULE] * 21)
    with storage_refused("NoSuchCORSConfiguration", 404):
        shelf.client.get_bucket_cors(oss.GetBucketCorsRequest(bucket=shelf.bucket))
