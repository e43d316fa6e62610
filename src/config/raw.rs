//! A file as written: its keys known, its values understood, each with its place. Everything wrong is found, not only the
//! first; so the tables are walked with the list of keys rather than deserialised, which would end at the first error.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{GLOBAL, Key, RULES, WATCH, is_not_yet, is_word_not_yet};
use super::problem::{Origin, Problem, Source, Sourced};
use super::schemas::Schemas;
use super::surroundings::Surroundings;
use super::target::Context;
use super::value::{Value, nearest};

/// The most mistakes of one file that are told at once.
const MAX_PROBLEMS: usize = 100;

/// A file as written.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) globals: Entries,
    pub(super) defaults: Entries,
    pub(super) watches: Vec<WrittenWatch>,
}

/// A `[[watch]]` as written.
#[derive(Debug)]
pub(super) struct WrittenWatch {
    pub(super) origin: Origin,
    pub(super) entries: Entries,
    /// The schemas that it names, once they are read.
    pub(super) schemas: Option<Schemas>,
}

/// Values by key.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries(BTreeMap<&'static str, Sourced<Value>>);

/// A typed look at one key; `None` when it is not written. That each key has its type is what the tests of `settings` show.
macro_rules! getters {
    ($($name:ident: $variant:ident -> $type:ty;)+) => {
        $(pub(super) fn $name(&self, key: &str) -> Option<$type> {
            match self.value(key)? {
                Value::$variant(value) => Some(value.clone()),
                _ => None,
            }
        })+
    };
}

impl Entries {
    getters! {
        span: Span -> Duration;
        size: Size -> u64;
        rate: Rate -> u64;
        share: Share -> super::Share;
        ratio: Ratio -> f64;
        count: Count -> u32;
        flag: Flag -> bool;
        word: Word -> &'static str;
        text: Text -> String;
        texts: Texts -> Vec<String>;
        address: Address -> Option<std::net::SocketAddr>;
        path: Path -> PathBuf;
        targets: Targets -> Vec<super::Target>;
    }

    pub(super) fn value(&self, key: &str) -> Option<&Value> {
        self.get(key).map(|sourced| &sourced.value)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Sourced<Value>> {
        self.0.get(key)
    }

    pub(super) fn set(&mut self, key: &'static str, value: Value, origin: Origin) {
        self.0.insert(key, Sourced { value, origin });
    }

    /// These values, and the other's where these say nothing.
    pub(super) fn or(mut self, fallback: &Self) -> Self {
        for (key, sourced) in &fallback.0 {
            self.0.entry(key).or_insert_with(|| sourced.clone());
        }
        self
    }
}

/// Reads a file. A fragment may only add watches.
///
/// # Errors
/// Everything that is wrong with it, in the order it stands.
pub(super) fn read(source: &Source, is_fragment: bool, surroundings: &Surroundings) -> Result<Written, Vec<Problem>> {
    let mut reader = Reader { source, surroundings, problems: Vec::new() };
    let (mut document, errors) = DeTable::parse_recoverable(&source.text);
    for error in errors {
        reader.complain(&error.span().unwrap_or_default(), format!("{}; mend the TOML", error.message()));
    }
    let mut written = Written::default();
    // A text that is no TOML is not looked at further: whatever else were found may only follow from that.
    if reader.problems.is_empty() {
        reader.expand_table(document.get_mut());
        written = reader.file(document.get_ref(), is_fragment);
    }
    reader.problems.sort_by_key(|problem| match &problem.origin {
        Origin::File { place, .. } => place.offset,
        _ => 0,
    });
    if reader.problems.is_empty() { Ok(written) } else { Err(reader.problems) }
}

struct Reader<'a> {
    source: &'a Source,
    surroundings: &'a Surroundings,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn complain(&mut self, span: &Range<usize>, what: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(self.source.problem(span, what));
        }
    }

    fn expand_table(&mut self, table: &mut DeTable<'_>) {
        for (_, value) in table.iter_mut() {
            self.expand(value);
        }
    }

    fn expand(&mut self, value: &mut Spanned<DeValue<'_>>) {
        let span = value.span();
        match value.get_mut() {
            DeValue::String(text) if text.contains('$') => match self.surroundings.expand(text) {
                Ok(expanded) => *text = expanded.into(),
                Err(what) => self.complain(&span, what),
            },
            DeValue::Array(list) => list.iter_mut().for_each(|item| self.expand(item)),
            DeValue::Table(table) => self.expand_table(table),
            _ => {}
        }
    }

    fn file(&mut self, document: &DeTable<'_>, is_fragment: bool) -> Written {
        let mut written = Written::default();
        for (key, value) in document {
            let name: &str = key.get_ref();
            match name {
                "watch" => written.watches = self.watches(value),
                "alert" => self.complain(&key.span(), not_yet(name)),
                _ if is_fragment => {
                    let what = format!("a fragment may only add [[watch]]; put `{name}` into the main file");
                    self.complain(&key.span(), what);
                }
                "defaults" => self.section(value, "defaults", "", &[RULES], &mut written.defaults),
                _ => self.entry(key.span(), name, value, &[GLOBAL], &mut written.globals),
            }
        }
        written
    }

    fn watches(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<WrittenWatch> {
        let Some(list) = value.get_ref().as_array() else {
            self.complain(&value.span(), "a watch is one of many; write [[watch]] with two brackets");
            return Vec::new();
        };
        let mut watches = Vec::with_capacity(list.len());
        for item in list {
            let mut entries = Entries::default();
            self.section(item, "watch", "", &[WATCH, RULES], &mut entries);
            watches.push(WrittenWatch { origin: self.source.origin(&item.span()), entries, schemas: None });
        }
        watches
    }

    fn section(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        name: &str,
        prefix: &str,
        known: &[&'static [Key]],
        into: &mut Entries,
    ) {
        let Some(table) = value.get_ref().as_table() else {
            self.complain(&value.span(), format!("`{name}` is a table; write [{name}] and its keys below"));
            return;
        };
        for (key, value) in table {
            self.entry(key.span(), &format!("{prefix}{}", key.get_ref()), value, known, into);
        }
    }

    fn entry(
        &mut self,
        span: Range<usize>,
        name: &str,
        value: &Spanned<DeValue<'_>>,
        known: &[&'static [Key]],
        into: &mut Entries,
    ) {
        let mut keys = known.iter().copied().flatten();
        if let Some(key) = keys.clone().find(|key| key.name == name) {
            self.take(&span, key, value, into);
        } else if keys.any(|key| key.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))) {
            self.section(value, name, &format!("{name}."), known, into);
        } else {
            self.complain(&span, unknown(name, known));
        }
    }

    fn take(&mut self, span: &Range<usize>, key: &'static Key, value: &Spanned<DeValue<'_>>, into: &mut Entries) {
        let context = Context { folder: self.source.folder(), surroundings: self.surroundings };
        match key.form.read(value, &context) {
            Err(faults) => faults.into_iter().for_each(|(span, what)| self.complain(&span, what)),
            Ok(_) if is_not_yet(key.name) => self.complain(span, not_yet(key.name)),
            Ok(Value::Word(word)) if is_word_not_yet(key.name, word) => {
                self.complain(&value.span(), not_yet(&format!("{} = {word:?}", key.name)));
            }
            Ok(read) => into.set(key.name, read, self.source.origin(span)),
        }
    }
}

