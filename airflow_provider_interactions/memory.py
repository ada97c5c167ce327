"""Memory that is used over and over is kept, instead of being handed back to the system and asked for again."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

#: Of mallopt (malloc.h of glibc): the free memory at its top that the heap keeps, and from which size on a piece of
#: memory is the system's own, both in bytes.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3

#: Some answers of usual size with what is made of them, and one unusually large answer.
KEPT, LARGE = 64 * 1024 * 1024, 32 * 1024 * 1024


@cache
def keep() -> None:
    """Tell glibc, for this process and for good, to keep freed memory of the size of some answers; else do nothing.

    By itself it keeps 128 KiB. Each answer, of hundreds, then makes the system clear pages anew: a tenth to a fifth
    of an extraction's time where that is slow, as in virtual machines.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, KEPT)
        mallopt(M_MMAP_THRESHOLD, LARGE)
