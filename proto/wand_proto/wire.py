"""How whoever calls a host agent uses the wire: how long a message may be, when a link is taken for lost."""

HOSTAGENT_NAME = "hostagent.wand.internal"  # the DNS name in every host agent's certificate
MESSAGE_BYTES = 4 * 1024 * 1024 + 64 * 1024
METADATA_BYTES = 64 * 1024
CHANNEL: tuple[tuple[str, int | str], ...] = (
    ("grpc.ssl_target_name_override", HOSTAGENT_NAME),
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.max_metadata_size", METADATA_BYTES),
    ("grpc.keepalive_time_ms", 15_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),  # a minute otherwise, and it is this one that counts
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 2_000),  # also how long one attempt to connect may take
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.use_local_subchannel_pool", 1),  # a new channel must not get the old one's connection
)
