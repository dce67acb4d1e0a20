"""The figures that we promise, side by side with what a user would do by hand: `make bench`."""
