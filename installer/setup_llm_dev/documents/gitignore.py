"""The `.gitignore` of a fresh project: what programs make, what is too large for a repository, and secrets."""

from collections.abc import Sequence

PRODUCED = ("models", "checkpoints", "runs", "wandb")
"""Folders of the project that training fills; `data` is not among them, for nobody can make that again."""


def gitignore(produced: Sequence[str] = PRODUCED) -> bytes:
    """produced: the folders to leave out, without those that hold code of the user's.

    Patterns without a slash at their end, since `.venv` is a link and Git takes `name/` for folders only.

    >>> b"/.venv\\n" in gitignore() and b"/data" not in gitignore()
    True
    """
    groups = (
        ("made by Python", ("/.venv", "__pycache__/", "*.py[cod]", ".ipynb_checkpoints/")),
        ("made by setup-llm-dev, for this machine only", ("/.setup-llm-dev", "/report.json")),
        ("made by training; weights are too large for a repository",
         (*(f"/{name}" for name in produced), "*.safetensors", "*.gguf", "*.ckpt", "*.pt", "*.pth")),
        ("secrets", (".env", ".env.*", "!.env.example")),
    )  # fmt: skip
    return "\n".join(line for title, patterns in groups for line in (f"# {title}", *patterns, "")).encode()
