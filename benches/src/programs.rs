//! Other programs that read JSON: one each, asked for its own CPU time.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::installed;
use crate::table::Beside;

/// A program, and the CPU seconds of one pass over a file; `None`: it is not installed.
pub(crate) struct Program {
    name: &'static str,
    seconds: fn(&Path) -> Option<f64>,
}

pub(crate) const PROGRAMS: [Program; 3] = [
    Program { name: "jq empty", seconds: jq },
    Program { name: "Python json.loads", seconds: |path| python("json", path) },
    Program { name: "Python orjson.loads", seconds: |path| python("orjson", path) },
];

impl Program {
    /// Its speed on this document, of which ours takes so many seconds.
    pub(crate) fn beside(&self, document: &[u8], ours_seconds: f64) -> Beside {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), document).unwrap();
        (self.seconds)(file.path()).map_or_else(
            || Beside::absent(self.name),
            |seconds| {
                let speed = format!("{:.3} GB/s", document.len() as f64 / 1e9 / seconds);
                Beside::paired(self.name, speed, ours_seconds / seconds)
            },
        )
    }
}

/// As bash measures it, to a millisecond, less what it takes to start.
fn jq(path: &Path) -> Option<f64> {
    let seconds = |input: &str| {
        let script = format!("TIMEFORMAT='%U %S'; time jq empty {input}");
        let output =
            Command::new("bash").args(["-c", &script]).output().ok().filter(|output| output.status.success())?;
        let text = String::from_utf8(output.stderr).ok()?;
        text.split_whitespace().map(str::parse::<f64>).sum::<Result<f64, _>>().ok()
    };
    Some((seconds(path.to_str()?)? - seconds("<<<1")?).max(1e-3))
}

/// The best of three passes in one process.
fn python(module: &str, path: &Path) -> Option<f64> {
    let script = format!(
        "import sys, time, {module}\nbytes = open(sys.argv[1], 'rb').read()\nbest = 1e9\nfor _ in range(3):\n    begun = time.process_time()\n    {module}.loads(bytes)\n    best = min(best, time.process_time() - begun)\nprint(best)"
    );
    let output = installed::python().args(["-c", &script]).arg(path).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
