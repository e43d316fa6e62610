//! The beginning of a document, closed.

use crate::document::Dialect;
use crate::validate::{Content, Extent, Inside, Token, Tokens, What};

/// The longest beginning that is whole: up to the last whole value, and every container that is open there closed. `None`:
/// not one value is whole.
pub(super) fn closed(text: &[u8], extent: Extent, dialect: Dialect) -> Option<Vec<u8>> {
    let (reach, is_cut_off) = match extent {
        Extent::Whole => (text.len(), true),
        Extent::Followed(at) => return Some(text[..at].trim_ascii_end().to_vec()),
        Extent::Ends(at) => (at, true),
        Extent::Stops(at) => (at, false),
    };
    let bytes = text.get(..reach)?;
    let mut open: Vec<Inside> = Vec::new();
    // Behind the last whole value, or the bracket that begins a container.
    let mut end = 0;
    let mut has_value = false;
    for token in Tokens::new(Content { bytes, dialect }) {
        match token.what {
            What::Key => continue,
            What::Scalar if may_be_torn(&token, bytes.len(), is_cut_off) => break,
            What::Open(inside) => open.push(inside),
            What::Close => drop(open.pop()),
            What::Scalar => {}
        }
        has_value |= !matches!(token.what, What::Open(_));
        end = token.offset + token.raw.len();
    }
    let mut whole = bytes.get(..end)?.to_vec();
    let is_closed = open.is_empty();
    whole.extend(open.iter().rev().map(|inside| match inside {
        Inside::Array => b']',
        Inside::Object => b'}',
    }));
    if !is_closed {
        whole.push(b'\n');
    }
    has_value.then_some(whole)
}

/// Does a scalar touch the end of what reads? Then a number may lack digits. A word is whole where the text is cut off;
/// where something else stands, it belongs to that.
fn may_be_torn(token: &Token, reach: usize, is_cut_off: bool) -> bool {
    let is_word = matches!(token.raw.first(), Some(b't' | b'f' | b'n' | b'N' | b'I'));
    let is_quoted = matches!(token.raw.first(), Some(b'"' | b'\''));
    token.offset + token.raw.len() == reach && !is_quoted && !(is_word && is_cut_off)
}
