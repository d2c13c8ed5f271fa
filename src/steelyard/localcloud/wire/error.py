from __future__ import annotations


class ApiError(Exception):
    """An error that the local cloud answers with, in the provider's own words.

    It is no `SteelyardError`: it travels to the client as an HTTP answer and never leaves the local cloud as an
    exception.

    Args:
        code: The provider's error code, e.g. `InvalidVpcId.NotFound`; never empty.
        message: The provider's text, with the values that made it so where it has room for them.
        status: HTTP status, 400-599.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def missing_parameter(name: str) -> ApiError:
    """Tell that a required parameter was not sent."""
    return ApiError(
        "MissingParameter",
        f'The input parameter "{name}" that is mandatory for processing this request is not supplied.',
    )


def invalid_parameter(name: str, value: object, want: str) -> ApiError:
    """Tell that a parameter's value is not what the action takes."""
    return ApiError(
        "InvalidParameter", f'The specified parameter "{name}" is not valid: {value!r} is not {want}.'
    )


def not_served(what: str) -> ApiError:
    """Tell, loudly, that the local cloud cannot do what the real one does."""
    return ApiError("UnsupportedOperation", f"The local cloud does not serve {what}.")


def action_not_found(version: str, action: str, product: str = "") -> ApiError:
    """Tell that nobody serves an action; the code is the gateway's own.

    Args:
        version: The API version asked for.
        action: The action asked for.
        product: Code of the product whose real API has the action; empty where there is no such action.
    """
    why = f" The local cloud does not serve this action of {product}." if product else ""
    return ApiError(
        "InvalidAction.NotFound",
        "Specified api is not found, please check your url and method. "
        f"Version {version!r}, action {action!r}.{why}",
        404,
    )
