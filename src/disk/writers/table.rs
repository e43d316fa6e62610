//! What one process has open for writing, and mapped.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The files that a process or a thread has open for writing.
#[derive(Debug)]
pub(super) struct Table {
    /// Their numbers.
    pub(super) writable: Vec<u64>,
    /// Has it nothing open at all?
    pub(super) is_empty: bool,
}

impl Table {
    /// Of the process or thread that has its folder there. `None`: it cannot be looked into. One that ended has nothing.
    pub(super) fn of(at: &Path) -> Option<Self> {
        let (links, infos) = (at.join("fd"), at.join("fdinfo"));
        let descriptors = numbers_in(&links)?;
        let mut table = Self { writable: Vec::new(), is_empty: descriptors.is_empty() };
        for descriptor in descriptors {
            let descriptor = descriptor.to_string();
            // Most are none, and a link takes one call.
            if std::fs::read_link(links.join(&descriptor)).is_ok_and(|path| !is_a_file(path.as_os_str().as_bytes())) {
                continue;
            }
            match info(&infos.join(&descriptor)) {
                Ok(Some(info)) => table.writable.extend(info.is_writable.then_some(info.number)),
                Err(error) if is_gone(&error) => {}
                Ok(None) | Err(_) => return None,
            }
        }
        Some(table)
    }
}

/// Pipes, sockets and the like have no path, and their numbers say nothing.
fn is_a_file(path: &[u8]) -> bool {
    const OTHERS: [&[u8]; 5] = [b"/memfd:", b"/SYSV", b"/dev/null", b"/dev/pts/", b"/dev/tty"];
    path.starts_with(b"/") && !OTHERS.iter().any(|other| path.starts_with(other))
}

/// The names in a folder of /proc that are numbers; none where it is gone. `None`: it cannot be looked into.
pub(super) fn numbers_in(folder: &Path) -> Option<Vec<u32>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if is_gone(&error) => return Some(Vec::new()),
        Err(_) => return None,
    };
    let mut numbers = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) => numbers.extend(entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok())),
            Err(error) if is_gone(&error) => break,
            Err(_) => return None,
        }
    }
    Some(numbers)
}

/// The number of the file of a descriptor.
pub(super) fn number(info_at: &Path) -> Option<u64> {
    info(info_at).ok().flatten().map(|info| info.number)
}

/// What is told of a descriptor.
#[derive(Debug, PartialEq, Eq)]
struct Info {
    number: u64,
    is_writable: bool,
}

/// `None`: this kernel does not tell the number (before 5.14).
fn info(at: &Path) -> std::io::Result<Option<Info>> {
    // Both lines are among the first four; what some kinds tell below them may be long.
    let mut text = [0; 256];
    let read = File::open(at)?.read(&mut text)?;
    Ok(parse_info(&text[..read]))
}

fn parse_info(text: &[u8]) -> Option<Info> {
    const ACCESS: u32 = 0o3;
    let text = String::from_utf8_lossy(text);
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let flags = u32::from_str_radix(field("flags:")?, 8).ok()?;
    Some(Info { number: field("ino:")?.parse().ok()?, is_writable: flags & ACCESS != 0 })
}

/// Tells the number and the name of each file that a process has mapped so that what it stores there gets into the file.
/// `None`: it cannot be looked into.
pub(super) fn mapped(at: &Path, mut each: impl FnMut(u64, &OsStr)) -> Option<()> {
    let file = match File::open(at) {
        Ok(file) => file,
        Err(error) => return is_gone(&error).then_some(()),
    };
    let (mut lines, mut line) = (BufReader::with_capacity(64 << 10, file), Vec::new());
    loop {
        line.clear();
        match lines.read_until(b'\n', &mut line) {
            Ok(0) => return Some(()),
            Ok(_) => {
                if let Some((number, name)) = parse_mapping(&line) {
                    each(number, name);
                }
            }
            Err(error) => return is_gone(&error).then_some(()),
        }
    }
}

/// `7f50b36fc000-7f50b36fd000 rw-s 00000000 fe:00 10018933    /srv/a.json`. Whether it may be written now says nothing of
/// whether it may be later.
fn parse_mapping(line: &[u8]) -> Option<(u64, &OsStr)> {
    let path = &line[line.iter().position(|byte| *byte == b'/')?..];
    let mut fields = std::str::from_utf8(&line[..line.len() - path.len()]).ok()?.split_ascii_whitespace().skip(1);
    let (rights, number) = (fields.next()?, fields.nth(2)?.parse().ok()?);
    let path = path.trim_ascii_end();
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    let is_mapped = rights.ends_with('s') && is_a_file(path);
    let name = path.rsplit(|byte| *byte == b'/').next()?;
    is_mapped.then_some((number, OsStr::from_bytes(name)))
}

/// Did the process, or the descriptor, end meanwhile?
fn is_gone(error: &std::io::Error) -> bool {
    const ESRCH: i32 = 3;
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(ESRCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_tells_of_a_descriptor_is_read() {
        let read = |flags: &str| parse_info(format!("pos:\t0\nflags:\t{flags}\nmnt_id:\t29\nino:\t17\n").as_bytes());
        assert_eq!(read("0100000"), Some(Info { number: 17, is_writable: false }));
        assert_eq!(read("0100001"), Some(Info { number: 17, is_writable: true }));
        assert_eq!(read("02100002"), Some(Info { number: 17, is_writable: true }));
        assert_eq!(read("012000000"), Some(Info { number: 17, is_writable: false }), "O_PATH");
        assert_eq!(parse_info(b"pos:\t0\nflags:\t02\nmnt_id:\t29\n"), None, "a kernel before 5.14");
    }

    #[test]
    fn only_what_gets_into_a_file_counts_as_mapped() {
        let line = |rights: &str, path: &str| format!("7f50-7f51 {rights} 00000000 fe:00 17      {path}\n");
        let read = |line: String| parse_mapping(line.as_bytes()).map(|(number, name)| (number, name.to_owned()));
        assert_eq!(read(line("rw-s", "/a b/c d")), Some((17, "c d".into())));
        assert_eq!(read(line("r--s", "/a/.jsonwarden-1 (deleted)")), Some((17, ".jsonwarden-1".into())));
        for (rights, path) in [("rw-p", "/a/b"), ("rw-s", "/memfd:x (deleted)"), ("rw-s", ""), ("rw-p", "[heap]")] {
            assert_eq!(read(line(rights, path)), None, "{rights} {path}");
        }
    }

    #[test]
    fn a_process_that_ended_has_nothing_open_and_without_proc_nothing_is_known() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Table::of(&folder.path().join("1")).unwrap().is_empty);
        assert_eq!(mapped(&folder.path().join("1/maps"), |_, _| panic!("nothing is there")), Some(()));
    }
}
