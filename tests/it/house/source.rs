//! A source file as tokens, so that comments and strings cannot be mistaken for code.

use proc_macro2::{TokenStream, TokenTree};

/// A source file.
pub(super) struct Source {
    /// Its path below `src`.
    pub(super) name: String,
    /// The top module that it belongs to.
    pub(super) module: String,
    /// How deep below that module: 0 for `disk.rs`, 1 for `disk/lease.rs`.
    pub(super) depth: usize,
    /// The text as written.
    pub(super) text: String,
    /// The words of the code outside `#[cfg(test)]` modules, in order, with groups opened up.
    pub(super) words: Vec<Word>,
}

/// An identifier, a mark or a bracket, with its line.
pub(super) struct Word {
    pub(super) text: String,
    pub(super) line: usize,
}

impl Source {
    pub(super) fn parse(name: &str, text: &str) -> Self {
        let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut words = Vec::new();
        flatten(tokens, &mut words);
        let (module, depth) = match name.split_once('/') {
            Some((module, rest)) => (module, 1 + rest.matches('/').count()),
            None => (name.trim_end_matches(".rs"), 0),
        };
        Self { name: name.to_owned(), module: module.to_owned(), depth, text: text.to_owned(), words }
    }

    /// Where the words of `pattern`, separated by blanks, stand one after another.
    pub(super) fn lines_with(&self, pattern: &str) -> Vec<usize> {
        let pattern: Vec<&str> = pattern.split(' ').collect();
        self.words
            .windows(pattern.len())
            .filter(|window| window.iter().zip(&pattern).all(|(word, wanted)| word.text == *wanted))
            .map(|window| window[0].line)
            .collect()
    }

    /// Every path in the code that starts with `root`, with the names of a `{…}` group told one by one:
    /// `use std::{io, fs::File}` is `std::io` and `std::fs::File`.
    pub(super) fn paths_from(&self, root: &str) -> Vec<(Vec<String>, usize)> {
        let mut paths = Vec::new();
        for (index, word) in self.words.iter().enumerate() {
            let continues_a_path = index >= 1 && self.words[index - 1].text == "::";
            if word.text == root && !continues_a_path {
                self.follow(index, &mut vec![], &mut paths);
            }
        }
        paths
    }

    /// Follows a path from the name at `index`; returns the index after it.
    fn follow(&self, index: usize, above: &mut Vec<String>, paths: &mut Vec<(Vec<String>, usize)>) -> usize {
        let text = |index: usize| self.words.get(index).map_or("", |word| word.text.as_str());
        let depth = above.len();
        let mut at = index;
        loop {
            if text(at) == "{" {
                at += 1;
                while !matches!(text(at), "}" | "") {
                    at = self.follow(at, above, paths);
                    at += usize::from(text(at) == ",");
                }
                at += 1;
                break;
            }
            above.push(text(at).to_owned());
            if text(at + 1) != "::" {
                paths.push((above.clone(), self.words[index].line));
                at += 1;
                if text(at) == "as" {
                    at += 2;
                }
                break;
            }
            at += 2;
        }
        above.truncate(depth);
        at
    }
}

/// Opens up groups, drops documentation, string contents and `#[cfg(test)]` modules, joins `::`.
fn flatten(tokens: TokenStream, words: &mut Vec<Word>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let line = token.span().start().line;
        let mut push = |text: &str| words.push(Word { text: text.to_owned(), line });
        match token {
            TokenTree::Ident(name) => push(&name.to_string()),
            TokenTree::Literal(_) => push("\"\""),
            TokenTree::Punct(mark) => {
                let doubled = mark.as_char() == ':'
                    && matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == ':');
                if doubled {
                    tokens.next();
                    push("::");
                } else if mark.as_char() == '#' && is_for_tests(tokens.peek()) {
                    skip_module(&mut tokens);
                } else {
                    push(&mark.as_char().to_string());
                }
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    proc_macro2::Delimiter::Parenthesis => ("(", ")"),
                    proc_macro2::Delimiter::Brace => ("{", "}"),
                    proc_macro2::Delimiter::Bracket => ("[", "]"),
                    proc_macro2::Delimiter::None => ("", ""),
                };
                push(open);
                flatten(group.stream(), words);
                words.push(Word { text: close.to_owned(), line: group.span_close().start().line });
            }
        }
    }
}

fn is_for_tests(attribute: Option<&TokenTree>) -> bool {
    attribute.is_some_and(|attribute| attribute.to_string().replace(' ', "") == "[cfg(test)]")
}

/// Skips an attribute and the item that it stands on: up to its `{…}`, or its `;`.
fn skip_module(tokens: &mut std::iter::Peekable<proc_macro2::token_stream::IntoIter>) {
    tokens.next();
    for token in tokens.by_ref() {
        match token {
            TokenTree::Group(group) if group.delimiter() == proc_macro2::Delimiter::Brace => break,
            TokenTree::Punct(mark) if mark.as_char() == ';' => break,
            _ => {}
        }
    }
}
