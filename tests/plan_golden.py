"""Golden plans: how they are made from recorded machines, and how to write them anew on purpose."""

import json

from setup_llm_dev.documents.choices import Build, Choices
from setup_llm_dev.documents.codec import to_plain
from setup_llm_dev.stages.choose import choose
from tests.golden import PLANS, RECIPE, catalog, saved

_SHOWN = 8  # builds; the oracle of test_choose_oracle.py looks at all of them


def planned() -> tuple[str, ...]:
    """The machines whose whole plan is kept; every other one has its expected build beside its recording."""
    return tuple(sorted(path.stem for path in PLANS.glob("*.json")))


def plan_text(choices: Choices) -> str:
    """One line a build, so that a difference can be read."""
    plain = {
        "builds": [_line(build) for build in choices.builds[:_SHOWN]],
        "more_builds": max(len(choices.builds) - _SHOWN, 0),
        "interpreters": choices.interpreters,
        "findings": [f"{f.level} {f.id}: {f.text} ({f.hint})" for f in choices.findings],
        "refusals": to_plain(choices.refusals),
    }
    return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"


def _line(build: Build) -> str:
    return f"{build.version} ({build.variant}) from {build.index or 'the default index'}: {build.why}"


def write() -> None:
    """Every golden plan anew; read the difference before you keep it."""
    for name in planned():
        (PLANS / f"{name}.json").write_text(plan_text(choose(saved(name), RECIPE, catalog())), "utf-8")


if __name__ == "__main__":
    write()
