"""The prompt lab on the screen: what is edited, tried and kept there, a module a thing."""
