"""The rules of the house, read from its files: nothing here imports the product.

`tree.py` reads a checkout, `rules/` holds one small function per rule, `test_house.py` applies every rule to this
checkout, and `test_mutants.py` proves on small invented trees that each rule catches what it is for.
"""
