//! Which layer beats which, and where files are looked for.

use super::*;

fn with_variables(home: &mut Home, variables: &[(&str, &str)]) {
    home.surroundings.variables.extend(variables.iter().map(|(name, value)| (name.into(), value.into())));
}

#[test]
fn an_option_beats_the_environment_which_beats_the_file_which_beats_the_default() {
    let mut home = Home::with("state_dir = \"/file\"\n[http]\nlisten = \"127.0.0.1:1\"\n[log]\nlevel = \"warn\"\n");
    let nothing = Options::default();
    let settings = home.load(&nothing).unwrap().settings;
    assert_eq!((settings.state_dir, settings.log.level), (PathBuf::from("/file"), "warn".to_owned()));
    with_variables(
        &mut home,
        &[("JSONWARDEN_STATE_DIR", "/env"), ("JSONWARDEN_LISTEN", ""), ("JSONWARDEN_LOG", "error")],
    );
    let settings = home.load(&nothing).unwrap().settings;
    assert_eq!((settings.state_dir, settings.listen), (PathBuf::from("/env"), None));
    assert_eq!(settings.log.level, "error");
    let options = Options {
        state_dir: Some("option".into()),
        listen: Some("127.0.0.1:2".into()),
        log: Some("trace".into()),
        ..Options::default()
    };
    let settings = home.load(&options).unwrap().settings;
    assert_eq!(settings.state_dir, home.folder.path().join("option"));
    assert_eq!((settings.listen, settings.log.level), ("127.0.0.1:2".parse().ok(), "trace".to_owned()));
}

#[test]
fn a_bad_option_and_a_bad_variable_are_named() {
    let mut home = Home::with("");
    with_variables(&mut home, &[("JSONWARDEN_LOG", "loud")]);
    let options = Options { listen: Some("here".into()), ..Options::default() };
    let told = home.load(&options).unwrap_err().to_string();
    assert!(
        told.contains("--listen: \"here\" is no address") && told.contains("JSONWARDEN_LOG: \"loud\" is no"),
        "{told}"
    );
}

#[test]
fn a_named_file_that_is_missing_is_an_error_and_a_default_one_is_none() {
    let mut home = Home::with("");
    let options = Options { config: Some("none.toml".into()), ..Options::default() };
    let error = home.load(&options).unwrap_err();
    assert_eq!(error.exit_status(), 2);
    assert!(error.to_string().starts_with("--config: there is no file /"), "{error}");
    with_variables(&mut home, &[("JSONWARDEN_CONFIG", "none.toml")]);
    let error = load(&Options::default(), &home.surroundings, &Disk::default(), |_| Ok(())).unwrap_err();
    assert!(error.to_string().starts_with("JSONWARDEN_CONFIG: there is no file /"), "{error}");
    with_variables(&mut home, &[("JSONWARDEN_CONFIG", "")]);
    let loaded = load(&Options::default(), &home.surroundings, &Disk::default(), |_| Ok(())).unwrap();
    assert_eq!(loaded.file, Some(home.folder.path().join(".config/jsonwarden/jsonwarden.toml")));
}

#[test]
fn the_default_places_are_those_of_the_user_of_root_and_of_systemd() {
    let place = |is_root: bool, variables: &[(&str, &str)]| {
        let mut home = Home::with("");
        home.surroundings.is_root = is_root;
        home.surroundings.variables.clear();
        with_variables(&mut home, variables);
        let loaded = load(&Options::default(), &home.surroundings, &Disk::default(), |_| Ok(()));
        loaded.map(|loaded| (loaded.file.unwrap_or_default(), loaded.settings.state_dir)).unwrap()
    };
    let both = |file: &str, state_dir: &str| (PathBuf::from(file), PathBuf::from(state_dir));
    assert_eq!(place(true, &[]), both("/etc/jsonwarden/jsonwarden.toml", "/var/lib/jsonwarden"));
    assert_eq!(
        place(false, &[("HOME", "/none")]),
        both("/none/.config/jsonwarden/jsonwarden.toml", "/none/.local/state/jsonwarden")
    );
    assert_eq!(
        place(false, &[("XDG_CONFIG_HOME", "/c"), ("XDG_STATE_HOME", "/s")]),
        both("/c/jsonwarden/jsonwarden.toml", "/s/jsonwarden")
    );
    let systemd = [("CONFIGURATION_DIRECTORY", "/etc/other:/etc/more"), ("STATE_DIRECTORY", "/var/lib/other")];
    assert_eq!(place(true, &systemd), both("/etc/other/jsonwarden.toml", "/var/lib/other"));
    assert_eq!(place(false, &[]), both("", "/var/lib/jsonwarden"));
}

