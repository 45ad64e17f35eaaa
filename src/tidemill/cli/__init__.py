"""The door in the terminal: parses, calls the project, prints."""
