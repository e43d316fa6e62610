//! JSON Schemas, as bytes: what judgement makes of them it keeps beside them, once for all the documents of a watch.

use std::any::Any;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::files;
use super::problem::{Origin, Problem};
use super::raw::{Entries, WrittenWatch};
use super::value::Value;
use crate::disk::Disk;
use crate::error::Escaped;

/// Says what is wrong with a schema, in words; `validate::schema_fault` knows.
pub type SchemaCheck = fn(&Schema) -> Result<(), String>;

/// A file with a JSON Schema.
pub struct Schema {
    path: PathBuf,
    bytes: Vec<u8>,
    made: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl Schema {
    /// The schema that these bytes of a file are.
    #[must_use]
    pub fn new(path: &Path, bytes: Vec<u8>) -> Self {
        Self { path: path.to_owned(), bytes, made: OnceLock::new() }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its own name, for messages.
    #[must_use]
    pub fn name(&self) -> Escaped<'_> {
        Escaped(self.path.file_name().unwrap_or(self.path.as_os_str()))
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What was made of its bytes; made now, if nobody has yet. `None`: something else was.
    pub fn made<T: Any + Send + Sync>(&self, make: impl FnOnce(&[u8]) -> T) -> Option<&T> {
        self.made.get_or_init(|| Box::new(make(&self.bytes))).downcast_ref()
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path && self.bytes == other.bytes
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", Escaped(self.path.as_os_str()))
    }
}

/// The schemas of a watch.
#[derive(Clone, Debug, PartialEq)]
pub enum Schemas {
    /// One for every document.
    One(Arc<Schema>),
    /// One for each version that documents say they have.
    By {
        /// The JSON Pointer of the version in a document.
        pointer: String,
        /// The versions, the oldest first.
        versions: Vec<(String, Arc<Schema>)>,
    },
}

/// The files that a watch names, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SchemaFiles {
    pub(super) by: Option<String>,
    pub(super) versions: Vec<(String, PathBuf)>,
}

/// Reads the schemas that watches name; each file once.
pub(super) struct SchemaReader<'a> {
    disk: &'a Disk,
    check: SchemaCheck,
    read: Vec<(PathBuf, Result<Arc<Schema>, String>)>,
}

impl<'a> SchemaReader<'a> {
    pub(super) fn new(disk: &'a Disk, check: SchemaCheck) -> Self {
        Self { disk, check, read: Vec::new() }
    }

    /// Reads what these watches name.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn fill(&mut self, watches: &mut [WrittenWatch]) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        for watch in watches {
            match self.schemas(&watch.entries) {
                Ok(Some(schemas)) => watch.schemas = Some(schemas),
                Ok(None) => {}
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn schemas(&mut self, entries: &Entries) -> Result<Option<Schemas>, Vec<Problem>> {
        let (one, by) = (entries.get("schema"), entries.get("schemas"));
        let Some(written) = one.or(by) else { return Ok(None) };
        let problem = |what: String| Problem { origin: written.origin.clone(), what };
        match (&written.value, by) {
            (Value::Path(_), Some(_)) => {
                Err(vec![problem("this watch has `schema` and `schemas`; write one of them".into())])
            }
            (Value::Path(path), None) => {
                let schema = self.schema(path).map_err(|what| vec![problem(what)])?;
                Ok(Some(Schemas::One(schema)))
            }
            (Value::Schemas(files), _) => self.by_version(files, &written.origin).map(Some),
            _ => Ok(None),
        }
    }

    fn by_version(&mut self, files: &SchemaFiles, origin: &Origin) -> Result<Schemas, Vec<Problem>> {
        let (mut versions, mut problems) = (Vec::new(), Vec::new());
        for (version, path) in &files.versions {
            match self.schema(path) {
                Ok(schema) => versions.push((version.clone(), schema)),
                Err(what) => problems.push(Problem { origin: origin.clone(), what }),
            }
        }
        versions.sort_by(|(one, _), (other, _)| by_age(one, other));
        let pointer = files.by.clone().unwrap_or_default();
        if problems.is_empty() { Ok(Schemas::By { pointer, versions }) } else { Err(problems) }
    }

    fn schema(&mut self, path: &Path) -> Result<Arc<Schema>, String> {
        if let Some((_, read)) = self.read.iter().find(|(known, _)| known == path) {
            return read.clone();
        }
        let read = read_schema(self.disk, path, self.check);
        self.read.push((path.to_owned(), read.clone()));
        read
    }
}

/// Reads a schema from its file.
///
/// # Errors
/// It is not there, cannot be read, or is no schema; in words.
pub fn read_schema(disk: &Disk, path: &Path, check: SchemaCheck) -> Result<Arc<Schema>, String> {
    let named = Escaped(path.as_os_str());
    let bytes = match files::read_bytes(disk, path) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Err(format!("there is no schema file {named}; name one that is there")),
        Err(error) => return Err(format!("the schema cannot be read: {error}")),
    };
    let schema = Schema::new(path, bytes);
    check(&schema).map_err(|why| format!("the schema {named} {why}"))?;
    Ok(Arc::new(schema))
}

/// Versions in the order they came in: numbers by what they are worth, part by part (`1.10` is after `1.9`).
fn by_age(one: &str, other: &str) -> std::cmp::Ordering {
    let parts = |text: &str| -> Vec<(u64, String)> {
        let parts = text.split(|one: char| !one.is_alphanumeric());
        parts.map(|part| (part.trim_start_matches('v').parse().unwrap_or(u64::MAX), part.to_owned())).collect()
    };
    parts(one).cmp(&parts(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_they_were_made() {
        let mut versions = ["10", "2", "1.10", "1.9", "v3", "1"];
        versions.sort_by(|one, other| by_age(one, other));
        assert_eq!(versions, ["1", "1.9", "1.10", "2", "v3", "10"]);
    }
}
