"""A file that appears in the lake only when it is complete."""

from __future__ import annotations

from airflow_provider_interactions.lake.faults import translate_faults
from airflow_provider_interactions.lake.storage import Lake


class NewFile:
    """A file being written. It gets its name when it is closed, so readers never see half of it.

    On a local disk it has a temporary name until then. An object store shows an object only once it is complete.
    """

    def __init__(self, lake: Lake, path: str) -> None:
        self.lake, self.path = lake, path
        self._temporary = lake.temporary(path) if lake.local else path
        lake.prepare(path)
        try:
            with translate_faults():
                self.stream = lake.fs.open(lake.full(self._temporary), "wb")
        except BaseException:  # also of a task that is asked to stop, which is an exception at any instant
            self._remove()
            raise

    def close(self) -> None:
        """Close the file and give it its name."""
        with translate_faults():
            self.stream.close()
            if self._temporary != self.path:
                self.lake.fs.mv(self.lake.full(self._temporary), self.lake.full(self.path))

    @property
    def size(self) -> int:
        """The size of the finished file in bytes."""
        return self.lake.size(self.path)

    def discard(self) -> None:
        """Remove the unfinished file."""
        self.lake.abandon(self.stream)
        self._remove()

    def _remove(self) -> None:
        # Without a temporary name, a file of this name comes from an earlier try: keep it.
        if self._temporary != self.path:
            self.lake.remove([self._temporary])
