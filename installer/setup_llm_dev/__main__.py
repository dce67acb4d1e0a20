"""`python -m setup_llm_dev`: the same as the command."""

from setup_llm_dev.cli.main import main

if __name__ == "__main__":
    main()
