"""Who is connected, what they allowed, how it ended, and erasing what is known of them."""
