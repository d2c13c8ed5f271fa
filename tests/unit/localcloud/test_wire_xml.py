from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from steelyard.localcloud.wire.xml import answer_root, render_xml


def test_a_list_is_its_element_repeated_and_a_mapping_its_children():
    text = render_xml("R", {"Vpcs": {"Vpc": [{"Id": "a"}, {"Id": "b"}]}, "Ids": [], "IsLast": True, "N": 3})
    assert text.endswith(
        "<R><Vpcs><Vpc><Id>a</Id></Vpc><Vpc><Id>b</Id></Vpc></Vpcs><IsLast>true</IsLast><N>3</N></R>"
    )


def test_the_root_is_named_after_the_action_unless_that_is_no_name():
    assert answer_root("DescribeVpcs", is_error=False) == "DescribeVpcsResponse"
    assert answer_root("DescribeVpcs", is_error=True) == "Error"
    assert answer_root("<x>", is_error=True) == answer_root("<x>", is_error=False) == "Error"


@given(
    st.dictionaries(
        st.text(max_size=8),
        st.text(max_size=20) | st.lists(st.integers() | st.booleans(), max_size=3),
        max_size=4,
    )
)
def test_whatever_the_body_holds_the_document_can_be_read(body):
    ElementTree.fromstring(render_xml("Answer", body))
