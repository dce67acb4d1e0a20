"""Folders that others may write in are not used: what would be refused, how it is mended, and what is fine."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.errors import Refused
from setup_llm_dev.stages.trusted_folders import refuse_untrusted
from tests.ground import layout_in, scratch_host, tool

if sys.platform == "win32":
    pytest.skip("the mode of a folder says nothing on Windows", allow_module_level=True)

STRANGER = 54321
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
PLACES: dict[str, Callable[[Layout], Path]] = {
    "data": lambda layout: Path(layout.data),
    "store": lambda layout: Path(layout.store),
    "journals": lambda layout: Path(layout.journals),
    "ide": lambda layout: Path(layout.ides),
    "environments": lambda layout: Path(layout.environments),
    "programs": lambda layout: Path(layout.data) / "programs",
    "own": lambda layout: Path(layout.own),
}


class Ground:
    def __init__(self, home: Path) -> None:
        self.host, self.layout = scratch_host(home), layout_in(home)

    def make(self, place: Path, mode: int = 0o755) -> Path:
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(mode)
        return place

    def refused(self) -> Refused:
        with pytest.raises(Refused) as error:
            refuse_untrusted(self.host, self.layout)
        assert error.value.hint is not None
        return error.value

    def fine(self) -> None:
        refuse_untrusted(self.host, self.layout)


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path / "home")


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("mode", [0o777, 0o757, 0o1777])
def test_a_folder_of_ours_that_all_may_write_is_refused_and_mended_by_the_hint(
    ground: Ground, name: str, mode: int
) -> None:
    place = ground.make(PLACES[name](ground.layout), mode)
    error = ground.refused()
    assert str(place) in str(error)
    assert f"chmod go-w {place}" in str(error.hint)
    place.chmod(mode & ~0o022)
    ground.fine()


@ROOT
@pytest.mark.parametrize("name", PLACES)
def test_a_folder_of_ours_that_belongs_to_somebody_else_is_refused(ground: Ground, name: str) -> None:
    place = ground.make(PLACES[name](ground.layout))
    os.chown(place, STRANGER, -1)
    error = ground.refused()
    assert str(place) in str(error)
    assert str(STRANGER) in str(error)


@ROOT
def test_a_group_that_is_the_users_own_may_write_and_another_may_not(ground: Ground) -> None:
    place = ground.make(Path(ground.layout.data), 0o775)
    ground.fine()
    os.chown(place, -1, STRANGER)
    assert "chmod go-w" in str(ground.refused().hint)


def test_a_parent_that_all_may_write_is_refused_unless_it_is_sticky(ground: Ground) -> None:
    parent = ground.make(ground.host.home / "shared", 0o777)
    ground.layout = layout_in(parent)
    assert str(parent) in str(ground.refused())
    parent.chmod(0o1777)
    ground.fine()
    parent.chmod(0o755)
    ground.fine()


@ROOT
def test_a_parent_of_another_users_is_refused_but_not_the_home_that_we_work_in(ground: Ground) -> None:
    os.chown(ground.host.home, STRANGER, STRANGER)
    ground.fine()
    parent = ground.make(ground.host.home / "theirs")
    os.chown(parent, STRANGER + 1, -1)
    ground.layout = layout_in(parent)
    assert str(STRANGER + 1) in str(ground.refused())


def test_a_parent_of_roots_that_a_group_may_write_is_fine(ground: Ground) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    parent = ground.make(ground.host.home / "pool", 0o2775)
    os.chown(parent, 0, STRANGER)
    ground.layout = layout_in(parent)
    ground.fine()


def test_what_is_behind_a_link_is_looked_at(ground: Ground, tmp_path: Path) -> None:
    elsewhere = ground.make(tmp_path / "big disk", 0o777)
    ground.make(Path(ground.layout.data))
    Path(ground.layout.store).symlink_to(elsewhere)
    assert "others" in str(ground.refused()) or "other users" in str(ground.refused())


@pytest.mark.parametrize("command", [("apply", "-y"), ("undo",), ("uninstall", "-y"), ("status",), ("verify",)])
def test_every_command_refuses_with_3_before_it_writes(tmp_path: Path, command: tuple[str, ...]) -> None:
    data = tmp_path / "data"
    (data / "journals").mkdir(parents=True)
    (data / "journals").chmod(0o777)
    done = tool(*command, home=tmp_path)
    assert done.returncode == 3, done.stderr
    assert f"chmod go-w {data / 'journals'}" in done.stderr
    assert list(data.iterdir()) == [data / "journals"]
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
