"""One screen of the app in one module and one `.kv` beside it, created on the first visit."""
