"""What the uploads of this machine were: SQLite, kept lists, one lock per tracker."""
