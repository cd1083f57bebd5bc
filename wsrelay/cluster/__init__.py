"""The post room: how nodes reach each other."""
