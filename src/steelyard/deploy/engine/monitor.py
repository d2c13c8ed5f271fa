"""Pulumi's ResourceMonitor and Engine services, answered in this process.

The SDK calls these objects in place of gRPC stubs (`pulumi.runtime.settings.Settings` takes any object that has
the methods), from the threads of the loop's executor. Requests and answers are pulumi's own messages; the fields
that are read and written are pinned by a test, since they move with the SDK's version.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import NoReturn

from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, resource_pb2

from steelyard.deploy import urn, values
from steelyard.deploy.engine import goal
from steelyard.deploy.engine.fleet import Fleet
from steelyard.deploy.engine.provider import Operation
from steelyard.deploy.engine.registrar import Registered, Registrar
from steelyard.deploy.engine.run import Run
from steelyard.deploy.report import Message
from steelyard.deploy.values import Properties
from steelyard.errors import DeployError

log = logging.getLogger(__name__)

FEATURES = {
    "secrets": resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    "aliasSpecs": resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    "deletedWith": resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    "replaceWith": resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
    "parameterization": resource_pb2.RESOURCE_MONITOR_FEATURE_PARAMETERIZATION,
}
"""What the SDK may use. Resource references are left out: a resource given as a value arrives as its id."""

_STACK_REFERENCE = "pulumi:pulumi:StackReference"

_SEVERITIES = {engine_pb2.INFO: "info", engine_pb2.WARNING: "warning", engine_pb2.ERROR: "error"}


class Monitor:
    """Answers the calls by which a program registers its resources.

    Args:
        run: The run at hand.
        registrar: Brings resources to their goals.
        providers: Where the providers are found.
        config: The stack's configuration by full key, `steelyard:name`.
        secret_keys: Those of its keys that are secret.
    """

    def __init__(
        self,
        run: Run,
        registrar: Registrar,
        providers: Fleet,
        *,
        config: Mapping[str, str],
        secret_keys: tuple[str, ...] = (),
    ) -> None:
        self._run = run
        self._registrar = registrar
        self._providers = providers
        self._config = config
        self._secret_keys = secret_keys
        self.outputs: Properties = {}

    def GetDeploymentInfo(self, request: empty_pb2.Empty) -> resource_pb2.DeploymentInfo:
        """Tell the program what it runs in."""
        return resource_pb2.DeploymentInfo(
            project=self._run.project,
            stack=self._run.stack,
            config=self._config,
            configSecretKeys=self._secret_keys,
            dryRun=self._run.is_preview,
            parallel=self._run.parallel,
            supportedFeatures=FEATURES.values(),
        )

    def SupportsFeature(
        self, request: resource_pb2.SupportsFeatureRequest
    ) -> resource_pb2.SupportsFeatureResponse:
        """Tell whether a feature is there, by its older name."""
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id in FEATURES)

    def RegisterResource(
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        """Bring a resource to what the program wants."""
        if request.type == urn.STACK_TYPE:
            # The stack itself is no record: the state file stands for it.
            name = urn.make(
                stack=self._run.stack, project=self._run.project, type_token=request.type, name=request.name
            )
            return resource_pb2.RegisterResourceResponse(urn=name)
        with self._run.call():
            done = self._registrar.register(goal.from_request(request))
        return resource_pb2.RegisterResourceResponse(
            urn=done.urn, id=done.id, object=values.encode(done.outputs), result=_result(done)
        )

    def RegisterResourceOutputs(
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        """Set down what a component, or the whole program, gives out."""
        outputs = values.decode(request.outputs)
        if urn.type_of(request.urn) == urn.STACK_TYPE:
            self.outputs = outputs
        else:
            with self._run.call():
                self._registrar.set_outputs(request.urn, outputs)
        return empty_pb2.Empty()

    def ReadResource(self, request: resource_pb2.ReadResourceRequest) -> resource_pb2.ReadResourceResponse:
        """Read a resource that is not this stack's own."""
        if request.type == _STACK_REFERENCE:
            raise DeployError(
                f"StackReference {request.id!r} reads the outputs of another stack, which the embedded engine "
                "does not have",
                "give the values in this stack's config, or run the program with the Pulumi CLI",
            )
        wanted = goal.Goal(
            type=request.type,
            name=request.name,
            is_custom=True,
            parent=request.parent,
            inputs=values.decode(request.properties),
            provider=request.provider,
            dependencies=tuple(sorted(request.dependencies)),
            secret_outputs=tuple(request.additionalSecretOutputs),
        )
        with self._run.call():
            done: Registered = self._registrar.read(wanted, request.id)
        return resource_pb2.ReadResourceResponse(
            urn=done.urn, id=done.id, properties=values.encode(done.outputs), result=_result(done)
        )

    def ExistsResource(
        self, request: resource_pb2.ExistsResourceRequest
    ) -> resource_pb2.ExistsResourceResponse:
        """Tell whether the cloud has a resource."""
        if request.id == values.UNKNOWN:
            return resource_pb2.ExistsResourceResponse(unknown=True)
        with self._run.call():
            self._providers.rules(request.type)
            provider = self._providers.find(request.provider or self._providers.default())
            operation = Operation(urn="", is_cancelled=self._run.is_cancelled)
            found = provider.read(request.type, request.id, operation)
        return resource_pb2.ExistsResourceResponse(exists=found is not None)

    def Invoke(self, request: resource_pb2.ResourceInvokeRequest) -> resource_pb2.ResourceInvokeResponse:
        """Answer a function of the provider."""
        with self._run.call():
            self._providers.check_package(request.tok)
            provider = self._providers.find(request.provider or self._providers.default())
            found = provider.invoke(request.tok, values.decode(request.args))
        return resource_pb2.ResourceInvokeResponse(**{"return": values.encode(found)})

    def RegisterPackage(
        self, request: resource_pb2.RegisterPackageRequest
    ) -> resource_pb2.RegisterPackageResponse:
        """Take note of a package, if it is the one that the engine has."""
        if request.HasField("parameterization") or request.HasField("extension"):
            raise DeployError(
                f"the package {request.name!r} is parameterized, which the embedded engine cannot do",
                "run the program with the Pulumi CLI",
            )
        self._providers.check_package(f"{request.name}:")
        return resource_pb2.RegisterPackageResponse(ref=f"{request.name}@{request.version}")

    def SignalAndWaitForShutdown(self, request: empty_pb2.Empty) -> empty_pb2.Empty:
        """Let the program end: deletions need none of its hooks here."""
        return empty_pb2.Empty()

    def Call(self, request: resource_pb2.ResourceCallRequest) -> NoReturn:
        """Refuse a method call on a resource."""
        raise _missing(f"the method {request.tok}")

    def RegisterStackTransform(self, request: object) -> NoReturn:
        """Refuse a transform."""
        raise _missing("a stack transform")

    def RegisterStackInvokeTransform(self, request: object) -> NoReturn:
        """Refuse an invoke transform."""
        raise _missing("a stack invoke transform")

    def RegisterResourceHook(self, request: object) -> NoReturn:
        """Refuse a hook."""
        raise _missing("a resource hook")

    def RegisterErrorHook(self, request: object) -> NoReturn:
        """Refuse an error hook."""
        raise _missing("an error hook")


