"""Who may see and keep what: people who asked to be erased, and how they are told without being named."""
