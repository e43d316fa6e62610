//! One folder under two names: what is mounted twice, and guarded twice, is one file.

use std::fs;

use crate::support::{LIMIT, Launch, Mount, World, document, wait_until};

#[test]
fn a_folder_that_is_mounted_twice_and_guarded_twice_loses_nothing() {
    let world = World::new();
    let (here, there) = (world.files.join("here"), world.files.join("there"));
    for folder in [&here, &there] {
        fs::create_dir(folder).unwrap();
    }
    let Some(_mount) = Mount::bind(&here, &there) else { return };
    let (file, other) = (here.join("a.json"), there.join("a.json"));
    let text = format!(
        "sweep_interval = \"1s\"\n[defaults]\nsettle = \"200ms\"\nmax_repairs = 0\n[defaults.backup]\nmin_interval = \"0s\"\n\
         [[watch]]\nname = \"here\"\npaths = [\"{}\"]\n[[watch]]\nname = \"there\"\npaths = [\"{}\"]\n",
        here.display(),
        there.display()
    );
    fs::write(&file, document(0, 3_000)).unwrap();
    let daemon = Launch::new(&world).config(&world, &text).start();
    for generation in 0..8 {
        let good = document(generation, 3_000);
        fs::write(&file, &good).unwrap();
        daemon.wait_stored(&file, &good);
        daemon.wait_stored(&other, &good);
        let torn = format!("{{\"torn {generation}");
        fs::write(if generation % 2 == 0 { &file } else { &other }, &torn).unwrap();
        wait_until(LIMIT, "it is whole again", || fs::read(&file).is_ok_and(|bytes| bytes == good));
        let kept = |path| daemon.state.quarantine(path).iter().any(|(_, bytes)| bytes == torn.as_bytes());
        wait_until(LIMIT, "what was damaged is kept", || kept(&file) || kept(&other));
        for path in [&file, &other] {
            daemon.wait_state(path, "healthy");
        }
        assert_eq!(fs::read(&file).unwrap(), good, "an older version, or none");
    }
    for path in [&file, &other] {
        let versions = daemon.state.versions(path);
        let whole = |bytes: &[u8]| (0..8).any(|generation| document(generation, 3_000) == bytes);
        assert!(versions.iter().all(|stored| whole(&stored.bytes)), "nobody wrote that");
    }
    println!("8 damages under two names, each whole again, 0 lost");
}
