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
    # with several GPUs in sight the Trainer would wrap the model in DataParallel
    environ["CUDA_VISIBLE_DEVICES"] = environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]


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
