//! The status page: plain HTML for a person with a browser. No scripts, nothing from elsewhere, no file contents.

use std::ffi::OsStr;
use std::fmt::{self, Write};

use super::view::View;
use crate::clock::{self, Timestamp};
use crate::error::Escaped;
use crate::event::{FileStatus, Guarding, Status};
use crate::health::{Level, Standing};
use crate::record::recent::Incident;
use crate::verdict::{Kind, Reason, State};

/// What a browser may do with the page: show it, and fetch its style.
pub(super) const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// How it looks.
pub(super) const STYLE: &str = include_str!("style.css");

/// So many files are shown, those that a person should look at first; all are at `/api/v1/files`.
const FILES_MAX: usize = 500;

/// So many incidents are shown; more are at `/api/v1/incidents`.
const INCIDENTS_MAX: usize = 50;

/// Text in HTML.
struct Html<T>(T);

impl<T: fmt::Display> fmt::Display for Html<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        for character in Escaped(OsStr::new(&text)).to_string().chars() {
            match character {
                '&' => formatter.write_str("&amp;")?,
                '<' => formatter.write_str("&lt;")?,
                '>' => formatter.write_str("&gt;")?,
                '"' => formatter.write_str("&quot;")?,
                '\'' => formatter.write_str("&#39;")?,
                other => formatter.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// The page as it is now.
pub(super) fn page(view: &View) -> String {
    let (status, now) = (view.status(), clock::now());
    let checks = view.checks(&status);
    let worst = checks.iter().map(|(_, standing)| standing.level).max().unwrap_or_default();
    let mut html = String::new();
    // Writing to a String cannot fail.
    let _ = head(&mut html, worst, &status)
        .and_then(|()| health(&mut html, &checks))
        .and_then(|()| files(&mut html, &status, now))
        .and_then(|()| incidents(&mut html, &view.recent.all()))
        .and_then(|()| foot(&mut html, now));
    html
}

fn head(html: &mut String, worst: Level, status: &Status) -> fmt::Result {
    let level = worst.label();
    write!(
        html,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>jsonwarden: {level}</title>\n\
         <meta http-equiv=\"refresh\" content=\"10\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"stylesheet\" href=\"/style.css\">\n</head>\n<body>\n<h1>jsonwarden <span class=\"{level}\">{level}</span></h1>\n\
         <p class=\"counts\">{} files",
        status.files.len()
    )?;
    for state in State::ALL {
        let count = status.files.iter().filter(|file| file.state == *state).count();
        if count > 0 {
            write!(html, ", <b class=\"{0}\">{count} {0}</b>", state.label())?;
        }
    }
    let orders = status.standing.all().len();
    if orders > 0 {
        write!(html, "; {orders} orders in force")?;
    }
    html.write_str("</p>\n")
}

fn health(html: &mut String, checks: &[(&'static str, Standing)]) -> fmt::Result {
    html.write_str("<h2>Health</h2>\n<table>\n<tr><th>Check<th>Level<th>What is wrong\n")?;
    for (name, Standing { level, detail }) in checks {
        let level = level.label();
        writeln!(html, "<tr><td>{name}<td class=\"{level}\">{level}<td>{}", Html(detail))?;
    }
    html.write_str("</table>\n")
}

fn files(html: &mut String, status: &Status, now: Timestamp) -> fmt::Result {
    html.write_str("<h2>Files</h2>\n<table>\n<tr><th>File<th>Watch<th>State<th>Why<th>Last good version<th>Taken\n")?;
    let is_well = |file: &&FileStatus| file.state == State::Healthy && file.unrepairable().is_none();
    let (well, ill): (Vec<_>, Vec<_>) = status.files.iter().partition(is_well);
    for file in ill.into_iter().chain(well).take(FILES_MAX) {
        let state = file.state.label();
        write!(
            html,
            "<tr><td class=\"name\">{}<td>{}<td class=\"{state}\">{state}<td>{}",
            Html(&file.subject.document),
            Html(file.subject.watch.as_str()),
            Html(why(file)),
        )?;
        match &file.last_good {
            Some(good) => writeln!(html, "<td>{}<td>{}", good.version, ago(good.taken, now))?,
            None => writeln!(html, "<td>none<td>")?,
        }
    }
    html.write_str("</table>\n")?;
    let more = status.files.len().saturating_sub(FILES_MAX);
    if more > 0 {
        writeln!(html, "<p>{more} more at <a href=\"/api/v1/files\">/api/v1/files</a></p>")?;
    }
    Ok(())
}

fn why(file: &FileStatus) -> String {
    let kind = file.kind.map(Kind::label);
    let reason = file.reason.map(Reason::label);
    let guarding = Some(file.guarding).filter(|guarding| *guarding != Guarding::Guard).map(Guarding::label);
    let parts = [kind, reason, guarding, file.unrepairable()];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn incidents(html: &mut String, incidents: &[Incident]) -> fmt::Result {
    html.write_str("<h2>Incidents</h2>\n")?;
    if incidents.is_empty() {
        return html.write_str("<p>None.</p>\n");
    }
    html.write_str("<table>\n<tr><th>Number<th>File<th>Kind<th>Began<th>Outcome<th>Seconds\n")?;
    for incident in incidents.iter().take(INCIDENTS_MAX) {
        let (outcome, seconds) = match incident.ended {
            None => ("open", String::new()),
            Some((at, outcome)) => (outcome, format!("{:.1}", at.duration_since(incident.began).as_secs_f64())),
        };
        writeln!(
            html,
            "<tr><td>{}<td class=\"name\">{}<td>{}<td>{:.0}<td class=\"{outcome}\">{outcome}<td>{seconds}",
            incident.id.0,
            Html(&incident.document),
            incident.kind.label(),
            incident.began,
        )?;
    }
    html.write_str("</table>\n")
}

fn foot(html: &mut String, now: Timestamp) -> fmt::Result {
    writeln!(
        html,
        "<p class=\"foot\">jsonwarden {}, {now:.0}. As JSON: <a href=\"/healthz\">/healthz</a>, <a href=\"/api/v1/files\">files</a>, \
         <a href=\"/api/v1/incidents\">incidents</a>; <a href=\"/metrics\">/metrics</a>.</p>\n</body>\n</html>",
        env!("CARGO_PKG_VERSION")
    )
}

/// `5 s ago`, in the largest unit that fits.
fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds} s ago"),
        120..7_200 => format!("{} min ago", seconds / 60),
        7_200..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_become_markup() {
        assert_eq!(Html("<a href='x\">&\n").to_string(), "&lt;a href=&#39;x&quot;&gt;&amp;\\x0a");
    }

    #[test]
    fn ages_are_told_in_the_largest_unit_that_fits() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(ago(at(0), at(5)), "5 s ago");
        assert_eq!(ago(at(9), at(5)), "0 s ago");
        assert_eq!(ago(at(0), at(7_200)), "2 h ago");
        assert_eq!(ago(at(0), at(300_000)), "3 days ago");
    }
}
