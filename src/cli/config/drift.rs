//! What the schemas of today would have against the versions that are stored as good: found before a migration, not by it.

use crate::backup::{Backups, Folder};
use crate::cli::store::state_directory;
use crate::cli::{Session, shown};
use crate::config::{Schema, Schemas, Settings, Watch};
use crate::document::Stored;
use crate::error::{Cause, Result};
use crate::validate::{self, Content};

/// Every document whose stored good versions a schema rejects, a line each.
///
/// # Errors
/// The state directory, or a version in it, cannot be read. That there is none is no error.
pub(super) fn drift(settings: &Settings, session: &Session<'_>) -> Result<Vec<String>> {
    if settings.watches.iter().all(|watch| watch.rules.expectations.schemas.is_none()) {
        return Ok(Vec::new());
    }
    let state = match state_directory(&session.disk, &settings.state_dir) {
        Err(error) if matches!(error.cause(), Cause::Absent(_)) => return Ok(Vec::new()),
        state => state?,
    };
    let (mut lines, mut failed) = (Vec::new(), None);
    Backups::new(session.disk.clone(), state).each(|_, folder| {
        if let Some((watch, _)) = settings.watch_of(folder.document().path())
            && let Some(schemas) = &watch.rules.expectations.schemas
        {
            failed = of_document(watch, schemas, &folder, &mut lines).err();
        }
        failed.is_none()
    })?;
    failed.map_or(Ok(lines), Err)
}

/// Of each schema that rejects one, the newest version that it rejects.
fn of_document(watch: &Watch, schemas: &Schemas, folder: &Folder, lines: &mut Vec<String>) -> Result<()> {
    let mut told: Vec<String> = Vec::new();
    for stored in folder.versions()?.into_iter().filter(|stored| stored.mark.is_last_good()) {
        let bytes = match folder.bytes(stored.version) {
            // Rotten, or pruned since: `verify` tells of those.
            Err(error) if matches!(error.cause(), Cause::Damaged(_) | Cause::Absent(_)) => continue,
            bytes => bytes?,
        };
        let content = Content { bytes: &bytes, dialect: stored.dialect };
        for Rejection { schema, why, than } in rejections(content, schemas) {
            if !told.contains(&schema) {
                lines.push(line(watch, folder, &stored, &schema, &than, &why));
                told.push(schema);
            }
        }
    }
    Ok(())
}

fn line(watch: &Watch, folder: &Folder, stored: &Stored, schema: &str, than: &str, why: &str) -> String {
    let (name, path, version) = (watch.name.as_str().escape_debug(), shown(folder.document().path()), stored.version);
    format!("watch \"{name}\": {schema} rejects version {version} of {path}, {than}: {why}")
}

struct Rejection {
    schema: String,
    why: String,
    /// Who accepts it.
    than: String,
}

fn rejections(content: Content, schemas: &Schemas) -> Vec<Rejection> {
    let stored = |why: String, schema: String| Rejection { schema, why, than: "which is stored as good".to_owned() };
    let own = validate::schema_breach(content, schemas);
    let (pointer, versions) = match (schemas, own) {
        (Schemas::One(schema), why) => {
            return why.map(|why| stored(why, schema.name().to_string())).into_iter().collect();
        }
        (Schemas::By { .. }, Some(why)) => return vec![stored(why, "the schema of its own version".to_owned())],
        (Schemas::By { pointer, versions }, None) => (pointer, versions),
    };
    let Some(version) = validate::version_of(content, pointer) else { return Vec::new() };
    let Some(own) = versions.iter().position(|(known, _)| *known == version) else { return Vec::new() };
    let accepting = &versions[own].1;
    versions[own + 1..]
        .iter()
        .filter_map(|(newer, schema)| rejection(content, pointer, newer, schema, accepting))
        .collect()
}

fn rejection(content: Content, pointer: &str, newer: &str, schema: &Schema, accepting: &Schema) -> Option<Rejection> {
    let why = validate::breach_as(content, pointer, newer, schema)?;
    Some(Rejection { schema: schema.name().to_string(), why, than: format!("which {} accepts", accepting.name()) })
}
