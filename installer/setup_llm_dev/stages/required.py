"""`--require`: a gap in what the user can't do without."""

from setup_llm_dev.errors import Refused, Unreachable
from setup_llm_dev.messages import Message, message
from setup_llm_dev.stages.compose import Plan


def refuse_gaps(plan: Plan, named: frozenset[str]) -> None:
    """What is a gap otherwise is a failure if it is `named`: Unreachable (4), or Refused (3) where nobody was asked."""
    required = named | ({"ide"} if plan.recipe.ide.required else set())
    for gap in plan.gaps:
        if gap.what not in required:
            continue
        text = message("{what} is required, but: {why}", what=gap.what, why=gap.why)
        hint = message("mend that, then run `{command}`", command=gap.command) if gap.command else _without(gap.what)
        if gap.url is None:
            raise Refused(text, hint=hint)
        raise Unreachable(text, url=gap.url, hint=hint)
    if "gpu" in named and plan.lock.torch.variant == "cpu":
        raise Refused(
            message("a GPU is required, but the build that fits this machine is for the CPU"),
            hint=message("see `setup-llm-dev plan` for why the GPU builds don't fit"),
        )


def _without(what: str) -> Message:
    return message("mend that and run the same command again, or leave out `--require {what}`", what=what)
