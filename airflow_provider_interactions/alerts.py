"""The kinds of alerts: what can be looked for in a normalized window. Imports nothing, for the parsing of DAGs."""

from typing import Literal, TypeAlias, get_args

Kind: TypeAlias = Literal["drift", "count", "rejects"]

KINDS: tuple[Kind, ...] = get_args(Kind)

#: What is looked for unless somebody chooses.
DEFAULT: tuple[Kind, ...] = ("drift",)
