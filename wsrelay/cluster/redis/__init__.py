"""The post room by way of Redis: the only package that knows txredisapi and hiredis."""
