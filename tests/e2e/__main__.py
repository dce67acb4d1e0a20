"""The whole outside world on loopback, to try the tool by hand: `python -m tests.e2e FOLDER_OF_AN_ENCODER`.

Prints what to export, then serves until Ctrl-C.
"""

import shlex
import signal
import sys
import tempfile
from pathlib import Path

from tests.conftest import CANARY
from tests.e2e.machine import surroundings
from tests.e2e.test_e2e_hub import with_learning_rate
from tests.e2e.world import whole_world

_OURS = ("HF_ENDPOINT", "HF_TOKEN", "PIP_CONFIG_FILE")


def main(model: Path) -> None:
    """`model` holds an encoder (config.json, model.safetensors, tokenizer); it is served under bert-base's name."""
    with tempfile.TemporaryDirectory(prefix="setup-llm-dev-world.") as name:
        place = Path(name)
        recipe = with_learning_rate("3e-4", place / "recipes")
        with whole_world(place / "world", model, surroundings(), token=CANARY) as world:
            for key, value in sorted(world.settings.items()):
                if key in _OURS or key.startswith("SETUP_LLM_DEV_"):
                    print(f"export {key}={shlex.quote(value)}")
            print(f"# then: setup-llm-dev apply {shlex.quote(recipe)}", flush=True)
            signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    main(Path(sys.argv[1]))
