//! The least that a safe write can be: the system calls that store both versions, stage the new one beside the file, swap it
//! in and make it all durable. It judges nothing, looks out for nobody, and keeps no order among versions.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FallocateFlags, FlockOperation, RenameFlags, fallocate, flock, renameat_with};

/// A file, and the folder that its versions go to.
pub(crate) struct Bare {
    path: PathBuf,
    versions: PathBuf,
    record: File,
    number: usize,
}

impl Bare {
    pub(crate) fn new(path: &Path, versions: &Path) -> Self {
        fs::create_dir_all(versions).unwrap();
        let record = File::options().append(true).create(true).open(versions.join("record")).unwrap();
        Self { path: path.to_owned(), versions: versions.to_owned(), record, number: 0 }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let folder = File::open(self.path.parent().unwrap()).unwrap();
        let lock = File::options().write(true).create(true).truncate(false).open(self.path.with_extension("lock"));
        flock(lock.as_ref().unwrap(), FlockOperation::LockExclusive).unwrap();
        let before = fs::read(&self.path).unwrap();
        if self.number == 0 {
            self.store(&before);
        }
        self.store(bytes);
        let staged = self.path.with_extension("staged");
        durable(&staged, bytes);
        assert_eq!(fs::read(&staged).unwrap(), bytes);
        renameat_with(CWD, &staged, CWD, &self.path, RenameFlags::EXCHANGE).unwrap();
        folder.sync_all().unwrap();
        assert_eq!(fs::read(&self.path).unwrap(), bytes);
        fs::remove_file(&staged).unwrap();
    }

    /// A version, and a line about it.
    fn store(&mut self, bytes: &[u8]) {
        self.number += 1;
        let (staged, name) = (self.versions.join(".new"), self.versions.join(format!("{:08}", self.number)));
        durable(&staged, bytes);
        let mut again = Vec::with_capacity(bytes.len());
        File::open(&staged).unwrap().read_to_end(&mut again).unwrap();
        self.record.write_all(&[b'x'; 200]).unwrap();
        self.record.sync_all().unwrap();
        fs::rename(&staged, &name).unwrap();
        File::open(&self.versions).unwrap().sync_all().unwrap();
    }
}

fn durable(path: &Path, bytes: &[u8]) {
    let file = File::options().read(true).write(true).create_new(true).open(path).unwrap();
    fallocate(&file, FallocateFlags::empty(), 0, bytes.len() as u64).unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file.sync_all().unwrap();
}

/// What careful programs do by themselves: write beside, fsync, rename, fsync the folder. No version is kept.
pub(crate) fn one_pair(path: &Path, bytes: &[u8]) {
    let staged = path.with_extension("tmp");
    fs::write(&staged, bytes).unwrap();
    File::open(&staged).unwrap().sync_all().unwrap();
    fs::rename(&staged, path).unwrap();
    File::open(path.parent().unwrap()).unwrap().sync_all().unwrap();
}
