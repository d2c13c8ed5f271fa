"""Lists in pages, both of the API's styles: `PageNumber`/`PageSize` and `NextToken`/`MaxResults`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from steelyard.localcloud.service import Request
from steelyard.localcloud.text import whole_number
from steelyard.localcloud.wire.error import invalid_parameter

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Pageable(Protocol[T_co]):
    """What pages can be cut out of: a list, or what reads no more than its slices."""

    def __len__(self) -> int:
        """Give the number of items."""

    def __getitem__(self, places: slice, /) -> Sequence[T_co]:
        """Give the items from one place to another."""


class Joined(Generic[T]):
    """Several lists one after the other, of which a slice reads no other items.

    Args:
        parts: The lists.
    """

    def __init__(self, *parts: Pageable[T]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __getitem__(self, places: slice, /) -> Sequence[T]:
        start, stop, _ = places.indices(len(self))
        found: list[T] = []
        for part in self._parts:
            found += part[max(start, 0) : max(stop, 0)]
            start, stop = start - len(part), stop - len(part)
        return found


def number_page(
    request: Request, items: Pageable[T], max_size: int = 50
) -> tuple[Sequence[T], dict[str, object]]:
    """Cut out the page that `PageNumber` and `PageSize` (10 by default) ask for.

    Returns:
        The page's items, and the answer's `TotalCount`, `PageNumber` and `PageSize`.

    Raises:
        ApiError: `InvalidParameter` for a page number below 1 or a size outside of 1 to `max_size`.
    """
    number, size = request.number("PageNumber", 1), request.number("PageSize", 10)
    if number < 1:
        raise invalid_parameter("PageNumber", number, "at least 1")
    if not 1 <= size <= max_size:
        raise invalid_parameter("PageSize", size, f"from 1 to {max_size}")
    head: dict[str, object] = {"TotalCount": len(items), "PageNumber": number, "PageSize": size}
    return items[(number - 1) * size : number * size], head


def token_page(
    request: Request,
    items: Pageable[T],
    *,
    token_name: str = "NextToken",
    size_name: str = "MaxResults",
    default: int = 50,
    most: int = sys.maxsize,
    nearest: range | None = None,
) -> tuple[Sequence[T], str]:
    """Cut out the page that a token asks for.

    Args:
        request: The call.
        items: All items, in an order that does not change between calls.
        token_name: The parameter that holds the token of the page.
        size_name: The parameter that holds the page's size.
        default: Size where the call gives none.
        most: The largest page.
        nearest: Sizes of which the nearest is taken, where the API does not refuse others.

    Returns:
        The page's items, and the token of the next page; empty on the last one.

    Raises:
        ApiError: `InvalidParameter` for a token that no page gave or a size that is not from 1 to `most`.
    """
    token = request.text(token_name) or "0"
    start, size = whole_number(token), request.number(size_name, default)
    if start is None:
        raise invalid_parameter(token_name, token, "a token of an earlier page")
    if not 1 <= size <= most:
        raise invalid_parameter(size_name, size, "at least 1" if size < 1 else f"at most {most}")
    if nearest is not None:
        size = min(max(size, nearest[0]), nearest[-1])
    end = start + size
    return items[start:end], str(end) if end < len(items) else ""


def token_answer(
    request: Request, field: str, items: Sequence[T], answered: Callable[[T], object]
) -> dict[str, object]:
    """Answer with the page that a token asks for, 20 items by default, as NLB and ALB do.

    Args:
        request: The call.
        field: What the answer calls the items.
        items: All items, in an order that does not change between calls.
        answered: Gives an item as the answer has it.
    """
    page, token = token_page(request, items, default=20)
    return {
        field: [answered(item) for item in page],
        "NextToken": token,
        "MaxResults": request.number("MaxResults", 20),
        "TotalCount": len(items),
    }
