"""What a mirror of our own choosing may carry: only bytes that somebody else vouches for."""

import hashlib
import sys
import tomllib
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import tomli_w
from msgspec.structs import replace as replaced
from packaging.tags import Tag

from setup_llm_dev.documents.catalog import ModelFacts, ModelFile
from setup_llm_dev.documents.choices import Build
from setup_llm_dev.documents.hash_catalog import HashCatalog
from setup_llm_dev.documents.lock import HubModelLock
from setup_llm_dev.documents.lock import ModelFile as LockedFile
from setup_llm_dev.documents.recipe import ModelWish
from setup_llm_dev.errors import Unreachable
from setup_llm_dev.host.configuration import Surroundings
from setup_llm_dev.host.resolver import Unsatisfiable, Uv
from setup_llm_dev.messages import Message
from setup_llm_dev.stages.pin_hub import FoundModel, ModelFinder
from setup_llm_dev.stages.project import TorchSource, project_text
from setup_llm_dev.stages.vouch import Contradicted, Vouching, catalogue_model, vouched_model
from tests.ground import build_of, scratch_host, small_recipe
from tests.mirrored import CLOSED, MODEL, flat_mirror, torch_mirror
from tests.upstream.acts import status
from tests.upstream.hub import Hub
from tests.upstream.index import Index, pytorch
from tests.upstream.modelscope import ModelScope
from tests.upstream.repositories import Content
from tests.upstream.wheels import torch_wheel

MIRROR = "https://mirror.example/whl"
CHOSEN = Surroundings(torch_root=MIRROR, chosen=frozenset({"torch"}))
BUILD = build_of("2.13.0+cpu", "https://maker/whl/cpu")
SOURCE = TorchSource(f"{MIRROR}/cpu")
NAME = "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl"
RIGHT, WRONG = "ab" * 32, "cd" * 32


def hashes(**tables: dict[str, str]) -> HashCatalog:
    return HashCatalog(schema=1, collected=date(2026, 11, 21), **tables)


def pylock(sha256: str | None, url: str = f"{MIRROR}/cpu/{NAME.replace('+', '%2B')}", name: str = "torch") -> str:
    wheel = {"url": url, "hashes": {"sha256": sha256} if sha256 else {}}
    other = {"name": "requests", "version": "2", "wheels": [{"url": f"{MIRROR}/r-2-py3-none-any.whl", "hashes": {}}]}
    torch = {"name": name, "version": "2.13.0", "wheels": [wheel]}
    return tomli_w.dumps({"lock-version": "1.0", "packages": [other, torch]})


def vouching(tmp_path: Path, known: HashCatalog, surroundings: Surroundings = CHOSEN, root: str = CLOSED) -> Vouching:
    return Vouching(scratch_host(tmp_path), surroundings, known, root)


KNOWN = hashes(pytorch={NAME: RIGHT})


def test_a_wheel_of_the_catalogue_passes_and_gets_its_hash_where_the_mirror_tells_none(tmp_path: Path) -> None:
    vouch = vouching(tmp_path, KNOWN)
    assert vouch.vouched(pylock(RIGHT), BUILD, SOURCE) == pylock(RIGHT)
    filled = tomllib.loads(vouch.vouched(pylock(None), BUILD, SOURCE))["packages"]
    assert filled[1]["wheels"][0]["hashes"] == {"sha256": RIGHT}
    assert filled[0]["wheels"][0]["hashes"] == {}, "other packages are not the catalogue's business"


def test_a_mirror_that_says_another_hash_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(Contradicted) as no:
        vouching(tmp_path, KNOWN).vouched(pylock(WRONG), BUILD, SOURCE)
    for part in (NAME, "mirror.example", RIGHT, WRONG):
        assert part in str(no.value)


def test_a_wheel_that_nobody_vouches_for_is_refused_with_what_would_help(tmp_path: Path) -> None:
    with pytest.raises(Unsatisfiable) as no:
        vouching(tmp_path, hashes()).vouched(pylock(RIGHT), BUILD, SOURCE)
    assert "nobody else vouches for its hash" in str(no.value)
    assert "SETUP_LLM_DEV_MIRRORS_TORCH" in str(no.value.hint)


def test_triton_of_the_mirror_must_be_vouched_for_as_well(tmp_path: Path) -> None:
    with pytest.raises(Unsatisfiable):
        vouching(tmp_path, KNOWN).vouched(pylock(RIGHT, f"{MIRROR}/t-1-cp311-cp311-linux.whl", "triton"), BUILD, SOURCE)


