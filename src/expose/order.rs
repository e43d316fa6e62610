//! Orders, which only the socket takes: what is asked, whether whoever asks may, and the answer.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes};
use hyper::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;
use tokio::net::unix::UCred;

use super::answer::{JSON, respond};
use super::content::Content;
use super::events;
use super::view::View;
use crate::clock;
use crate::config::WatchName;
use crate::disk::Disk;
use crate::disk::access::Caller;
use crate::document::{Digest, DocumentId};
use crate::error::Cause;
use crate::line;
use crate::steer::{Answer, Asker, Order, Scope, Steering};

/// Who a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Peer {
    /// From anywhere.
    Stranger,
    /// From this machine; the kernel says who.
    Local(UCred),
}

/// What can be posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Posted {
    Reload,
    Pause,
    Resume,
    Observe,
    Guard,
    Store,
    Look,
    Events,
}

/// A path may have 4,096 bytes, and JSON may need six characters for each.
const BODY_BYTES_MAX: usize = 32 << 10;

/// The body comes within this time, and whether its sender may is known within it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest pause that has an end.
const SPAN_MAX: Duration = Duration::from_secs(366 * 86_400);

/// The body of an order.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Said {
    path: Option<String>,
    /// The path in hex, where it is not UTF-8.
    path_bytes: Option<String>,
    watch: Option<String>,
    for_seconds: Option<f64>,
    digest: Option<String>,
    accept: bool,
}

impl Posted {
    pub(super) fn of(path: &str) -> Option<Self> {
        Some(match path.strip_prefix("/api/v1/")? {
            "reload" => Self::Reload,
            "pause" => Self::Pause,
            "resume" => Self::Resume,
            "observe" => Self::Observe,
            "guard" => Self::Guard,
            "store" => Self::Store,
            "look" => Self::Look,
            "events" => Self::Events,
            _ => return None,
        })
    }
}

/// Takes an order, and answers when it is done.
pub(super) async fn answer<B>(view: &View, posted: Posted, who: UCred, body: B) -> Response<Content>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let answer = match posted {
        Posted::Events => events::take(view, who, body).await,
        posted => take(view, posted, who, body).await,
    };
    match answer {
        Ok(members) => respond(StatusCode::OK, JSON, serde_json::Value::Object(members).to_string() + "\n"),
        Err(cause) => respond(code_of(&cause), JSON, json!({"error": cause.to_string()}).to_string() + "\n"),
    }
}

async fn take<B>(view: &View, posted: Posted, who: UCred, body: B) -> Answer
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let unread = || Cause::Usage("the order did not come whole, or has more than 32 KiB".to_owned());
    let collected = tokio::time::timeout(PATIENCE, Limited::new(body, BODY_BYTES_MAX).collect()).await;
    let bytes = collected.map_err(|_| unread())?.map_err(|_| unread())?.to_bytes();
    let order = order(posted, &bytes)?;
    let asker = authorised(view, &order, who).await?;
    view.orders.give(order, asker).await
}

