//! One event: what its publisher says, and what it gets here.

use std::collections::HashSet;

use crate::backup::number_of;
use crate::document::Dialect;
use crate::patch::{self, Value};
use crate::validate::{Content, findings, reads_as, unquote};
use crate::verdict::Finding;

/// An event that waits to be published: an object with a `type` and, if they are there, `from` and `data`. What else
/// it has stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its members as they are written, without the braces.
    members: Vec<u8>,
}

/// An event that has its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// Its number in the document, from 1.
    pub id: u64,
    /// Its type.
    pub kind: String,
    /// The event as JSON in one line.
    pub line: Vec<u8>,
}

impl Event {
    /// Reads an event; `from` is who sends it, if it does not say so itself.
    ///
    /// # Errors
    /// It is no JSON object, `type` or `from` is no text, or it has an `id` or a `time` already.
    pub fn new(text: impl AsRef<[u8]>, from: &str) -> Result<Self, String> {
        let text = text.as_ref().trim_ascii();
        // Every reader of the document must be able to read it, so it is plain JSON.
        reads_as(text, Dialect::Json).map_err(|fault| format!("{}: {}: {}", fault.place, fault.kind, fault.cause))?;
        let content = Content { bytes: text, dialect: Dialect::Json };
        if findings(content).iter().any(|found| found.finding == Finding::DuplicateKey) {
            return Err("it has a key twice".to_owned());
        }
        let inner = text.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}"));
        let inner = inner.ok_or("an event is an object, such as {\"type\":\"lamp_on\",\"data\":{\"level\":7}}")?;
        if let Some(given) = ["id", "time"].into_iter().find(|key| member(content, key).is_some()) {
            return Err(format!("{given:?} is given here; put one of your own into \"data\""));
        }
        match member(content, "type") {
            Some([b'"', b'"']) => Err("its \"type\" is empty".to_owned()),
            Some([b'"', ..]) => Ok(()),
            Some(_) => Err("its \"type\" is no string".to_owned()),
            None => Err("it has no \"type\", which says what has happened".to_owned()),
        }?;
        let mut members = inner.trim_ascii().to_vec();
        match member(content, "from") {
            Some([b'"', ..]) => {}
            Some(_) => return Err("its \"from\" is no string".to_owned()),
            None => members.extend(format!(",\"from\":{}", serde_json::Value::from(from)).bytes()),
        }
        Ok(Self { members })
    }

    /// The event with its number and its time.
    ///
    /// # Errors
    /// Never, but the type cannot say so.
    pub(super) fn stamped(&self, id: u64, time: &str) -> Result<Value, String> {
        let head = format!("{{\"id\":{id},\"time\":\"{time}\",");
        Value::new([head.as_bytes(), &self.members, b"}"].concat())
    }
}

impl Numbered {
    /// Reads an event that was published; `None`: it has no number.
    #[must_use]
    pub fn read(text: &[u8]) -> Option<Self> {
        let content = Content { bytes: text, dialect: Dialect::Python };
        reads_as(text, Dialect::Python).ok()?;
        let kind = member(content, "type").map(unquote).unwrap_or_default().into_owned();
        Some(Self { id: number_of(text)?, kind, line: patch::in_one_line(content) })
    }
}

/// The first events of each number.
pub(super) fn without_repeats(events: Vec<Numbered>) -> Vec<Numbered> {
    let mut seen = HashSet::new();
    events.into_iter().filter(|event| seen.insert(event.id)).collect()
}

fn member<'t>(content: Content<'t>, key: &str) -> Option<&'t [u8]> {
    patch::value_at(content, &patch::Pointer::default().below(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_gets_its_number_and_keeps_its_text() {
        let event = Event::new(r#" { "type": "t", "data": 1.10 , "to":"x" } "#, "me").unwrap();
        let stamped = event.stamped(7, "2026-11-22T04:00:05Z").unwrap();
        let text = String::from_utf8(stamped.text().to_vec()).unwrap();
        assert_eq!(text, r#"{"id":7,"time":"2026-11-22T04:00:05Z","type": "t", "data": 1.10 , "to":"x","from":"me"}"#);
        let numbered = Numbered::read(text.as_bytes()).unwrap();
        assert_eq!((numbered.id, numbered.kind.as_str()), (7, "t"));
        assert!(String::from_utf8(numbered.line).unwrap().contains(r#""data":1.10,"to":"x""#));
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for (text, says) in [
            ("7", "an event is an object"),
            ("{}", "no \"type\""),
            (r#"{"type":7}"#, "no string"),
            (r#"{"type":""}"#, "empty"),
            (r#"{"type":"t","from":1}"#, "\"from\" is no string"),
            (r#"{"type":"t","id":1}"#, "\"id\" is given here"),
            (r#"{"type":"t","time":"x"}"#, "\"time\" is given here"),
            (r#"{"type":"t","type":"u"}"#, "a key twice"),
            (r#"{"type":"t","data":NaN}"#, "syntax"),
            (r#"{"type":"t""#, "truncated"),
        ] {
            let why = Event::new(text, "me").unwrap_err();
            assert!(why.contains(says), "{text}: {why}");
        }
    }
}
