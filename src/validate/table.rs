//! What is JSON and what is not, case by case, in the manner of JSONTestSuite (whose own files tests/corpus.rs reads).

use super::syntax::{Json, Json5, Jsonc, Python, check};
use super::*;

/// RFC 8259 allows it, or Node and Python read it.
#[rustfmt::skip]
const YES: &[&str] = &[
    "{}", "[]", "null", "true", "false", "0", "-0", "1", "-1", "12", "1.5", "-0.5", "0.0", "1e5", "1E5", "1e+5", "1e-5", "0e0",
    "1.5e300", "1e999", "-1e999", "1e-999", "123456789012345678901234567890", "0.1234567890123456789", "\"\"", "\"a\"",
    r#""\"""#, r#""\\""#, r#""\/""#, r#""\b\f\n\r\t""#, r#""\u0041""#, r#""\u00e9""#, r#""\uD834\uDD1E""#, r#""\ud800""#,
    r#""\udc00\ud800""#, r#""\u0000""#, "\"\u{7f}\"", "\"\u{85}\"", "\"\u{2028}\"", "\"\u{2029}\"", "\"\u{feff}\"", "\"\u{10ffff}\"",
    "\"é\"", "\"日本語\"", "\"😀\"", "\"//\"", "\"/* */\"", "\"a'b\"", "[1]", "[1,2]", "[ 1 , 2 ]", "[[]]", "[[],[]]", "[{}]", "[[[[[[1]]]]]]",
    "[null,true,false]", "[\"a\",\"b\"]", "[1,[2,[3,[4]]]]", "{\"a\":1}", "{\"a\":1,\"b\":2}", "{ \"a\" : 1 }", "{\"\":0}", "{\"a\":1,\"a\":2}",
    "{\"a\":{}}", "{\"a\":[]}", "{\"a\":{\"b\":{\"c\":[]}}}", "{\"a\":\"b\"}", r#"{"\u0061":1}"#, r#"{"\"":1}"#, "{\"a\":-1.5e-5}", " 1 ", "\t1\t", "\n1\n",
    "\r\n1\r\n", "  {}  ", "{\n  \"a\": [\n    1,\n    2\n  ]\n}\n", "[\t1\t,\r2\n]", "{\"a\" :\n1}", "\u{feff}{}", "\u{feff}[1]", "\"                                        \"",
    "\"0123456\"", "\"01234567\"", "\"012345678\"", "\"0123456789abcdef0123456789abcdef\"", "[0,0.0,0e0,-0,-0.0]", "{\"NaN\":\"Infinity\"}",
];

