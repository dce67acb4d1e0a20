"""The transfer engine: from several sources to one proved file, across the death of the process."""
