"""Everything outbound that is not storage. The only rooms that know botocore are this one and `stores`."""
