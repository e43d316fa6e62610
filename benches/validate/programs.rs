//! Other programs that read JSON: one each, asked for its own CPU time.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Prints how many GB a second `jq empty`, Python's json and orjson read; what is not installed is said.
pub(crate) fn compare(name: &str, document: &[u8]) {
    let path = std::env::temp_dir().join(format!("jsonwarden-bench-{}.json", std::process::id()));
    fs::write(&path, document).unwrap();
    let gigabytes = document.len() as f64 / 1e9;
    let shown = |seconds: Option<f64>| seconds.map_or("-".to_owned(), |seconds| format!("{:.3}", gigabytes / seconds));
    let (jq, json, orjson) = (jq(&path), python("json", &path), python("orjson", &path));
    println!(
        "{name:<16} jq empty {:>7}   json.loads {:>7}   orjson.loads {:>7}",
        shown(jq),
        shown(json),
        shown(orjson)
    );
    fs::remove_file(&path).unwrap();
}

/// CPU seconds for one pass, as bash measures them; `jq` alone takes some milliseconds to start.
fn jq(path: &Path) -> Option<f64> {
    let seconds = |file: &str| {
        let script = format!("TIMEFORMAT='%U %S'; time jq empty {file}");
        let output =
            Command::new("bash").args(["-c", &script]).output().ok().filter(|output| output.status.success())?;
        let text = String::from_utf8(output.stderr).ok()?;
        text.split_whitespace().map(str::parse::<f64>).sum::<Result<f64, _>>().ok()
    };
    Some((seconds(path.to_str()?)? - seconds("<<<1")?).max(1e-3))
}

/// CPU seconds of the best of three passes in one process.
fn python(module: &str, path: &Path) -> Option<f64> {
    let script = format!(
        "import sys, time, {module}\nbytes = open(sys.argv[1], 'rb').read()\nbest = 1e9\nfor _ in range(3):\n    begun = time.process_time()\n    {module}.loads(bytes)\n    best = min(best, time.process_time() - begun)\nprint(best)"
    );
    let output = Command::new("python3").args(["-c", &script]).arg(path).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
