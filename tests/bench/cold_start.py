"""One cold start, in a process of its own: CPU from the first line to the first client of an AWS service.

Run by `imports.py` with the layers of a deployment on the path and nothing else; so it imports nothing of the tests.
    python cold_start.py DOOR EVENT PATH...     DOOR `-` is the handler that only builds boto3.client("dynamodb")
Prints the seconds of CPU, user and system together.
"""

import time

BEGAN = time.process_time()

import importlib  # noqa: E402
import sys  # noqa: E402


class _Reached(BaseException):
    """The first client is there: what follows is work, not start."""


def main(door: str, event: str, paths: list[str]) -> None:
    """Start, and say what it took."""
    sys.path[:0] = paths
    if door == "-":
        import boto3  # noqa: PLC0415  what is measured is this very import

        boto3.client("dynamodb")
        print(time.process_time() - BEGAN)
        return
    handler = importlib.import_module(door).handler
    # Everything up to here a door pays too; the first client is known by botocore's own making of it.
    import json  # noqa: PLC0415
    import types  # noqa: PLC0415

    from grace import bootstrap  # noqa: PLC0415

    make = bootstrap.LeanSdk.client

    def reached(self: object, service: str, **arguments: object) -> object:
        make(self, service, **arguments)  # type: ignore[arg-type]
        raise _Reached

    bootstrap.LeanSdk.client = reached  # type: ignore[method-assign]
    try:
        handler(json.loads(event), types.SimpleNamespace(function_name=f"grace-{door}"))
    except _Reached:
        print(time.process_time() - BEGAN)
        return
    raise SystemExit(f"{door} ended without a client")


main(sys.argv[1], sys.argv[2], sys.argv[3:])
