"""Codes, texts and statuses of Cloud Assistant; where they are from, `errors` says."""

from __future__ import annotations

from steelyard.localcloud.wire.error import ApiError


def command_not_found() -> ApiError:
    """Tell that there is no such command (help page of InvokeCommand)."""
    return ApiError("InvalidCmdId.NotFound", "The specified command ID does not exist.", 404)


def invocation_not_found() -> ApiError:
    """Tell that there is no such invocation (help page of StopInvocation)."""
    return ApiError("InvalidInvokeId.NotFound", "The specified invoke ID does not exist.", 404)


def instances_not_found() -> ApiError:
    """Tell that there are no such instances (help page of RunCommand)."""
    return ApiError("InvalidInstance.NotFound", "The specified instances do not exist.", 404)


def too_many_instances(most: int) -> ApiError:
    """Tell that a call names too many instances (help page of RunCommand)."""
    return ApiError("NumberExceed.InstanceIds", f"The number of instance IDs exceeds {most}.", 403)


def content_not_base64() -> ApiError:
    """Tell that a command's content cannot be decoded (help page of CreateCommand)."""
    return ApiError("CmdContent.DecodeError", "The CommandContent can not be base64 decoded.", 403)


def content_too_long(most: int) -> ApiError:
    """Tell that a command's content is too long (help page of CreateCommand)."""
    return ApiError("CmdContent.ExceedLimit", f"The length of the command content exceeds {most} bytes.", 403)


def parameter_missing(name: str) -> ApiError:
    """Tell that a command has a parameter that a call gives no value; the code from memory."""
    return ApiError(
        "InvalidParameter.Parameters", f"The command has a parameter without a value: {name!r}.", 403
    )


def parameters_disabled() -> ApiError:
    """Tell that a command takes no parameters (help page of InvokeCommand)."""
    return ApiError(
        "ParameterDisabled", "Parameters should not be passed in when parameter is disabled.", 403
    )


def too_many_commands() -> ApiError:
    """Tell that a region holds no more commands (help page of CreateCommand)."""
    return ApiError(
        "CmdCount.ExceedQuota", "The total number of commands in the current region exceeds the quota.", 403
    )


def command_runs() -> ApiError:
    """Tell that a command that is to be deleted runs; code and text from memory."""
    return ApiError("InvalidCmdId.Invoking", "The specified command is being invoked.", 403)
