"""`status`: has anything drifted since the last apply? Every step, and file by file."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from setup_llm_dev.messages import Message, message

if TYPE_CHECKING:
    from setup_llm_dev.cli.output import Output
    from setup_llm_dev.host.world import Host
    from setup_llm_dev.stages.answers import Answer
    from setup_llm_dev.stages.compose import Plan
    from setup_llm_dev.steps.step import Step

_KINDS: dict[str, Message] = {
    "missing": message("missing"),
    "empty": message("empty"),
    "changed": message("changed"),
    "unlisted": message("unlisted"),
}


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
    from setup_llm_dev.steps.packages import added_by_hand
    from setup_llm_dev.steps.step import Satisfied

    session = open_session(arguments, output)
    plan = installed_plan(session.host, session.recipe, session.layout, session.options)
    answers = _answers(session.host, plan, full=arguments.full)
    drifted = any(not isinstance(answer, Satisfied) for answer in answers.values())
    rows = [_row(session.host, plan, step, answers[step.id], full=arguments.full) for step in plan.steps]
    document = {
        "schema": "status/1",
        "recipe": plan.recipe.name,
        "drift": drifted,
        "steps": [{key: row[key] for key in ("id", "kind", "satisfied", "why_not")} for row in rows],
        "files": [file for row in rows for file in row["files"]],
        "added_packages": list(added_by_hand(session.host, plan.generation.folder)),
        "environment": str(plan.generation.folder),
    }
    output.document(document)
    for row, step in zip(rows, plan.steps, strict=True):
        _print_step(step.describe(), answers[step.id], row["files"], output)
    _print_end(document, session.options.again, output)
    return 8 if drifted else 0


def _answers(host: "Host", plan: "Plan", *, full: bool) -> "dict[str, Answer]":
    """`full`: every file of every package is read, also those that look untouched."""
    from setup_llm_dev.stages.answers import answers
    from setup_llm_dev.steps.packages import InstallPackages

    packages = plan.step("packages")
    proved = {"packages": packages.prove(host, full=True)} if full and isinstance(packages, InstallPackages) else {}
    return answers(host, plan.steps, proved)


def _row(host: "Host", plan: "Plan", step: "Step", answer: "Answer", *, full: bool) -> dict[str, Any]:
    from setup_llm_dev.steps.step import Satisfied

    settled = isinstance(answer, Satisfied)
    why = None if isinstance(answer, Satisfied) else str(answer.why)
    files = [] if settled else _files(host, plan, step, full=full)
    return {"id": step.id, "kind": step.kind, "satisfied": settled, "why_not": why, "files": files}


def _files(host: "Host", plan: "Plan", step: "Step", *, full: bool) -> list[dict[str, str]]:
    """The files that a step finds missing or different, as far as it works file by file."""
    from setup_llm_dev.steps.packages import InstallPackages, differing
    from setup_llm_dev.steps.write import WriteFiles

    match step:
        case InstallPackages():
            found = differing(host, plan.generation.folder, full=full) or ()
            return [{"path": difference.path, "what": difference.what} for difference in found]
        case WriteFiles():
            places = [step.folder / path for path in step.differing(host)]
            return [
                {"path": str(place), "what": "changed" if host.files.exists(place) else "missing"} for place in places
            ]
    return []


def _print_step(what: Message, answer: "Answer", files: list[dict[str, str]], output: "Output") -> None:
    from setup_llm_dev.steps.step import Satisfied

    if isinstance(answer, Satisfied):
        return output.sentence(message("  as applied  {step}", step=what))
    if not files:
        return output.sentence(message("  DRIFTED     {step}: {why}", step=what, why=answer.why))
    output.sentence(message("  DRIFTED     {step}", step=what))
    for file in files:
        said = message("{what}: {path}", what=_KINDS.get(file["what"], file["what"]), path=file["path"])
        output.sentence(message("                {file}", file=said))
    return None


def _print_end(document: dict[str, Any], again: str, output: "Output") -> None:
    for name in document["added_packages"]:
        output.sentence(message("  added by hand: {name}", name=name))
    if document["drift"]:
        output.sentence(message("drift: `{command}` mends it", command=again))
    else:
        output.sentence(message("no drift"))
