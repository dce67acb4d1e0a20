"""`status`: has anything drifted since the last apply? Every step, and file by file."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from setup_llm_dev.messages import Message, message

if TYPE_CHECKING:
    from setup_llm_dev.cli.output import Output
    from setup_llm_dev.stages.compose import Plan


def configure(parser: argparse.ArgumentParser, _: Callable[[Message], str]) -> None:
    from setup_llm_dev.cli.session import add_recipe

    add_recipe(parser, _)
    parser.add_argument(
        "--full", action="store_true", help=_(message("hash every file, not only those that were touched"))
    )


def run(arguments: argparse.Namespace, output: "Output") -> int:
    """0 without drift, 8 with, 3 where nothing was set up."""
    from setup_llm_dev.cli.session import open_session
    from setup_llm_dev.stages.installed_plan import installed_plan
    from setup_llm_dev.steps.packages import added_by_hand, differing
    from setup_llm_dev.steps.step import Satisfied

    session = open_session(arguments, output)
    plan = installed_plan(session.host, session.recipe, session.layout, session.options)
    statuses = {step.id: step.check(session.host) for step in plan.steps}
    files = differing(session.host, plan.generation.folder, full=arguments.full)
    drifted = files is None or bool(files) or any(not isinstance(s, Satisfied) for s in statuses.values())
    document = {
        "schema": "status/1",
        "recipe": plan.recipe.name,
        "drift": drifted,
        "steps": [_row(plan, name, status) for name, status in statuses.items()],
        "files": [{"path": d.path, "what": d.what} for d in files or ()],
        "added_packages": list(added_by_hand(session.host, plan.generation.folder)),
        "environment": str(plan.generation.folder),
    }
    output.document(document)
    _print(
        document,
        session.options.again,
        output,
        {name: getattr(status, "why", None) for name, status in statuses.items()},
    )
    return 8 if drifted else 0


def _row(plan: "Plan", name: str, status: Any) -> dict[str, Any]:
    from setup_llm_dev.steps.step import Satisfied

    step = plan.step(name)
    why = None if isinstance(status, Satisfied) else str(status.why)
    return {"id": name, "kind": step.kind if step else "", "satisfied": why is None, "why_not": why}


def _print(document: dict[str, Any], again: str, output: "Output", reasons: dict[str, Message | None]) -> None:
    for row in document["steps"]:
        reason = reasons[row["id"]]
        if reason is None:
            output.sentence(message("  as applied  {step}", step=row["id"]))
        else:
            output.sentence(message("  DRIFTED     {step}: {why}", step=row["id"], why=reason))
    for file in document["files"]:
        output.sentence(message("    {what}: {path}", what=file["what"], path=file["path"]))
    for name in document["added_packages"]:
        output.sentence(message("  added by hand: {name}", name=name))
    if document["drift"]:
        output.sentence(message("drift: `{command}` mends it", command=again))
    else:
        output.sentence(message("no drift"))
