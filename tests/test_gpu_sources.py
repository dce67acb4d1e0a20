"""GPU sources: each parser on the documented formats, on damaged ones, and on any text at all."""

import doctest
import importlib
import json
import tomllib
from pathlib import Path, PurePath

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from setup_llm_dev.accelerators.adapters import parse_profiler, parse_windows
from setup_llm_dev.accelerators.amd_sources import parse_bank, parse_enumerator, parse_node, parse_smi
from setup_llm_dev.accelerators.intel_ids import NAMES, XPU, xpu_family
from setup_llm_dev.accelerators.nvidia_sources import (
    MIB,
    is_share,
    parse_flavour,
    parse_information,
    parse_kernel,
    parse_listing,
    parse_nvml,
    parse_query,
    windows_driver,
)
from setup_llm_dev.accelerators.pci import name_in_list
from setup_llm_dev.accelerators.tegra import parse_release
from setup_llm_dev.documents.machine import Machine
from setup_llm_dev.host.recorded import recorded_host
from setup_llm_dev.platforms.linux import parse_glibc
from setup_llm_dev.stages.detect import detect
from tests.golden import MACHINES

_WITH_EXAMPLES = ("accelerators.nvidia_sources", "accelerators.amd_sources", "accelerators.adapters",
                  "accelerators.pci", "accelerators.tegra", "accelerators.intel_ids", "platforms.linux")  # fmt: skip

OPEN = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (dvs-builder@U22)\n"
    "GCC version:  gcc version 13.3.0 (Ubuntu 13.3.0-6ubuntu2~24.04)\n"
)
PROPRIETARY = (
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.288.01  Fri Nov  1 18:29:45 UTC 2024\n"
    "GCC version:  gcc version 12.3.0 (Ubuntu 12.3.0-1ubuntu1~22.04)\n"
)


_QUERY = ["/usr/bin/nvidia-smi", "--query-gpu=name,compute_cap,driver_version,memory.total",
          "--format=csv,noheader,nounits"]  # fmt: skip


def changed(tmp_path: Path, name: str, *, said_by_smi: str | None = None, denied: tuple[str, ...] = ()) -> Machine:
    """Detection on a recording with one more answer, and with files that may not be opened."""
    told = tomllib.loads((MACHINES / name / "recording.toml").read_text("utf-8"))
    if said_by_smi is not None:
        told["programs"].append({"argv": _QUERY, "stdout": said_by_smi})
    told["denied"] = list(denied)
    (tmp_path / "recording.toml").write_text(tomli_w.dumps(told), "utf-8")
    return detect(recorded_host(tmp_path), data=PurePath("/home/ann/data"), interpreters=False)


@pytest.mark.parametrize("name", _WITH_EXAMPLES)
def test_examples_of_the_parsers(name: str) -> None:
    done = doctest.testmod(importlib.import_module(f"setup_llm_dev.{name}"))
    assert done.attempted
    assert not done.failed


@pytest.mark.parametrize(
    ("text", "version", "flavour"),
    [(OPEN, "580.95.05", "open"), (PROPRIETARY, "535.288.01", "proprietary"), ("580.95.05\n", "580.95.05", None),
     ("", None, None), ("gcc version 13.3.0\n", None, None)],
)  # fmt: skip
def test_the_kernel_module_in_both_wordings(text: str, version: str | None, flavour: str | None) -> None:
    assert (parse_kernel(text), parse_flavour(text)) == (version, flavour)


def test_nvml_tells_of_instances_and_shares() -> None:
    told = parse_nvml(
        json.dumps(
            {
                "driver": "580.95.05",
                "gpus": [
                    {
                        "name": "NVIDIA H100 80GB HBM3",
                        "capability": [9, 0],
                        "memory": 80 << 30,
                        "pci": "10DE:2330",
                        "mig": [{"name": "1g.10gb", "memory": 10 << 30}, {"name": "3g.40gb", "memory": 40 << 30}],
                    },
                    {"name": "NVIDIA A40-48Q", "capability": [8, 6], "memory": 48 << 30, "vgpu": True},
                    {"name": "NVIDIA H100 80GB HBM3", "capability": [9, 0], "memory": None, "mig": []},
                ],
            }
        )
    )
    assert told is not None
    assert [card.instances for card in told.cards] == [("1g.10gb", "3g.40gb"), None, ()]
    assert told.cards[0].instance_bytes == 40 << 30
    assert told.cards[0].pci == "10de:2330"
    assert [card.shared for card in told.cards] == [False, True, False]


