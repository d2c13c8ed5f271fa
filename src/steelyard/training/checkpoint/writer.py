"""torch.distributed.checkpoint's writer and reader on a `Storage`."""

from __future__ import annotations

import itertools
import os
import zlib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from torch.distributed.checkpoint import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.filesystem import FileSystem, FileSystemBase
from torch.distributed.checkpoint.metadata import Metadata
from torch.distributed.checkpoint.planner import SavePlan, SavePlanner
from torch.distributed.checkpoint.storage import WriteResult
from torch.futures import Future

from steelyard.errors import TrainingError
from steelyard.training.checkpoint.manifest import MANIFEST, Manifest
from steelyard.training.checkpoint.storage import FileFact, Storage

_Path = str | os.PathLike[str]


class CountingStream:
    """A stream that is written from its beginning to its end, and knows the length and checksum of that.

    Args:
        stream: What it writes to.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._size = 0
        self._crc32 = 0

    @property
    def fact(self) -> FileFact:
        """What was written by now."""
        return FileFact(size=self._size, crc32=self._crc32)

    def write(self, piece: Any) -> int:
        """Write a piece."""
        view = memoryview(piece).cast("B")
        self._stream.write(view)
        self._size += len(view)
        self._crc32 = zlib.crc32(view, self._crc32)
        return len(view)

    def tell(self) -> int:
        """Return how much was written."""
        return self._size

    def flush(self) -> None:
        """Hand on what is held back."""
        self._stream.flush()

    def close(self) -> None:
        """Hand on what is held back; whoever opened the stream below closes it."""
        self._stream.flush()

    def fileno(self) -> int:
        """Return the descriptor of the file below, for it to be synced."""
        number: int = self._stream.fileno()
        return number


class CheckpointFiles(FileSystemBase):
    """What torch.distributed.checkpoint takes for a file system: the files of a `Storage`.

    Args:
        storage: Where they are kept.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.facts: dict[str, FileFact] = {}
        """What was written, by key."""

    @contextmanager
    def create_stream(self, path: _Path, mode: str) -> Generator[Any, None, None]:
        """Open a file."""
        key = os.fspath(path)
        with self._storage.open(key, mode) as stream:
            if "w" not in mode:
                yield stream
                return
            counting = CountingStream(stream)
            yield counting
        self.facts[key] = counting.fact

    def concat_path(self, path: _Path, suffix: str) -> str:
        """Return the key of a file."""
        return f"{os.fspath(path)}/{suffix}"

    def init_path(self, path: _Path) -> str:
        """Return the name of a checkpoint."""
        return os.fspath(path)

    def rename(self, path: _Path, new_path: _Path) -> None:
        """Give a file another key."""
        self._storage.rename(os.fspath(path), os.fspath(new_path))
        if os.fspath(path) in self.facts:
            self.facts[os.fspath(new_path)] = self.facts.pop(os.fspath(path))

    def mkdir(self, path: _Path) -> None:
        """Do nothing: a storage makes what it needs."""

    def exists(self, path: _Path) -> bool:
        """Return whether there is such a file."""
        return self._storage.exists(os.fspath(path))

    def rm_file(self, path: _Path) -> None:
        """Delete a file."""
        self._storage.delete(os.fspath(path))

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: _Path) -> bool:
        """Return that any name will do: `checkpoint_name` made it."""
        del checkpoint_id
        return True


@dataclass(frozen=True)
class CheckedResult(WriteResult):
    """A written item, with what is known of all files of its worker."""

    facts: Mapping[str, FileFact]


class CheckpointWriter(FileSystemWriter):
    """Writes one checkpoint, and its manifest when all workers have written their parts.

    Args:
        storage: Where it is kept.
        name: Its name.
        step: Steps made.
        world_size: Workers that take part.
        extra: Small files that the first worker adds, by name.
        on_done: Called on the first worker with the manifest once the checkpoint is good.
        clock: Monotonic clock in seconds.
    """

    def __init__(
        self,
        storage: Storage,
        name: str,
        *,
        step: int,
        world_size: int,
        extra: Mapping[str, bytes],
        on_done: Callable[[Manifest], None],
        clock: Callable[[], float],
    ) -> None:
        super().__init__(name)
        self._files = CheckpointFiles(storage)
        self.fs = cast(FileSystem, self._files)  # as torch's own writer for fsspec does
        self.path = self.fs.init_path(name)
        self._storage = storage
        self._name = name
        self._step = step
        self._world_size = world_size
        self._extra = extra
        self._on_done = on_done
        self._clock = clock
        self.staged_s = 0.0
        """Time of the clock at which the state was copied, and training could go on."""

    def stage(self, state_dict: dict[str, Any]) -> dict[str, Any]:
        """Copy the state, so that training may change it."""
        staged: dict[str, Any] = super().stage(state_dict)
        self.staged_s = self._clock()
        return staged

    def write_data(self, plan: SavePlan, planner: SavePlanner) -> Future[list[WriteResult]]:
        """Write this worker's part, and tell the first one what was written."""
        written = super().write_data(plan, planner).wait()
        facts = self._own_facts()
        results: list[WriteResult] = [
            CheckedResult(
                index=each.index,
                size_in_bytes=each.size_in_bytes,
                storage_data=each.storage_data,
                facts=facts if number == 0 else {},
            )
            for number, each in enumerate(written)
        ]
        future: Future[list[WriteResult]] = Future()
        future.set_result(results)
        return future

    def finish(self, metadata: Metadata, results: list[list[WriteResult]]) -> None:
        """Write what is the first worker's to write, the manifest last.

        Raises:
            TrainingError: A file that another worker has written is not to be seen from here.
        """
        files: dict[str, FileFact] = {}
        for each in itertools.chain.from_iterable(results):
            if isinstance(each, CheckedResult):
                files |= each.facts
        hidden = [name for name in sorted(files) if not self._storage.exists(f"{self._name}/{name}")]
        if hidden:
            raise TrainingError(
                f"{', '.join(hidden[:3])} of {self._name} cannot be seen by the first worker in {self._storage.url}",
                "give a folder that all nodes share, or a bucket",
            )
        super().finish(metadata, results)
        for name, body in self._extra.items():
            self._storage.write(f"{self._name}/{name}", body)
            files[name] = FileFact(size=len(body), crc32=zlib.crc32(body))
        files |= self._own_facts()
        manifest = Manifest(step=self._step, world_size=self._world_size, files=files)
        self._storage.write(f"{self._name}/{MANIFEST}", manifest.to_json())
        self._on_done(manifest)

    def _own_facts(self) -> dict[str, FileFact]:
        return {key.removeprefix(f"{self._name}/"): fact for key, fact in self._files.facts.items()}


class CheckpointReader(FileSystemReader):
    """Reads one checkpoint.

    Args:
        storage: Where it is kept.
        name: Its name.
    """

    def __init__(self, storage: Storage, name: str) -> None:
        super().__init__(name)
        self.fs = cast(FileSystem, CheckpointFiles(storage))
        self.path = self.fs.init_path(name)
