"""Which hosts a run turns to: makers that answer stay, silent ones give way to a mirror that really carries."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import pytest

from setup_llm_dev.documents.manifests import manifests_folder
from setup_llm_dev.documents.mirror_catalog import KindRow, MirrorCatalog, MirrorRow, read_mirrors
from setup_llm_dev.documents.recipe import ModelWish
from setup_llm_dev.errors import UsageError
from setup_llm_dev.host.configuration import Surroundings
from setup_llm_dev.host.mirror_settings import MIRRORS
from setup_llm_dev.host.web.carriers import KINDS, Mirror
from setup_llm_dev.messages import Message
from setup_llm_dev.stages.mirrors import choose_mirrors, kinds_of_run, next_index
from tests.ground import build_of, choices_of, scratch_host, small_recipe
from tests.mirrored import (
    CLOSED,
    MODEL,
    SILENT,
    Wheels,
    catalogue,
    downloads,
    flat_mirror,
    hub,
    package_mirror,
    row,
    torch_kind,
    torch_mirror,
    wheels,
)
from tests.upstream.acts import login_page, redirect, stall, status
from tests.upstream.exchange import Response
from tests.upstream.index import Index, pytorch
from tests.upstream.modelscope import ModelScope
from tests.upstream.server import Upstream

Choose = Callable[..., Surroundings]
BARE = Surroundings()


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    return wheels(tmp_path_factory.mktemp("stock"))


@pytest.fixture
def said() -> list[Message]:
    return []


@pytest.fixture
def choose(tmp_path: Path, said: list[Message]) -> Choose:
    def choosing(catalog: MirrorCatalog, before: Surroundings = BARE, **settings: str) -> Surroundings:
        return choose_mirrors(scratch_host(tmp_path, settings), before, catalog, said.append)

    return choosing


@pytest.fixture
def faithful(stock: Wheels) -> Iterator[Index]:
    with torch_mirror(stock.torch) as index:
        yield index


def mirror_of(index: Index, name: str = "faithful") -> MirrorRow:
    return row(name, f"{index.url}/whl")


# the maker ------------------------------------------------------------------------------------------------


def test_a_maker_that_answers_is_used_and_no_mirror_is_asked(
    choose: Choose, said: list[Message], stock: Wheels, faithful: Index
) -> None:
    with Index(pytorch(stock.torch, "cpu")) as maker:
        before = Surroundings()
        found = choose(catalogue(torch=torch_kind(f"{maker.url}/whl", mirror_of(faithful))), before)
    assert found == before
    assert [str(text) for text in said] == ["asking whether these answer: the index of PyTorch"]
    assert faithful.log == ()


@pytest.mark.parametrize("trouble", ["closed", "silent", "login", "gone", "busy"])
def test_a_maker_in_trouble_gives_way_to_its_mirror(
    choose: Choose, said: list[Message], stock: Wheels, faithful: Index, trouble: str
) -> None:
    acts = {"silent": SILENT, "login": login_page(), "gone": status(404), "busy": status(503)}
    with Index(pytorch(stock.torch, "cpu")) as maker:
        maker.fault("*", acts.get(trouble, status(404)), times=None)
        official = CLOSED if trouble == "closed" else maker.url
        found = choose(catalogue(torch=torch_kind(f"{official}/whl", mirror_of(faithful))))
    assert found.torch_root == f"{faithful.url}/whl"
    assert found.chosen == {"torch"}
    assert str(said[1]) == f"asking these mirrors: {faithful.url.removeprefix('http://')}"
    assert found.used == tuple(said[2:])
    assert "the index of PyTorch does not answer" in str(said[2])
    assert faithful.url in str(said[2])


def test_a_maker_whose_files_stall_is_no_answer_either(choose: Choose, stock: Wheels, faithful: Index) -> None:
    with Index(pytorch(stock.torch, "cpu")) as maker:
        maker.files.fault("*", stall(0), times=None)
        found = choose(catalogue(torch=torch_kind(f"{maker.url}/whl", mirror_of(faithful))))
    assert found.torch_root == f"{faithful.url}/whl"


# the mirror -----------------------------------------------------------------------------------------------


def test_the_first_mirror_that_answers_is_chosen_and_the_others_are_kept_as_spares(
    choose: Choose, stock: Wheels, faithful: Index
) -> None:
    with flat_mirror(stock.torch) as second:
        rows = (
            row("dead", f"{CLOSED}/whl"),
            mirror_of(faithful),
            row("flat", f"{second.url}/pytorch-wheels", form="flat"),
        )
        found = choose(catalogue(torch=torch_kind(f"{CLOSED}/whl", *rows)))
    assert found.torch_root == f"{faithful.url}/whl"
    assert found.spares == (Mirror("torch", f"{second.url}/pytorch-wheels", flat=True),)
    assert found.torch_places("cpu", "https://maker/whl/cpu") == (
        (f"{faithful.url}/whl/cpu", False),
        (f"{second.url}/pytorch-wheels/cpu/", True),
        ("https://maker/whl/cpu", False),
    )


def test_a_flat_mirror_is_recognised_as_one(choose: Choose, stock: Wheels) -> None:
    with flat_mirror(stock.torch) as index:
        kind = torch_kind(f"{CLOSED}/whl", row("flat", f"{index.url}/pytorch-wheels", form="flat"))
        found = choose(catalogue(torch=kind))
    assert (found.torch_root, found.torch_flat) == (f"{index.url}/pytorch-wheels", True)


def page_that_links(url: str) -> Upstream:
    body = f'<html><body><a href="{url}/whl/cpu/torch-2.13.0%2Bcpu-cp311-cp311-linux_x86_64.whl">torch</a>'.encode()
    return Upstream(lambda _: Response(headers={"Content-Type": "text/html"}, body=body))


@pytest.mark.parametrize("how", ["links", "redirect of the page", "redirect of the file"])
def test_a_mirror_that_sends_its_visitors_back_to_the_maker_is_no_use(
    choose: Choose, stock: Wheels, faithful: Index, how: str
) -> None:
    """The maker lives here, so that only where a mirror leads tells it apart; the catalogue knows it by name."""
    with torch_mirror(stock.torch) as maker, page_that_links(maker.url.replace("127.0.0.1", "localhost")) as back:
        blocked = maker.url.replace("127.0.0.1", "localhost")
        with torch_mirror(stock.torch) as sending:
            if how == "redirect of the page":
                sending.fault("*/torch/", redirect(f"{blocked}/whl/cpu/torch/"), times=None)
            if how == "redirect of the file":
                (wheel,) = stock.torch.iterdir()
                sending.fault("*.whl", redirect(f"{blocked}/whl/cpu/{wheel.name}"), times=None)
            false = row("false", f"{back.url if how == 'links' else sending.url}/whl")
            kind = torch_kind(f"{CLOSED}/whl", false, mirror_of(faithful), origins=("localhost",))
            found = choose(catalogue(torch=kind))
    assert found.torch_root == f"{faithful.url}/whl"
    assert found.spares == ()


def test_a_mirror_that_keeps_its_files_on_a_host_of_its_own_is_fine(choose: Choose, stock: Wheels) -> None:
    with Index(pytorch(stock.torch, "cpu")) as index:
        kind = torch_kind(f"{CLOSED}/whl", row("two hosts", f"{index.url}/whl"), origins=("download.pytorch.org",))
        found = choose(catalogue(torch=kind))
        assert found.torch_root == f"{index.url}/whl"
        assert index.files.asked("*.whl"), "the file itself was looked at"


@pytest.mark.parametrize("act", [login_page(), status(404), status(500), SILENT], ids=["login", "404", "500", "silent"])
def test_a_mirror_whose_files_are_no_files_is_passed_over(choose: Choose, stock: Wheels, act: object) -> None:
    with torch_mirror(stock.torch) as index:
        index.fault("*.whl", act, times=None)  # type: ignore[arg-type]
        found = choose(catalogue(torch=torch_kind(f"{CLOSED}/whl", mirror_of(index))))
    assert found == Surroundings()


def test_packages_turn_to_a_mirror_and_it_is_said_whose_word_their_hashes_are(
    choose: Choose, said: list[Message], stock: Wheels
) -> None:
    with package_mirror(stock.packages) as index:
        kind = KindRow(official="", probe="pip/", mirrors=(row("tuna", f"{index.url}/simple"),))
        found = choose(catalogue(pypi=kind), HTTPS_PROXY=CLOSED, HTTP_PROXY=CLOSED, NO_PROXY="127.0.0.1")
    assert found.default_index == f"{index.url}/simple"
    assert "that mirror's word alone" in str(said[3])


def test_uv_itself_is_asked_whether_its_default_index_answers(choose: Choose, stock: Wheels) -> None:
    """With the registry that this machine reaches: nothing turns away from an index that answers."""
    with package_mirror(stock.packages) as index:
        kind = KindRow(official="", probe="pip/", mirrors=(row("tuna", f"{index.url}/simple"),))
        found = choose(catalogue(seconds=20.0, pypi=kind))
    assert found.default_index is None
    assert index.log == ()


def test_models_turn_to_a_mirror_of_the_hub_and_else_to_modelscope(choose: Choose) -> None:
    with hub() as mirror, ModelScope({"AI-ModelScope/bert-base-uncased": {"config.json": b"{}"}}) as other:
        rows = (row("hf-mirror", mirror.url), row("ModelScope", other.url, api="modelscope"))
        kind = KindRow(official=CLOSED, probe=f"api/models/{MODEL}", mirrors=rows)
        found = choose(catalogue(hub=kind))
        assert (found.hub_endpoint, found.modelscope_instead) == (mirror.url, False)
        assert found.hub_endpoints == (mirror.url, "https://huggingface.co")
        mirror.fault("*", status(502), times=None)
        found = choose(catalogue(hub=kind))
    assert (found.hub_endpoint, found.modelscope, found.modelscope_instead) == (None, other.url, True)


def test_a_hub_that_answers_with_a_page_is_none(choose: Choose) -> None:
    with hub() as mirror:
        mirror.fault("*", login_page(), times=None)
        kind = KindRow(official=CLOSED, probe=f"api/models/{MODEL}", mirrors=(row("hf-mirror", mirror.url),))
        assert choose(catalogue(hub=kind)) == Surroundings()


def test_downloads_turn_to_a_mirror_by_the_first_bytes_of_an_archive(choose: Choose) -> None:
    probe = "python/pycharm-1.tar.gz"
    with downloads() as mirror, downloads(b"<html>welcome</html>") as false:
        rows = (row("false", false.url), row("china", mirror.url))
        found = choose(catalogue(jetbrains_downloads=KindRow(official=CLOSED, probe=probe, mirrors=rows)))
        assert mirror.served() == 4
    assert found.jetbrains_downloads == mirror.url


def test_pythons_turn_to_a_mirror_whose_host_lives_and_sends_nowhere_else(choose: Choose) -> None:
    with downloads() as mirror, downloads() as elsewhere, downloads() as gate:
        gate.fault("*", redirect(elsewhere.url), times=None)
        rows = (row("gate", gate.url), row("nju", f"{mirror.url}/python-build-standalone"))
        found = choose(catalogue(python=KindRow(official=CLOSED, probe="", mirrors=rows)))
    assert found.python_mirror == f"{mirror.url}/python-build-standalone"


# who is asked ---------------------------------------------------------------------------------------------


def test_every_host_decides_for_itself(choose: Choose, stock: Wheels, faithful: Index) -> None:
    with hub() as living, downloads() as china:
        found = choose(
            catalogue(
                torch=torch_kind(f"{CLOSED}/whl", mirror_of(faithful)),
                hub=KindRow(official=living.url, probe=f"api/models/{MODEL}", mirrors=(row("m", CLOSED),)),
                jetbrains_downloads=KindRow(official=CLOSED, probe="a.tar.gz", mirrors=(row("china", china.url),)),
            )
        )
    assert found.chosen == {"torch", "jetbrains_downloads"}
    assert found.hub_endpoint is None


def test_what_the_user_configured_is_not_asked(choose: Choose, stock: Wheels, faithful: Index) -> None:
    mine = Surroundings(torch_root="http://mine/whl", hub_endpoint="http://mine", uv_default=True)
    kinds = catalogue(
        torch=torch_kind(f"{faithful.url}/whl", mirror_of(faithful)),
        hub=KindRow(official=faithful.url, probe="x", mirrors=(row("m", faithful.url),)),
        pypi=KindRow(official="", probe="pip/", mirrors=(row("m", faithful.url),)),
    )
    assert choose(kinds, mine) == mine
    assert faithful.log == ()
    assert mine.torch_places("cpu", "https://maker/whl/cpu") == (("http://mine/whl/cpu", False),)
    assert mine.hub_endpoints == ("http://mine",)


def test_a_kind_that_is_switched_off_is_not_turned(choose: Choose, faithful: Index) -> None:
    kept = Surroundings(kept=frozenset({"torch"}))
    assert choose(catalogue(torch=torch_kind(f"{CLOSED}/whl", mirror_of(faithful))), kept) == kept
    assert faithful.log == ()


def test_only_the_kinds_of_the_run_are_asked(tmp_path: Path, faithful: Index, said: list[Message]) -> None:
    catalog = catalogue(torch=torch_kind(f"{faithful.url}/whl", mirror_of(faithful)))
    choose_mirrors(scratch_host(tmp_path), Surroundings(), catalog, said.append, kinds={"pypi", "hub"})
    assert faithful.log == ()


def test_the_preset_none_asks_nobody(choose: Choose, faithful: Index) -> None:
    off = Surroundings(preset="none")
    assert choose(catalogue(torch=torch_kind(f"{faithful.url}/whl", mirror_of(faithful))), off) == off
    assert faithful.log == ()


def test_the_preset_cn_asks_mirrors_first_and_the_maker_not_at_all(
    choose: Choose, said: list[Message], stock: Wheels, faithful: Index
) -> None:
    with Index(pytorch(stock.torch, "cpu")) as maker:
        kind = torch_kind(f"{maker.url}/whl", mirror_of(faithful))
        found = choose(catalogue(torch=kind), Surroundings(preset="cn"))
        assert maker.log == ()
    assert found.torch_root == f"{faithful.url}/whl"
    assert found.torch_places("cpu", "maker")[-1] == ("maker", False), "the maker comes last"
    assert str(said[0]) == "asking the mirrors of: the index of PyTorch"
    assert "asking these mirrors" in str(said[1])
    assert "preset cn" in str(said[2])


def test_a_machine_that_is_offline_stays_as_it_is(choose: Choose, said: list[Message]) -> None:
    kinds: dict[str, KindRow] = {
        kind: KindRow(official=CLOSED, probe="x/", mirrors=(row("m", CLOSED),)) for kind in KINDS
    }
    catalog = MirrorCatalog(schema=1, collected=date(2026, 11, 21), seconds=1.0, kinds=kinds)
    assert choose(catalog) == Surroundings()
    host = CLOSED.removeprefix("http://")
    assert str(said[1]) == f"asking these mirrors: {host}"
    assert len(said) == 2 + len(KINDS)
    assert all(str(text).endswith(f"does not answer, nor does a mirror of it ({host})") for text in said[2:])


def test_all_are_asked_at_once_and_nobody_holds_us_up(choose: Choose, faithful: Index) -> None:
    """Each of five silent hosts would use up the whole time: asked one by one they would leave none for the sixth."""
    with ExitStack() as standing:
        servers = [standing.enter_context(Upstream(lambda _: Response())) for _ in range(5)]
        for server in servers:
            server.fault("*", SILENT, times=None)
        rows = [row(f"silent {number}", server.url) for number, server in enumerate(servers)]
        found = choose(catalogue(torch=torch_kind(f"{CLOSED}/whl", *rows, mirror_of(faithful))))
        assert [len(server.log) for server in servers] == [1] * 5
    assert found.torch_root == f"{faithful.url}/whl"


def test_what_a_run_needs_of_hosts() -> None:
    labelled, plain = choices_of(build_of("2.13.0+cpu", "https://x")), choices_of(build_of("2.13.0", ""))
    model = small_recipe(model=ModelWish(source="hf:a/b"))
    every = frozenset({"model", "ide"})
    assert kinds_of_run(model, labelled, every) == {"pypi", "torch", "hub", "jetbrains_downloads"}
    assert kinds_of_run(model, plain, frozenset()) == {"pypi"}
    other = small_recipe(model=ModelWish(source="modelscope:a/b"))
    assert kinds_of_run(other, plain, frozenset({"model"})) == {"pypi", "modelscope"}
    assert kinds_of_run(small_recipe(model=ModelWish(source="pypi:a")), plain, every) == {"pypi", "jetbrains_downloads"}


# the catalogue --------------------------------------------------------------------------------------------


def test_the_catalogue_of_mirrors_is_sound() -> None:
    catalog = read_mirrors(manifests_folder() / "catalog")
    assert catalog.kinds.keys() == set(KINDS)
    assert catalog.kinds.keys() - {"modelscope"} <= set(MIRRORS)
    assert 1 <= catalog.seconds <= 5
    assert catalog.kinds["pypi"].official == ""
    for kind, table in catalog.kinds.items():
        urls = [mirror.url for mirror in table.mirrors]
        assert len(urls) == len(set(urls)), kind
        for mirror in table.mirrors:
            assert mirror.url.startswith("https://"), mirror
            assert not mirror.url.endswith("/"), mirror
            assert not any(origin in mirror.url for origin in table.origins), mirror
            assert mirror.seen.strip(), mirror
            assert mirror.form == "simple" or kind == "torch", mirror
            assert mirror.api == "hub" or kind == "hub", mirror
    assert all(mirror.url.endswith("/simple") for mirror in catalog.kinds["pypi"].mirrors)
    forms = [mirror.form for mirror in catalog.kinds["torch"].mirrors]
    assert forms == sorted(forms, key=("simple", "flat").index), "of flat ones uv fetches the whole wheel for its hash"


def test_the_next_mirror_of_the_package_index_takes_the_place_of_one_that_died() -> None:
    spare, other = Mirror("pypi", "https://two/simple"), Mirror("torch", "https://two/whl")
    turned = Surroundings(default_index="https://one/simple", spares=(other, spare))
    found = next_index(turned, "https://one/packages/aa/bb/x.whl")
    assert found is not None
    assert (found.default_index, found.spares) == ("https://two/simple", (other,))
    assert next_index(found, "https://two/simple/pip/") is None, "nobody is left"
    assert next_index(turned, "https://two/whl/cpu/torch.whl") is None, "it is not the index that died"


def test_a_mistake_in_the_catalogue_names_its_place(tmp_path: Path) -> None:
    text = (manifests_folder() / "catalog" / "mirrors.toml").read_text()
    (tmp_path / "mirrors.toml").write_text(text.replace('form = "flat"', 'form = "round"', 1))
    with pytest.raises(UsageError) as error:
        read_mirrors(tmp_path)
    assert "form" in str(error.value)
