"""Playbooks as data: the YAML files, their loader and lint for synth, and the index that finds them for a diagnosis.

At run time only `index` is imported; YAML is read nowhere but at synth.
"""
