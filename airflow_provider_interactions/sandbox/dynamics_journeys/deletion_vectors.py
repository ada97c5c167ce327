"""Deletion vectors as the Delta protocol stores them: roaring bitmaps of row positions in a file of their own.

Source: delta-io/delta, PROTOCOL.md, "Deletion Vector Format" (read 2026-11).
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterable
from itertools import groupby
from typing import Any
from uuid import UUID

_FORMAT_VERSION = b"\x01"
_MAGIC = 1681511377
#: the cookie of a serialised roaring bitmap without runs (RoaringFormatSpec)
_COOKIE = 12346
#: more values than this are written as a bitmap of 65,536 bits, not as an array
_MOST_IN_ARRAY = 4096
_B85 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def encode_positions(positions: Iterable[int]) -> bytes:
    """Row positions as a "RoaringBitmapArray" in the portable format."""
    groups = [(high, list(low)) for high, low in groupby(sorted(set(positions)), lambda at: at >> 32)]
    body = b"".join(struct.pack("<I", high) + _encode_bitmap([at & 0xFFFFFFFF for at in low]) for high, low in groups)
    return struct.pack("<iq", _MAGIC, len(groups)) + body


def _encode_bitmap(values: list[int]) -> bytes:
    groups = [(high, [value & 0xFFFF for value in low]) for high, low in groupby(values, lambda value: value >> 16)]
    containers = [_encode_container(low) for _, low in groups]
    head = struct.pack("<II", _COOKIE, len(groups))
    head += b"".join(struct.pack("<HH", high, len(low) - 1) for high, low in groups)
    offset = len(head) + 4 * len(groups)
    offsets = [offset + sum(map(len, containers[:place])) for place in range(len(groups))]
    return head + struct.pack(f"<{len(offsets)}I", *offsets) + b"".join(containers)


def _encode_container(values: list[int]) -> bytes:
    if len(values) <= _MOST_IN_ARRAY:
        return struct.pack(f"<{len(values)}H", *values)
    return sum(1 << value for value in values).to_bytes(8192, "little")


def build_file(positions: Iterable[int]) -> bytes:
    """The content of a ``deletion_vector_*.bin`` with one vector."""
    data = encode_positions(positions)
    return _FORMAT_VERSION + struct.pack(">I", len(data)) + data + struct.pack(">I", zlib.crc32(data))


def build_descriptor(name: UUID, positions: Iterable[int]) -> dict[str, Any]:
    """The ``deletionVector`` of an add action whose vector is alone in ``deletion_vector_{name}.bin``."""
    places = set(positions)
    encoded = base64.b85encode(name.bytes).decode().translate(str.maketrans(_B85, _Z85))
    size = len(encode_positions(places))
    return {
        "storageType": "u",
        "pathOrInlineDv": encoded,
        "offset": len(_FORMAT_VERSION),
        "sizeInBytes": size,
        "cardinality": len(places),
    }
