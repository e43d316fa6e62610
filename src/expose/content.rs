//! What an answer carries: all of it at once, a long list piece by piece, or events as they happen.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::sync::mpsc;

use super::listing::Listed;

/// The body of an answer.
#[derive(Debug)]
pub(super) enum Content {
    /// All of it; `None`: it was taken.
    Whole(Option<Bytes>),
    /// A list that is written as the client takes it.
    Listed(Listed),
    /// One piece after the other, until the daemon ends or the client is too slow.
    Events(Events),
}

/// Events, as the client takes them.
#[derive(Debug)]
pub(super) struct Events {
    pieces: mpsc::Receiver<Bytes>,
    taken: Arc<AtomicU64>,
}

impl Events {
    pub(super) fn new(pieces: mpsc::Receiver<Bytes>) -> Self {
        Self { pieces, taken: Arc::default() }
    }

    /// How many the client has taken so far: who takes nothing for long is not there any more.
    pub(super) fn taken(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.taken)
    }
}

impl From<Listed> for Content {
    fn from(listed: Listed) -> Self {
        Self::Listed(listed)
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take()),
            Self::Listed(listed) => Poll::Ready(listed.next().map(Bytes::from)),
            Self::Events(events) => {
                let piece = events.pieces.poll_recv(context);
                if piece.is_ready() {
                    events.taken.fetch_add(1, Ordering::Relaxed);
                }
                piece
            }
        };
        piece.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Listed(listed) => SizeHint::with_exact(listed.left_bytes()),
            Self::Events(_) => SizeHint::default(),
        }
    }
}