@pytest.mark.parametrize(
    ("name", "share"),
    [("GRID T4-8Q", True), ("NVIDIA A40-48Q", True), ("GRID A100D-1-10C", True), ("NVIDIA H100L-94C", True),
     ("Tesla V100-SXM2-16GB", False), ("NVIDIA A100-PCIE-40GB", False), ("Tesla P100-PCIE-16GB", False),
     ("NVIDIA GeForce RTX 4090", False)],
)  # fmt: skip
def test_a_share_of_a_gpu_is_told_by_its_name(name: str, share: bool) -> None:
    assert is_share(name) is share


def test_the_listing_tells_profiles_and_no_uuid() -> None:
    text = (
        "GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-5d1d4fa9-1c1a-2b62-0a3c-aa5b2e1a4b11)\n"
        "  MIG 3g.40gb     Device  0: (UUID: MIG-1a2b3c4d-5e6f-5a0b-8c1d-2e3f4a5b6c7d)\n"
        "  MIG 1g.10gb+me  Device  1: (UUID: MIG-2a2b3c4d-5e6f-5a0b-8c1d-2e3f4a5b6c7d)\n"
        "GPU 1: NVIDIA A100-SXM4-80GB (UUID: GPU-6d1d4fa9-1c1a-2b62-0a3c-aa5b2e1a4b11)\n"
    )
    assert parse_listing(text) == (("3g.40gb", "1g.10gb+me"), None)


def test_lines_around_the_answer_are_not_gpus() -> None:
    told = parse_query(
        "WARNING: infoROM is corrupted at gpu 0000:01:00.0\nTesla T4, 7.5, 550.54.15, 15360\n", with_capability=True
    )
    assert [(card.name, card.chip, card.memory_bytes) for card in told.cards] == [("Tesla T4", "sm_75", 15360 * MIB)]


@pytest.mark.parametrize(
    ("windows", "nvidia"),
    [("32.0.15.8129", "581.29"), ("31.0.15.3667", "536.67"), ("27.21.14.6589", "465.89"), ("32.0.15.9649", "596.49"),
     ("32.0.101.8136", "181.36"), ("1.2.3", None), ("", None), ("a.b.c.d", None)],
)  # fmt: skip
def test_a_windows_driver_number_holds_nvidias(windows: str, nvidia: str | None) -> None:
    assert windows_driver(windows) == nvidia


def test_amds_programs_in_old_and_new_words() -> None:
    gpu = {
        "gpu": 0,
        "asic": {"market_name": "AMD Radeon RX 7900 XTX", "vendor_id": "0x1002", "device_id": "0x744c",
                 "asic_serial": "0xABCDEF", "target_graphics_version": "gfx1100"},
        "vram": {"type": "GDDR6", "size": {"value": 24560, "unit": "MB"}},
    }  # fmt: skip
    for text in (json.dumps([gpu]), json.dumps({"gpu_data": [gpu]})):
        (told,) = parse_smi(text)
        assert (told.name, told.chip, told.pci) == ("AMD Radeon RX 7900 XTX", "gfx1100", "1002:744c")
        assert told.memory_bytes == 24560 * MIB
    assert parse_enumerator("gfx000\ngfx1100\ngfx90a\nHIP error\n") == ("gfx1100", "gfx90a")
    assert parse_bank("heap_type 1\nsize_in_bytes 1024\n") == 1024
    assert parse_bank("heap_type 0\nsize_in_bytes 1024\n") == 0


def test_a_single_windows_adapter_may_be_no_list() -> None:
    one = {"name": "NVIDIA GeForce RTX 3060", "pnp": r"PCI\VEN_10DE&DEV_2504&SUBSYS_1", "driver": "32.0.15.8129"}
    off = {**one, "error": 22}
    remote = {"name": "Microsoft Remote Display Adapter", "pnp": r"SWD\REMOTEDISPLAYENUM"}
    assert [device.id for device in parse_windows({"adapters": one})] == ["10de:2504"]
    assert parse_windows({"adapters": [off, remote, None, "x"]}) == ()


