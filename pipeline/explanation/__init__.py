"""Why one user is on the list or is not: a selection that is looked on at."""
