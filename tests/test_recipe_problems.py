"""Values in recipes that are refused, all at once and at their lines, and values that are taken."""

# ruff: noqa: E501 - tables of values and sentences read best with one row a line

from pathlib import Path

import pytest

from setup_llm_dev.documents.recipe_values import variant_problem
from tests.recipe_files import HEAD, WRONG, problems, read, recipe


def test_all_problems_at_once(tmp_path: Path) -> None:
    assert problems(tmp_path, WRONG) == [
        "mine.toml:1: schema: must be 1, not 2",
        "mine.toml:3: nmae: unknown key; did you mean name?",
        "mine.toml:4: learning_rate: unknown key; it belongs in [smoke]",
        "mine.toml:7: python.version: “3.11” is no version range; write such as >=3.10,<3.15 or ==2.13.*",
        "mine.toml:10: torch.variant: “cuda” is no build; write auto, cpu, mps, xpu, or such as cu130, rocm7.2",
        "mine.toml:15: packages.requires[1]: torch comes with PyTorch, whose build must fit the machine; use [torch]",
        "mine.toml:16: packages.requires[2]: must be text in quotes, not 3",
        "mine.toml:20: ide.required: must be true or false, not text",
        "mine.toml:25: datasets[1].source: data from path: can't be had in this version; only builtin: can",
        "mine.toml:26: datasets[2]: lacks the key source",
        "mine.toml:27: datasets[2].sorce: unknown key; did you mean source?",
        "mine.toml:30: smoke.task: there is no “text-clasification”; did you mean text-classification?",
        "mine.toml:31: smoke.budget_seconds: must be from 5 to 3600 seconds, not 4",
        "mine.toml:32: smoke.learning_rate: must be more than 0 and less than 1, not nan",
        "mine.toml:34: env: unknown key; the keys here are name, summary, schema, python, torch, packages, ide, "
        "model, datasets, smoke, extends, override",
        "mine.toml:38: override[0].when.os: must be one of linux, macos, windows, not winodws",
        "mine.toml:40: override[0].torch.variant: “cu1” is no build; write auto, cpu, mps, xpu, or such as cu130, "
        "rocm7.2",
    ]  # fmt: skip


def test_the_problems_of_a_parent_come_too(tmp_path: Path) -> None:
    recipe(tmp_path, 'name = "base"\n[smoke]\ntsak = "x"\n', "base")
    assert problems(tmp_path, HEAD + 'extends = "base"\n[torch]\nvariant = "rocm"\n') == [
        "mine.toml:5: torch.variant: “rocm” is no build; write auto, cpu, mps, xpu, or such as cu130, rocm7.2",
        "base.toml:3: smoke.tsak: unknown key; did you mean task?",
    ]


def test_a_model_needs_a_source_from_somewhere(tmp_path: Path) -> None:
    assert problems(tmp_path, HEAD + '[model]\nrevision = "v1"\n') == ["mine.toml:3: model: lacks the key source"]
    assert problems(tmp_path, '[smoke]\ntask = "text-classification"\n') == ["mine.toml:1:1: lacks the key name"]


REFUSED = [
    *[('[packages]\nrequires = ["%s"]', value) for value in (
        "a; rm -rf /", "$(id)", "`id`", "--index-url=evil", "-e .", " -r x", "pkg @ https://h/p.whl", "git+https://h/p",
        "file:///etc/passwd", "file:x", "./x", "../x", "/x", "~x", "C:\\\\x", "a b", "", "ａccelerate", "Torch", "torch[x]",
        "torch_vision @ x", "torchvision==1", "pytorch-triton", "PyTorch_Triton", "((" * 200,
    )],
    *[('[model]\nsource = "%s"', value) for value in (
        "bert", "hf:", "hf:a/b/c", "hf:../b", "hf:a/..", "hf:a/b..c", "hf:/b", "hf:a/", "hf:a b", "hf:-a/b", "hf:a/b.git",
        "hf:a/b?x", "hf:https://h/b", "https://h/b", "file:/x", "path:x", "pypi:", "pypi:../x", "pypi:a b", "pypi:torch",
        "pypi:-x", "hf:" + "a" * 200, "hf:ａ/b", "HF:a/b",
    )],
    *[('[model]\nsource = "hf:a/b"\nrevision = "%s"', value) for value in ("", "..", "a/../b", "-x", "a b", "a//b", "a/", "$x")],
    *[('[model]\nsource = "hf:a/b"\nfallback = "%s"', value) for value in ("hf:a/b", "x", "https://h", "pypi:torch")],
    *[('[[datasets]]\nsource = "%s"', value) for value in (
        "builtin:nothing", "builtin:../x", "hf:a/b", "path:../../.ssh", "path:/etc", "path:~root", "path:$HOME",
        "url:file:///x", "url:https://u:p@h/", "sentiment", "",
    )],
    *[('[python]\nversion = "%s"', value) for value in ("", "3.11", "newest", ">=3.10;x", ">= 3 .10")],
    *[('[torch]\nvariant = "%s"', value) for value in ("", "CPU", "cuda", "cu1", "cu1300", "rocm", "rocm7", "mps ", "cpu\\n")],
    *[('[ide]\nversion = "%s"', value) for value in ("", "newest", "2026", "1.2.3", "2026.2.3.1.1")],
    *[('[ide]\nproduct = "%s"', value) for value in ("idea", "")],
    *[('[ide]\nplugins = ["%s"]', value) for value in ("../x", "", "a;b", "-x", "https://h/x")],
    *[("[smoke]\nbudget_seconds = %s", value) for value in ("4", "3601", "60.0", '"60"', "true", "-1", "1" + "0" * 100)],
    *[("[smoke]\nlearning_rate = %s", value) for value in ("0", "1", "1.0", "-1e-3", "nan", "inf", '"1e-3"', "false")],
    *[("[smoke]\ntask = %s", value) for value in ('"summarization"', "1", "[]", "{}", "1979-05-27")],
    *[("%s = 1", value) for value in ("python", "packages", "datasets", "model", "override", "extends", "summary", '""')],
    *[("[[override]]\n%s", value) for value in (
        "", "when = {}", "when = 1", 'when = { os = 1 }', 'when = { gpu = "x" }', 'when = { os = "linux" }\nname = "x"',
        'when = { os = "linux" }\nextends = "x"',
    )],
]  # fmt: skip


