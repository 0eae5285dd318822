"""Grace: verified remediation for AWS. Nothing is called a success that was not measured."""
