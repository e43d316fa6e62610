//! Tables for people: one line a row, nothing but blanks between the columns, so that `awk` reads them too.

use std::io::{self, Write};
use std::time::Duration;

use comfy_table::{ContentArrangement, Table, presets};

use crate::config::quantity::span_text;

/// Prints a heading and rows; `paint` may colour a whole line.
pub(super) fn print(
    out: &mut dyn Write,
    heading: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
    paint: impl Fn(usize, String) -> String,
) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(heading.iter().copied());
    table.add_rows(rows);
    for (index, line) in table.lines().enumerate() {
        let line = line.trim().to_owned();
        writeln!(out, "{}", if index == 0 { line } else { paint(index - 1, line) })?;
    }
    Ok(())
}

/// How long ago, in the one unit that matters: `5s`, `3m`, `2h`, `14d`.
pub(super) fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    let rounded = match seconds {
        0..60 => seconds,
        60..3600 => seconds / 60 * 60,
        3600..86_400 => seconds / 3600 * 3600,
        _ => seconds / 86_400 * 86_400,
    };
    span_text(Duration::from_secs(rounded))
}
