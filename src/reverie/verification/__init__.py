"""Closed forms that run where the user is: of the package's mathematics, of the machine, of a model of one's own."""
