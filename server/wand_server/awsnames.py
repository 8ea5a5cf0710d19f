"""Which operations of AWS only read, told by their names. What is not known to read, changes."""

import re

_READS = re.compile(r"(?:describe|get|list|head)(?=_)")
# What gives away the means to act as somebody is no mere reading, whatever its verb.
_GIVES_AWAY = re.compile(
    r"token|credential|password|secret|access_key|api_key|key_pair|login_profile|authorization|url|federation|"
    r"get_parameter|get_id$|session_endpoint|_access$|access_details|job_details|stream_key|user_pool_client$|"
    r"vpn_connections|vpn_connection_device_sample"
)
_ALSO_READ = frozenset({
    "cloudtrail.lookup_events", "dynamodb.batch_get_item", "dynamodb.query", "dynamodb.scan",
    "ec2.describe_key_pairs", "iam.list_access_keys", "logs.filter_log_events",
    "secretsmanager.describe_secret", "secretsmanager.list_secrets", "sqs.get_queue_url",
})  # fmt: skip


_CHANGES = frozenset({"location.describe_key", "ivs-realtime.get_ingest_configuration"})  # they tell a key


def snake(name: str) -> str:
    """A name as `list_buckets`, however it is written: ListBuckets, listBuckets."""
    parted = re.sub(r"([A-Za-z0-9])([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", parted).replace("__", "_").lower()


def only_reads(service: str, operation: str) -> bool:
    """Whether an operation, as ListBuckets or list_buckets, changes nothing and gives no secret away."""
    name = snake(operation)
    if f"{service}.{name}" in _ALSO_READ:
        return True
    if f"{service}.{name}" in _CHANGES:
        return False
    return _READS.match(name) is not None and _GIVES_AWAY.search(name) is None