@pytest.mark.parametrize(
    ("surroundings", "source"),
    [
        (Surroundings(torch_root=MIRROR), SOURCE),
        (CHOSEN, TorchSource("https://maker/whl/cpu")),
        (replace(CHOSEN, find_links=("/wheels",)), TorchSource("/wheels", flat=True)),
        (CHOSEN, TorchSource("", default=True)),
    ],
    ids=["the user's own mirror", "the maker's index", "the user's folder", "the default index, not turned"],
)
def test_whom_the_user_named_and_the_maker_need_nobody(
    tmp_path: Path, surroundings: Surroundings, source: TorchSource
) -> None:
    vouch = vouching(tmp_path, hashes(), surroundings)
    assert vouch.vouched(pylock(WRONG), BUILD, source) == pylock(WRONG)
    assert vouch.possible(BUILD, source, frozenset())


def test_torch_of_a_package_mirror_is_compared_and_the_rest_is_not(tmp_path: Path) -> None:
    turned = Surroundings(default_index="https://tuna.example/simple", chosen=frozenset({"pypi"}))
    name = "torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl"
    default, build = TorchSource("https://tuna.example/simple", default=True), build_of("2.13.0", "", label="")
    vouch = vouching(tmp_path, hashes(index={name: RIGHT}), turned)
    address = f"https://tuna.example/packages/aa/bb/{name}"
    assert vouch.vouched(pylock(RIGHT, address), build, default)
    with pytest.raises(Contradicted):
        vouch.vouched(pylock(WRONG, address), build, default)
    stranger = pylock(WRONG, "https://tuna.example/packages/triton-3-cp311-cp311-linux_x86_64.whl", "triton")
    assert vouch.vouched(stranger, build, default) == stranger


def test_one_name_may_have_two_right_hashes(tmp_path: Path) -> None:
    both = hashes(pytorch={NAME: RIGHT}, index={NAME: WRONG})
    vouch = vouching(tmp_path, both)
    assert vouch.vouched(pylock(WRONG), BUILD, SOURCE)
    filled = tomllib.loads(vouch.vouched(pylock(None), BUILD, SOURCE))["packages"][1]
    assert filled["wheels"][0]["hashes"]["sha256"] == RIGHT, "on torch's own index that of torch's own index"


def test_the_makers_index_vouches_where_it_answers_and_is_asked_once_where_not(tmp_path: Path) -> None:
    wheel = torch_wheel(tmp_path / "torch", "2.13.0", "cpu")
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    with Index(pytorch(wheel.parent, "cpu")) as maker:
        vouch = vouching(tmp_path, hashes(), root=f"{maker.url}/whl")
        address = f"{MIRROR}/cpu/{wheel.name}"
        assert vouch.possible(BUILD, SOURCE, frozenset())
        assert vouch.vouched(pylock(sha256, address), BUILD, SOURCE)
        with pytest.raises(Contradicted):
            vouch.vouched(pylock(WRONG, address), BUILD, SOURCE)
        assert len(maker.log) == 1
        maker.fault("*", status(500), times=None)
        silent = vouching(tmp_path, hashes(), root=f"{maker.url}/whl")
        assert not silent.possible(BUILD, SOURCE, frozenset())
        asked = len(maker.log)
        assert not silent.possible(build_of("2.12.0+cpu", "x"), SOURCE, frozenset())
        assert len(maker.log) == asked
    assert BUILD.version in str(silent.impossible(BUILD))


def test_a_build_is_worth_a_resolution_only_for_a_python_with_a_known_wheel(tmp_path: Path) -> None:
    vouch = vouching(tmp_path, KNOWN)
    here, there = (frozenset({Tag(f"cp{n}", f"cp{n}", "manylinux_2_28_x86_64")}) for n in (311, 312))
    assert vouch.possible(BUILD, SOURCE, here)
    assert not vouch.possible(BUILD, SOURCE, there)
    assert not vouch.possible(build_of("2.14.0+cpu", "x"), SOURCE, here)


# models ---------------------------------------------------------------------------------------------------

TREE: dict[str, Content] = {"config.json": b'{"model_type": "bert"}', "model.safetensors": b"weights" * 99}


def facts_of(tree: dict[str, Content], commit: str | None, modelscope: str | None = None) -> ModelFacts:
    files = []
    for name, content in tree.items():
        assert isinstance(content, bytes)
        git = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        sha256 = hashlib.sha256(content).hexdigest()
        files.append(ModelFile(name=name, bytes=len(content), sha256=sha256, git_sha1=git))
    return ModelFacts(
        source=f"hf:{MODEL}", name="BERT", licence="Apache-2.0", parameters=1, download_bytes=1, commit=commit,
        modelscope=modelscope, files=tuple(files),
    )  # fmt: skip


WISH = ModelWish(source=f"hf:{MODEL}")


