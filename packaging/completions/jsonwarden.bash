# Read at the first Tab; the installed program knows its own command line.
eval "$(jsonwarden completions bash)"
