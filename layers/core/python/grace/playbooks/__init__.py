"""Playbooks as data: the YAML files, their loader and the index that finds them for a diagnosis."""
