"""Brings each resource that the program registers to where the program wants it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace

from steelyard.deploy import urn, values
from steelyard.deploy.engine import diff, path
from steelyard.deploy.engine.cascade import Cascade
from steelyard.deploy.engine.deletion import refuse_protected
from steelyard.deploy.engine.diff import Diff
from steelyard.deploy.engine.fleet import Fleet
from steelyard.deploy.engine.goal import Goal, former_urns
from steelyard.deploy.engine.provider import Operation, Rules
from steelyard.deploy.engine.run import Run
from steelyard.deploy.record import Record
from steelyard.deploy.report import Op
from steelyard.deploy.values import Properties
from steelyard.errors import DeployError, PutOffError, ResourceError


@dataclass(frozen=True, kw_only=True)
class Registered:
    """What the program is told of a resource: no id and fewer outputs where a preview cannot know them.

    Attributes:
        is_missing: Whether it was left for a later run, and nothing of it stands.
    """

    urn: str
    id: str = ""
    outputs: Properties
    is_missing: bool = False


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What is to be done for one resource."""

    op: Op
    goal: Goal
    old: Record | None
    record: Record
    rules: Rules
    diff: tuple[str, ...] = ()
    is_old_gone: bool = False

    @property
    def deletes_first(self) -> bool:
        """Whether the old resource must go before the new one is made."""
        if self.is_old_gone or self.old is None:
            return False
        if self.old.is_half_made:
            return True
        asked = self.goal.deletes_before_replace
        return self.rules.deletes_before_replace if asked is None else asked


