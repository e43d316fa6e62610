//! Answers over HTTP: from memory, never with what is in a guarded file. Strangers may only read; over the socket, whose
//! callers the kernel names, orders are taken, too.
//!
//! Strangers may connect, so everything is bounded: header size and time, the time of a request, idle time, connections.
//! When there are too many, the one that has waited longest for its header goes, so that half-open requests never keep a
//! good client out. Who follows the events is no part of that crowd: those are few, and end when they take nothing.

mod answer;
mod connections;
mod content;
mod events;
mod hosts;
mod listing;
mod order;
mod page;
mod probes;
mod render;
mod view;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};

use self::answer::Server;
use self::connections::{Connections, Slot};
use self::content::Content;
pub use self::hosts::Hosts;
use self::order::Peer;
pub use self::view::{Identity, View};
use crate::stage::{Fatal, Heartbeat};

/// What strangers are allowed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the moment a connection could send a request to the end of its header. (hyper has one clock for both, so an
    /// idle connection is closed after this time, too.)
    pub header: Duration,
    /// From the end of the header to the answer.
    pub request: Duration,
    /// A connection that neither sends nor takes anything.
    pub idle: Duration,
    /// At the end, answers that are under way get so long.
    pub drain: Duration,
    /// Connections at once.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(5),
            request: Duration::from_secs(10),
            idle: Duration::from_secs(15),
            drain: Duration::from_secs(1),
            connections: 64,
        }
    }
}

impl Limits {
    /// For the socket: fewer at once, so that neither way in can starve the other; and an order may wait for a writer.
    #[must_use]
    pub fn local() -> Self {
        Self { request: Duration::from_secs(60), connections: 16, ..Self::default() }
    }
}

/// Where requests come in.
#[derive(Debug, Default)]
pub struct Listeners {
    /// From strangers.
    pub tcp: Option<TcpListener>,
    /// From users of this machine.
    pub socket: Option<UnixListener>,
}

const HEADERS_MAX: usize = 32;
const HEADER_BYTES_MAX: usize = 8 << 10;

/// hyper's least. What it reads at once; a request has no body.
const BUFFER_BYTES: usize = 16 << 10;

/// After a failed `accept` (no descriptor left), before the next one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers until `stop` is over; then what is under way gets the drain limit.
///
/// # Errors
/// No thread is to be had for rendering.
pub async fn run(
    listeners: Listeners,
    view: View,
    limits: Limits,
    stop: impl Future<Output = ()>,
    heartbeat: Heartbeat,
) -> Result<(), Fatal> {
    let feeds = Arc::clone(&view.feeds);
    let server = Server::new(view, limits.request)
        .map_err(|error| Fatal { stage: heartbeat.stage(), why: format!("no thread for rendering: {error}") })?;
    let (close, closing) = watch::channel(());
    let (working, mut all_done) = mpsc::channel::<Infallible>(1);
    let start = Start { server: Arc::new(server), closing, working };
    let strangers = Arc::new(Connections::new(limits));
    let locals = Arc::new(Connections::new(Limits::local()));
    let mut tick = tokio::time::interval(Heartbeat::PERIOD);
    let mut stop = pin!(stop);
    loop {
        heartbeat.beat();
        tokio::select! {
            () = &mut stop => break,
            now = tick.tick() => {
                strangers.end_the_stalled(now.into());
                locals.end_the_stalled(now.into());
            }
            accepted = accept_tcp(listeners.tcp.as_ref()) => match accepted {
                Ok(stream) => start.connection(stream, Peer::Stranger, &strangers),
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            accepted = accept_local(listeners.socket.as_ref()) => match accepted {
                Ok((stream, peer)) => start.connection(stream, peer, &locals),
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    feeds.close();
    drop((listeners, close, start));
    // Done, or the time is up: what is still under way is cut off.
    let _ = tokio::time::timeout(limits.drain, all_done.recv()).await;
    strangers.end_all();
    locals.end_all();
    Ok(())
}

async fn accept_tcp(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

async fn accept_local(listener: Option<&UnixListener>) -> io::Result<(UnixStream, Peer)> {
    let Some(listener) = listener else { return std::future::pending().await };
    let (stream, _) = listener.accept().await?;
    let peer = Peer::Local(stream.peer_cred()?);
    Ok((stream, peer))
}

/// What each connection is started with.
struct Start {
    server: Arc<Server>,
    closing: watch::Receiver<()>,
    working: mpsc::Sender<Infallible>,
}

impl Start {
    /// Serves a connection in a task of its own, or drops it when all others are being answered.
    fn connection<S>(&self, stream: S, peer: Peer, connections: &Arc<Connections>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(slot) = connections.enter(Instant::now()) else { return };
        let (server, limits) = (self.server.clone(), connections.limits());
        let (closing, working) = (self.closing.clone(), self.working.clone());
        tokio::spawn(async move {
            serve(stream, peer, &server, limits, &slot, closing).await;
            drop(working);
        });
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    peer: Peer,
    server: &Server,
    limits: Limits,
    slot: &Slot,
    mut closing: watch::Receiver<()>,
) {
    let service = service_fn(async |request| {
        slot.answering();
        let response = server.respond(request, &peer).await;
        match response.body() {
            Content::Events(events) => slot.following(events.taken()),
            Content::Whole(_) | Content::Listed(_) => slot.waiting(),
        }
        Ok::<_, Infallible>(response)
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header)
            .max_headers(HEADERS_MAX)
            .max_header_size(HEADER_BYTES_MAX)
            .max_buf_size(BUFFER_BYTES)
            .serve_connection(TokioIo::new(stream), service)
    );
    // However a connection ends, it was the client's; there is nobody to tell.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = slot.ended() => return,
        _ = closing.changed() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        _ = connection => {}
        () = slot.ended() => {}
    }
}

#[cfg(test)]
#[path = "expose/tests.rs"]
mod tests;