@pytest.mark.parametrize(("template", "value"), REFUSED)
def test_values_that_are_refused(tmp_path: Path, template: str, value: str) -> None:
    [found] = problems(tmp_path, HEAD + template % value + "\n")
    assert found.startswith("mine.toml:")
    assert "is no TOML" not in found


@pytest.mark.parametrize("schema", ["0", "2", "1.0", "true", '"1"'])
def test_other_versions_of_the_format(tmp_path: Path, schema: str) -> None:
    [found] = problems(tmp_path, f'name = "mine"\nschema = {schema}\n')
    assert found.startswith("mine.toml:2: schema: must be 1, not ")


ACCEPTED = [
    *[('[packages]\nrequires = ["%s"]', value) for value in (
        "transformers>=5", "a[b,c]~=1.2", "A.b_c-d", "x; python_version < '3.13'", "torchmetrics", "bitsandbytes == 0.45.*",
    )],
    *[('[model]\nsource = "%s"', v) for v in ("hf:gpt2", "hf:a/b", "hf:google-bert/bert-base-uncased", "hf:a/B_1.5", "pypi:x-y")],
    *[('[model]\nsource = "hf:a/b"\nrevision = "%s"', v) for v in ("main", "refs/pr/1", "v1.0", "0" * 40)],
    *[('[torch]\nvariant = "%s"', v) for v in ("auto", "cpu", "cu118", "cu130", "rocm7.2", "rocm6.2.4", "xpu", "mps")],
    *[('[ide]\nversion = "%s"', v) for v in ("latest", "2026.2", "2026.2.3", "2025.3.2.1")],
    *[('[ide]\nplugins = ["%s"]', v) for v in ("Pythonid", "com.intellij.ml.llm", "Key Promoter X")],
    *[("[smoke]\nbudget_seconds = %s", v) for v in ("5", "3600")],
    *[('summary = "%s"', v) for v in ("微调一个 BERT", "a & <b> 🚀", "x" * 200)],
]  # fmt: skip


@pytest.mark.parametrize(("template", "value"), ACCEPTED)
def test_values_that_are_taken(tmp_path: Path, template: str, value: str) -> None:
    recipe(tmp_path, HEAD + template % value + "\n")
    assert read("mine", tmp_path).name == "mine"


@pytest.mark.parametrize("name", ["", "Mine", "a b", "../x", "-a", "a-", "con", "com1", "名", "a" * 65, "a/b", "a.b"])
def test_names_that_could_be_no_folder(tmp_path: Path, name: str) -> None:
    [found] = problems(tmp_path, f'name = "{name}"\n')
    assert found.startswith("mine.toml:1: name: ")


def test_the_variant_rule_serves_the_command_line_too() -> None:
    assert variant_problem("cu130") is None
    assert "cuda" in str(variant_problem("cuda"))


@pytest.mark.parametrize(
    ("value", "words"),
    [("--index-url=evil", "is an option"), ("-e .", "is an option"), ("git+https://h/p", "is an address")],
)
def test_what_pip_would_take_is_named_for_what_it_is(tmp_path: Path, value: str, words: str) -> None:
    [found] = problems(tmp_path, HEAD + f'[packages]\nrequires = ["{value}"]\n')
    assert words in found