def test_the_cards_of_an_intel_mac() -> None:
    text = json.dumps(
        {
            "SPDisplaysDataType": [
                {
                    "sppci_model": "AMD Radeon Pro 5500M",
                    "spdisplays_vendor": "AMD (0x1002)",
                    "spdisplays_device-id": "0x7340",
                },
                {
                    "sppci_model": "Intel UHD Graphics 630",
                    "spdisplays_vendor": "Intel",
                    "spdisplays_device-id": "0x3e9b",
                },
            ]
        }
    )
    assert [(d.id, d.name) for d in parse_profiler(text)] == [
        ("1002:7340", "AMD Radeon Pro 5500M"),
        ("8086:3e9b", "Intel UHD Graphics 630"),
    ]


def test_the_ids_of_xpu_gpus_are_well_formed_and_of_one_family_each() -> None:
    every = [device for family in XPU for device in family.ids]
    assert len(every) == len(set(every))
    assert all(len(device) == 4 and int(device, 16) and device == device.lower() for device in every)
    assert NAMES.keys() <= set(every)
    for plain in ("3e98", "46a6", "5917", "9a49", "a780", "4905", "7d45", "7d67", "56c0"):
        assert xpu_family(plain) is None


@given(st.text())
def test_no_text_makes_a_parser_fail(text: str) -> None:
    for with_capability in (True, False):
        for card in parse_query(text, with_capability=with_capability).cards:
            assert card.capability is None or card.chip
    for parse in (parse_nvml, parse_kernel, parse_flavour, parse_information, parse_listing, parse_node, parse_bank,
                  parse_enumerator, parse_smi, parse_profiler, parse_release, parse_glibc, windows_driver):  # fmt: skip
        parse(text)
    name_in_list(text, "10de", "2684")


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from(["gpus", "driver", "error", "name", "capability", "mig", "memory", "adapters", "pnp", "asic",
                     "vram", "size", "gpu_data", "SPDisplaysDataType", "unit", "value"]), inner)))  # fmt: skip
def test_no_json_makes_a_parser_fail(value: object) -> None:
    text = json.dumps(value)
    for parse in (parse_nvml, parse_smi, parse_profiler):
        parse(text)
    if isinstance(value, dict):
        parse_windows(value)


def test_sources_that_differ_are_told_with_every_word(tmp_path: Path) -> None:
    said = "NVIDIA GeForce RTX 4090, 8.9, 575.57.08, 24564\n"
    machine = changed(tmp_path, "ubuntu-rtx4090", said_by_smi=said)
    (finding,) = [f for f in machine.findings if f.id == "sources-differ"]
    assert finding.level == "warning"
    assert "the driver's version" in str(finding.text)
    assert {line.partition(":")[0] for line in finding.evidence} >= {"nvml", "nvidia-smi"}
    assert any("575.57.08" in line for line in finding.evidence)
    assert any("580.95.05" in line for line in finding.evidence)


def test_two_answers_of_one_machine_do_not_differ(tmp_path: Path) -> None:
    """Bytes here and MiB there, a driver that every source names alike."""
    said = "NVIDIA GeForce RTX 4090, 8.9, 580.95.05, 24564\n"
    machine = changed(tmp_path, "ubuntu-rtx4090", said_by_smi=said)
    assert "sources-differ" not in [f.id for f in machine.findings]
    assert machine.accelerators[0].seen_by == ("nvml", "nvidia-smi", "pci")


def test_a_compute_device_that_may_not_be_opened(tmp_path: Path) -> None:
    machine = changed(tmp_path, "ubuntu-rx6800-rocm", denied=("/dev/kfd",))
    (gpu,) = machine.accelerators
    assert gpu.chip == "gfx1030"
    assert "may not be opened" in str(gpu.problem)
    (finding,) = [f for f in machine.findings if f.id == "kfd-no-permission"]
    assert "usermod -aG render" in str(finding.hint)
    assert "/dev/kfd: no permission" in finding.evidence
