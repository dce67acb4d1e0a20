"""What this machine says about the IDE that a run is about: its settings, its interpreters, and what stands there."""

from collections.abc import Mapping
from pathlib import Path, PurePath

import msgspec

from setup_llm_dev.components.ide import IdeSide
from setup_llm_dev.components.pycharm import free_sdk_name
from setup_llm_dev.components.pycharm_install import ide_home, ide_settings
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import ArchiveIdeLock, Gap, IdeLock, InstalledIdeLock, Lock
from setup_llm_dev.documents.lock_rules import first_problem
from setup_llm_dev.documents.machine import Machine
from setup_llm_dev.errors import Corrupt, Refused
from setup_llm_dev.host.ide.installations import installed_ide
from setup_llm_dev.host.ide.java_home import java_user_home
from setup_llm_dev.host.ide.table import interpreter_name, why_not_yet
from setup_llm_dev.host.state import same_folder, standing_runs
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.platforms.registry import platform_of
from setup_llm_dev.stages.compose import Plan
from setup_llm_dev.stages.here import ide_catalogue
from setup_llm_dev.stages.options import Options
from setup_llm_dev.stages.pin_ide import installed_fitting, pin_ide
from setup_llm_dev.stages.probe import answers
from setup_llm_dev.stages.request import Request
from setup_llm_dev.stages.sharing import why_kept_for_others
from setup_llm_dev.stages.stored_ide import is_unpacked, refuse_unvouched
from setup_llm_dev.steps.ide import InstallIde
from setup_llm_dev.steps.ide_tree import places_aside, read_facts
from setup_llm_dev.steps.launcher import LinkLauncher
from setup_llm_dev.steps.step import Satisfied, Unsatisfied


def ide_side(host: Host, ide: IdeLock | None, layout: Layout, machine: Machine, python: str) -> IdeSide:
    """Only reads. `python` is the version of the environment's."""
    places = platform_of(machine.os).places(host.home, host.environment, layout.data)
    user_home = java_user_home(host)
    wanted = free_sdk_name(python_version=python, workspace=layout.workspace)
    name, waits = wanted, None
    if ide is not None:
        settings = ide_settings(ide, places.settings)
        home = layout.python_in(layout.venv)
        name = interpreter_name(host, settings, home=home, user_home=user_home, wanted=wanted)
        waits = why_not_yet(host, settings)
    return IdeSide(places.settings, places.programs, places.applications, user_home, name, waits)


def settled(request: Request, lock: Lock, options: Options, *, offline: bool = False) -> Lock:
    """The stored lock with an IDE that is still right: one that was not to be had is looked for again, briefly.

    Nothing is asked of anybody where the lock's IDE is one to unpack, or is still where it was; `offline`: never.
    Raises Corrupt (5), and what `refuse_unvouched` raises: somebody else may have written the lock.
    """
    if not request.with_ide:
        return lock
    if not _is_open(request, lock, options, offline=offline):
        if isinstance(lock.ide, ArchiveIdeLock) and options.pycharm_archive is None:
            refuse_unvouched(request, ide_catalogue(), lock.ide)
        return lock
    if offline and not _is_here(request):
        return lock
    ide, gaps = pinned_ide(request)
    others = tuple(gap for gap in lock.gaps if gap.what not in ("ide", "plugins"))
    lock = msgspec.structs.replace(lock, ide=ide, gaps=(*others, *gaps))
    refuse_unlockable(lock)
    return lock


def refuse_unlockable(lock: Lock) -> None:
    """Raises Corrupt (5): hosts and files told what goes into a new lock, and it must be one that can be read again."""
    problem = first_problem(lock)
    if problem is not None:
        raise Corrupt(
            message("what the hosts answered can't be written into a lock: {why}", why=problem),
            hint=message("nothing was fetched; ask another index or mirror"),
        )


def pinned_ide(request: Request) -> tuple[IdeLock | None, tuple[Gap, ...]]:
    """`pin_ide`; one that we unpacked ourselves is locked as such, so that its files go on being looked after."""
    ide, gaps = pin_ide(request, ide_catalogue())
    if isinstance(ide, InstalledIdeLock) and PurePath(ide.home).parent == request.layout.ides:
        facts = read_facts(request.host, request.layout.ides / f"pycharm-{ide.version}.json")
        if facts is not None and facts.ide is not None and first_problem(facts.ide) is None:
            return facts.ide, gaps
    return ide, gaps


