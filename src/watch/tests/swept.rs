//! What every sweep finds, whatever the kernel tells.

use std::fs;
use std::time::Instant;

use super::super::stall;
use super::*;
use crate::verdict::Reason;

#[test]
fn what_is_there_is_seen_before_the_first_sweep_ends() {
    let folder = Folder::new();
    let names = ["a.json", "deep/er/b.jsonl", "n\newline.json", "left.txt", ".git/c.json", "x/node_modules/d.json"];
    for name in names {
        folder.write(name, "{}");
    }
    let strange = folder.path.join(std::ffi::OsStr::from_bytes(b"\xff\xfe.json"));
    fs::write(&strange, "{}").unwrap();
    let long = folder.write(&format!("{}.json", "n".repeat(250)), "{}");
    let (stage, seen) = Stage::start(vec![watch("w", vec![path(&folder.path)])], NEVER, true);
    let mut found: Vec<_> = owners(&seen).into_keys().collect();
    found.sort();
    let mut expected = [folder.at(names[0]), folder.at(names[1]), folder.at(names[2]), strange, long];
    expected.sort();
    assert_eq!(found, expected);
    assert!(stage.placed.is_open());
}

#[test]
fn a_leftover_is_said_at_every_sweep_until_it_is_gone() {
    let folder = Folder::new();
    let file = folder.write("a.json", "{}");
    let id = crate::document::DocumentId::new(&folder.path, file.file_name().unwrap());
    let leftover = folder.write(&format!("{}1", id.staged_prefix()), "{}");
    let (mut stage, seen) = Stage::start(vec![watch("w", vec![path(&folder.path)])], OFTEN, true);
    let is_leftover = |one: &&Observation| matches!(one, Observation::Leftover { name, .. } if Some(name.as_os_str()) == leftover.file_name());
    assert!(seen.iter().any(|one| is_leftover(&one)));
    assert_eq!(stage.until_swept(3).iter().filter(is_leftover).count(), 3);
    fs::remove_file(&leftover).unwrap();
    stage.until_swept(2);
    assert_eq!(stage.until_swept(2).iter().filter(is_leftover).count(), 0);
}

#[test]
fn without_hints_the_sweep_alone_sees_what_changes() {
    let folder = Folder::new();
    let file = folder.write("a.json", "{}");
    let (mut stage, _) = Stage::start(vec![watch("w", vec![path(&folder.path)])], OFTEN, false);
    assert!(stage.facts().iter().any(|fact| matches!(fact, Fact::EventSourceLost { .. })));
    assert!(owners(&stage.until_swept(3)).is_empty());
    fs::write(&file, "[]").unwrap();
    stage.until_present(&file);
    stage.until_present(&folder.write("new/b.json", "{}"));
    fs::remove_file(&file).unwrap();
    let seen = stage.until(&file, is_gone);
    assert_eq!(sights(&seen, &file), [&Sight::Missing, &Sight::Gone]);
    assert!(!stage.facts().iter().any(|fact| matches!(fact, Fact::EventSourceLost { .. })));
}

#[test]
fn a_missing_file_that_must_be_told_stays_with_its_watch() {
    let folder = Folder::new();
    let file = folder.write("a.json", "{}");
    let mut told = watch("w", vec![path(&folder.path)]);
    told.rules.on_missing = Some(OnMissing::Alert);
    let (mut stage, _) = Stage::start(vec![told], OFTEN, false);
    fs::remove_file(&file).unwrap();
    let mut seen = stage.until(&file, |sight| *sight == Sight::Missing);
    seen.extend(stage.until_swept(4));
    assert_eq!(sights(&seen, &file), [&Sight::Missing]);
}

#[test]
fn a_folder_that_is_closed_to_us_makes_its_documents_unreadable() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let file = folder.write("closed/a.json", "{}");
    let close = |mode| fs::set_permissions(folder.at("closed"), fs::Permissions::from_mode(mode)).unwrap();
    close(0);
    if fs::read_dir(folder.at("closed")).is_ok() {
        return eprintln!("skipped: root is kept out of nothing");
    }
    let (mut stage, seen) = Stage::start(vec![watch("w", vec![path(&file)])], OFTEN, true);
    assert!(matches!(sights(&seen, &file)[..], [Sight::Unreadable(..)]));
    close(0o700);
    stage.until_present(&file);
}

#[test]
fn a_slow_receiver_loses_nothing_and_the_stage_ends_at_the_drain() {
    let folder = Folder::new();
    let files: Vec<_> = (0..300).map(|number| folder.write(&format!("{number}.json"), "{}")).collect();
    let mut stage = Stage::launch(vec![watch("w", vec![path(&folder.path)])], OFTEN, true, 1);
    let mut seen = Vec::new();
    while !matches!(seen.last(), Some(Observation::Swept { .. })) {
        std::thread::yield_now();
        seen.push(stage.next("the first sweep"));
    }
    assert_eq!(owners(&seen).len(), files.len());
    stage.drain.send(true).unwrap();
    let Stage { runtime, task, shared, mut observations, mut events, .. } = stage;
    let ended = runtime.block_on(async {
        while observations.recv().await.is_some() {}
        while events.recv().await.is_some() {}
        tokio::time::timeout(PATIENCE, task).await
    });
    ended.expect("it ends").expect("it does not panic").expect("it ends well");
    let deadline = Instant::now() + PATIENCE;
    let are_over = || lock(&shared.swept).iter().all(|mount| mount.thread.get().is_some_and(JoinHandle::is_finished));
    while !are_over() {
        assert!(Instant::now() < deadline, "a thread stays");
        std::thread::yield_now();
    }
}

#[test]
fn a_mount_that_does_not_answer_is_told_and_told_again_when_it_does() {
    let folder = Folder::new();
    let file = folder.write("a.json", "{}");
    let (mut stage, _) = Stage::start(vec![watch("w", vec![path(&folder.path)])], NEVER, false);
    let mount = lock(&stage.shared.swept)[0].clone();
    stall::give_up(&stage.shared, &mount).unwrap();
    let is_unreadable = |sight: &Sight| matches!(sight, Sight::Unreadable(Reason::Stalled, _));
    stage.until(&file, is_unreadable);
    // It was only said to hang: the next sweep says all anew.
    mount.inbox.leave(|work| work.sweep = true);
    stage.until_present(&file);
    assert!(!mount.is_given_up.load(std::sync::atomic::Ordering::Relaxed));
}

#[test]
fn a_mount_that_hangs_keeps_neither_the_task_nor_the_drain() {
    let folder = Folder::new();
    folder.write("a.json", "{}");
    let (stage, _) = Stage::start(vec![watch("w", vec![path(&folder.path)])], OFTEN, false);
    let mount = lock(&stage.shared.swept)[0].clone();
    let hung = lock(&mount.folders).get(folder.path.as_path()).unwrap().clone();
    // As a call that does not return would, this keeps the thread amid a look.
    let kept = hung.write();
    let deadline = Instant::now() + PATIENCE;
    while mount.pulse.at_risk().is_none() {
        assert!(Instant::now() < deadline, "it does not look");
        std::thread::yield_now();
    }
    stage.drain.send(true).unwrap();
    let Stage { runtime, task, mut observations, .. } = stage;
    let ended = runtime.block_on(async {
        while observations.recv().await.is_some() {}
        tokio::time::timeout(PATIENCE, task).await
    });
    assert!(ended.expect("it ends").expect("it does not panic").is_ok());
    drop(kept);
}
