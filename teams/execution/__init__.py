"""An execution of a team: the program, its state, results, log and monitor."""
