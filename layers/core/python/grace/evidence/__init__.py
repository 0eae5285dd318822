"""The evidence room: series, guards, settle time, windows and the verdict. Pure functions over values.

Promises: everything is deterministic, time is an argument, a gap is never turned into a value unless the playbook
states a fill rule, and nothing is called a success that was not measured. May import the standard
library and the model.
"""