/// The status that a command turns back into the same cause (`cli/ask.rs`).
fn code_of(cause: &Cause) -> StatusCode {
    match cause {
        Cause::Usage(_) => StatusCode::BAD_REQUEST,
        Cause::Io(error) if error.kind() == std::io::ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
        Cause::Absent(_) => StatusCode::NOT_FOUND,
        Cause::Refused(_) => StatusCode::CONFLICT,
        Cause::Locked(_) => StatusCode::LOCKED,
        Cause::NoDaemon(_) => StatusCode::SERVICE_UNAVAILABLE,
        Cause::Io(_) | Cause::Damaged(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn order(posted: Posted, body: &[u8]) -> Result<Order, Cause> {
    let said: Said =
        if body.is_empty() { Said::default() } else { serde_json::from_slice(body).map_err(|error| usage(&error))? };
    Ok(match posted {
        Posted::Reload => Order::Reload,
        Posted::Pause => Order::Steer(pause(&said)?),
        Posted::Resume => Order::Steer(Steering::Resume { scope: said.scope()? }),
        Posted::Observe => Order::Steer(Steering::Observe { scope: said.scope()? }),
        Posted::Guard => Order::Steer(Steering::Guard { scope: said.scope()? }),
        Posted::Store => {
            let digest = said.digest.as_deref().map(str::parse::<Digest>).transpose();
            let digest = digest.map_err(|()| Cause::Usage("`digest` has 32 hex digits".to_owned()))?;
            Order::Store { document: said.document()?, digest, accepts: said.accept }
        }
        Posted::Look | Posted::Events => Order::Look { document: said.document()? },
    })
}

fn usage(error: &serde_json::Error) -> Cause {
    Cause::Usage(format!("the order is not understood: {error}"))
}

fn pause(said: &Said) -> Result<Steering, Cause> {
    let wrong =
        || Cause::Usage("a pause lasts from a second to a year; leave its length out for one without an end".into());
    let span = match said.for_seconds {
        None => None,
        Some(seconds) => {
            let span = Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
            Some(span).filter(|span| (Duration::from_secs(1)..=SPAN_MAX).contains(span)).ok_or_else(wrong).map(Some)?
        }
    };
    let until = span.and_then(|span| clock::now().checked_add(span).ok());
    Ok(Steering::Pause { scope: said.scope()?, span, until })
}

impl Said {
    fn path(&self) -> Result<Option<PathBuf>, Cause> {
        let path = match (&self.path_bytes, &self.path) {
            (Some(hex), _) => Some(OsString::from_vec(line::unhex(hex).unwrap_or_default()).into()),
            (None, path) => path.as_ref().map(PathBuf::from),
        };
        match path {
            Some(path) if !path.is_absolute() => Err(Cause::Usage("`path` must be absolute".to_owned())),
            path => Ok(path),
        }
    }

    fn scope(&self) -> Result<Scope, Cause> {
        match (self.path()?, &self.watch) {
            (None, None) => Ok(Scope::All),
            (Some(path), None) => Ok(Scope::Path(path)),
            (None, Some(name)) => Ok(Scope::Watch(WatchName::new(name))),
            (Some(_), Some(_)) => Err(Cause::Usage("name a path or a watch, not both".to_owned())),
        }
    }

    fn document(&self) -> Result<DocumentId, Cause> {
        let document = document_of(self.path.as_ref(), self.path_bytes.as_ref())?;
        document.ok_or_else(|| Cause::Usage("name a file as `path`".to_owned()))
    }
}

/// The document that is named.
pub(super) fn document_of(path: Option<&String>, path_bytes: Option<&String>) -> Result<Option<DocumentId>, Cause> {
    let said = Said { path: path.cloned(), path_bytes: path_bytes.cloned(), ..Said::default() };
    let Some(path) = said.path()? else { return Ok(None) };
    match (path.parent(), path.file_name()) {
        (Some(directory), Some(name)) => Ok(Some(DocumentId::new(directory, name))),
        _ => Err(Cause::Usage("`path` names no file".to_owned())),
    }
}

/// Who asks, if they may: root and our own user everything, and of a guarded file whoever may write it what concerns only
/// that file.
pub(super) async fn authorised(view: &View, order: &Order, who: UCred) -> Result<Asker, Cause> {
    let own = match order {
        Order::Reload | Order::Steer(_) => None,
        Order::Store { document, .. } | Order::Look { document } => Some(document.clone()),
    };
    if let Some(document) = &own
        && view.status().files.find(document).is_none()
    {
        return Err(Cause::Absent("it is not guarded by this daemon".to_owned()));
    }
    let disk = view.disk.clone();
    let asking = tokio::task::spawn_blocking(move || may(&disk, own.as_ref(), who));
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(Ok(asker)) => asker,
        Ok(Err(_)) | Err(_) => Err(Cause::NoDaemon("whether you may could not be found out in time".to_owned())),
    }
}

fn may(disk: &Disk, document: Option<&DocumentId>, who: UCred) -> Result<Asker, Cause> {
    let process = who.pid().unwrap_or(0);
    let caller = Caller { user: who.uid(), group: who.gid(), groups: disk.groups_of(process, who.uid()) };
    let may = match document {
        None => caller.is_equal_to_us(),
        Some(document) => disk.may_change(&caller, document.path()).map_err(|error| {
            let why = error.to_string();
            if let Cause::Io(error) = error.cause() { Cause::Io(error.kind().into()) } else { denied(&why) }
        })?,
    };
    if !may {
        let own = disk.user_name(rustix::process::geteuid().as_raw()).unwrap_or_else(|| "the daemon's user".to_owned());
        let or_who = if document.is_some() { ", or whoever may read and write the file," } else { "" };
        let only = if own == "root" { own } else { format!("root and {own}") };
        return Err(denied(&format!("only {only}{or_who} may ask for this")));
    }
    let name = disk.user_name(caller.user).unwrap_or_else(|| caller.user.to_string());
    Ok(Asker { caller, name, process })
}

fn denied(why: &str) -> Cause {
    Cause::Io(std::io::Error::new(std::io::ErrorKind::PermissionDenied, why.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_says_what_it_is_about() {
        let asked = |posted, body: &str| order(posted, body.as_bytes());
        assert_eq!(asked(Posted::Resume, "").unwrap(), Order::Steer(Steering::Resume { scope: Scope::All }));
        let watch = Scope::Watch(WatchName::new("w"));
        assert_eq!(
            asked(Posted::Observe, r#"{"watch":"w"}"#).unwrap(),
            Order::Steer(Steering::Observe { scope: watch })
        );
        let document = DocumentId::new("/srv".as_ref(), "a.json".as_ref());
        let path = r#"{"path":"/srv/a.json"}"#;
        assert_eq!(asked(Posted::Look, path).unwrap(), Order::Look { document: document.clone() });
        let digest = Some(Digest::of(b"x"));
        let body =
            format!(r#"{{"path_bytes":"2f7372762f612e6a736f6e","digest":"{}","accept":true}}"#, Digest::of(b"x"));
        assert_eq!(asked(Posted::Store, &body).unwrap(), Order::Store { document, digest, accepts: true });
        for (posted, bad) in [
            (Posted::Store, "{}"),
            (Posted::Store, r#"{"path":"a.json"}"#),
            (Posted::Store, r#"{"path":"/"}"#),
            (Posted::Store, r#"{"path":"/a","digest":"no"}"#),
            (Posted::Pause, r#"{"path":"/a","watch":"w"}"#),
            (Posted::Pause, r#"{"for_seconds":0}"#),
            (Posted::Pause, r#"{"for_seconds":-1e300}"#),
            (Posted::Pause, r#"{"while":"x"}"#),
            (Posted::Pause, "["),
        ] {
            assert!(matches!(asked(posted, bad), Err(Cause::Usage(_))), "{bad}");
        }
    }
}
