//! How much a document holds, counted in one reading and in little memory, whatever it is.

use super::Content;
use super::syntax::Inside;
use super::tokens::{Token, Tokens, What};
use crate::document::Dialect;

/// Arrays deeper than this are not measured: no list that matters lies there, and memory stays small.
const MEASURED_DEPTH: usize = 64;

/// How much a document holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Measure {
    /// Bytes, without blanks, comments, commas and colons: reformatting changes nothing about it.
    pub(super) bytes: u64,
    /// Keys of all objects.
    pub(super) keys: u64,
    /// Scalars that say something: neither `null` nor an empty string.
    pub(super) leaves: u64,
    /// Those of them that lie deeper than in the outermost container.
    pub(super) deep_leaves: u64,
    /// The most values that one array has; of JSON Lines, the lines count too.
    pub(super) longest_array: u64,
    /// What stands at the top level; `None`: a scalar, or lines.
    pub(super) top: Option<Inside>,
}

impl Measure {
    pub(super) fn of(content: Content) -> Self {
        let mut counting = Counting { measure: Self::default(), depth: 0, lengths: [0; MEASURED_DEPTH] };
        for token in Tokens::new(content) {
            counting.meet(token);
        }
        let Counting { mut measure, lengths, .. } = counting;
        if content.dialect == Dialect::Jsonl {
            measure.longest_array = measure.longest_array.max(lengths[0]);
            measure.top = None;
        }
        measure
    }

    /// Is it nothing but `{}`, `[]` or `null`?
    pub(super) fn is_bare(&self) -> bool {
        self.leaves == 0 && self.keys == 0 && self.longest_array == 0
    }
}

struct Counting {
    measure: Measure,
    depth: usize,
    /// The values so far, of what lies at each depth; at 0, of the whole text.
    lengths: [u64; MEASURED_DEPTH],
}

impl Counting {
    fn meet(&mut self, token: Token) {
        let measure = &mut self.measure;
        measure.bytes += token.raw.len() as u64;
        if let Some(length) = self.lengths.get_mut(self.depth).filter(|_| token.is_value()) {
            *length += 1;
            if token.parent == Some(Inside::Array) {
                measure.longest_array = measure.longest_array.max(*length);
            }
        }
        match token.what {
            What::Open(inside) => {
                if self.depth == 0 {
                    measure.top = Some(inside);
                }
                self.depth += 1;
                if let Some(length) = self.lengths.get_mut(self.depth) {
                    *length = 0;
                }
            }
            What::Close => self.depth = self.depth.saturating_sub(1),
            What::Key => measure.keys += 1,
            What::Scalar if matches!(token.raw, b"null" | b"\"\"" | b"''") => {}
            What::Scalar => {
                measure.leaves += 1;
                measure.deep_leaves += u64::from(self.depth > 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(text: &str, dialect: Dialect) -> Measure {
        Measure::of(Content { bytes: text.as_bytes(), dialect })
    }

    #[test]
    fn what_a_document_holds_is_counted_at_every_depth() {
        let text = r#"{"a": [1, [2, 3, 4], {}], "b": {"c": null, "d": ""}, "e": true}"#;
        let expected =
            Measure { bytes: 39, keys: 5, leaves: 5, deep_leaves: 4, longest_array: 3, top: Some(Inside::Object) };
        assert_eq!(measured(text, Dialect::Json), expected);
    }

    #[test]
    fn reformatting_changes_nothing() {
        let value = serde_json::json!({"a": [1, 2, {"b": "c d"}], "e": {}});
        let (plain, pretty) = (value.to_string(), serde_json::to_string_pretty(&value).unwrap());
        assert_eq!(measured(&plain, Dialect::Json), measured(&pretty, Dialect::Json));
        assert_eq!(measured("[1, /* many */ 2,]", Dialect::Jsonc), measured("[1,2]", Dialect::Jsonc));
    }

    #[test]
    fn lines_are_counted_like_the_values_of_an_array() {
        assert_eq!(measured("{}\n{}\n[1,2]\n", Dialect::Jsonl).longest_array, 3);
    }

    #[test]
    fn what_is_bare_holds_nothing_at_all() {
        assert!(["{}", " [ ]", "null", "\"\""].iter().all(|text| measured(text, Dialect::Json).is_bare()));
        assert!(["{\"a\":{}}", "[[]]", "0", "false"].iter().all(|text| !measured(text, Dialect::Json).is_bare()));
    }
}
