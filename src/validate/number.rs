//! Numbers by their exact value: `1`, `1.0` and `10e-1` are one, while `9007199254740993` and `9007199254740992`, which a
//! double cannot tell apart, are two.

/// Writes a number in the one form that all its spellings share: sign, digits without zeros at either end, exponent of ten.
/// Words (`NaN`, `Infinity`) stay words, but for a plus sign.
pub(super) fn canonical(raw: &[u8], into: &mut Vec<u8>) {
    into.clear();
    let is_negative = raw.first() == Some(&b'-');
    let unsigned = raw.strip_prefix(b"-").or_else(|| raw.strip_prefix(b"+")).unwrap_or(raw);
    if is_negative {
        into.push(b'-');
    }
    let written = match unsigned {
        [b'0', b'x' | b'X', digits @ ..] => base_sixteen(digits, into),
        _ => base_ten(unsigned, into),
    };
    match written {
        Some(Written::Digits) => {}
        // No sign: zero is zero.
        Some(Written::Zero) => {
            into.clear();
            into.push(b'0');
        }
        None => {
            into.truncate(usize::from(is_negative));
            into.extend(unsigned.iter().map(u8::to_ascii_lowercase));
        }
    }
}

enum Written {
    Digits,
    Zero,
}

fn base_sixteen(digits: &[u8], into: &mut Vec<u8>) -> Option<Written> {
    let number = u128::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    base_ten(number.to_string().as_bytes(), into)
}

/// `None`: it is no number, or its exponent has no bounds.
fn base_ten(text: &[u8], into: &mut Vec<u8>) -> Option<Written> {
    let mantissa_end = text.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(text.len());
    let (mantissa, exponent) = text.split_at(mantissa_end);
    let mut exponent = exponent_of(exponent)?;
    let start = into.len();
    let mut is_fraction = false;
    for byte in mantissa {
        match byte {
            b'.' => is_fraction = true,
            b'0'..=b'9' => {
                exponent -= i64::from(is_fraction);
                if *byte != b'0' || into.len() > start {
                    into.push(*byte);
                }
            }
            _ => return None,
        }
    }
    while into.len() > start && into.last() == Some(&b'0') {
        into.pop();
        exponent += 1;
    }
    if into.len() == start {
        return Some(Written::Zero);
    }
    into.push(b'e');
    into.extend_from_slice(&exponent.to_le_bytes());
    Some(Written::Digits)
}

/// Of `e+5`, 5; of nothing, 0.
fn exponent_of(text: &[u8]) -> Option<i64> {
    let Some((_, digits)) = text.split_first() else { return Some(0) };
    // Far from where adding the digits of a text of any size could overflow.
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|exponent: &i64| exponent.unsigned_abs() < 1 << 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Vec<u8> {
        let mut into = Vec::new();
        canonical(text.as_bytes(), &mut into);
        into
    }

    #[test]
    fn the_spellings_of_one_number_share_a_form() {
        for same in [
            &["1", "1.0", "10e-1", "0.1e1", "1E0", "+1", "0x1", "1.", "1e+0"][..],
            &["0", "-0", "0.0", "0e9", "-0.00e-5", ".0", "0x0"],
            &["-1200", "-1.2e3", "-12E+2", "-0x4b0"],
            &["0.001", "1e-3", ".001", "0.0010"],
            &["Infinity", "+Infinity"],
        ] {
            assert!(same.iter().all(|text| form(text) == form(same[0])), "{same:?}");
        }
    }

    #[test]
    fn different_numbers_differ_however_close() {
        let all = [
            "1",
            "-1",
            "10",
            "0.1",
            "9007199254740993",
            "9007199254740992",
            "0.1000000000000000055511151231257827",
            "1e400",
            "1e401",
            "NaN",
            "-NaN",
            "Infinity",
            "-Infinity",
            "1e99999999999999999999",
            "2e99999999999999999999",
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(all[index + 1..].iter().all(|other| form(one) != form(other)), "{one}");
        }
    }
}
