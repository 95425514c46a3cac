"""What takes minutes: `make scenarios`. Each is something that happens to a team."""
