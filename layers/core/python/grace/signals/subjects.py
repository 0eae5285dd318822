"""What a metric says about its subject: which service it belongs to, what kind of trouble it shows, which resources.

These three make the group of a signal, so they are coarse on purpose: every alarm on one function's errors is one
story. An alarm against the harmful direction (CPU too low, which scaling policies watch) is no trouble of its class.
"""

from __future__ import annotations

import re

from grace.model.resource import is_arn
from grace.model.signal import MetricRef, Severity

CLASSES: dict[str, tuple[str, ...]] = {
    "errors": (
        "Errors", "Error", "ErrorCount", "ErrorRate", "5XXError", "5xx", "5xxRate", "Http5xx", "Http5xxRate",
        "5xxErrorRate", "HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count", "ExecutionsFailed", "SystemErrors",
        "FailedInvocations", "Faults", "Failures", "FailedRequests",
    ),
    "latency": (
        "Duration", "DurationMs", "Latency", "LatencyMs", "IntegrationLatency", "TargetResponseTime", "ResponseTime",
        "ResponseTimeMs", "ExecutionTime", "SuccessfulRequestLatency", "ReadLatency", "WriteLatency", "OriginLatency",
    ),
    "availability": (
        "StatusCheckFailed", "StatusCheckFailed_Instance", "StatusCheckFailed_System", "StatusCheckFailed_AttachedEBS",
        "UnHealthyHostCount", "HealthCheckFailed",
    ),
    "exhaustion": (
        "Throttles", "ThrottledRequests", "ReadThrottleEvents", "WriteThrottleEvents", "ThrottleCount",
        "ConcurrentExecutionsUsage", "ClaimedAccountConcurrency", "MemoryUtilization", "mem_used_percent",
        "disk_used_percent", "SpilloverCount", "RejectedConnectionCount",
    ),
    "saturation": ("CPUUtilization", "CPUReservation", "cpu_usage_active", "NetworkUtilization", "DBLoad"),
    "backlog": (
        "ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage", "IteratorAge",
        "GetRecords.IteratorAgeMilliseconds", "ReplicaLag", "AuroraReplicaLag", "SurgeQueueLength", "BacklogPerInstance",
    ),
}  # fmt: skip
"""Class of trouble by metric, where high is bad. Names are compared without case, blanks, `_`, `-` and `.`."""

CLASSES_WHEN_LOW: dict[str, tuple[str, ...]] = {
    "availability": (
        "HealthyHostCount", "HealthCheckStatus", "RunningTaskCount", "GroupInServiceInstances", "SuccessPercent",
        "Availability", "Heartbeat",
    ),
    "exhaustion": (
        "FreeStorageSpace", "FreeableMemory", "FreeLocalStorage", "BurstBalance", "CPUCreditBalance",
        "EBSIOBalance%", "EBSByteBalance%",
    ),
}  # fmt: skip
"""Class of trouble by metric, where low is bad."""

SERVICES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("ClusterName", "ServiceName"), "ecs"),
    (("FunctionName",), "lambda"),
    (("AutoScalingGroupName",), "autoscaling"),
    (("InstanceId",), "ec2"),
    (("DBClusterIdentifier",), "rds"),
    (("DBInstanceIdentifier",), "rds"),
    (("TableName",), "dynamodb"),
    (("QueueName",), "sqs"),
    (("LoadBalancer",), "elasticloadbalancing"),
    (("ApiName",), "apigateway"),
    (("ApiId",), "apigateway"),
    (("CacheClusterId",), "elasticache"),
    (("StreamName",), "kinesis"),
    (("ServiceName",), "service"),
    (("Service",), "service"),
)
"""The dimensions that name a service, most telling first, and the word their values are put behind."""

_NOISE = re.compile(r"[\s_.-]")
_SEVERITY = {"availability": Severity.CRITICAL, "errors": Severity.HIGH, "exhaustion": Severity.HIGH}


def _plain(name: str) -> str:
    return _NOISE.sub("", name).lower()


_HIGH = {_plain(name): word for word, names in CLASSES.items() for name in names}
_LOW = {_plain(name): word for word, names in CLASSES_WHEN_LOW.items() for name in names}


def alarm_class(metric: str, comparison: str | None) -> str:
    """Return the class of trouble of an alarm on `metric`, or the metric's own name when it is in no class."""
    low = comparison is not None and comparison.startswith("LessThan")
    high = comparison is not None and comparison.startswith("GreaterThan")
    name = _plain(metric)
    word = None if low else _HIGH.get(name)
    return word or (None if high else _LOW.get(name)) or metric


def severity(trouble: str) -> Severity:
    """Return how bad an alarm of that class is; CloudWatch itself has no word for it."""
    return _SEVERITY.get(trouble, Severity.MEDIUM)


def service(metric: MetricRef) -> str:
    """Return what the metric measures, for example `lambda/shop`; its namespace when no known dimension says so."""
    for names, word in SERVICES:
        if all(metric.dimensions.get(name) for name in names):
            return "/".join((word, *(metric.dimensions[name] for name in names)))[:256]
    return metric.namespace


def resources(metric: MetricRef, partition: str, region: str, account: str) -> tuple[str, ...]:
    """Return the ARNs that follow from the dimensions alone; the rest (an Auto Scaling group's) need a look-up."""
    has = metric.dimensions
    found = []
    if function := has.get("FunctionName"):
        found.append(f"lambda:{region}:{account}:function:{_qualified(function, has.get('Resource', ''))}")
    if has.get("ClusterName") and has.get("ServiceName"):
        found.append(f"ecs:{region}:{account}:service/{has['ClusterName']}/{has['ServiceName']}")
    if instance := has.get("InstanceId"):
        found.append(f"ec2:{region}:{account}:instance/{instance}")
    if database := has.get("DBInstanceIdentifier"):
        found.append(f"rds:{region}:{account}:db:{database}")
    if table := has.get("TableName"):
        found.append(f"dynamodb:{region}:{account}:table/{table}")
    if queue := has.get("QueueName"):
        found.append(f"sqs:{region}:{account}:{queue}")
    return tuple(arn for tail in found if is_arn(arn := f"arn:{partition}:{tail}"))


def _qualified(function: str, resource: str) -> str:
    """Return the function, with its alias when the `Resource` dimension names one (`shop:live`)."""
    return resource if resource.startswith(f"{function}:") else function
