//! Authors of files who edit them honestly, by chance that can be repeated.

use jsonwarden::document::Dialect;
use serde_json::{Map, Value, json};

/// A file: its name, the dialect that its watch names, and whether half of it may go at once.
#[derive(Clone, Copy)]
pub(super) struct File {
    name: &'static str,
    dialect: Option<Dialect>,
    halves: bool,
}

const fn file(name: &'static str, dialect: Option<Dialect>, halves: bool) -> File {
    File { name, dialect, halves }
}

/// The files of an ordinary machine.
pub(super) const FILES: [File; 10] = [
    file("core.config_entries.json", None, false),
    file("zigbee-state.json", None, true),
    file("flows.json", None, false),
    file("package.json", Some(Dialect::Json), false),
    file("settings.jsonc", Some(Dialect::Jsonc), true),
    file("tsconfig.json", Some(Dialect::Jsonc), false),
    file("renovate.json5", None, true),
    file("trainer_state.json", Some(Dialect::Python), true),
    file("session.jsonl", None, false),
    file("audit.ndjson", None, false),
];

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    Reformat,
    Reorder,
    Change,
    Grow,
    DropOne,
    DropHalf,
    Migrate,
    Append,
    SwitchDialect,
}

/// Somebody who edits a file.
pub(super) struct Author {
    file: File,
    chance: u64,
    version: u64,
    made: u64,
    entries: Vec<Value>,
    /// Blanks a level; `None`: all in one line.
    indent: Option<usize>,
    is_reversed: bool,
    /// Written with what only its own dialect has.
    is_lax: bool,
}

impl Author {
    pub(super) fn new(file: File, seed: u64) -> Self {
        let chance = file.name.bytes().fold(seed + 1, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let mut author = Self {
            file,
            chance,
            version: 1,
            made: 0,
            entries: Vec::new(),
            indent: Some(2),
            is_reversed: false,
            is_lax: file.name.ends_with('5') || file.name.ends_with("jsonc"),
        };
        (0..40).for_each(|_| author.grow());
        author
    }

    pub(super) fn name(&self) -> &'static str {
        self.file.name
    }

    pub(super) fn dialect(&self) -> Option<Dialect> {
        self.file.dialect
    }

    pub(super) fn shrink_limit(&self) -> f64 {
        if self.file.halves { 0.0 } else { 0.5 }
    }

    /// A number below `limit` (xorshift64*, Vigna 2016).
    fn below(&mut self, limit: usize) -> usize {
        self.chance ^= self.chance >> 12;
        self.chance ^= self.chance << 25;
        self.chance ^= self.chance >> 27;
        let mixed = self.chance.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(mixed).unwrap() % limit
    }

    fn is_lines(&self) -> bool {
        self.file.name.ends_with("jsonl") || self.file.name.ends_with("ndjson")
    }

    /// Edits the file once.
    pub(super) fn edit(&mut self) -> Edit {
        let edit = self.wish();
        match edit {
            Edit::Reformat => self.indent = [None, Some(1), Some(2), Some(4)][self.below(4)],
            Edit::Reorder => self.is_reversed = !self.is_reversed,
            Edit::Change => {
                let (which, value) = (self.below(self.entries.len()), self.below(1_000_000));
                self.entries[which]["value"] = json!(value);
            }
            Edit::Grow | Edit::Append => (0..=self.below(3)).for_each(|_| self.grow()),
            Edit::DropOne => {
                let which = self.below(self.entries.len());
                self.entries.remove(which);
            }
            Edit::DropHalf => {
                let half = self.entries.len() / 2;
                self.entries.drain(..half);
            }
            Edit::Migrate => self.migrate(),
            Edit::SwitchDialect => self.is_lax = !self.is_lax,
        }
        edit
    }

    fn wish(&mut self) -> Edit {
        if self.is_lines() {
            return Edit::Append;
        }
        let few = self.entries.len() < 24;
        match self.below(100) {
            _ if few => Edit::Grow,
            0..25 => Edit::Change,
            25..40 => Edit::Reformat,
            40..50 => Edit::Reorder,
            50..65 if self.entries.len() < 60 => Edit::Grow,
            80..98 if self.file.dialect.is_some() || self.file.name.ends_with('5') => Edit::SwitchDialect,
            98 if self.file.halves => Edit::DropHalf,
            99 => Edit::Migrate,
            _ => Edit::DropOne,
        }
    }

    fn grow(&mut self) {
        self.made += 1;
        let (id, value) = (self.made, self.below(1_000_000));
        self.entries.push(json!({
            "id": format!("entry-{id:06}"), "name": format!("Größe {id}"), "value": value, "enabled": id % 2 == 0,
            "tags": ["a", "b"], "parent": null,
        }));
    }

    /// Another shape for all: what was an object becomes less, and the version says so.
    fn migrate(&mut self) {
        self.version += 1;
        for entry in &mut self.entries {
            let keep: &[&str] =
                if self.version.is_multiple_of(2) { &["id", "value"] } else { &["id", "value", "since"] };
            let fields = entry.as_object().unwrap().iter().filter(|(key, _)| keep.contains(&key.as_str()));
            let mut fields: Map<String, Value> = fields.map(|(key, value)| (key.clone(), value.clone())).collect();
            fields.insert("since".to_owned(), self.version.into());
            *entry = Value::Object(fields);
        }
    }

    /// The file as it stands now.
    pub(super) fn text(&self) -> Vec<u8> {
        if self.is_lines() {
            let lines: Vec<String> = self.entries.iter().map(Value::to_string).collect();
            return (lines.join("\n") + "\n").into_bytes();
        }
        let mut top = vec![("version", json!(self.version)), ("entries", Value::Array(self.entries.clone()))];
        top.push(("name", json!(self.file.name)));
        if self.is_reversed {
            top.reverse();
        }
        let top: Map<String, Value> = top.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let text = match self.indent {
            None => Value::Object(top).to_string(),
            Some(blanks) => indented(&Value::Object(top), blanks),
        };
        self.in_dialect(text).into_bytes()
    }

    fn in_dialect(&self, text: String) -> String {
        match self.file.dialect {
            _ if !self.is_lax => text,
            Some(Dialect::Jsonc) => format!("// by hand\n{}", text.replacen("\"name\":", "/* who */ \"name\":", 1)),
            Some(Dialect::Python) => text.replacen("\"version\":", "\"best\": NaN, \"version\":", 1),
            None if self.file.name.ends_with('5') => text.replace("\"id\":", "id:").replace("\"a\"", "'a'"),
            _ => text,
        }
    }
}

fn indented(value: &Value, blanks: usize) -> String {
    use serde::Serialize;
    let indent = " ".repeat(blanks);
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter)).unwrap();
    String::from_utf8(bytes).unwrap() + "\n"
}
