//! What is installed: the manual page, the completions, `make install`, and the metadata of the Debian package. How the package
//! lives is seen by `tests/booted/package`, how the image does by `tests/image`: both belong to the long run.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::{World, command, skip};

fn house() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn printed(arguments: &[&str]) -> String {
    let output = command().args(arguments).stdout(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A counterpart, with our program in its search path; `None`: it is not installed.
fn counterpart(program: &str, arguments: &[&str]) -> Option<Output> {
    let ours = Path::new(env!("CARGO_BIN_EXE_jsonwarden")).parent().unwrap();
    let path = format!("{}:{}", ours.display(), std::env::var("PATH").unwrap());
    let mut counterpart = Command::new(program);
    counterpart.args(arguments).env("PATH", path).env("LC_ALL", "C.UTF-8").env("MANROFFSEQ", "").stdin(Stdio::null());
    let output = counterpart.output().ok();
    if output.is_none() {
        skip("what is installed", &format!("no {program}"));
    }
    output
}

fn page() -> PathBuf {
    house().join("packaging/jsonwarden.1")
}

#[test]
fn the_page_that_is_installed_is_the_one_that_the_program_prints() {
    let installed = fs::read_to_string(page()).unwrap();
    assert!(installed == printed(&["man"]), "the command line has changed: make pages BINARY=target/debug/jsonwarden");
}

#[test]
fn the_page_tells_of_every_command() {
    let help = printed(&["--help"]);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = commands.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    let names: Vec<&str> = names.filter_map(|line| line.split(' ').next()).filter(|name| *name != "help").collect();
    assert!(names.len() > 20, "{help}");
    let page = printed(&["man"]);
    for name in names {
        assert!(page.contains(&format!(".SS \"jsonwarden {name}")), "no {name}");
    }
    for section in ["EXIT STATUS", "SIGNALS", "ENVIRONMENT", "FILES"] {
        assert!(page.contains(&format!(".SH {section}\n")), "no {section}");
    }
}

#[test]
fn the_page_renders_without_a_warning() {
    let page = page();
    let page = page.to_str().unwrap();
    let renderers: [(&str, &[&str]); 3] = [
        ("mandoc", &["-Tlint", "-W", "warning", page]),
        ("groff", &["-man", "-ww", "-Tutf8", "-z", page]),
        ("man", &["--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page]),
    ];
    for (program, arguments) in renderers {
        let Some(output) = counterpart(program, arguments) else { continue };
        assert!(output.status.success() && output.stderr.is_empty(), "{program}: {output:?}");
        assert!(program != "mandoc" || output.stdout.is_empty(), "{output:?}");
    }
}

#[test]
fn each_shell_completes_with_what_is_installed() {
    let folder = house().join("packaging/completions");
    let (folder, tab) = (folder.to_str().unwrap(), house().join("tests/it/packages/tab.zsh"));
    let bash = format!(
        "source {folder}/jsonwarden.bash; COMP_WORDS=(jsonwarden hist); COMP_CWORD=1; \
         _jsonwarden jsonwarden hist jsonwarden; echo \"${{COMPREPLY[@]}}\""
    );
    let fish = format!("source {folder}/jsonwarden.fish; complete -C 'jsonwarden hist'");
    let shells: [(&str, &[&str]); 3] = [
        ("bash", &["-c", &bash]),
        ("fish", &["--no-config", "-c", &fish]),
        ("zsh", &["-f", tab.to_str().unwrap(), folder]),
    ];
    for (shell, arguments) in shells {
        let Some(output) = counterpart(shell, arguments) else { continue };
        assert!(output.stdout.starts_with(b"history"), "{shell}: {output:?}");
    }
}

#[test]
fn completions_are_printed_for_known_shells_only() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(printed(&["completions", shell]).contains("quarantine") || shell == "bash", "{shell}: no help texts");
    }
    let output = command().args(["completions", "cmd"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

/// `[source, target]` of each file of the Debian package.
fn assets() -> Vec<(String, String)> {
    let manifest: toml::Table = fs::read_to_string(house().join("Cargo.toml")).unwrap().parse().unwrap();
    let deb = &manifest["package"]["metadata"]["deb"];
    let text = |value: &toml::Value| value.as_str().unwrap().to_owned();
    deb["assets"].as_array().unwrap().iter().map(|asset| (text(&asset[0]), text(&asset[1]))).collect()
}

/// Where an asset ends up.
fn target((source, target): &(String, String)) -> String {
    let name = Path::new(source).file_name().unwrap().to_str().unwrap();
    if target.ends_with('/') { format!("{target}{name}") } else { target.clone() }
}

fn make(rule: &str, root: &Path) {
    let arguments = [format!("DESTDIR={}", root.display()), "PREFIX=/usr".to_owned()];
    let mut make = Command::new("make");
    make.args(["--silent", rule]).args(arguments).arg(format!("BINARY={}", env!("CARGO_BIN_EXE_jsonwarden")));
    let output = make.current_dir(house()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// The files below a folder, as paths from there.
fn files(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found
}

#[test]
fn make_install_and_the_package_bring_the_same_files() {
    let world = World::new();
    let root = world.root.join("installed");
    make("install", &root);
    // Debian's zsh looks for those of packages in a folder of its own; documents go with packages only.
    let of_package = |asset| target(asset).replace("/zsh/vendor-completions/", "/zsh/site-functions/");
    let packaged: BTreeSet<String> =
        assets().iter().map(of_package).filter(|path| !path.starts_with("usr/share/doc/")).collect();
    assert_eq!(files(&root), packaged);
    let unit = fs::read_to_string(root.join("usr/lib/systemd/system/jsonwarden.service")).unwrap();
    assert!(unit.contains("ExecStart=/usr/bin/jsonwarden run\n"), "{unit}");

    let config = root.join("etc/jsonwarden/jsonwarden.toml");
    fs::write(&config, "mine").unwrap();
    make("install", &root);
    make("uninstall", &root);
    assert_eq!(files(&root), BTreeSet::from(["etc/jsonwarden/jsonwarden.toml".to_owned()]));
    assert_eq!(fs::read_to_string(&config).unwrap(), "mine");
}

#[test]
fn every_file_of_the_package_is_there() {
    for (source, _) in assets() {
        // Of a pattern, its folder; the program is built by then.
        let source = source.split("/*").next().unwrap();
        assert!(house().join(source).exists() || source.starts_with("target/release/"), "no {source}");
    }
    for script in ["postinst", "prerm", "postrm"] {
        let path = house().join("packaging/deb").join(script);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o111, 0o111, "{script}");
        let status = Command::new("sh").arg("-n").arg(&path).status().unwrap();
        assert!(status.success(), "{script}");
    }
}

#[test]
fn the_changelog_of_the_package_begins_with_its_version() {
    let text = fs::read_to_string(house().join("packaging/changelog.Debian")).unwrap();
    let version = concat!("jsonwarden (", env!("CARGO_PKG_VERSION"), "-");
    assert!(text.starts_with(version), "{text}");
}

#[test]
fn the_configuration_that_is_installed_sets_nothing_and_is_right() {
    let path = house().join("config/jsonwarden.toml");
    let text = fs::read_to_string(&path).unwrap();
    let setting = text.lines().find(|line| !line.is_empty() && !line.starts_with('#'));
    assert_eq!(setting, None);
    assert!(printed(&["config", "check", "--config", path.to_str().unwrap()]).contains("no mistakes; 0 watches"));
}
