"""Many policies from one page: a YAML file says what is varied, a table and a picture say what came of it."""
