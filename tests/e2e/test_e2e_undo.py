"""Undo takes back what was made and nothing else; a folder of the user's is adopted, not taken over."""

from pathlib import Path

from tests.e2e.machine import Machine
from tests.e2e.toy import Toy
from tests.oracle import MARKER, changes, done_holds, manifest

OURS = ".local/share/setup-llm-dev"
NOTES = ("journals", "logs", "made-folders.json", "run.lock", MARKER)
"""What stays in our data folder: what each run did and said, and which folders it had to make."""


def left_of_ours(machine: Machine) -> list[str]:
    """Paths in our data folder that an undo had to remove."""
    return sorted(path.name for path in machine.data.iterdir() if path.name not in NOTES)


def undo(toy: Toy, machine: Machine) -> dict[str, list[str]]:
    done = machine.run("undo", str(toy.recipe), "--json")
    assert done.code == 0, done.said
    answer: dict[str, list[str]] = done.document()
    return answer


def test_undo_leaves_the_machine_as_it_was(toy: Toy, toy_machine: Machine) -> None:
    (toy_machine.home / "Documents").mkdir(parents=True)
    (toy_machine.home / "Documents" / "thesis.txt").write_text("all my work")
    before = manifest(toy_machine.home)
    assert toy.apply(toy_machine).code == 0
    assert undo(toy, toy_machine)["left"] == []
    after = {path: entry for path, entry in manifest(toy_machine.home).items() if not path.startswith(".local")}
    assert changes(before, after) == []
    assert left_of_ours(toy_machine) == []


def test_undo_twice_is_no_failure(toy: Toy, toy_machine: Machine) -> None:
    assert toy.apply(toy_machine).code == 0
    assert undo(toy, toy_machine)["undone"]
    assert undo(toy, toy_machine)["undone"] == []
    assert toy.apply(toy_machine).code == 0
    assert done_holds(toy_machine.workspace) == []


def test_what_the_user_changed_stays_and_is_named(toy: Toy, toy_machine: Machine) -> None:
    assert toy.apply(toy_machine).code == 0
    changed = toy_machine.workspace / "train.py"
    changed.write_text("# my own training\n")
    added = toy_machine.workspace / "notes" / "ideas.txt"
    added.parent.mkdir()
    added.write_text("one, two")
    answer = undo(toy, toy_machine)
    assert any(str(changed) in line for line in answer["left"])
    assert changed.read_text() == "# my own training\n"
    assert added.read_text() == "one, two"
    kept = sorted(path.name for path in toy_machine.workspace.rglob("*"))
    assert kept == ["ideas.txt", "notes", "train.py"]


def test_undo_of_an_update_brings_the_older_environment_back(toy: Toy, toy_machine: Machine, tmp_path: Path) -> None:
    older = tmp_path / "toy.toml"
    older.write_text(toy.recipe.read_text().replace("tiny-two>=1", "tiny-two==1.4"))
    words = [word if word != str(toy.recipe) else str(older) for word in toy.words()]
    assert toy_machine.run(*words).code == 0
    first = toy_machine.generation
    before = manifest(toy_machine.workspace, without=("report.json",))
    assert toy.apply(toy_machine).code == 0
    assert toy_machine.generation != first
    undo(toy, toy_machine)
    assert toy_machine.generation == first
    found = manifest(toy_machine.workspace, without=("report.json",))
    assert changes(before, found, times=False) == []


def test_a_folder_with_files_of_the_user_is_adopted(toy: Toy, toy_machine: Machine, tmp_path: Path) -> None:
    project = tmp_path / "my project"
    (project / "data").mkdir(parents=True)
    (project / "data" / "mine.csv").write_text("a,b\n")
    (project / "train.py").write_text("print('mine')\n")
    (project / "README.md").write_text("# Mine\n")
    (project / "README.md").chmod(0o640)
    before = manifest(project)
    done = toy.apply(toy_machine, "--workspace", str(project))
    assert done.code == 0, done.said
    kept = {path: entry for path, entry in manifest(project).items() if path in before}
    assert changes(before, kept) == []
    assert done_holds(project) == []
    assert not toy_machine.workspace.exists()
    again = toy_machine.run("undo", str(toy.recipe), "--workspace", str(project))
    assert again.code == 0, again.said
    assert changes(before, manifest(project)) == []


def test_undo_after_a_kill_takes_back_what_was_begun(toy: Toy, toy_machine: Machine) -> None:
    with toy_machine.start(*toy.words()) as running:
        running.until(lambda: bool(list(toy_machine.data.glob("environments/*/*/pyvenv.cfg"))))
        running.kill()
    undo(toy, toy_machine)
    assert not toy_machine.workspace.exists()
    assert left_of_ours(toy_machine) == []