def find(
    tmp_path: Path,
    facts: ModelFacts | None,
    said: list[Message] | None = None,
    turned: dict[str, object] | None = None,
    **more: object,
) -> FoundModel:
    settings = {"chosen": frozenset({"hub"}), **(turned or {}), **more}
    surroundings = Surroundings(**settings)  # type: ignore[arg-type]
    heard = said if said is not None else []
    return ModelFinder(scratch_host(tmp_path), surroundings, tmp_path / "hub", heard.append).find(WISH, facts)


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """The maker's own hub, the last to be asked, is a closed port."""
    monkeypatch.setattr("setup_llm_dev.host.configuration.HUB", CLOSED)


def test_a_faithful_mirror_of_the_hub_gives_the_model_of_the_catalogue(tmp_path: Path) -> None:
    with Hub({MODEL: {**TREE, "added.json": b"{}"}}) as mirror:
        commit = mirror.commit(MODEL)
        mirror.push(MODEL, {**TREE, "config.json": b"moved on"})
        found = find(tmp_path, facts_of(TREE, commit), hub_endpoint=mirror.url)
    assert found.lock.commit == commit, "the commit of the catalogue, wherever the branch is now"
    assert found.lock.revision == "main"
    assert [file.path for file in found.lock.files] == ["config.json", "model.safetensors"], "and no file more"
    assert found.notes == ()


def test_a_mirror_with_another_file_is_passed_over(tmp_path: Path) -> None:
    other: dict[str, Content] = {**TREE, "model.safetensors": b"x" * 22}
    with Hub({MODEL: other}) as mirror, pytest.raises(Unreachable) as no:
        find(tmp_path, facts_of(TREE, mirror.commit(MODEL)), hub_endpoint=mirror.url)
    assert "model.safetensors" in str(no.value)
    assert no.value.status is None, "so that what stands in for the hub is asked"


def test_a_model_that_nobody_knows_comes_from_a_mirror_with_a_word_about_it(tmp_path: Path) -> None:
    with Hub({MODEL: TREE}) as mirror:
        found = find(tmp_path, None, hub_endpoint=mirror.url)
    assert len(found.notes) == 1
    assert mirror.url in str(found.notes[0])


def test_the_users_own_mirror_is_believed(tmp_path: Path) -> None:
    with Hub({MODEL: TREE}) as mirror:
        found = find(
            tmp_path, facts_of({"model.safetensors": b"other"}, None), hub_endpoint=mirror.url, chosen=frozenset()
        )
    assert found.notes == ()
    assert found.lock.commit == mirror.commit(MODEL)


def test_a_no_of_the_users_own_hub_is_final(tmp_path: Path) -> None:
    with Hub({}) as mirror, ModelScope({"AI/bert": TREE}) as scope, pytest.raises(Unreachable) as no:
        facts = facts_of(TREE, "c" * 40, "AI/bert")
        find(tmp_path, facts, hub_endpoint=mirror.url, chosen=frozenset(), modelscope=scope.url)
    assert no.value.status == 404
    assert scope.log == ()


def test_modelscope_stands_in_with_the_same_bytes_under_the_hubs_own_commit(tmp_path: Path) -> None:
    with ModelScope({"AI/bert": {**TREE, "configuration.json": b"{}"}}) as scope:
        facts = facts_of(TREE, "c" * 40, "AI/bert")
        found = find(tmp_path, facts, modelscope=scope.url)
    assert found.also == ("modelscope:AI/bert",)
    assert (found.lock.commit, found.lock.source) == ("c" * 40, f"hf:{MODEL}")
    config, weights = found.lock.files
    assert (config.sha256, config.git_sha1) == (None, facts.files[0].git_sha1), "as the hub would tell it"
    assert weights.sha256 == facts.files[1].sha256
    assert "ModelScope" in str(found.notes[0])


@pytest.mark.parametrize("trouble", ["other bytes", "a file less", "dead", "unknown id", "switched off", "no hashes"])
def test_modelscope_stands_in_for_nothing_else(tmp_path: Path, trouble: str) -> None:
    tree: dict[str, Content] = {**TREE, "config.json": b"other"} if trouble == "other bytes" else dict(TREE)
    if trouble == "a file less":
        del tree["config.json"]
    said: list[Message] = []
    turned: dict[str, object]
    with ModelScope({"AI/bert": tree}) as scope:
        commit, name = None if trouble == "no hashes" else "c" * 40, "AI/no" if trouble == "unknown id" else "AI/bert"
        facts = facts_of(TREE, commit, name)
        turned = {"modelscope": CLOSED if trouble == "dead" else scope.url, "modelscope_instead": True}
        turned |= {"preset": "none"} if trouble == "switched off" else {}
        with pytest.raises(Unreachable):
            find(tmp_path, facts, said, turned)
    if trouble in ("other bytes", "a file less"):
        assert any("other files" in str(text) for text in said)


