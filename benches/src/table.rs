//! The one table. A measurement is a row for each that stands beside ours.

use std::fmt;

use crate::numbers::Rounds;

/// What stands beside ours.
pub(crate) struct Beside {
    who: String,
    figure: String,
    ratio: Option<f64>,
}

impl Beside {
    /// It was measured, and ours cost `ratio` times as much, by pairs.
    pub(crate) fn paired(who: impl Into<String>, figure: impl Into<String>, ratio: f64) -> Self {
        Self { who: who.into(), figure: figure.into(), ratio: Some(ratio) }
    }

    /// It was measured, but not in turns with ours, or there is nothing to divide.
    pub(crate) fn alone(who: impl Into<String>, figure: impl Into<String>) -> Self {
        Self { who: who.into(), figure: figure.into(), ratio: None }
    }

    /// It is not installed here.
    pub(crate) fn absent(who: impl Into<String>) -> Self {
        Self::alone(who, "absent")
    }
}

/// All that was measured.
#[derive(Default)]
pub(crate) struct Table(Vec<[String; 5]>);

const HEAD: [&str; 5] = ["measured", "jsonwarden", "beside it", "its figure", "ratio"];

/// What the last column says.
const LEGEND: &str =
    "ratio: what ours costs for one that the other costs (median of pairs of rounds); below 1 ours is cheaper";

impl Table {
    /// A measurement; it is told at once as well, for whoever waits.
    pub(crate) fn row(&mut self, what: impl Into<String>, ours: impl Into<String>, beside: Vec<Beside>) {
        let beside = if beside.is_empty() { vec![Beside::alone("", "")] } else { beside };
        let mut first = [what.into(), ours.into()];
        for one in beside {
            let ratio = one.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
            let [what, ours] = std::mem::take(&mut first);
            let row = [what, ours, one.who, one.figure, ratio];
            eprintln!("  {}", row.join(" | "));
            self.0.push(row);
        }
    }

    /// A measurement in rounds, in which ours was the first candidate and these were the others.
    pub(crate) fn rounds(
        &mut self,
        what: impl Into<String>,
        rounds: &Rounds,
        others: &[&str],
        shown: impl Fn(f64) -> String,
    ) {
        let beside = others.iter().enumerate();
        let beside = beside.map(|(at, who)| Beside::paired(*who, shown(rounds.median(at + 1)), rounds.ratio(at + 1)));
        self.row(what, shown(rounds.median(0)), beside.collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            let cells = self.0.iter().map(|row| row[column].chars().count());
            cells.chain([HEAD[column].len()]).max().unwrap_or_default()
        };
        let widths = [0, 1, 2, 3, 4].map(width);
        let head = HEAD.map(str::to_owned);
        let rule = widths.map(|width| "-".repeat(width));
        for row in [&head, &rule].into_iter().chain(&self.0) {
            for (cell, width) in row.iter().zip(widths) {
                write!(formatter, "| {cell:width$} ")?;
            }
            writeln!(formatter, "|")?;
        }
        write!(formatter, "\n{LEGEND}")
    }
}
