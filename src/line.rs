//! Checksummed lines of JSON: how `record.jsonl` and `incidents.jsonl` survive a torn write or a flipped bit, each line
//! for itself.

use serde_json::{Map, Value};

/// The last member of every line: CRC32C, in hex, of the line's text up to the comma in front of it.
const SEAL: &str = ",\"crc\":\"";

/// One line, with its checksum and the newline.
#[must_use]
pub fn seal(fields: &Map<String, Value>) -> String {
    let text = Value::Object(fields.clone()).to_string();
    let body = text.strip_suffix('}').unwrap_or(&text);
    format!("{body}{SEAL}{:08x}\"}}\n", crc32c::crc32c(body.as_bytes()))
}

/// The members of a line that [`seal`] made, without the checksum; `None`: the line is torn or has been changed.
#[must_use]
pub fn open(line: &str) -> Option<Map<String, Value>> {
    let (body, rest) = line.trim_end_matches('\n').rsplit_once(SEAL)?;
    if rest.strip_suffix("\"}")? != format!("{:08x}", crc32c::crc32c(body.as_bytes())) {
        return None;
    }
    match serde_json::from_str(&format!("{body}}}")) {
        Ok(Value::Object(fields)) => Some(fields),
        _ => None,
    }
}

/// Bytes that are not text, as a line can hold them.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads what [`hex`] wrote.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    digits.len().is_multiple_of(2).then_some(())?;
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample() -> Map<String, Value> {
        json!({"v": 1, "path": "/srv/a \"b\",\"crc\":\"x.json"}).as_object().unwrap().clone()
    }

    #[test]
    fn a_line_is_read_back() {
        assert_eq!(open(&seal(&sample())), Some(sample()));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let line = seal(&sample());
        for bit in 0..(line.len() - 1) * 8 {
            let mut bytes = line.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(flipped) = String::from_utf8(bytes) {
                assert_eq!(open(&flipped), None, "bit {bit}");
            }
        }
    }

    #[test]
    fn a_torn_line_is_no_line() {
        let line = seal(&sample());
        for end in 0..line.len() - 1 {
            assert_eq!(open(&line[..end]), None);
        }
    }
}
