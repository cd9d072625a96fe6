"""The lab: real systems, none of them written here, that Gatehouse is tested against. One module for each of them, with
the same three words: `PACKAGES` (of Debian), `start(lab)` and `stop(lab)`; `parts` knows in what order."""
