"""The heap of an IDE: how much suits a machine, and the options that say so."""

_GIB = 1 << 30

# Memory in GiB, and the heap in MiB from there on. torch with its stubs needs about 8 GB for a whole index (with 4 the
# index is silently left half done), but an IDE may not take what the training beside it needs. Less than 16 GiB leaves
# no room for more than a little above the 2 GiB of the installation; with less than 8 GiB that is best left alone.
# A machine of 32 GiB tells 30 to 31: firmware and graphics keep some.
_STEPS = ((29.0, 8192), (14.0, 4096), (7.0, 3072))


def heap_mib(memory_bytes: int | None) -> int | None:
    """The maximal heap in MiB for a machine, None where the installation's own is best.

    >>> heap_mib(32 << 30), heap_mib(16 << 30), heap_mib(8 << 30), heap_mib(4 << 30), heap_mib(None)
    (8192, 4096, 3072, None, None)
    """
    gib = (memory_bytes or 0) / _GIB
    return next((heap for least, heap in _STEPS if gib >= least), None)


def heap_options(heap: int) -> bytes:
    """The user's own file of JVM options, which is read after the installation's; its heap wins."""
    return f"-Xmx{heap}m\n".encode()
