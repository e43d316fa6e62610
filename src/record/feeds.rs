//! What happens, told as it happens to whoever listens over HTTP. Who does not take it in time is dropped: nothing here waits.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tracing::Level;

use super::account::Account;
use super::incidents::path_bytes;
use crate::clock::Timestamp;

/// So many may listen at once.
const LISTENERS_MAX: usize = 16;

/// So much may wait for one listener; who is further behind is dropped.
const WAITING_MAX: usize = 64;

/// When nothing happens, something is said this often, so that both sides see whether the other is there.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// Those who listen. The lock is held for moments.
#[derive(Debug, Default)]
pub struct Feeds(Mutex<Listeners>);

#[derive(Debug, Default)]
struct Listeners {
    open: Vec<mpsc::Sender<Bytes>>,
    next_id: u64,
    said: Option<Instant>,
    is_closed: bool,
}

impl Feeds {
    /// Listens from now on; `None`: too many do, or the daemon ends. It ends when the listener is too slow, or the daemon ends.
    #[must_use]
    pub fn listen(&self) -> Option<mpsc::Receiver<Bytes>> {
        let mut listeners = self.listeners();
        listeners.open.retain(|listener| !listener.is_closed());
        if listeners.is_closed || listeners.open.len() >= LISTENERS_MAX {
            return None;
        }
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        // There is room for it.
        let _ = sender.try_send(Bytes::from_static(b"retry: 5000\n\n"));
        listeners.open.push(sender);
        Some(receiver)
    }

    /// Nobody is told anything more.
    pub fn close(&self) {
        let mut listeners = self.listeners();
        listeners.is_closed = true;
        listeners.open.clear();
    }

    /// Tells one fact, by names and numbers; what is routine is left out.
    pub(super) fn tell(&self, at: Timestamp, account: &Account<'_>) {
        let mut listeners = self.listeners();
        if listeners.open.is_empty() || matches!(account.level, Level::DEBUG | Level::TRACE) {
            return;
        }
        listeners.next_id += 1;
        let (id, data) = (listeners.next_id, Value::Object(members(at, account)));
        listeners.say(&format!("id: {id}\ndata: {data}\n\n").into());
    }

    /// To be called now and then.
    pub(super) fn look_around(&self, now: Instant) {
        let mut listeners = self.listeners();
        if listeners.said.is_none_or(|said| now.saturating_duration_since(said) >= SILENCE_MAX) {
            listeners.say(&Bytes::from_static(b": still here\n\n"));
        }
    }

    fn listeners(&self) -> MutexGuard<'_, Listeners> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listeners {
    fn say(&mut self, words: &Bytes) {
        self.said = Some(Instant::now());
        self.open.retain(|listener| listener.try_send(words.clone()).is_ok());
    }
}

/// No sentence: it may quote what stands in a file.
fn members(at: Timestamp, account: &Account<'_>) -> Map<String, Value> {
    let document = account.document;
    let members = [
        ("time", Some(json!(at.to_string()))),
        ("event", Some(json!(account.name))),
        ("path", document.map(|document| json!(document.to_string()))),
        ("path_bytes", document.and_then(path_bytes).map(Value::from)),
        ("watch", account.watch.map(|watch| json!(watch.as_str()))),
        ("kind", account.kind.map(Value::from)),
        ("version", account.version.map(|version| json!(version.0))),
        ("incident", account.incident.map(|incident| json!(incident.0))),
    ];
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tell(feeds: &Feeds, level: Level) {
        feeds.tell(Timestamp::UNIX_EPOCH, &Account::new(level, "held", "{\"secret\": 1}".to_owned()));
    }

    #[test]
    fn a_listener_hears_what_is_worth_it_without_what_stands_in_files() {
        let feeds = Feeds::default();
        let mut listener = feeds.listen().unwrap();
        tell(&feeds, Level::DEBUG);
        tell(&feeds, Level::ERROR);
        let mut hear = || listener.try_recv().map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
        assert_eq!(hear().unwrap(), "retry: 5000\n\n");
        let heard = hear().unwrap();
        assert!(heard.starts_with("id: 1\ndata: {") && heard.ends_with("}\n\n"), "{heard}");
        assert!(heard.contains("\"event\":\"held\"") && !heard.contains("secret"), "{heard}");
        assert!(hear().is_err());
    }

    #[test]
    fn who_is_too_slow_is_dropped_and_too_many_are_refused() {
        let feeds = Feeds::default();
        let slow = feeds.listen().unwrap();
        let mut quick = feeds.listen().unwrap();
        for _ in 0..=WAITING_MAX {
            tell(&feeds, Level::WARN);
            while quick.try_recv().is_ok() {}
        }
        assert!(slow.is_closed() && !quick.is_closed());
        let others: Vec<_> = (1..LISTENERS_MAX).map(|_| feeds.listen().unwrap()).collect();
        assert!(feeds.listen().is_none());
        drop(others);
        assert!(feeds.listen().is_some());
        feeds.close();
        assert!(quick.is_closed() && feeds.listen().is_none());
    }
}
