"""The libraries under test: imported once, late, under the surroundings that a smoke needs."""

import importlib
import re
from collections.abc import MutableMapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

# What a shell may hold from another project and what would make this run something else than asked for.
FOREIGN_PREFIXES = ("ACCELERATE_", "FSDP_", "DEEPSPEED_", "TORCHELASTIC_")
FOREIGN_NAMES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Libraries:
    """The modules; typed Any because none of them need be installed where this program is type-checked."""

    torch: Any
    transformers: Any
    safetensors: Any


def prepare_surroundings(environ: MutableMapping[str, str], threads: int) -> None:
    """Set in `environ` what must be there before torch is imported: offline, thread count, one GPU."""
    for name in list(environ):
        if name.startswith(FOREIGN_PREFIXES) or name in FOREIGN_NAMES:
            del environ[name]
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        environ[name] = str(threads)
    for name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS"):
        environ[name] = "1"
    environ["TOKENIZERS_PARALLELISM"] = "false"
    _show_one_gpu(environ)


def _show_one_gpu(environ: MutableMapping[str, str]) -> None:
    """With several GPUs in sight the Trainer would wrap the model in DataParallel."""
    environ["CUDA_VISIBLE_DEVICES"] = _first(environ.get("CUDA_VISIBLE_DEVICES", "0"))
    # HIP counts among those that ROCR shows: its number must be looked up there before both are cut to one
    if "ROCR_VISIBLE_DEVICES" in environ:
        shown = environ["ROCR_VISIBLE_DEVICES"].split(",")
        wish = _first(environ.get("HIP_VISIBLE_DEVICES", "0"))
        chosen = int(wish) if wish.isdecimal() and int(wish) < len(shown) else 0
        environ["ROCR_VISIBLE_DEVICES"] = shown[chosen]
        environ["HIP_VISIBLE_DEVICES"] = "0"
    elif "HIP_VISIBLE_DEVICES" in environ:
        environ["HIP_VISIBLE_DEVICES"] = _first(environ["HIP_VISIBLE_DEVICES"])
    _show_one_intel_gpu(environ)


def _show_one_intel_gpu(environ: MutableMapping[str, str]) -> None:
    """Only what is set is cut: the first device of Level Zero need not be the one that torch would take.

    A selector counts among those that the mask shows, so only one of the two is cut.
    """
    terms = environ.get("ONEAPI_DEVICE_SELECTOR", "").split(";")
    accepted = [_first(term) for term in terms if term and not term.startswith("!")]
    if accepted:
        refused = [term for term in terms if term.startswith("!")]
        environ["ONEAPI_DEVICE_SELECTOR"] = ";".join([accepted[0], *refused])
    elif "ZE_AFFINITY_MASK" in environ:
        environ["ZE_AFFINITY_MASK"] = _first(environ["ZE_AFFINITY_MASK"])


def _first(devices: str) -> str:
    return devices.split(",")[0]


def load_libraries(threads: int, seed: int) -> Libraries:
    """Import torch and transformers, the Trainer included, which is the slow part."""
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(threads)
    transformers: Any = importlib.import_module("transformers")
    transformers.utils.logging.disable_progress_bar()
    # attributes of transformers are imported at first use: use them here, so that the phases are honest
    for name in ("Trainer", "TrainingArguments", "AutoTokenizer", "AutoModelForSequenceClassification"):
        getattr(transformers, name)
    transformers.set_seed(seed)
    return Libraries(torch, transformers, importlib.import_module("safetensors"))


def installed_version(name: str) -> str | None:
    """The version of an installed distribution, None where it is absent."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def torch_variant(torch: Any) -> str:
    """The build of torch in the words of its local version label: `cpu`, `cu130`, `rocm7.2`, `xpu`.

    Wheels without a label (those of the package index) tell it by what they were compiled for.
    """
    full = str(torch.__version__)
    if "+" in full:
        label = full.split("+", 1)[1]
        known = re.match(r"cpu|cu\d+|rocm[\d.]*\d|xpu", label)
        return known.group() if known else label
    if torch.version.cuda:
        return "cu" + str(torch.version.cuda).replace(".", "")
    if torch.version.hip:
        return "rocm" + ".".join(str(torch.version.hip).split(".")[:2])
    return "mps" if torch.backends.mps.is_built() else "cpu"
