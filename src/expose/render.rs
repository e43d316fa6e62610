//! The long answers are written by a thread of their own: metrics of ten thousand series or the measure of a list of a
//! hundred thousand files must not keep a probe waiting, and the process collector reads /proc.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use hyper::body::Bytes;
use tokio::sync::oneshot;

use super::listing::{self, Listed};
use super::page;
use super::view::View;

/// So many answers may be waited for; connections are fewer.
const ASKED_MAX: usize = 128;

/// A long answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Metrics,
    Incidents,
    Status,
}

/// What somebody waits for.
enum Asked {
    Page(Page, oneshot::Sender<Bytes>),
    Files(oneshot::Sender<Listed>),
}

/// The thread, from outside. It ends when this is dropped.
pub(super) struct Renderer {
    asked: SyncSender<Asked>,
}

impl Renderer {
    pub(super) fn start(view: View) -> io::Result<Self> {
        let (asked, asks) = sync_channel(ASKED_MAX);
        let thread = std::thread::Builder::new().name("pages".to_owned());
        thread.spawn(move || run(&view, &asks))?;
        Ok(Self { asked })
    }

    /// The page as it is now; `None`: too many ask.
    pub(super) async fn page(&self, page: Page) -> Option<Bytes> {
        let (sender, answer) = oneshot::channel();
        self.asked.try_send(Asked::Page(page, sender)).ok()?;
        answer.await.ok()
    }

    /// The list of all files as it is now; `None`: too many ask.
    pub(super) async fn files(&self) -> Option<Listed> {
        let (sender, answer) = oneshot::channel();
        self.asked.try_send(Asked::Files(sender)).ok()?;
        answer.await.ok()
    }
}

/// Whoever asked for the same while it was written gets the same.
fn run(view: &View, asks: &Receiver<Asked>) {
    while let Ok(first) = asks.recv() {
        let (mut pages, mut lists) = (Vec::new(), Vec::new());
        for asked in std::iter::once(first).chain(asks.try_iter().take(ASKED_MAX)) {
            match asked {
                Asked::Page(page, answer) => pages.push((page, answer)),
                Asked::Files(answer) => lists.push(answer),
            }
        }
        // Whoever asked may be gone.
        while let Some((page, _)) = pages.first() {
            let page = *page;
            let text = render(view, page);
            for (_, answer) in pages.extract_if(.., |(asked, _)| *asked == page) {
                let _ = answer.send(text.clone());
            }
        }
        let listed = (!lists.is_empty()).then(|| Listed::new(view.status().files.clone()));
        for (answer, listed) in lists.into_iter().zip(listed.iter().cycle()) {
            let _ = answer.send(listed.clone());
        }
    }
}

fn render(view: &View, page: Page) -> Bytes {
    let status = view.status();
    match page {
        Page::Metrics => view.metrics.encode(&status, &view.checks(&status)).into(),
        Page::Incidents => listing::incidents(&view.recent.all()).into(),
        Page::Status => page::page(view).into(),
    }
}