def launcher_of(host: Host, plan: Plan, machine: Machine) -> PurePath | None:
    """The program that starts the plan's IDE, None where there is none."""
    if plan.lock.ide is None:
        return None
    home = ide_home(plan.lock.ide, plan.layout)
    places = platform_of(machine.os).places(host.home, host.environment, plan.layout.data)
    found = installed_ide(host, places, home, "folder")
    return home / found.launcher if found is not None and found.launcher else None


def closing_notes(host: Host, plan: Plan) -> tuple[Message, ...]:
    """What is to be said of the IDE once a run is over: whose command `pycharm` is, if not ours; what was put aside."""
    launcher, install = plan.step("ide-launcher"), plan.step("ide")
    note = launcher.left_alone(host) if isinstance(launcher, LinkLauncher) else None
    places = places_aside(host, install.folder) if isinstance(install, InstallIde) else ()
    kept = (
        message("{place} keeps what you had put or changed in a PyCharm that was made anew", place=str(place))
        for place in places
    )
    return (*(() if note is None else (note,)), *kept)


def refuse_taken(host: Host, plan: Plan, statuses: Mapping[str, Satisfied | Unsatisfied]) -> None:
    """Before anything is fetched: Refused (3) where the place of the PyCharm to unpack is not free for it.

    Something of somebody else's stands there, or a PyCharm that has updated itself, or one out of another archive that
    another project works with: the two would take it from each other, run by run.
    """
    step = plan.step("ide")
    if not isinstance(step, InstallIde) or isinstance(statuses[step.id], Satisfied):
        return
    step.refuse_foreign(host)
    facts = read_facts(host, step.facts)
    if facts is None or facts.archive_sha256 == step.ide.sha256 or not host.files.is_dir(step.folder):
        return
    workspace = plan.layout.workspace
    others = [run for run in standing_runs(plan.layout.journals) if not same_folder(run.workspace, workspace)]
    why = why_kept_for_others(host, step.id, step.kind, step.record(), others)
    if why is not None:
        raise Refused(
            message("the PyCharm in {folder} came out of another archive: {why}", folder=str(step.folder), why=why),
            hint=message("add --upgrade, without --pycharm-archive, to work with it too, or undo the other run"),
        )


def _is_here(request: Request) -> bool:
    """Whether the maker need not be asked which one it will be."""
    if request.ide_archive is not None:
        return True
    return not request.newest_ide and installed_fitting(request.machine, request.recipe.ide.version) is not None


def _is_open(request: Request, lock: Lock, options: Options, *, offline: bool) -> bool:
    """Whether the lock's IDE has to be decided anew."""
    if options.pycharm_archive is not None:
        return not _is_that_archive(request, lock.ide, options)
    match lock.ide:
        case InstalledIdeLock(home=home, version=version):
            return not any((ide.home, ide.version) == (home, version) for ide in request.machine.ides)
        case ArchiveIdeLock():
            return False
    gap = next((gap for gap in lock.gaps if gap.what == "ide"), None)
    fitting = installed_fitting(request.machine, request.recipe.ide.version)
    return fitting is not None or gap is None or (not offline and _worth_asking(request.host, gap))


def _is_that_archive(request: Request, ide: IdeLock | None, options: Options) -> bool:
    """The lock names the very file, or what it holds stands already: then nobody reads a gigabyte for nothing.

    The lock itself does not vouch for its hash: the one that was given does, or the catalogue, or what stands.
    """
    if not isinstance(ide, ArchiveIdeLock) or options.pycharm_sha256 not in (None, ide.sha256):
        return False
    told, stands = options.pycharm_sha256 is not None, is_unpacked(request, ide)
    if options.pycharm_archive is not None and ide.url == Path(options.pycharm_archive).as_uri():
        return told or stands or ide_catalogue().knows(ide.sha256)
    return told and stands


def _worth_asking(host: Host, gap: Gap) -> bool:
    return gap.url is not None and answers(host, gap)