class Registrar:
    """Creates, updates, replaces or leaves each resource, from any thread.

    Args:
        run: The run at hand.
        providers: Where the providers are found.
    """

    def __init__(self, run: Run, providers: Fleet) -> None:
        self._run = run
        self._providers = providers
        self._lock = threading.Lock()
        self._claimed: set[str] = set()
        self._former: dict[str, tuple[str, ...]] = {}
        self._replaced: set[str] = set()
        self._cascade = Cascade(run, providers, self._lock)

    def register(self, goal: Goal) -> Registered:
        """Bring one resource to its goal and return when it stands.

        Raises:
            DeployError: If the program asks for what cannot be.
            ResourceError: If the cloud refuses it.
        """
        name = urn.make(
            stack=self._run.stack,
            project=self._run.project,
            type_token=goal.type,
            name=goal.name,
            parent=goal.parent,
        )
        old, is_gone = self._claim(goal, name)
        if old is not None and old.is_external:
            # It was only read so far, and is not ours to change: one of our own is made.
            old = None
        if not goal.is_custom:
            return self._component(goal, name, old)
        if missing := self._run.left.missing_among(goal.needs):
            return self._wait_for(name, urn.name_of(missing))
        rules = self._providers.rules(goal.type)
        self._providers.check(goal.type, goal.inputs)
        if not goal.provider and not urn.is_provider(goal.type):
            goal = replace(goal, provider=self._providers.default())
        plan = self._plan(goal, name, old, rules, is_gone=is_gone)
        if self._run.is_preview:
            return self._foresee(plan)
        return self._carry_out(plan)

    def read(self, goal: Goal, resource_id: str) -> Registered:
        """Set down a resource that exists already and is not this stack's own (`.get()`).

        Raises:
            ResourceError: If the cloud has no such resource.
        """
        parts = {"type_token": goal.type, "name": goal.name, "parent": goal.parent}
        name = urn.make(stack=self._run.stack, project=self._run.project, **parts)
        old, _ = self._claim(goal, name)
        if resource_id == values.UNKNOWN:
            is_foreseen = self._run.is_preview
            return Registered(urn=name, outputs={}) if is_foreseen else self._wait_for(name, "an id")
        rules = self._providers.rules(goal.type)
        reference = goal.provider or self._providers.default()
        operation = Operation(urn=name, is_cancelled=self._run.is_cancelled)
        with self._run.reporter.step("read", name):
            found = self._providers.find(reference).read(goal.type, resource_id, operation)
            if found is None:
                raise ResourceError(f"{goal.type} {resource_id!r} does not exist", "look at the id", urn=name)
        outputs = values.annotate(found, goal.inputs, {*goal.secret_outputs, *rules.secret_outputs})
        record = _record(replace(goal, provider=reference), name, goal.inputs)
        was_ours = old is not None and not old.is_external and old.id != resource_id
        self._run.journal.put(
            replace(record, id=resource_id, outputs=outputs, is_external=True),
            supersedes=old if was_ours else None,
        )
        return Registered(urn=name, id=resource_id, outputs=outputs)

    def set_outputs(self, name: str, outputs: Properties) -> None:
        """Set down what a component gives out."""
        record = self._run.journal.find(name)
        if record is not None and not record.is_custom:
            self._run.journal.put(replace(record, outputs=outputs))

    def finish(self) -> list[Record]:
        """Return what is to be deleted after the program has ended cleanly: replaced ones first.

        What a resource needs that was left as it was stays with it.

        Raises:
            DeployError: If a protected resource is among them.
        """
        state = self._run.journal.state
        claimed = self._claimed | ({self._providers.default_urn} if self._providers.uses_default else set())
        gone = [record for name, record in state.resources.items() if name not in claimed]
        refuse_protected(gone)
        leaving = [*state.superseded, *gone]
        kept = self._run.left.still_needed(state.resources.values(), leaving)
        return [record for record in leaving if record.urn not in kept]

    def _claim(self, goal: Goal, name: str) -> tuple[Record | None, bool]:
        """Return the resource's record, and whether it was deleted earlier in this run."""
        with self._lock:
            if name in self._claimed:
                raise DeployError(
                    f"two resources have the URN {name}", "give each resource of a type its own name"
                )
            self._claimed.add(name)
            former = former_urns(
                goal,
                stack=self._run.stack,
                project=self._run.project,
                parent_aliases=self._former.get(goal.parent, ()),
            )
            self._former[name] = former
            taken = self._cascade.taken(name)
            if taken is None:
                return self._stands(name, former), False
        # It is made again when it is gone: until then its record is all that tells of it.
        return taken, self._cascade.await_end(name)

    def _stands(self, name: str, former: tuple[str, ...]) -> Record | None:
        """Return the record of a resource, moved here from an alias where it stands under one; the lock is held."""
        old = self._run.journal.find(name)
        if old is not None:
            return old
        known = (alias for alias in former if alias not in self._claimed)
        alias = next((alias for alias in known if self._run.journal.find(alias)), None)
        return self._run.journal.rename(alias, name) if alias else None

    def _component(self, goal: Goal, name: str, old: Record | None) -> Registered:
        record = _record(goal, name, goal.inputs)
        self._run.journal.put(replace(record, outputs=old.outputs if old else {}))
        self._run.reporter.done("same" if old else "create", name)
        return Registered(urn=name, outputs={})

    def _plan(self, goal: Goal, name: str, old: Record | None, rules: Rules, *, is_gone: bool) -> _Plan:
        inputs = goal.inputs
        changes = Diff()
        op: Op = "create"
        if old is not None and not old.is_half_made:
            inputs = path.keep_old(old.inputs, goal.inputs, goal.ignore_changes)
            changes = diff.compare(old.inputs, inputs)
            op = "update" if changes.paths else "same"
        if old is not None and (is_gone or old.is_half_made or self._must_replace(goal, old, rules, changes)):
            op = "replace"
            with self._lock:
                self._replaced.add(name)
            if not is_gone:
                refuse_protected([old])
        record = _record(goal, name, inputs)
        return _Plan(
            op=op, goal=goal, old=old, record=record, rules=rules, diff=changes.texts, is_old_gone=is_gone
        )

    def _must_replace(self, goal: Goal, old: Record, rules: Rules, changes: Diff) -> bool:
        urn_of_old, _, id_of_old = old.provider.rpartition("::")
        urn_of_new, _, id_of_new = goal.provider.rpartition("::")
        has_new_provider = urn_of_old == urn_of_new and id_of_old != id_of_new
        has_new_trigger = (
            old.replacement_trigger is not None and goal.replacement_trigger != old.replacement_trigger
        )
        with self._lock:
            follows = not self._replaced.isdisjoint(goal.replace_with)
        return (
            changes.touches(rules.replace_keys)
            or changes.matches(goal.replace_on_changes)
            or has_new_provider
            or has_new_trigger
            or follows
        )

    def _foresee(self, plan: _Plan) -> Registered:
        """Tell what would happen: what the provider would give is left out, and so stays unknown."""
        record = plan.record
        if plan.old is not None and plan.op in ("same", "update"):
            outputs = self._outputs(plan, {**values.plain(plan.old.outputs), **values.plain(record.inputs)})
            record = replace(record, id=plan.old.id, outputs=outputs)
        else:
            unknown = values.UNKNOWN if urn.is_provider(record.type) else ""
            record = replace(record, id=unknown, outputs=self._outputs(plan, values.plain(record.inputs)))
        self._run.journal.put(record)
        if plan.op == "same":
            self._run.reporter.done("same", record.urn)
        else:
            with self._run.reporter.step(plan.op, record.urn, plan.diff):
                pass
        return Registered(
            urn=record.urn, id="" if record.id == values.UNKNOWN else record.id, outputs=record.outputs
        )

    def _carry_out(self, plan: _Plan) -> Registered:
        if plan.op == "same" and plan.old is not None:
            outputs = {**values.plain(plan.record.inputs), **values.plain(plan.old.outputs)}
            record = replace(plan.record, id=plan.old.id, outputs=self._outputs(plan, outputs))
            self._run.journal.put(record)
            self._run.reporter.done("same", record.urn)
        else:
            try:
                with self._run.reporter.step(plan.op, plan.record.urn, plan.diff):
                    record = self._update(plan) if plan.op == "update" else self._create(plan)
            except PutOffError as err:
                return self._put_off(plan, err)
        return Registered(urn=record.urn, id=record.id, outputs=record.outputs)

    def _put_off(self, plan: _Plan, error: PutOffError) -> Registered:
        """Go on with what stands of a resource, or without it.

        Raises:
            PutOffError: Nothing stands, and the program would not go on without it.
        """
        told = self._as_it_was(plan.record.urn)
        if told.is_missing and not plan.goal.can_be_missing:
            raise error
        self._run.left.put_off(told.urn, error, stands=not told.is_missing)
        return told

    def _wait_for(self, name: str, missing: str) -> Registered:
        """Leave a resource as it is, because something that it needs is missing."""
        told = self._as_it_was(name)
        self._run.left.leave(name, stands=not told.is_missing)
        op: Op = "create" if told.is_missing else "update"
        self._run.reporter.failed(op, name, f"left for later: it needs {missing}")
        return told

    def _as_it_was(self, name: str) -> Registered:
        record = self._run.journal.find(name)
        if record is None or record.is_half_made:
            return Registered(urn=name, outputs={}, is_missing=True)
        return Registered(urn=name, id=record.id, outputs=record.outputs)

    def _create(self, plan: _Plan) -> Record:
        journal = self._run.journal
        old = None if plan.is_old_gone else plan.old
        if old is not None and plan.deletes_first:
            self._cascade.delete(old, self._claimed)
            old = None
        if urn.is_provider(plan.record.type):
            record = replace(plan.record, id=str(uuid.uuid4()), outputs=plan.record.inputs)
            journal.put(record, supersedes=old)
            return record
        inputs = values.plain(plan.record.inputs)
        has_id = False

        def allocated(resource_id: str) -> None:
            nonlocal has_id
            has_id = True
            half_made = replace(plan.record, id=resource_id, outputs=plan.record.inputs, is_half_made=True)
            journal.put(half_made, supersedes=old)

        operation = Operation(
            urn=plan.record.urn,
            timeout_s=plan.goal.timeouts.create_s,
            token=journal.begin(plan.record.urn, inputs),
            allocated=allocated,
            is_cancelled=self._run.is_cancelled,
        )
        try:
            provider = self._providers.find(plan.record.provider)
            made = provider.create(plan.record.type, plan.goal.name, inputs, operation)
        except ResourceError as err:
            if err.code and not has_id:
                # The cloud refused: nothing was made. Without its word the attempt stays noted.
                journal.give_up(plan.record.urn)
            raise
        record = replace(plan.record, id=made.id, outputs=self._outputs(plan, {**inputs, **made.outputs}))
        journal.put(record, supersedes=old)
        return record

    def _update(self, plan: _Plan) -> Record:
        assert plan.old is not None
        inputs = values.plain(plan.record.inputs)
        outputs: Mapping[str, object] = inputs
        if not urn.is_provider(plan.record.type):
            operation = Operation(
                urn=plan.record.urn,
                timeout_s=plan.goal.timeouts.update_s,
                is_cancelled=self._run.is_cancelled,
            )
            provider = self._providers.find(plan.record.provider)
            before = values.plain(plan.old.inputs)
            outputs = provider.update(plan.record.type, plan.old.id, before, inputs, operation)
        record = replace(plan.record, id=plan.old.id, outputs=self._outputs(plan, {**inputs, **outputs}))
        self._run.journal.put(record)
        return record

    def _outputs(self, plan: _Plan, outputs: Mapping[str, object]) -> dict[str, object]:
        names = {*plan.goal.secret_outputs, *plan.rules.secret_outputs}
        return values.annotate(outputs, plan.record.inputs, names)


def _record(goal: Goal, name: str, inputs: Properties) -> Record:
    """Return the record of a goal, without what only the provider can tell."""
    return Record(
        urn=name,
        is_custom=goal.is_custom,
        inputs=inputs,
        parent=goal.parent,
        provider=goal.provider,
        dependencies=goal.dependencies,
        property_dependencies=goal.property_dependencies,
        is_protected=goal.is_protected,
        is_retained=goal.is_retained,
        deleted_with=goal.deleted_with,
        deletes_before_replace=goal.deletes_before_replace,
        replacement_trigger=goal.replacement_trigger,
        delete_timeout_s=goal.timeouts.delete_s,
    )
