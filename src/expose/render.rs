//! The long answers are written by a thread of their own: metrics of ten thousand series or a list of a hundred thousand
//! files must not keep a probe waiting, and the process collector reads /proc.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use hyper::body::Bytes;
use tokio::sync::oneshot;

use super::listing;
use super::page;
use super::view::View;
use crate::event::Status;

/// So many answers may be waited for; connections are fewer.
const ASKED_MAX: usize = 128;

/// A long answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Metrics,
    Files,
    Incidents,
    Status,
}

type Asked = (Page, oneshot::Sender<Bytes>);

/// The thread, from outside. It ends when this is dropped.
pub(super) struct Renderer {
    asked: SyncSender<Asked>,
}

impl Renderer {
    pub(super) fn start(view: View) -> io::Result<Self> {
        let (asked, asks) = sync_channel(ASKED_MAX);
        let thread = std::thread::Builder::new().name("pages".to_owned());
        thread.spawn(move || Press { view, files: None }.run(&asks))?;
        Ok(Self { asked })
    }

    /// The page as it is now; `None`: too many ask.
    pub(super) async fn page(&self, page: Page) -> Option<Bytes> {
        let (sender, answer) = oneshot::channel();
        self.asked.try_send((page, sender)).ok()?;
        answer.await.ok()
    }
}

struct Press {
    view: View,
    /// The last list of files, and the status that it was made from.
    files: Option<(Arc<Status>, Bytes)>,
}

impl Press {
    /// Whoever asked for the same page while another was written gets the same copy.
    fn run(mut self, asks: &Receiver<Asked>) {
        while let Ok(first) = asks.recv() {
            let mut waiting: Vec<Asked> = std::iter::once(first).chain(asks.try_iter().take(ASKED_MAX)).collect();
            while let Some((page, _)) = waiting.first() {
                let page = *page;
                let text = self.render(page);
                let (same, others): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(asked, _)| *asked == page);
                for (_, answer) in same {
                    // Whoever asked may be gone.
                    let _ = answer.send(text.clone());
                }
                waiting = others;
            }
        }
    }

    fn render(&mut self, page: Page) -> Bytes {
        let status = self.view.status();
        match page {
            Page::Metrics => self.view.metrics.encode(&status, &self.view.checks(&status)).into(),
            Page::Incidents => listing::incidents(&self.view.recent.all()).into(),
            Page::Files => self.files(status),
            Page::Status => page::page(&self.view).into(),
        }
    }

    fn files(&mut self, status: Arc<Status>) -> Bytes {
        if let Some((of, text)) = &self.files
            && Arc::ptr_eq(of, &status)
        {
            return text.clone();
        }
        let text = Bytes::from(listing::files(&status));
        self.files = Some((status, text.clone()));
        text
    }
}
