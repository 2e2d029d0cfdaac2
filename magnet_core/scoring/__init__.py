"""Scores of a session: rules at once, instruments by a judge or by observable signs, and diversity. Each says what it is."""
