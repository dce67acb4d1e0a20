"""What every row of every catalogue has in common."""

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A key that nobody reads is a spelling mistake."""
