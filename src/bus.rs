//! The message bus: an array of events in a shared document. Each event gets its number and its time under the document's
//! lock, so the numbers follow one another; older events move to `events.jsonl` beside the document's versions, and are
//! durable there before they leave the document. No number is given twice, though the document goes back to an older version.
//! Whoever reads both by number misses none and sees none twice.

mod archive;
mod envelope;
mod follow;
mod publish;
mod skeleton;

pub use crate::backup::{EVENTS, highest_in};
pub use archive::{Archive, Local};
pub use envelope::{Event, Numbered};
pub use follow::{Follower, Fresh};
pub use publish::{Bus, BusError, Published};
