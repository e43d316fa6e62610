//! A bar on the terminal while thousands of files are enrolled.

use std::io::IsTerminal;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::watch;

use crate::event::Status;

/// Fewer files are enrolled before anybody wonders.
const WORTH_A_BAR: usize = 1_000;

/// Shows how far the first looks are, until all files have had theirs or nobody tells any more.
pub(super) async fn show(mut status: watch::Receiver<Arc<Status>>) {
    if !std::io::stderr().is_terminal() {
        return;
    }
    let bar = ProgressBar::hidden();
    if let Ok(style) = ProgressStyle::with_template("{spinner} enrolling {bar:30} {pos} of {len} files, {eta} left") {
        bar.set_style(style);
    }
    while status.changed().await.is_ok() {
        let now = Arc::clone(&status.borrow_and_update());
        if now.first_sweep_done {
            break;
        }
        if now.files.len() >= WORTH_A_BAR {
            if bar.is_hidden() {
                bar.set_draw_target(ProgressDrawTarget::stderr());
            }
            bar.set_length(now.files.len() as u64);
            bar.set_position(now.judged as u64);
        }
    }
    bar.finish_and_clear();
}
