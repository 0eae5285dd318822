"""Policy: the constitution, the files, the questions and what is made of answers."""
