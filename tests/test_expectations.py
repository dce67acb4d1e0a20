"""What checks expect, said again for translators: every sentence of the smoke program is known with its numbers."""

import ast

import pytest

from setup_llm_dev.documents.expectations import expectation
from tests.ground import SOURCE

JUDGEMENT = SOURCE / "setup_llm_dev" / "smoke" / "smoke_run" / "judgement.py"
SENTENCES = (
    "no particular build",
    "parameters, gradients and optimizer state on cuda:0, at most one GPU",
    "only the head is new, all other parameters equal the file bit for bit",
    "every loss and gradient finite, no loss 0.0",
    "all 201 parameter tensors changed and had a gradient, 24 updates applied",
    "the model brought a trained head",
    "a loss a step",
    "at most 0.9 of the first",
    "accuracy ≥ 0.95, precision, recall and F1 ≥ 0.9, all above before",
    "accuracy ≥ 0.95, precision, recall and F1 ≥ 0.9, all above before; after a training cut short for time, "
    "accuracy ≥ 0.70 and a fallen loss",
    "parameters bit-equal, logits within 1e-05",
    "training within 42 s, of 60 s in all",
    "some seconds left for training, of 60 s in all",
    "a check that fails",
    "the run ends without an error",
    "an answer",
    "as installed by the lock",
)


@pytest.mark.parametrize("text", SENTENCES)
def test_a_sentence_of_the_smoke_program_is_found_with_its_numbers(text: str) -> None:
    found = expectation(text)
    assert found.template != "{text}"
    assert str(found) == text
    assert not any(character.isdigit() for character in found.template.replace("F1", "").replace("0.0", ""))


def test_what_no_sentence_is_stays_as_it_is() -> None:
    for text in ("cu130", "0.693 ± 0.5", "at most {share} of the first, and {more}"):
        assert str(expectation(text)) == text


def test_no_sentence_of_the_judgement_was_forgotten() -> None:
    """Each of its longer texts that a check may expect stands above, up to its first number."""
    for node in ast.walk(ast.parse(JUDGEMENT.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign | ast.AugAssign) and _is_expected(node):
            for text in _texts(node.value):
                assert any(text.strip() in sentence for sentence in SENTENCES), text


def _is_expected(node: ast.Assign | ast.AugAssign) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(isinstance(target, ast.Name) and target.id in ("expected", "wanted") for target in targets)


def _texts(node: ast.expr) -> list[str]:
    parts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
    return [part for part in parts if isinstance(part, str) and len(part) > 3 and " " in part.strip()]
