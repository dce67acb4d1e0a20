"""What can be wrong with a machine, one module a group of findings; `registry` lists them."""
