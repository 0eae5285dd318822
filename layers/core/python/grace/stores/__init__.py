"""State, log and objects: the port `Store` and `Vault` over DynamoDB, S3, and memory."""
