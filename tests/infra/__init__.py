"""The infrastructure, tested on the templates it becomes."""
