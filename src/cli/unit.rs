//! `config unit`: the systemd drop-in that opens exactly what the daemon must write.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{Ended, Session};
use crate::config::{Settings, Target};
use crate::disk::Disk;

pub(super) fn print(session: &mut Session<'_>) -> Ended {
    let loaded = session.load()?;
    super::config::say_if_nothing_is_guarded(&loaded, session);
    session.out.write_all(drop_in(&loaded.settings, &session.disk).as_bytes())?;
    Ok(0)
}

fn drop_in(settings: &Settings, disk: &Disk) -> String {
    let folders = folders(settings, disk);
    let mut text = "# What jsonwarden must write: the folders of the files that it guards. Made by `jsonwarden config unit`; for\n\
         # example for /etc/systemd/system/jsonwarden.service.d/50-paths.conf. Then: systemctl daemon-reload, and restart it.\n\
         [Service]\n"
        .to_owned();
    for folder in &folders {
        if !disk.canonical(folder).is_ok_and(|real| disk.open_directory(&real).is_ok()) {
            text += "# Not there yet: restart the service once it is.\n";
        }
        // Writing to a string cannot fail; so below.
        let _ = writeln!(text, "ReadWritePaths={}", quoted(folder));
    }
    let is_temporary = |folder: &PathBuf| ["/tmp", "/var/tmp"].iter().any(|place| folder.starts_with(place));
    if folders.iter().any(is_temporary) {
        text += "# A private /tmp would hide the files in the real one.\nPrivateTmp=no\n";
    }
    if settings.listen.is_some_and(|address| !is_loopback(address.ip())) {
        text += "# http.listen is to be reached from elsewhere.\nIPAddressAllow=any\n";
    }
    text
}

fn is_loopback(address: IpAddr) -> bool {
    address.is_loopback()
}

/// The folders to open, none below another. A file's folder is opened, not the file: systemd makes what it opens a mount
/// point, and a file that is one cannot be exchanged.
fn folders(settings: &Settings, disk: &Disk) -> BTreeSet<PathBuf> {
    let targets = settings.watches.iter().flat_map(|watch| &watch.paths);
    let all: BTreeSet<PathBuf> = targets.map(|target| folder_of(target, disk)).collect();
    let is_below_another = |folder: &Path| folder.ancestors().skip(1).any(|above| all.contains(above));
    all.iter().filter(|folder| !is_below_another(folder)).cloned().collect()
}

fn folder_of(target: &Target, disk: &Disk) -> PathBuf {
    let (path, is_folder) = match target {
        Target::Glob { base, .. } => (base, true),
        Target::Path(path) => {
            let real = disk.canonical(path).unwrap_or_else(|_| path.clone());
            let found = disk.look_at_path(&real).ok().flatten();
            (path, found.is_some_and(|found| found.is_directory()))
        }
    };
    let real = disk.canonical(path).unwrap_or_else(|_| path.clone());
    let parent = || real.parent().map_or_else(|| real.clone(), Path::to_owned);
    if is_folder { real } else { parent() }
}

/// As systemd.syntax(7) wants it: in quotes, with C escapes; `%` begins a specifier; `-`: it may be missing.
fn quoted(path: &Path) -> String {
    let mut text = String::from("\"-");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'"' | b'\\' => {
                text.push('\\');
                text.push(char::from(*byte));
            }
            b'%' => text += "%%",
            0x20..=0x7e => text.push(char::from(*byte)),
            _ => {
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
    }
    text + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_survives_systemd_s_syntax() {
        assert_eq!(quoted(Path::new("/srv/a b")), r#""-/srv/a b""#);
        assert_eq!(quoted(Path::new("/srv/50%\"\\x")), r#""-/srv/50%%\"\\x""#);
        let name = std::ffi::OsStr::from_bytes(b"/srv/\xff\n\xc3\xa4");
        assert_eq!(quoted(Path::new(name)), r#""-/srv/\xff\x0a\xc3\xa4""#);
    }
}
