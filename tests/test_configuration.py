"""Whose word counts when several files and variables name an index, and what is said of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from setup_llm_dev.errors import UsageError
from setup_llm_dev.host.addresses import cleaned, without_credentials
from setup_llm_dev.host.configuration import (
    Surroundings,
    as_environment,
    as_settings,
    read_surroundings,
    with_credentials,
)
from setup_llm_dev.host.mirror_settings import MIRRORS
from setup_llm_dev.host.own_variables import judged_variables, large_bytes
from setup_llm_dev.host.web.carriers import Mirror
from tests.ground import CANARY, scratch_host

Read = Callable[..., Surroundings]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """`read(PIP_INDEX_URL="…")`, with whatever files a test put into the scratch home."""

    def reading(**environment: str) -> Surroundings:
        places = {"PIP_CONFIG_FILE": "", "XDG_CONFIG_DIRS": str(tmp_path / "xdg")}
        return read_surroundings(scratch_host(tmp_path, places | environment), tmp_path / "ours")

    return reading


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_pips_files_count_from_the_widest_to_the_nearest_and_variables_last(read: Read, tmp_path: Path) -> None:
    put(tmp_path / "xdg/pip/pip.conf", "[global]\nindex-url = http://site\nfind-links = /site\n")
    assert (read().default_index, read().find_links) == ("http://site", ("/site",))
    put(tmp_path / ".pip/pip.conf", "[global]\nindex-url = http://legacy\n")
    assert read().default_index == "http://legacy"
    put(
        tmp_path / ".config/pip/pip.conf",
        "[global]\nindex_url = http://user\n[install]\nextra-index-url = http://a\n  http://b\n",
    )
    assert (read().default_index, read().extra_indexes) == ("http://user", ("http://a", "http://b"))
    named = put(tmp_path / "named.conf", "[install]\nindex-url = http://named\n")
    assert read(PIP_CONFIG_FILE=str(named)).default_index == "http://named"
    both = read(PIP_CONFIG_FILE=str(named), PIP_INDEX_URL="http://variable", PIP_FIND_LINKS="/v  http://w")
    assert (both.default_index, both.find_links) == ("http://variable", ("/v", "http://w"))


def test_an_empty_device_as_configuration_means_none_of_the_files(read: Read, tmp_path: Path) -> None:
    put(tmp_path / ".config/pip/pip.conf", "[global]\nindex-url = http://user\n")
    assert read(PIP_CONFIG_FILE="/dev/null").default_index is None


def test_our_mirror_comes_before_uvs_word_and_uvs_before_pips(read: Read, tmp_path: Path) -> None:
    pip = {"PIP_INDEX_URL": "http://pip"}
    assert read(**pip).default_index == "http://pip"
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        assert read(**pip, **{name: "http://uv"}).default_index is None, "uv reads its own variable"
    uv = put(tmp_path / ".config/uv/uv.toml", '[[index]]\nurl = "http://uv"\ndefault = true\n')
    assert read(**pip).default_index is None
    put(tmp_path / "ours/config.toml", '[mirrors]\npypi = "http://file"\ntorch = "http://torch"\n')
    assert (read(**pip).default_index, read(**pip).torch_root) == ("http://file", "http://torch")
    assert read(**pip, SETUP_LLM_DEV_MIRRORS_PYPI="http://variable").default_index == "http://variable"
    assert read(SETUP_LLM_DEV_MIRRORS_TORCH="none").torch_root is None
    uv.write_text("not toml [")
    assert read(**pip, SETUP_LLM_DEV_MIRRORS_PYPI="none").default_index == "http://pip"


def test_certificates_and_proxy_are_taken_over(read: Read) -> None:
    found = read(PIP_CERT="/c.pem", PIP_CLIENT_CERT="/k.pem", PIP_PROXY="http://proxy:3128")
    assert (found.cert, found.client_cert, found.proxy) == ("/c.pem", "/k.pem", "http://proxy:3128")


def test_each_use_is_said_with_its_place_and_without_its_password(read: Read, tmp_path: Path) -> None:
    secret = f"https://user:{CANARY}@mirror.example/simple?token={CANARY}"
    place = put(
        tmp_path / ".config/pip/pip.conf", f"[global]\nindex-url = {secret}\nextra-index-url = {secret} {secret}\n"
    )
    found = read(SETUP_LLM_DEV_MIRRORS_TORCH=secret, PIP_PROXY=f"http://user:{CANARY}@proxy:1")
    said = "\n".join(map(str, found.used))
    assert CANARY not in said
    for part in ("https://mirror.example/simple", str(place), "PIP_PROXY", "torch", "index-url", "extra-index-url"):
        assert part in said
    assert found.default_index == secret


def test_what_is_not_used_is_not_said(read: Read) -> None:
    said = "\n".join(map(str, read(PIP_INDEX_URL="http://pip", UV_DEFAULT_INDEX="http://uv").used))
    assert "http://pip" not in said


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[mirrors]\npypy = 'http://x'\n", "pypy"),
        ("[mirror]\npypi = 'http://x'\n", "[mirror]"),
        ("[mirrors]\npypi = 3\n", "a text in quotes"),
        ("mirrors = 'x'\n", "a text in quotes"),
        ("[mirrors\n", "line 1"),
    ],
)
def test_a_mistake_in_our_file_is_2_and_names_it(read: Read, tmp_path: Path, text: str, part: str) -> None:
    place = put(tmp_path / "ours/config.toml", text)
    with pytest.raises(UsageError) as error:
        read()
    assert str(place) in str(error.value)
    assert part in str(error.value)
    assert error.value.hint is not None


@pytest.mark.parametrize(
    "text", [f"index-url = https://user:{CANARY}@h/\n", f"[global]\nindex-url\n https://user:{CANARY}@h/ [\n{CANARY}\n"]
)
def test_a_pip_file_that_can_not_be_read_is_named_without_its_words(read: Read, tmp_path: Path, text: str) -> None:
    place = put(tmp_path / ".config/pip/pip.conf", text)
    with pytest.raises(UsageError) as error:
        read()
    assert str(place) in str(error.value)
    assert "line " in str(error.value)
    assert error.value.hint is not None
    assert CANARY not in str(error.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@host:8443/simple/?key=1#f", "https://host:8443/simple/"),
        ("https://token@host/x", "https://host/x"),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
        ("/opt/wheels", "/opt/wheels"),
        ("file:///opt/wheels", "file:///opt/wheels"),
        ("https://host", "https://host"),
        ("https://u:p@host:notaport/x", "https://host:notaport/x"),
    ],
)
def test_an_address_as_it_may_be_shown(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


@pytest.mark.parametrize("url", ["https://host:port/simple", "https://[::1/simple"])
def test_an_address_that_is_none_is_2(read: Read, url: str) -> None:
    with pytest.raises(UsageError) as error:
        read(PIP_INDEX_URL=url.replace("//", f"//user:{CANARY}@"))
    assert CANARY not in str(error.value)


def test_a_password_goes_only_to_its_own_host() -> None:
    found = Surroundings(default_index="https://u:p@one/simple", find_links=("https://two/links", "/folder"))
    assert with_credentials("https://one/a.whl", found) == "https://u:p@one/a.whl"
    for url in (
        "https://two/a.whl",
        "http://one/a.whl",
        "https://one:8443/a.whl",
        "https://one.example/a.whl",
        "/one/a",
    ):
        assert with_credentials(url, found) == url


def test_other_peoples_words_without_their_passwords() -> None:
    assert (
        cleaned("GET https://u:p@h/x and socks5://t@h failed at a@b") == "GET https://h/x and socks5://h failed at a@b"
    )


@pytest.mark.parametrize("name", ["HTTP_PROXY", "https_proxy", "ALL_PROXY"])
def test_an_exported_proxy_of_any_kind_goes_before_the_one_of_pip(name: str) -> None:
    pip = Surroundings(proxy="http://proxy.of.pip:1")
    assert as_environment(pip, {name: "http://mine:2"}) == {}
    assert as_environment(pip, {name: ""})["HTTPS_PROXY"] == "http://proxy.of.pip:1"


# mirrors of our own configuration -------------------------------------------------------------------------


def test_every_mirror_has_a_key_and_a_variable_that_goes_before_it(read: Read, tmp_path: Path) -> None:
    fields = {
        "torch": "torch_root", "pypi": "default_index", "hub": "hub_endpoint", "jetbrains_feed": "jetbrains_feed",
        "jetbrains_downloads": "jetbrains_downloads", "python": "python_mirror",
    }  # fmt: skip
    assert fields.keys() == set(MIRRORS)
    put(tmp_path / "ours/config.toml", "[mirrors]\n" + "".join(f'{name} = "http://{name}.file"\n' for name in MIRRORS))
    from_file = read()
    for name, field in fields.items():
        assert getattr(from_file, field) == f"http://{name}.file", name
        variable = f"SETUP_LLM_DEV_MIRRORS_{name.upper()}"
        assert getattr(read(**{variable: "http://variable"}), field) == "http://variable"
        assert getattr(read(**{variable: "none"}), field) is None
    assert sum(str(text).startswith("mirror ") for text in from_file.used) == len(MIRRORS)


def test_what_others_read_of_hosts_is_read_here_too(read: Read) -> None:
    found = read(HF_ENDPOINT="http://hf", UV_PYTHON_INSTALL_MIRROR="http://py", MODELSCOPE_ENDPOINT="http://ms")
    assert (found.hub_endpoint, found.python_mirror, found.modelscope) == ("http://hf", "http://py", "http://ms")
    assert read(HF_ENDPOINT="http://hf", SETUP_LLM_DEV_MIRRORS_HUB="http://ours").hub_endpoint == "http://hf"


def test_the_preset_is_auto_unless_it_is_named(read: Read, tmp_path: Path) -> None:
    assert read().preset == "auto"
    put(tmp_path / "ours/config.toml", '[mirrors]\npreset = "cn"\n')
    assert read().preset == "cn"
    assert read(SETUP_LLM_DEV_MIRRORS_PRESET="none").preset == "none"
    assert read().mirrors == ()


@pytest.mark.parametrize(("word", "hint"), [("cnn", "cn"), ("china", "auto, cn, none"), ("AUTO", "auto, cn, none")])
def test_a_preset_that_is_none_is_2_and_names_its_place(read: Read, tmp_path: Path, word: str, hint: str) -> None:
    with pytest.raises(UsageError) as error:
        read(SETUP_LLM_DEV_MIRRORS_PRESET=word)
    assert "SETUP_LLM_DEV_MIRRORS_PRESET" in str(error.value)
    assert hint in str(error.value.hint)
    place = put(tmp_path / "ours/config.toml", f'[mirrors]\npreset = "{word}"\n')
    with pytest.raises(UsageError) as error:
        read()
    assert str(place) in str(error.value)


@pytest.mark.parametrize(
    ("key", "near"), [("jetbrains_download", "jetbrains_downloads"), ("presets", "preset"), ("pip", "pypi")]
)
def test_an_unknown_key_of_mirrors_names_the_nearest(read: Read, tmp_path: Path, key: str, near: str) -> None:
    put(tmp_path / "ours/config.toml", f'[mirrors]\n{key} = "http://x"\n')
    with pytest.raises(UsageError) as error:
        read()
    assert near in str(error.value.hint)


def test_a_key_that_is_switched_off_is_not_turned_either(read: Read) -> None:
    found = read(SETUP_LLM_DEV_MIRRORS_TORCH="none", SETUP_LLM_DEV_MIRRORS_HUB="none")
    assert found.kept == {"torch", "hub"}
    assert not found.configured("torch")


def test_a_flat_mirror_of_torch_can_be_named(read: Read) -> None:
    found = read(SETUP_LLM_DEV_MIRRORS_TORCH="flat+https://mirrors.aliyun.com/pytorch-wheels")
    assert (found.torch_root, found.torch_flat) == ("https://mirrors.aliyun.com/pytorch-wheels", True)
    assert found.torch_places("cu130", "x") == (("https://mirrors.aliyun.com/pytorch-wheels/cu130/", True),)


def test_what_we_turned_to_can_be_written_as_a_user_would_have(read: Read) -> None:
    found = Surroundings(
        torch_root="https://t", torch_flat=True, default_index="https://mine", jetbrains_downloads="https://j",
        chosen=frozenset({"torch", "jetbrains_downloads"}),
    )  # fmt: skip
    settings = as_settings(found)
    assert settings.keys() == {"SETUP_LLM_DEV_MIRRORS_TORCH", "SETUP_LLM_DEV_MIRRORS_JETBRAINS_DOWNLOADS"}
    again = read(**settings)
    assert (again.torch_root, again.torch_flat, again.jetbrains_downloads) == ("https://t", True, "https://j")
    assert as_settings(Surroundings(torch_root="https://t")) == {}


PACKAGE = "packages/80/2a/58f8078744e0408619c63148f7a2e8e48cf007e4146b74d4bb67c56d161b/x-1-py3-none-any.whl"


@pytest.mark.parametrize(
    ("mirror", "url", "carriers"),
    [
        (
            Mirror("torch", "https://m/whl/"),
            "https://download-r2.pytorch.org/whl/cpu/torch-1%2Bcpu.whl",
            ["https://m/whl/cpu/torch-1%2Bcpu.whl", "https://download-r2.pytorch.org/whl/cpu/torch-1%2Bcpu.whl"],
        ),
        (
            Mirror("torch", "https://m/wheels", flat=True),
            "https://download.pytorch.org/whl/cu130/torch/torch-1.whl",
            ["https://m/wheels/cu130/torch-1.whl", "https://download.pytorch.org/whl/cu130/torch/torch-1.whl"],
        ),
        (
            Mirror("torch", "https://m/whl"),
            "https://m/whl/cpu/torch-1.whl",
            ["https://m/whl/cpu/torch-1.whl", "https://download.pytorch.org/whl/cpu/torch-1.whl"],
        ),
        (
            Mirror("jetbrains_downloads", "https://m"),
            "https://download.jetbrains.com/python/pycharm.tar.gz",
            ["https://m/python/pycharm.tar.gz", "https://download.jetbrains.com/python/pycharm.tar.gz"],
        ),
        (
            Mirror("hub", "https://m/hf"),
            "https://huggingface.co/a/b/resolve/c/d",
            ["https://m/hf/a/b/resolve/c/d", "https://huggingface.co/a/b/resolve/c/d"],
        ),
        (Mirror("pypi", "https://m/pypi/simple/"), f"https://files.example/{PACKAGE}",
         [f"https://m/pypi/{PACKAGE}", f"https://files.example/{PACKAGE}"]),
        (Mirror("pypi", "https://m/index"), f"https://files.example/{PACKAGE}", [f"https://files.example/{PACKAGE}"]),
        (Mirror("hub", "https://m"), "https://huggingface.com/a", ["https://huggingface.com/a"]),
        (Mirror("hub", "https://m"), "https://huggingface.co.evil/a", ["https://huggingface.co.evil/a"]),
    ],
)  # fmt: skip
def test_who_may_carry_the_bytes_of_an_address(mirror: Mirror, url: str, carriers: list[str]) -> None:
    assert list(Surroundings(spares=(mirror,)).carriers(url)) == carriers


def test_a_mirror_that_is_known_but_not_asked_leads_to_its_maker_and_to_those_that_are() -> None:
    """Its address stands in a lock of the day on which it answered."""
    found = Surroundings(torch_root="https://one/whl", known=(Mirror("torch", "https://two/wheels", flat=True),))
    assert found.carriers("https://two/wheels/cpu/torch-1.whl") == (
        "https://one/whl/cpu/torch-1.whl", "https://two/wheels/cpu/torch-1.whl",
        "https://download.pytorch.org/whl/cpu/torch-1.whl",
    )  # fmt: skip


def test_the_chosen_mirror_comes_first_then_the_spares_then_the_maker() -> None:
    found = Surroundings(jetbrains_downloads="https://one", spares=(Mirror("jetbrains_downloads", "https://two"),))
    assert found.carriers("https://download.jetbrains.com/x") == (
        "https://one/x", "https://two/x", "https://download.jetbrains.com/x",
    )  # fmt: skip
    assert Surroundings().carriers("https://any/x") == ("https://any/x",)


@pytest.mark.parametrize("name", ["JETBRAINS_FEED", "JETBRAINS_DOWNLOADS", "PYTHON", "HUB"])
def test_a_host_that_is_no_address_is_2(read: Read, name: str) -> None:
    with pytest.raises(UsageError):
        read(**{f"SETUP_LLM_DEV_MIRRORS_{name}": "https://[::1/x"})


# what is no address, and what is no setting ---------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["HF_ENDPOINT", "MODELSCOPE_ENDPOINT", "UV_PYTHON_INSTALL_MIRROR", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL",
     *(f"SETUP_LLM_DEV_MIRRORS_{kind.upper()}" for kind in MIRRORS)],
)  # fmt: skip
@pytest.mark.parametrize(
    "value", ["foo", "foo://x", "https://", "https:///simple", "http//host", "https://ho st/", "https://host:port/x"]
)
def test_an_address_of_a_variable_that_is_none_is_2_and_names_it(read: Read, name: str, value: str) -> None:
    with pytest.raises(UsageError) as error:
        read(**{name: value})
    assert str(error.value).startswith(f"{name}: ")
    assert "https://" in str(error.value.hint)


def test_an_address_of_a_file_that_is_none_names_the_file_and_the_key(read: Read, tmp_path: Path) -> None:
    ours = put(tmp_path / "ours/config.toml", '[mirrors]\nhub = "foo://x"\n')
    with pytest.raises(UsageError) as error:
        read()
    assert str(error.value).startswith(f"{ours}, hub: ")
    ours.unlink()
    pip = put(tmp_path / ".config/pip/pip.conf", "[global]\nextra-index-url = https://a/b\n  foo\n")
    with pytest.raises(UsageError) as error:
        read()
    assert str(error.value).startswith(f"{pip}, extra-index-url: ")
    assert "foo" in str(error.value)


def test_files_are_addresses_where_files_may_be(read: Read) -> None:
    assert read(PIP_FIND_LINKS="file:///wheels /wheels https://h/links").find_links[0] == "file:///wheels"
    assert read(PIP_INDEX_URL="file:///simple").default_index == "file:///simple"
    assert read(PIP_INDEX_URL="/srv/simple").default_index == "/srv/simple"
    assert read(UV_PYTHON_INSTALL_MIRROR="file:///pythons").python_mirror == "file:///pythons"
    for variables in (
        {"PIP_FIND_LINKS": "htps://h/links"},
        {"HF_ENDPOINT": "file:///hub"},
        {"SETUP_LLM_DEV_MIRRORS_HUB": "flat+https://hub"},
        {"SETUP_LLM_DEV_MIRRORS_TORCH": "flat+/srv/torch"},
    ):
        with pytest.raises(UsageError):
            read(**variables)


def test_a_setting_that_is_not_used_is_judged_all_the_same(read: Read) -> None:
    with pytest.raises(UsageError):
        read(HF_ENDPOINT="https://hub", SETUP_LLM_DEV_MIRRORS_HUB="foo")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("SETUP_LLM_DEV_MIRRORS_FOO", "MIRRORS_TORCH"),
        ("SETUP_LLM_DEV_MIRRORS_TORH", "did you mean SETUP_LLM_DEV_MIRRORS_TORCH?"),
        ("SETUP_LLM_DEV_MIRROR_HUB", "did you mean SETUP_LLM_DEV_MIRRORS_HUB?"),
        ("SETUP_LLM_DEV_HOMES", "did you mean SETUP_LLM_DEV_HOME?"),
        ("SETUP_LLM_DEV_LARGE_BYTE", "did you mean SETUP_LLM_DEV_LARGE_BYTES?"),
    ],
)
def test_a_variable_of_ours_that_is_misspelt_is_2(name: str, hint: str) -> None:
    with pytest.raises(UsageError) as error:
        judged_variables({name: "https://x"})
    assert name in str(error.value)
    assert hint in str(error.value.hint)


def test_a_variable_with_our_beginning_that_is_near_none_is_said() -> None:
    [said] = judged_variables({"SETUP_LLM_DEV_QUUX": "1", "SETUP_LLM_DEV_HOME": "/x", "OTHER": "y"})
    assert "SETUP_LLM_DEV_QUUX" in str(said)
    assert judged_variables({"SETUP_LLM_DEV_TEST_REUSE": "1", "SETUP_LLM_DEV_MIRRORS_PRESET": "cn"}) == ()


@pytest.mark.parametrize("value", ["abc", "1e6", "-1", "²", "5 MiB"])
def test_a_limit_that_is_no_number_of_bytes_is_2_before_anything_is_fetched(value: str) -> None:
    with pytest.raises(UsageError) as error:
        judged_variables({"SETUP_LLM_DEV_LARGE_BYTES": value})
    assert "SETUP_LLM_DEV_LARGE_BYTES" in str(error.value)
    assert error.value.hint is not None
    assert large_bytes({"SETUP_LLM_DEV_LARGE_BYTES": " 1000 "}) == 1000
    assert large_bytes({}) is None
