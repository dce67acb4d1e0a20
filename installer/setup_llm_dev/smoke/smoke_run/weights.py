"""Parameters against bytes: the loaded ones against their file, the trained ones against the untrained."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from smoke_run.libraries import Libraries

# Checkpoints from the days of TensorFlow have other names for these two; transformers renames them too.
OLD_NAMES = (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias"))


def fingerprints(torch: Any, model: Any) -> dict[str, bytes]:
    """A digest of the bytes of each parameter; small, where a copy of the model would double its memory."""
    return {name: _digest(torch, tensor) for name, tensor in model.named_parameters()}


def _digest(torch: Any, tensor: Any) -> bytes:
    data = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return hashlib.blake2b(data, digest_size=16).digest()


def unchanged(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> tuple[str, ...]:
    """The names whose digests are the same."""
    return tuple(name for name, digest in before.items() if after.get(name) == digest)


def changed(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> tuple[str, ...]:
    """The names whose digests differ, those that are on one side only included."""
    return tuple(sorted(name for name in {*before, *after} if before.get(name) != after.get(name)))


def is_head(name: str, model: Any) -> bool:
    """Whether a parameter belongs to what is new in a fine-tune: outside the backbone, or its pooler.

    Some checkpoints come without the pooler, because only the classifier reads it.
    """
    return not name.startswith(f"{model.base_model_prefix}.") or ".pooler." in name


def compare_with_files(libraries: Libraries, model: Any, folder: Path) -> tuple[int, tuple[str, ...]]:
    """Compare all parameters that a `*.safetensors` file of `folder` names: (count, the ones that differ)."""
    torch = libraries.torch
    parameters = dict(model.named_parameters())
    compared = 0
    different = []
    for stored_name, tensor in _stored_tensors(libraries, folder):
        name = _name_in_model(stored_name, parameters, model.base_model_prefix)
        if name is not None:
            compared += 1
            loaded = parameters[name].detach().cpu()
            if not torch.equal(loaded, tensor.to(loaded.dtype)):
                different.append(name)
    return compared, tuple(different)


def _stored_tensors(libraries: Libraries, folder: Path) -> Iterator[tuple[str, Any]]:
    for path in sorted(folder.glob("*.safetensors")):
        with libraries.safetensors.safe_open(str(path), framework="pt") as stored:
            for name in stored.keys():  # noqa: SIM118 - this is no dict and can't be iterated over
                yield name, stored.get_tensor(name)


def _name_in_model(stored: str, parameters: Mapping[str, Any], prefix: str) -> str | None:
    for old, new in OLD_NAMES:
        stored = stored.replace(old, new)
    candidates = (stored, f"{prefix}.{stored}")
    return next((name for name in candidates if name in parameters), None)
