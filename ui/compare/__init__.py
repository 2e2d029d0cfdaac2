"""The Compare page, a module for each thing it draws."""
