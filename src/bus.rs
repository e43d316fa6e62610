//! The message bus: an array of events in a shared document. Each event gets its number and its time under the document's
//! lock, so the numbers follow one another; older events move to `events.jsonl` beside the document's versions, and are
//! durable there before they leave the document. Whoever reads both by number misses none and sees none twice.

mod envelope;
mod follow;
mod publish;
mod skeleton;

pub use envelope::{Event, Numbered};
pub use follow::{Follower, Fresh};
pub use publish::{Bus, BusError, Published};

/// Where the events of a document stand unless somebody says otherwise.
pub const EVENTS: &str = "/events";
