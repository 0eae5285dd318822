"""The state machine's paths: the real definition with scripts for functions, and the runner the other tests trust."""
