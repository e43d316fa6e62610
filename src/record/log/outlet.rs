//! Where log lines leave: a thread writes them to stderr. A terminal that is held, a pipe that nobody reads, a full disk
//! or a closed descriptor cost log lines, never the guarding.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use crate::health::{Check, Health, Level};

/// So many lines wait; then new ones are dropped and counted.
const LINES_MAX: usize = 1_024;

enum Message {
    Line(Vec<u8>),
    /// Everything before this has been written, or given up.
    Flush(SyncSender<()>),
}

/// The way out for log lines. Cheap to clone.
#[derive(Clone)]
pub struct Outlet {
    lines: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

impl Outlet {
    /// A way out to `writer`, through a thread of its own.
    pub(super) fn new(writer: impl Write + Send + 'static, health: Arc<Health>) -> io::Result<Self> {
        let (lines, receiver) = sync_channel(LINES_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let mouth = Mouth { writer, health, lost: lost.clone(), told: 0 };
        std::thread::Builder::new().name("log".to_owned()).spawn(move || mouth.run(&receiver))?;
        Ok(Self { lines, lost })
    }

    /// How many lines were lost so far: dropped, or refused by stderr.
    #[must_use]
    pub fn lost_lines(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Waits until what was logged so far is written, at most for `limit`; at the end of the program.
    pub fn flush(&self, limit: Duration) {
        let (done, flushed) = sync_channel(1);
        if self.lines.try_send(Message::Flush(done)).is_ok() {
            // Written, or the time is up, or the thread is gone: the program ends in any case.
            let _ = flushed.recv_timeout(limit);
        }
    }
}

impl Write for Outlet {
    /// Takes one whole line (the formatter writes each at once); never waits, never fails.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self.lines.try_send(Message::Line(line.to_vec())) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Outlet {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The thread's side.
struct Mouth<W> {
    writer: W,
    health: Arc<Health>,
    lost: Arc<AtomicU64>,
    /// How many lost lines people were told of.
    told: u64,
}

impl<W: Write> Mouth<W> {
    fn run(mut self, messages: &Receiver<Message>) {
        for message in messages {
            match message {
                Message::Line(line) => self.say(&line),
                Message::Flush(done) => {
                    let _ = self.writer.flush();
                    // Who asked may have stopped waiting.
                    let _ = done.try_send(());
                }
            }
        }
    }

    fn say(&mut self, line: &[u8]) {
        if let Err(error) = self.writer.write_all(line) {
            let lost = self.lost.fetch_add(1, Ordering::Relaxed) + 1;
            self.health.set(Check::Log, Level::Degraded, format!("{lost} log lines were lost: {error}"));
            return;
        }
        let lost = self.lost.load(Ordering::Relaxed);
        if lost == self.told {
            self.health.clear(Check::Log);
        } else {
            self.told = lost;
            self.health.set(Check::Log, Level::Degraded, format!("{lost} log lines were lost so far"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};

    const PATIENCE: Duration = Duration::from_secs(30);

    /// A disk that is full until it is told otherwise, then passes lines on.
    struct Full(Receiver<()>, Sender<Vec<u8>>);

    impl Write for Full {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            match self.0.try_recv() {
                Ok(()) => self.1.send(line.to_vec()).map(|()| line.len()).map_err(io::Error::other),
                Err(_) => Err(io::ErrorKind::StorageFull.into()),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_costs_lines_that_are_counted_and_told_on_healthz() {
        let (allow, allowed) = channel();
        let (out, printed) = channel();
        let health = Arc::new(Health::new());
        let mut outlet = Outlet::new(Full(allowed, out), health.clone()).unwrap();
        outlet.write_all(b"one\n").unwrap();
        Outlet::flush(&outlet, PATIENCE);
        assert_eq!(outlet.lost_lines(), 1);
        assert_eq!(health.of(Check::Log).level, Level::Degraded);
        allow.send(()).unwrap();
        outlet.write_all(b"two\n").unwrap();
        assert_eq!(printed.recv_timeout(PATIENCE).unwrap(), b"two\n");
    }

    /// A terminal that is held for ever.
    struct Held(Receiver<()>);

    impl Write for Held {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_terminal_that_is_held_never_makes_a_writer_wait() {
        let (_hold, held) = channel();
        let mut outlet = Outlet::new(Held(held), Arc::new(Health::new())).unwrap();
        for _ in 0..3 * LINES_MAX {
            outlet.write_all(b"line\n").unwrap();
        }
        assert!(outlet.lost_lines() >= (2 * LINES_MAX - 1) as u64);
    }
}