fn not_yet(name: &str) -> String {
    format!("`{name}` is not yet available; leave it out")
}

/// What to say of a key that nobody knows: the one that was meant, or where it belongs.
fn unknown(name: &str, known: &[&'static [Key]]) -> String {
    let (prefix, last) = name.rsplit_once('.').map_or(("", name), |(_, last)| (&name[..name.len() - last.len()], last));
    let siblings = known.iter().copied().flatten().filter_map(|key| key.name.strip_prefix(prefix)?.split('.').next());
    let tables =
        ["watch", "defaults"].into_iter().filter(|_| known.first().is_some_and(|keys| keys[0].name == GLOBAL[0].name));
    if let Some(near) = nearest(last, siblings.chain(tables)) {
        return format!("unknown key `{name}`; did you mean `{prefix}{near}`?");
    }
    let lists = [(GLOBAL, ""), (RULES, " in [defaults] or a [[watch]]"), (WATCH, " in a [[watch]]")];
    let elsewhere = lists.iter().find_map(|(keys, place)| {
        keys.iter().find(|key| key.name.rsplit('.').next() == Some(last)).map(|key| format!("`{}`{place}", key.name))
    });
    match elsewhere {
        Some(place) => format!("unknown key `{name}` here; it is {place}"),
        None => format!("unknown key `{name}`; `jsonwarden config example` shows every key"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    fn read_text(text: &str) -> Result<Written, Vec<Problem>> {
        read(&Source::new(Path::new("/a.toml"), text), false, &Surroundings::default())
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in "(?s).{0,200}") {
            let _ = read_text(&text);
        }

        #[test]
        fn no_value_of_a_known_key_makes_reading_panic(key in 0..GLOBAL.len(), value in "\"?[-0-9a-z~$%/*.{}\\[\\]]{0,12}\"?") {
            let _ = read_text(&format!("{} = {value}", GLOBAL[key].name));
        }
    }

    #[test]
    fn a_text_of_nothing_but_brackets_is_refused() {
        for text in ["a = ".to_owned() + &"[".repeat(100_000), "a.".repeat(100_000) + "b = 1", "[a]\n".repeat(100_000)]
        {
            assert!(read_text(&text).is_err_and(|problems| problems.len() <= MAX_PROBLEMS));
        }
    }
}
