"""`--require`: a gap in what the user can't do without."""

from setup_llm_dev.errors import Refused, Unreachable
from setup_llm_dev.messages import message
from setup_llm_dev.stages.compose import Plan


def refuse_gaps(plan: Plan, named: frozenset[str]) -> None:
    """What is a gap otherwise is a failure if it is `named`: Refused (3), or Unreachable (4) for the model."""
    required = named | ({"ide"} if plan.recipe.ide.required else set())
    for gap in plan.gaps:
        if gap.what == "ide" and "ide" in required:
            raise Refused(
                message("PyCharm is required, but this version prepares the project only and does not install it"),
                hint=message("install PyCharm yourself and leave out the requirement, or --skip ide"),
            )
        if gap.what in required:
            raise Unreachable(message("{what} is required, but: {why}", what=gap.what, why=gap.why), url=gap.url or "")
    if "gpu" in named and plan.lock.torch.variant == "cpu":
        raise Refused(
            message("a GPU is required, but the build that fits this machine is for the CPU"),
            hint=message("see `setup-llm-dev plan` for why the GPU builds don't fit"),
        )
