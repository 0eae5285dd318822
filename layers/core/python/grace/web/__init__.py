"""What is reached over HTTPS. Parses requests, speaks statuses; decides nothing. May import model, errors, ports, flow."""