class Engine:
    """Takes what the program logs.

    Args:
        run: The run at hand.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._root = ""

    def Log(self, request: engine_pb2.LogRequest) -> empty_pb2.Empty:
        """Keep a message; the SDK's debugging goes to this module's log."""
        severity = _SEVERITIES.get(request.severity)
        if severity is None:
            log.debug("%s", request.message)
        else:
            self._run.reporter.log(Message(severity=severity, text=request.message, urn=request.urn))
        return empty_pb2.Empty()

    def GetRootResource(
        self, request: engine_pb2.GetRootResourceRequest
    ) -> engine_pb2.GetRootResourceResponse:
        """Return the stack's URN."""
        return engine_pb2.GetRootResourceResponse(urn=self._root)

    def SetRootResource(
        self, request: engine_pb2.SetRootResourceRequest
    ) -> engine_pb2.SetRootResourceResponse:
        """Take the stack's URN."""
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()

    def RequirePulumiVersion(
        self, request: engine_pb2.RequirePulumiVersionRequest
    ) -> engine_pb2.RequirePulumiVersionResponse:
        """Agree: there is no CLI whose version could be wrong."""
        return engine_pb2.RequirePulumiVersionResponse()

    def StartDebugging(self, request: object) -> NoReturn:
        """Refuse to wait for a debugger."""
        raise _missing("attaching a debugger")


def _result(done: Registered) -> resource_pb2.Result.ValueType:
    """Tell the program whether a resource stands: it goes on without what is missing."""
    return resource_pb2.Result.FAIL if done.is_missing else resource_pb2.Result.SUCCESS


def _missing(what: str) -> DeployError:
    return DeployError(
        f"{what} needs a feature that the embedded engine does not have",
        "run the program with the Pulumi CLI",
    )