/// No dialect reads it: the kind, the line, the column.
#[rustfmt::skip]
const NO: &[(&str, Kind, u64, u64)] = &[
    ("", Kind::Empty, 1, 1), (" ", Kind::Empty, 1, 1), ("\n\n\t ", Kind::Empty, 1, 1), ("\u{feff}", Kind::Empty, 1, 1), ("\u{feff} \n", Kind::Empty, 1, 1),
    ("\0", Kind::NulFilled, 1, 1), ("\0\0\0\0\0\0\0\0", Kind::NulFilled, 1, 1), ("{}\0", Kind::NulFilled, 1, 3), ("{\"a\":1}\n\0\0\0\0", Kind::NulFilled, 2, 1),
    ("{\"a\": \0\0\0\0\0\0, \"b\": 1}", Kind::NulFilled, 1, 7), ("[\"\0\0\0\0\"]", Kind::NulFilled, 1, 3), ("\0\0\0\0}", Kind::NulFilled, 1, 1),
    ("{", Kind::Truncated, 1, 2), ("[", Kind::Truncated, 1, 2), ("[1", Kind::Truncated, 1, 3), ("[1,", Kind::Truncated, 1, 4), ("{\"", Kind::Truncated, 1, 3),
    ("{\"a", Kind::Truncated, 1, 4), ("{\"a\"", Kind::Truncated, 1, 5), ("{\"a\":", Kind::Truncated, 1, 6), ("{\"a\":1", Kind::Truncated, 1, 7), ("{\"a\":1,", Kind::Truncated, 1, 8),
    ("{\"a\":t", Kind::Truncated, 1, 7), ("{\"a\":fals", Kind::Truncated, 1, 10), ("{\"a\":n", Kind::Truncated, 1, 7), ("{\"a\":-", Kind::Truncated, 1, 7), ("[1.", Kind::Truncated, 1, 4),
    ("[1e", Kind::Truncated, 1, 4), ("[1e+", Kind::Truncated, 1, 5), ("\"", Kind::Truncated, 1, 2), ("\"abc", Kind::Truncated, 1, 5), ("[\"\\", Kind::Truncated, 1, 4),
    ("[\"\\u", Kind::Truncated, 1, 5), ("[\"\\u12", Kind::Truncated, 1, 7), ("tru", Kind::Truncated, 1, 4), ("-", Kind::Truncated, 1, 2), ("{\"a\":1}{", Kind::TrailingData, 1, 8),
    ("[[[[", Kind::Truncated, 1, 5), ("{\n  \"a\": [\n    1,\n", Kind::Truncated, 4, 1), ("[1]]", Kind::TrailingData, 1, 4), ("{}}", Kind::TrailingData, 1, 3), ("{}{}", Kind::TrailingData, 1, 3),
    ("[][]", Kind::TrailingData, 1, 3), ("{} x", Kind::TrailingData, 1, 4), ("{},", Kind::TrailingData, 1, 3), ("[1] 2", Kind::TrailingData, 1, 5), ("{\n}\n{\n}\n", Kind::TrailingData, 3, 1),
    ("{\"a\":1}\"}", Kind::TrailingData, 1, 8), ("[]\u{feff}x", Kind::Encoding, 1, 3), ("1 2", Kind::Syntax, 1, 3), ("truex", Kind::Syntax, 1, 5), ("\"a\"b", Kind::Syntax, 1, 4),
    ("x", Kind::Syntax, 1, 1), ("}", Kind::Syntax, 1, 1), ("]", Kind::Syntax, 1, 1), (",", Kind::Syntax, 1, 1), (":", Kind::Syntax, 1, 1), ("[,]", Kind::Syntax, 1, 2), ("[,1]", Kind::Syntax, 1, 2),
    ("[1,,2]", Kind::Syntax, 1, 4), ("[1 2]", Kind::Syntax, 1, 4), ("[1:2]", Kind::Syntax, 1, 3), ("[1}", Kind::Syntax, 1, 3), ("{]", Kind::Syntax, 1, 2), ("{,}", Kind::Syntax, 1, 2),
    ("{1:2}", Kind::Syntax, 1, 2), ("{\"a\"}", Kind::Syntax, 1, 5), ("{\"a\" 1}", Kind::Syntax, 1, 6), ("{\"a\":}", Kind::Syntax, 1, 6), ("{\"a\":1 \"b\":2}", Kind::Syntax, 1, 8),
    ("{\"a\":1,,}", Kind::Syntax, 1, 8), ("{\"a\"::1}", Kind::Syntax, 1, 6), ("{[]:1}", Kind::Syntax, 1, 2), ("{\"a\":1]", Kind::Syntax, 1, 7), ("[True]", Kind::Syntax, 1, 2),
    ("[nul]", Kind::Syntax, 1, 2), ("[truth]", Kind::Syntax, 1, 2), ("[01]", Kind::Syntax, 1, 3), ("[-01]", Kind::Syntax, 1, 4), ("[1.e1.]", Kind::Syntax, 1, 4), ("[--1]", Kind::Syntax, 1, 3),
    ("[1e]", Kind::Syntax, 1, 4), ("[1ea]", Kind::Syntax, 1, 4), ("[1e1.5]", Kind::Syntax, 1, 5), ("[0x]", Kind::Syntax, 1, 3), ("[1_000]", Kind::Syntax, 1, 3), ("[- 1]", Kind::Syntax, 1, 3),
    ("[1.2.3]", Kind::Syntax, 1, 5), ("[nan]", Kind::Syntax, 1, 2), ("[-nan]", Kind::Syntax, 1, 3), ("[Inf]", Kind::Syntax, 1, 2), ("[１]", Kind::Syntax, 1, 2), ("[\"\\u12G4\"]", Kind::Syntax, 1, 7),
    ("[\"\\1\"]", Kind::Syntax, 1, 3), ("[\"a\nb\"]", Kind::Syntax, 1, 4), ("[\"\u{1f}\"]", Kind::Syntax, 1, 3), ("[\"a\0b\"]", Kind::Syntax, 1, 4), ("# x\n{", Kind::Syntax, 1, 1),
    ("{}\u{feff}\u{feff}x", Kind::Encoding, 1, 3), ("{}\n\u{feff}{}\n", Kind::Encoding, 2, 1), ("\u{feff}\u{feff}}", Kind::Encoding, 1, 1), ("[1,\u{feff}}", Kind::Encoding, 1, 4), ("[/ 1]", Kind::Syntax, 1, 2), ("[a]", Kind::Syntax, 1, 2),
    ("{a}", Kind::Syntax, 1, 2), ("<html></html>", Kind::Syntax, 1, 1), ("key: value\n", Kind::Syntax, 1, 1), ("[section]\nkey=1\n", Kind::Syntax, 1, 2),
    ("2026-11-22 04:00:05 INFO started\n{\"a\": 1}\n", Kind::Syntax, 1, 5), ("{\"a\": 1, \"b{\"a\": 1}", Kind::Syntax, 1, 14),
];

