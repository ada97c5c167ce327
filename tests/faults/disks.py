"""File systems on which a process dies, or the room ends, at a chosen operation. Everything else about them is real."""

import errno
import os
import signal
import uuid
from pathlib import Path

from fsspec.implementations.local import LocalFileOpener, LocalFileSystem


class Fate:
    """Counts operations that change something; at one of them the process dies, or stops until it is woken."""

    def __init__(self, at=None, how="KILL", room=None):
        self.at, self.signal, self.room = at, signal.Signals[f"SIG{how}"], room
        self.steps = 0

    def step(self, half=None):
        """One operation more; ``half`` is what a dying process still gets done of it."""
        self.steps += 1
        if self.steps == self.at:
            if half and self.signal is signal.SIGKILL:
                half()
            os.kill(os.getpid(), self.signal)

    def use(self, size):
        """So many bytes more."""
        if self.room is not None:
            self.room -= size
            if self.room < 0:
                raise OSError(errno.ENOSPC, "No space left on device")


class Disk(LocalFileSystem):
    """A disk: files appear when they are opened, renaming is atomic."""

    cachable = False

    def __init__(self, fate=None, **more):
        super().__init__(**more)
        self.fate = fate or Fate()

    def _open(self, path, mode="rb", **_):
        if "r" in mode:
            return super()._open(path, mode)
        self.fate.step()
        return self._writer(self._strip_protocol(path), mode)

    def _writer(self, path, mode):
        return DiskFile(path, mode, fs=self)

    def mv(self, path1, path2, **more):
        self.fate.step()
        super().mv(path1, path2, **more)
        self.fate.step()  # it is done, and nobody knows yet

    def makedirs(self, path, exist_ok=False):
        self.fate.step()
        super().makedirs(path, exist_ok=exist_ok)

    def rm_file(self, path):
        self.fate.step()
        super().rm_file(path)

    def rm(self, path, recursive=False, maxdepth=None):  # noqa: ARG002 - fsspec's signature
        """One file after the other, as object stores do it and as a dying process would leave it."""
        files = self.find(path)
        if not files:
            raise FileNotFoundError(path)
        for file in files:
            self.rm_file(file)
        super().rm(path, recursive=True) if self.isdir(path) else None


class DiskFile(LocalFileOpener):
    """A file that is written half when the process dies meanwhile."""

    def write(self, data):
        self.fs.fate.step(lambda: (self.f.write(bytes(data)[: len(data) // 2]), self.f.flush()))
        self.fs.fate.use(len(data))
        return self.f.write(data)


class Bucket(Disk):
    """An object store on a disk: no rename, no folders, an object is there at once and whole, or not at all."""

    protocol = "bucket"

    def _writer(self, path, mode):
        return BucketFile(path, mode, fs=self)

    def mv(self, *_, **__):
        raise NotImplementedError

    copy = cp_file = mv

    def makedirs(self, path, exist_ok=False):
        """Nothing to do."""


class BucketFile(DiskFile):
    """An upload."""

    def __init__(self, path, mode, fs):
        self.target = Path(path)
        # Outside every lake: an upload that is not complete is nowhere.
        upload = f"{os.environ['UPLOADS']}/{os.getpid()}-{uuid.uuid4().hex}"
        super().__init__(upload, mode, fs=fs)

    def close(self):
        if not self.f.closed:
            self.f.close()
            self.fs.fate.step()
            self.target.parent.mkdir(parents=True, exist_ok=True)
            Path(self.path).replace(self.target)
            self.fs.fate.step()

    def discard(self):
        self.f.close()
        Path(self.path).unlink(missing_ok=True)

    def __exit__(self, kind, error, trace):
        self.discard() if kind else self.close()

    def __del__(self):
        """An upload that nobody completes is given up."""
        self.discard()
