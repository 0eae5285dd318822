"""What Grace may do, said as policy: the constitution, the built-in policies, the questions and how answers are used."""
