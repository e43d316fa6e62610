use std::io::{self, Write};
use std::sync::Mutex;
use std::time::Duration;

use super::*;

/// Where a test reads what was logged.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(level: &str, form: Form, say: impl FnOnce()) -> String {
    let page = Page::default();
    let outlet = Outlet::new(page.clone(), Arc::new(Health::new())).unwrap();
    let log = Log { level: level.to_owned(), format: LogFormat::Auto };
    tracing::subscriber::with_default(subscriber(&log, form, outlet.clone()).unwrap().0, say);
    Outlet::flush(&outlet, Duration::from_secs(30));
    String::from_utf8(page.0.lock().unwrap().clone()).unwrap()
}

fn say() {
    let path = Some("/srv/a.json");
    tracing::warn!(event = "corrupted", path, version = None::<u64>, incident = Some(7_u64), "{}", "a.json is damaged");
}

#[test]
fn machines_get_one_flat_object_a_line() {
    let text = logged("info", Form::Json, say);
    let line: serde_json::Map<_, _> = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["event"], "corrupted");
    assert_eq!(line["path"], "/srv/a.json");
    assert_eq!(line["incident"], 7);
    assert_eq!(line["message"], "a.json is damaged");
    assert!(line.contains_key("timestamp") && !line.contains_key("version"));
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn people_get_one_sentence_a_line() {
    let text = logged("info", Form::Text { coloured: false }, say);
    let (time, rest) = text.split_once(' ').unwrap();
    assert!(time.ends_with('Z'));
    assert_eq!(rest, "warn  a.json is damaged\n");
}

#[test]
fn no_name_can_forge_a_line_or_steer_a_terminal() {
    for form in [Form::Json, Form::Text { coloured: false }] {
        let text = logged("info", form, || tracing::warn!(other = "\x1b[2J\n", "a\n2026 error \x1b[31mforged"));
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.contains('\x1b'), "{text}");
    }
}

#[test]
fn backups_are_told_only_to_those_who_ask() {
    let quiet = || tracing::debug!(event = "backed_up", "stored");
    assert_eq!(logged("info", Form::Json, quiet), "");
    assert!(logged("debug", Form::Json, quiet).contains("stored"));
}

#[test]
fn text_is_for_terminals_and_colour_only_where_it_is_wanted() {
    assert_eq!(form(LogFormat::Auto, true, false), Form::Text { coloured: true });
    assert_eq!(form(LogFormat::Auto, true, true), Form::Text { coloured: false });
    assert_eq!(form(LogFormat::Auto, false, false), Form::Json);
    assert_eq!(form(LogFormat::Text, false, false), Form::Text { coloured: false });
    assert_eq!(form(LogFormat::Json, true, false), Form::Json);
}

#[test]
fn a_level_that_is_none_is_refused_with_a_remedy() {
    let log = Log { level: "lots=of=noise".to_owned(), format: LogFormat::Auto };
    let outlet = Outlet::new(io::sink(), Arc::new(Health::new())).unwrap();
    let error = subscriber(&log, Form::Json, outlet).err().unwrap();
    assert_eq!(error.exit_status(), 2);
    assert!(error.to_string().contains("try \"info\""));
}
