//! The first text of a document that is made for its events.

use crate::patch::Pointer;

/// A document that has nothing but these events at `pointer`, each on a line of its own, so that each later one will be.
pub(super) fn around(pointer: &Pointer, events: &[Vec<u8>]) -> Vec<u8> {
    let keys = pointer.segments();
    let indent = |level: usize| "  ".repeat(level);
    let lines: Vec<String> =
        events.iter().map(|event| format!("\n{}{}", indent(keys.len() + 1), String::from_utf8_lossy(event))).collect();
    let array = format!("[{}\n{}]", lines.join(","), indent(keys.len()));
    let object = |inner: String, (level, key): (usize, &String)| {
        format!("{{\n{}{}: {inner}\n{}}}", indent(level + 1), serde_json::Value::from(key.as_str()), indent(level))
    };
    (keys.iter().enumerate().rev().fold(array, object) + "\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_has_its_line() {
        let text = around(&"/a/b".parse().unwrap(), &[b"{\"id\":1}".to_vec(), b"{\"id\":2}".to_vec()]);
        let expected = "{\n  \"a\": {\n    \"b\": [\n      {\"id\":1},\n      {\"id\":2}\n    ]\n  }\n}\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
