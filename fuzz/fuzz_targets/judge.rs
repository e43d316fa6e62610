//! Judging any bytes: it never panics in any dialect, and as JSON it accepts what serde_json accepts and nothing else. (Both
//! take half surrogate pairs; a byte order mark at the start is ours alone.)
#![no_main]

use jsonwarden::config::Expectations;
use jsonwarden::document::Dialect;
use jsonwarden::validate::{Content, Reader, findings, judge, weigh};
use jsonwarden::verdict::Verdict;
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

fuzz_target!(|bytes: &[u8]| {
    for enrolled in Dialect::ALL.into_iter().map(Some).chain([None]) {
        let reader = Reader { enrolled, ..Reader::default() };
        match judge(bytes, &reader) {
            Verdict::Valid { dialect, .. } => look_closely(Content { bytes, dialect }),
            Verdict::Corrupt(fault) | Verdict::Suspicious(_, fault) | Verdict::Told(fault) => {
                assert!(fault.place.offset <= bytes.len() as u64 && !fault.cause.is_empty());
            }
        }
    }
    let strict = Reader { dialect: Some(Dialect::Json), ..Reader::default() };
    let text = std::str::from_utf8(bytes).map(|text| text.strip_prefix('\u{feff}').unwrap_or(text));
    let serde_accepts = text.is_ok_and(|text| serde_json::from_str::<&RawValue>(text).is_ok());
    assert_eq!(matches!(judge(bytes, &strict), Verdict::Valid { .. }), serde_accepts);
});

/// What only valid bytes are asked.
fn look_closely(now: Content) {
    let expectations = Expectations { required: vec!["/a/0".into()], monotonic: vec!["/n".into()], ..Expectations::default() };
    let _ = findings(now);
    let _ = weigh(now, Some(Content { bytes: b"{\"a\": [1], \"n\": 7}", dialect: Dialect::Json }), &expectations);
    assert!(weigh(now, Some(now), &Expectations::default()).is_none(), "nothing is worse than itself");
}
