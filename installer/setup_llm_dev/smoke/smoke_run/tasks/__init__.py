"""The tasks that can be smoked; a task is a module here and a row in `smoke_run.program.TASKS`."""