def test_where_only_modelscope_answered_no_hub_is_asked(tmp_path: Path) -> None:
    with Hub({MODEL: TREE}) as mirror, ModelScope({"AI/bert": TREE}) as scope:
        facts = facts_of(TREE, "c" * 40, "AI/bert")
        found = find(tmp_path, facts, hub_endpoint=mirror.url, modelscope=scope.url, modelscope_instead=True)
        assert mirror.log == ()
    assert found.also


def test_a_lock_without_asking_anybody_needs_commit_weights_and_the_right_revision() -> None:
    facts = facts_of(TREE, "c" * 40)
    assert catalogue_model(facts, "main", CLOSED) is not None
    assert catalogue_model(facts, "v2", CLOSED) is None
    assert catalogue_model(facts_of({"config.json": b"{}"}, "c" * 40), "main", CLOSED) is None
    assert catalogue_model(None, "main", CLOSED) is None


def told(facts: ModelFacts, changed: dict[str, LockedFile] | None = None, commit: str = "c" * 40) -> HubModelLock:
    files = {
        f.name: LockedFile(path=f.name, size=f.bytes, git_sha1=f.git_sha1,
                           sha256=f.sha256 if f.name.endswith(".safetensors") else None)
        for f in facts.files
    } | (changed or {})  # fmt: skip
    return HubModelLock(
        source=f"hf:{MODEL}", repository=MODEL, revision="main", commit=commit, endpoint=CLOSED,
        files=tuple(files.values()),
    )  # fmt: skip


def test_a_mirrors_listing_must_agree_in_commit_size_and_hash_of_every_file() -> None:
    turned, facts = Surroundings(hub_endpoint=CLOSED, chosen=frozenset({"hub"})), facts_of(TREE, "c" * 40)
    assert vouched_model(told(facts), turned, facts) == told(facts)
    config, weights = told(facts).files
    lies = [
        told(facts, commit="d" * 40),
        told(facts, {"config.json": replaced(config, git_sha1="a" * 40)}),
        told(facts, {"config.json": replaced(config, size=1)}),
        told(facts, {"config.json": replaced(config, git_sha1=None)}),
        told(facts, {"model.safetensors": replaced(weights, sha256="a" * 64)}),
        replaced(told(facts), files=(weights,)),
    ]
    for lie in lies:
        with pytest.raises(Unreachable):
            vouched_model(lie, turned, facts)
        assert vouched_model(lie, Surroundings(hub_endpoint=CLOSED), facts) == lie, "the user's own is believed"


# with real locks of the resolver --------------------------------------------------------------------------

HERE = f"cp{sys.version_info[0]}{sys.version_info[1]}"


def resolved(tmp_path: Path, source: TorchSource, build: Build) -> tuple[str, Surroundings]:
    """The lock that uv makes of `torch` and `pip` from a mirror that we turned to."""
    root = source.url.removesuffix("/").removesuffix("/cpu")
    turned = Surroundings(torch_root=root, torch_flat=source.flat, chosen=frozenset({"torch"}))
    text = project_text(small_recipe(), build, source, turned, f"{sys.version_info[0]}.{sys.version_info[1]}")
    folder = tmp_path / "project"
    folder.mkdir()
    return Uv(scratch_host(tmp_path), turned).resolve(text, Path(sys.executable), folder, "small"), turned


@pytest.mark.parametrize("flat", [False, True], ids=["simple", "flat"])
def test_a_real_lock_through_a_mirror_is_vouched_for_and_one_of_a_liar_is_not(tmp_path: Path, flat: bool) -> None:
    tag = f"{HERE}-{HERE}-manylinux_2_28_x86_64"
    right = torch_wheel(tmp_path / "right", "2.13.0", "cpu", tag=tag)
    lie = torch_wheel(tmp_path / "lie", "2.13.0", "cpu", tag=tag, requires=["pip"])
    known = hashes(pytorch={right.name: hashlib.sha256(right.read_bytes()).hexdigest()})
    for wheel in (right, lie):
        with flat_mirror(wheel.parent) if flat else torch_mirror(wheel.parent) as mirror:
            url = f"{mirror.url}/pytorch-wheels/cpu/" if flat else f"{mirror.url}/whl/cpu"
            source = TorchSource(url, flat=flat)
            place = tmp_path / wheel.parent.name
            lock, turned = resolved(place, source, BUILD)
        vouch = vouching(place, known, turned)
        if wheel == right:
            packages = tomllib.loads(vouch.vouched(lock, BUILD, source))["packages"]
            (torch,) = (package for package in packages if package["name"] == "torch")
            assert torch["wheels"][0]["hashes"]["sha256"] in known.pytorch.values()
        else:
            with pytest.raises(Contradicted):
                vouch.vouched(lock, BUILD, source)
