"""The verbs, one file per door. May import model, errors, ports and the registries; never boto3, os or a clock."""
