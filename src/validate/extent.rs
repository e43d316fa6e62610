//! How far a text reads: what salvage asks.

use super::dialect::read;
use super::syntax::Top;
use super::text::Text;
use super::token::Why;
use crate::document::Dialect;

/// How far a text reads in a dialect. Offsets are in bytes from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it is one value, or lines of values.
    Whole,
    /// A whole object or array, and then, from this offset on, more.
    Followed(usize),
    /// The text ends, or is no text any more, inside a value.
    Ends(usize),
    /// Something stands there that does not belong.
    Stops(usize),
}

/// How far `bytes` read in `dialect`. Linear, without recursion.
pub(crate) fn extent(bytes: &[u8], dialect: Dialect) -> Extent {
    let text = Text::new(bytes);
    let stop = match read(&text, dialect) {
        Ok(Top::Container | Top::Scalar) => return Extent::Whole,
        Err(stop) => stop,
    };
    let at = text.in_bytes(stop.offset);
    match stop.why {
        Why::AfterContainer => Extent::Followed(at),
        Why::End => Extent::Ends(at),
        _ => Extent::Stops(at),
    }
}
