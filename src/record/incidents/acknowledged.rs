//! Incidents that a person has seen to: `acknowledged.jsonl`, beside the log, which only the daemon writes.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use serde_json::{Map, Value};

use super::lines::each_line;
use crate::clock::Timestamp;
use crate::disk::directory::Directory;
use crate::disk::{Disk, Durable};
use crate::error::Result;
use crate::event::IncidentId;
use crate::line;

/// The file's name in the state directory.
const FILE_NAME: &str = "acknowledged.jsonl";

/// Who saw to an incident, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// When.
    pub at: Timestamp,
    /// The number of the user.
    pub user: u64,
}

/// Every incident that was acknowledged.
///
/// # Errors
/// The file is there but cannot be read.
pub fn acknowledged(disk: &Disk, state_dir: &Directory) -> Result<BTreeMap<IncidentId, Acknowledged>> {
    read(disk, state_dir).map(|(all, _)| all)
}

fn read(disk: &Disk, state_dir: &Directory) -> Result<(BTreeMap<IncidentId, Acknowledged>, bool)> {
    let mut all = BTreeMap::new();
    let is_torn = each_line(disk, state_dir, FILE_NAME, |members| {
        if let Some((incident, one)) = members.as_ref().and_then(one) {
            all.entry(incident).or_insert(one);
        }
    })?;
    Ok((all, is_torn))
}

fn one(members: &Map<String, Value>) -> Option<(IncidentId, Acknowledged)> {
    let number = |name: &str| members.get(name)?.as_u64();
    let at = members.get("time")?.as_str()?.parse().ok()?;
    Some((IncidentId(number("incident")?), Acknowledged { at, user: number("user")? }))
}

/// Writes down, durably, that `user` has seen to an incident; says who had before.
///
/// # Errors
/// The file cannot be read or written.
pub fn acknowledge(
    disk: &Disk,
    state_dir: &Directory,
    incident: IncidentId,
    by: &Acknowledged,
) -> Result<Option<Acknowledged>> {
    let (all, is_torn) = read(disk, state_dir)?;
    if let Some(before) = all.get(&incident) {
        return Ok(Some(before.clone()));
    }
    let members = [
        ("v", 1.into()),
        ("time", by.at.to_string().into()),
        ("event", "acknowledged".into()),
        ("incident", incident.0.into()),
        ("user", by.user.into()),
    ];
    let members = members.map(|(name, value): (&str, Value)| (name.to_owned(), value)).into_iter().collect();
    // A torn line spoils no other.
    let text = format!("{}{}", if is_torn { "\n" } else { "" }, line::seal(&members));
    disk.append(state_dir, OsStr::new(FILE_NAME), text.as_bytes(), Durable::Now)?;
    disk.sync_directory(state_dir)?;
    Ok(None)
}
