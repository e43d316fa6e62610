# Types `jsonwarden hist` and Tab into an interactive zsh with the completions of folder $1, and waits for the word to be whole.
zmodload zsh/zpty
zpty shell 'TERM=dumb zsh -f -i'
zpty -w shell "fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D; bindkey '^I' complete-word; print rea''dy"
zpty -r -m shell out '*ready*'
zpty -w -n shell $'jsonwarden hist\t'
zpty -r -m shell out '*jsonwarden history*'
zpty -d shell
print history