/// What one of the laxer dialects reads, and JSON does not.
#[rustfmt::skip]
const LAXER: &[(&str, Dialect)] = &[
    ("NaN", Dialect::Python), ("[Infinity]", Dialect::Python), ("{\"a\":-Infinity}", Dialect::Python), ("[1, NaN]", Dialect::Python),
    ("{\"a\":1}\n{\"a\":2}", Dialect::Jsonl), ("1\n2\n", Dialect::Jsonl), ("\n[]\n\n[1]\r\n", Dialect::Jsonl), ("[]\n[]\n[]\n", Dialect::Jsonl), ("{\"loss\": NaN}\n{\"loss\": 1}\n", Dialect::Jsonl),
    ("// x\n{}", Dialect::Jsonc), ("{} // x", Dialect::Jsonc), ("/* x */ {}", Dialect::Jsonc), ("{} //", Dialect::Jsonc), ("{/**/}", Dialect::Jsonc), ("[1 /*,*/]", Dialect::Jsonc),
    ("[1,]", Dialect::Jsonc), ("{\"a\":1,}", Dialect::Jsonc), ("{\"a\"/**/:/**/1/**/,/**/}", Dialect::Jsonc), ("[//]\n]", Dialect::Jsonc), ("[/***/]", Dialect::Jsonc), ("{\r// x\r}", Dialect::Jsonc),
    ("{a:1}", Dialect::Json5), ("{'a':'b'}", Dialect::Json5), ("{$_a1:1}", Dialect::Json5), ("{größe:1}", Dialect::Json5), ("{\\u0061:1}", Dialect::Json5), ("[.5]", Dialect::Json5),
    ("[5.]", Dialect::Json5), ("[+1]", Dialect::Json5), ("[0xFF]", Dialect::Json5), ("[-0x1]", Dialect::Json5), ("[+Infinity]", Dialect::Json5), ("[-NaN]", Dialect::Json5), ("['\\\n']", Dialect::Json5),
    ("[\"\\x41\"]", Dialect::Json5), ("[\"\\q\"]", Dialect::Json5), ("[\"\\0\"]", Dialect::Json5), ("[\"\t\"]", Dialect::Json5), ("[1]\u{a0}", Dialect::Json5), ("[\u{b}1]", Dialect::Json5),
    ("[//\u{2028}1]", Dialect::Json5), ("[NaN,]", Dialect::Json5), ("['\\ud800']", Dialect::Json5), ("[5.e1]", Dialect::Json5), ("{if:1,null:2}", Dialect::Json5), ("['\\é']", Dialect::Json5),
];

/// What no dialect reads, lax as it is.
#[rustfmt::skip]
const NOT_EVEN_LAXLY: &[&str] = &[
    "// x", "/* x */", "[,]", "[1,,]", "{,}", "{\"a\":1,,}", "/* {}", "{} /* x", "{} /", "[1 /]", "{a 1}", "{a:}", "{1a:1}", "{a-b:1}", "{'a:1}", "['a\nb']", "[.]", "[+]", "[0x]", "[0xg]",
    "[1e]", "[01]", "[+-1]", "[.5.]", "['\\1']", "['\\01']", "['\\xg0']", "['\\u12']", "[infinity]", "[-]", "'a", "[1}", "{a:1]", "[`a`]", "[undefined]", "{a:b}", "{[a]:1}", "[1;2]", "# x\n{}",
    "{\"a\":1}\n{\"b\":", "1\n2\nx\n", "{}\n{\n}\n", "['\u{0}']", "[\"\\\u{0}\"]", "\u{a0}", "{\\u00:1}", "[NaNa]", "[Infinit]",
];

fn enrolled(text: &str) -> Verdict {
    judge(text.as_bytes(), &Reader::default())
}

#[test]
fn every_good_text_is_valid_json() {
    for text in YES {
        assert!(
            matches!(enrolled(text), Verdict::Valid { dialect: Dialect::Json, .. }),
            "{text:?}: {:?}",
            enrolled(text)
        );
    }
}

#[test]
fn every_bad_text_is_corrupt_in_its_kind_at_its_place() {
    for (text, kind, line, column) in NO {
        let Verdict::Corrupt(fault) = enrolled(text) else { panic!("{text:?}: {:?}", enrolled(text)) };
        let Fault { kind: found, place, .. } = &fault;
        assert_eq!((*found, place.line, place.column), (*kind, *line, *column), "{text:?}: {fault:?}");
    }
}

#[test]
fn a_laxer_text_enrols_in_the_plainest_dialect_that_reads_it() {
    for (text, expected) in LAXER {
        assert!(
            matches!(enrolled(text), Verdict::Valid { dialect, .. } if dialect == *expected),
            "{text:?}: {:?}",
            enrolled(text)
        );
    }
    for text in NOT_EVEN_LAXLY {
        assert!(matches!(enrolled(text), Verdict::Corrupt(_)), "{text:?}: {:?}", enrolled(text));
    }
}

#[test]
fn the_laxer_grammars_read_all_that_the_stricter_ones_do() {
    let json = YES.iter().map(|text| (*text, Dialect::Json));
    for (text, dialect) in json.chain(LAXER.iter().copied()).filter(|(_, dialect)| *dialect != Dialect::Jsonl) {
        let text = text.trim_start_matches('\u{feff}').as_bytes();
        assert_eq!(check::<Json>(text).is_ok(), dialect == Dialect::Json);
        assert!(check::<Python>(text).is_ok() || !matches!(dialect, Dialect::Json | Dialect::Python));
        assert!(check::<Jsonc>(text).is_ok() || !matches!(dialect, Dialect::Json | Dialect::Jsonc));
        assert!(check::<Json5>(text).is_ok());
    }
}
