//! JSON Pointers (RFC 6901).

use std::fmt;
use std::str::FromStr;

use crate::validate::escaped;

/// A way to a value: the keys and indexes that lead to it, outermost first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pointer(Vec<String>);

impl Pointer {
    /// The keys and indexes.
    #[must_use]
    pub fn segments(&self) -> &[String] {
        &self.0
    }

    /// The first so many steps of the way.
    #[must_use]
    pub fn first(&self, count: usize) -> Self {
        Self(self.0.iter().take(count).cloned().collect())
    }

    /// One step further.
    #[must_use]
    pub fn below(&self, segment: &str) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment.to_owned());
        Self(segments)
    }

    /// Its text, as RFC 6901 has it.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.iter().flat_map(|segment| ["/".to_owned(), escaped(segment)]).collect()
    }

    /// Does it lead to something inside of what `outer` leads to?
    #[must_use]
    pub fn is_inside(&self, outer: &Self) -> bool {
        self.0.len() > outer.0.len() && self.0.starts_with(&outer.0)
    }
}

impl FromStr for Pointer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_escaped = text.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
        if !(text.is_empty() || text.starts_with('/')) || !is_escaped {
            return Err(format!(
                "{text:?} is no JSON Pointer; write \"/key/0\", with ~0 for a tilde and ~1 for a slash"
            ));
        }
        let unescaped = |segment: &str| segment.replace("~1", "/").replace("~0", "~");
        Ok(Self(text.split('/').skip(1).map(unescaped).collect()))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return formatter.write_str("\"\" (the whole document)");
        }
        self.0.iter().try_for_each(|segment| write!(formatter, "/{}", escaped(segment).escape_debug()))
    }
}

/// The index that a segment says: digits, no leading zero.
pub(super) fn index(segment: &str) -> Option<usize> {
    let is_index = segment == "0" || (!segment.starts_with('0') && segment.bytes().all(|byte| byte.is_ascii_digit()));
    segment.parse().ok().filter(|_| is_index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_is_read_and_written_alike() {
        for text in ["/a~1b/m~0n//0", "/ ", "/", "/~01"] {
            assert_eq!(text.parse::<Pointer>().unwrap().to_string(), text);
        }
        assert_eq!("/~01".parse::<Pointer>().unwrap().segments(), ["~1"]);
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        for text in ["a", "/~", "/~2", "#/a"] {
            assert!(text.parse::<Pointer>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_index_has_no_leading_zero_and_no_sign() {
        assert_eq!((index("0"), index("10")), (Some(0), Some(10)));
        for text in ["", "-", "01", "+1", "-1", "1.0", "99999999999999999999999"] {
            assert_eq!(index(text), None, "{text}");
        }
    }
}
