"""What needs somebody, and what to do about it: the one source of what `status` and the pages say first. No I/O."""
