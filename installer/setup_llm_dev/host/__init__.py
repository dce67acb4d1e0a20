"""The world, passed in as one value: processes, bytes, disk. Effects start on this floor."""
