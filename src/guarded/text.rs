//! A value as JSON text, indented as the document was.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Serializer;
use serde_json::ser::PrettyFormatter;

use crate::write::WriteError;

/// The value that a text holds.
///
/// # Errors
/// `Shape`: it holds none of that type.
pub(super) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, WriteError> {
    // The mark is no part of the text (RFC 8259, section 8.1).
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    serde_json::from_slice(text).map_err(WriteError::Shape)
}

/// A value as text: indented as `like` is, by two blanks where that does not tell, and with a line end as `like` has one.
///
/// # Errors
/// `Shape`: it cannot be written as JSON.
pub(super) fn written<T: Serialize>(value: &T, like: Option<&[u8]>) -> Result<Vec<u8>, WriteError> {
    let mut text = Vec::with_capacity(like.map_or(256, <[u8]>::len));
    match like.map_or(Some(&b"  "[..]), indentation) {
        Some(indent) => {
            let formatter = PrettyFormatter::with_indent(indent);
            value.serialize(&mut Serializer::with_formatter(&mut text, formatter)).map_err(WriteError::Shape)?;
        }
        None => serde_json::to_writer(&mut text, value).map_err(WriteError::Shape)?,
    }
    if like.is_none_or(|like| like.ends_with(b"\n")) {
        text.push(b'\n');
    }
    Ok(text)
}

/// The blanks before the first thing inside; `None`: it stands on one line.
fn indentation(text: &[u8]) -> Option<&[u8]> {
    let trimmed = text.trim_ascii_end();
    let line_end = trimmed.iter().position(|byte| *byte == b'\n')?;
    let inside = &trimmed[line_end + 1..];
    let blanks = inside.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    Some(&inside[..blanks])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_value_is_written_as_the_document_was() {
        let value = json!({"a": [1]});
        let written = |like: &str| String::from_utf8(written(&value, Some(like.as_bytes())).unwrap()).unwrap();
        assert_eq!(written("{\"b\": 1}"), "{\"a\":[1]}");
        assert_eq!(written("{}\n"), "{\"a\":[1]}\n");
        assert_eq!(written("{\n\t\"b\": 1\n}"), "{\n\t\"a\": [\n\t\t1\n\t]\n}");
        assert_eq!(written("{\n    \"b\": 1\n}\n"), "{\n    \"a\": [\n        1\n    ]\n}\n");
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_value() {
        assert_eq!(read::<Value>(b"\xef\xbb\xbf[1]").unwrap(), json!([1]));
        assert!(matches!(read::<u64>(b"[1]"), Err(WriteError::Shape(_))));
    }
}