#[test]
fn the_paths_of_the_command_line_are_the_last_watch_with_the_configured_defaults() {
    let home = Home::with(&format!("[defaults]\nmode = \"observe\"\n{}", watch("")));
    std::fs::write(home.folder.path().join("a[1].json"), "{}").unwrap();
    let options = Options { paths: vec!["../x".into(), "a[1].json".into(), "*.json".into()], ..Options::default() };
    let settings = home.load(&options).unwrap().settings;
    let last = settings.watches.last().unwrap();
    assert_eq!((settings.watches.len(), last.name.as_str(), last.rules.mode), (2, COMMAND_LINE, Mode::Observe));
    let shown: Vec<String> = last.paths.iter().map(ToString::to_string).collect();
    let folder = home.folder.path();
    let expected = [folder.with_file_name("x"), folder.join("a[1].json"), folder.join("*.json")];
    assert_eq!(shown, expected.map(|path| path.display().to_string()));
    assert!(matches!(last.paths[1], Target::Path(_)) && matches!(last.paths[2], Target::Glob { .. }));
    let bad = Options { paths: vec!["x.tmp".into(), "/".into()], ..Options::default() };
    assert_eq!(home.load(&bad).unwrap_err().to_string().lines().count(), 2);
}

#[test]
fn what_config_show_prints_says_where_each_value_came_from_and_loads_again_as_the_same() {
    let mut home =
        Home::with(&format!("[defaults]\nsettle = \"2s\"\n{}", watch("max_repairs = 1\nexclude = [\"$$x\"]")));
    with_variables(&mut home, &[("JSONWARDEN_LOG", "warn")]);
    let loaded = home.load(&Options { listen: Some(String::new()), ..Options::default() }).unwrap();
    let shown = loaded.to_toml();
    let file = home.path().display().to_string();
    for line in [
        "sweep_interval = \"5s\"  # from default".to_owned(),
        "level = \"warn\"  # from environment JSONWARDEN_LOG".to_owned(),
        "listen = \"\"  # from option --listen".to_owned(),
        format!("settle = \"2s\"  # from {file}:2"),
        format!("max_repairs = 1  # from {file}:6"),
        "[watch.backup]".to_owned(),
        "keep_last = 30  # from default".to_owned(),
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line} is not in\n{shown}");
    }
    let without_origins =
        |text: &str| text.lines().map(|line| line.split("  #").next().unwrap().to_owned()).collect::<Vec<_>>();
    let again = Home { folder: tempfile::tempdir().unwrap(), surroundings: home.surroundings.clone() };
    std::fs::write(again.path(), &shown).unwrap();
    assert_eq!(without_origins(&again.load(&Options::default()).unwrap().to_toml()), without_origins(&shown));
    let json = loaded.to_json();
    assert_eq!(json["settings"]["log.level"]["value"], "warn");
    assert_eq!(json["watches"][0]["settle"]["from"], format!("{file}:2"));
}

#[test]
fn a_file_that_is_a_link_is_read_and_relative_paths_start_where_the_link_is() {
    let home = Home::with("");
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::write(elsewhere.path().join("data"), "state_dir = \"state\"").unwrap();
    std::fs::remove_file(home.path()).unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("data"), home.path()).unwrap();
    assert_eq!(home.load(&Options::default()).unwrap().settings.state_dir, home.folder.path().join("state"));
}

#[test]
fn what_is_no_file_or_is_far_too_large_is_refused() {
    let home = Home::with("");
    let options = Options { config: Some(".".into()), ..Options::default() };
    assert!(home.load(&options).unwrap_err().to_string().ends_with("it is no regular file; name one"));
    std::fs::write(home.path(), "#".repeat((1 << 20) + 1)).unwrap();
    let error = home.load(&Options::default()).unwrap_err();
    assert_eq!(error.exit_status(), 2);
    assert!(error.to_string().ends_with("it has more than 1 MiB, which is no configuration; name another"), "{error}");
}
