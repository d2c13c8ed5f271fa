"""Which pages may lead to a bucket's objects: rules without a cloud."""

from __future__ import annotations

import pytest

from steelyard.localcloud.services.oss.referer import RefererRules


def rules(*allowed: str, refused: tuple[str, ...] = (), **flags: bool) -> RefererRules:
    words = "".join(f"<{name}>{str(value).lower()}</{name}>" for name, value in flags.items())
    lists = "".join(
        f"<{name}>{''.join(f'<Referer>{one}</Referer>' for one in pages)}</{name}>"
        for name, pages in (("RefererList", allowed), ("RefererBlacklist", refused))
    )
    return RefererRules.read(f"<RefererConfiguration>{words}{lists}</RefererConfiguration>")


@pytest.mark.parametrize(
    ("pattern", "page", "is_let_in"),
    [
        ("http://www.aliyun.com", "http://www.aliyun.com/123", True),
        ("http://www.aliyun.com", "http://www.aliyun.com.cn", True),
        ("http://www.aliyun.com", "https://www.aliyun.com", False),
        ("www.aliyun.com", "https://www.aliyun.com/123", True),
        ("*www.aliyun.com/", "https://www.aliyun.com/", True),
        ("*.aliyun.com", "http://help.aliyun.com/page", True),
        ("http://*.example.com", "http://example.com/", False),
        ("aliyun?.com", "http://aliyuna.com", True),
        ("aliyun?.com", "http://aliyun.com", False),
        ("www.example.com:8080", "http://www.example.com:8080/x", True),
        ("http://a.test/index.html", "http://a.test/logo.html", False),
    ],
)
def test_a_page_is_named_by_how_its_address_begins(pattern: str, page: str, is_let_in: bool) -> None:
    assert rules(pattern).lets_in(page) is is_let_in


def test_who_is_refused_stays_out_also_where_others_are_allowed() -> None:
    both = rules("*.test", refused=("http://bad.test",))
    assert both.lets_in("http://good.test/")
    assert not both.lets_in("http://bad.test/")
    others = rules(refused=("http://bad.test",))
    assert others.lets_in("http://elsewhere.org/")
    assert not others.lets_in("http://bad.test/x")


def test_no_page_at_all_is_let_in_unless_pages_are_named_and_none_is_refused() -> None:
    assert rules("http://a.test").lets_in("")
    assert not rules("http://a.test", AllowEmptyReferer=False).lets_in("")
    assert rules(AllowEmptyReferer=False).lets_in("")
    assert RefererRules.read("").lets_in("http://anywhere.test")


def test_addresses_are_cut_as_the_bucket_says() -> None:
    page = "http://b.test/?from=http://a.test"
    assert not rules("*a.test").lets_in(page)
    assert rules("*a.test", AllowTruncateQueryString=False).lets_in(page)
    assert not rules("http://a.test/x", TruncatePath=True).lets_in("http://a.test/x")
    assert rules("http://a.test", TruncatePath=True).lets_in("http://a.test/x")
