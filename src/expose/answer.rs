//! One request, one answer.

use std::io;
use std::time::{Duration, Instant};

use hyper::body::{Body, Bytes};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};

use super::content::{Content, Events};
use super::order::{self, Peer, Posted};
use super::page::{POLICY, STYLE};
use super::probes::{self, Probe};
use super::render::{Page, Renderer};
use super::view::View;

const TEXT: &str = "text/plain; charset=utf-8";
const NOTHING: &str = "nothing here\n";
const BUSY: &str = "too many ask at once\n";
const EVENTS: &str = "text/event-stream";
pub(super) const JSON: &str = "application/json";

/// What a path asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Live,
    Ready,
    Health,
    Page(Page),
    Files,
    Style,
    Events,
    Daemon,
    Order(Posted),
    Nothing,
}

impl Route {
    fn of(path: &str, method: &Method, peer: &Peer) -> Self {
        let posted = Posted::of(path);
        if let Some(posted) = posted.filter(|_| matches!(peer, Peer::Local(_)) && *method == Method::POST) {
            // Events are followed by a GET, and those of a document taken by a POST, at the same path.
            return Self::Order(posted);
        }
        match path {
            "/livez" | "/health/live" => Self::Live,
            "/readyz" | "/health/ready" => Self::Ready,
            "/healthz" | "/health" => Self::Health,
            "/metrics" => Self::Page(Page::Metrics),
            "/" => Self::Page(Page::Status),
            "/style.css" => Self::Style,
            "/api/v1/events" => Self::Events,
            "/api/v1/files" => Self::Files,
            "/api/v1/incidents" => Self::Page(Page::Incidents),
            "/api/v1/daemon" => Self::Daemon,
            _ => posted.map_or(Self::Nothing, Self::Order),
        }
    }

    /// Its label in `http_requests_total{handler}`; all of them are in [`crate::record::metrics::HANDLERS`].
    fn label(self) -> &'static str {
        match self {
            Self::Live => "livez",
            Self::Ready => "readyz",
            Self::Health => "healthz",
            Self::Page(Page::Metrics) => "metrics",
            Self::Page(Page::Status) | Self::Style => "page",
            Self::Files => "files",
            Self::Page(Page::Incidents) => "incidents",
            Self::Events => "events",
            Self::Order(_) => "orders",
            Self::Daemon | Self::Nothing => "other",
        }
    }

    /// Probes and scrapers come under any name, and learn nothing that a stranger's page could use.
    fn is_for_any_host(self) -> bool {
        matches!(self, Self::Live | Self::Ready | Self::Page(Page::Metrics))
    }
}

/// What answers requests.
pub(super) struct Server {
    view: View,
    renderer: Renderer,
    limit: Duration,
}

impl Server {
    /// A server that gives each answer up after `limit`.
    pub(super) fn new(view: View, limit: Duration) -> io::Result<Self> {
        Ok(Self { renderer: Renderer::start(view.clone())?, view, limit })
    }

    /// Answers a request, whatever it is.
    pub(super) async fn respond<B>(&self, request: Request<B>, peer: &Peer) -> Response<Content>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let began = Instant::now();
        let route = Route::of(request.uri().path(), request.method(), peer);
        let response = match (route, peer) {
            (Route::Order(posted), Peer::Local(who)) if *request.method() == Method::POST => {
                order::answer(&self.view, posted, *who, request.into_body()).await
            }
            _ => match self.refusal(&request, route, peer) {
                Some(refusal) => refusal,
                // A place among the followers is not for a mere question.
                None if route == Route::Events && *request.method() == Method::HEAD => {
                    respond(StatusCode::OK, EVENTS, "")
                }
                None => self.answer(route, is_verbose(request.uri().query())).await,
            },
        };
        self.view.metrics.answered(route.label(), response.status().as_u16(), began.elapsed());
        response
    }

    /// Why a request is not answered at all.
    fn refusal<B: Body>(&self, request: &Request<B>, route: Route, peer: &Peer) -> Option<Response<Content>> {
        let is_local = matches!(peer, Peer::Local(_));
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return Some(response);
        }
        if !request.body().is_end_stream() {
            return Some(refuse(StatusCode::PAYLOAD_TOO_LARGE, "a request has no body here\n"));
        }
        if !is_local && !route.is_for_any_host() && !self.view.hosts.allow(request.uri(), request.headers()) {
            let why = "that host name is not ours; hosts in the [http] table of the configuration can allow it\n";
            return Some(refuse(StatusCode::MISDIRECTED_REQUEST, why));
        }
        match route {
            Route::Order(_) if is_local => {
                let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, "an order is given with POST\n");
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
                Some(response)
            }
            Route::Order(_) | Route::Daemon if !is_local => Some(respond(StatusCode::NOT_FOUND, TEXT, NOTHING)),
            _ => None,
        }
    }

    async fn answer(&self, route: Route, verbose: bool) -> Response<Content> {
        match route {
            Route::Live => probed(probes::live(&self.view, verbose), TEXT),
            Route::Ready => probed(probes::ready(&self.view, verbose), TEXT),
            Route::Health => probed(probes::health(&self.view), JSON),
            Route::Page(page) => self.page(page).await,
            Route::Files => self.files().await,
            Route::Style => respond(StatusCode::OK, "text/css; charset=utf-8", STYLE),
            Route::Events => self.events(),
            Route::Daemon => respond(StatusCode::OK, JSON, self.view.identity.json()),
            Route::Order(_) | Route::Nothing => respond(StatusCode::NOT_FOUND, TEXT, NOTHING),
        }
    }

    fn events(&self) -> Response<Content> {
        let Some(pieces) = self.view.feeds.listen() else {
            return respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, "too many follow already\n");
        };
        let mut response = respond(StatusCode::OK, EVENTS, "");
        *response.body_mut() = Content::Events(Events::new(pieces));
        response
    }

    async fn page(&self, page: Page) -> Response<Content> {
        let content_type = match page {
            Page::Metrics => prometheus::TEXT_FORMAT,
            Page::Status => "text/html; charset=utf-8",
            Page::Incidents => JSON,
        };
        match tokio::time::timeout(self.limit, self.renderer.page(page)).await {
            Ok(Some(text)) => respond(StatusCode::OK, content_type, text),
            Ok(None) | Err(_) => respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, BUSY),
        }
    }

    async fn files(&self) -> Response<Content> {
        match tokio::time::timeout(self.limit, self.renderer.files()).await {
            Ok(Some(listed)) => {
                let mut response = respond(StatusCode::OK, JSON, "");
                *response.body_mut() = listed.into();
                response
            }
            Ok(None) | Err(_) => respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, BUSY),
        }
    }
}

fn is_verbose(query: Option<&str>) -> bool {
    query.unwrap_or_default().split('&').any(|part| part == "verbose" || part.starts_with("verbose="))
}

fn probed(probe: Probe, content_type: &'static str) -> Response<Content> {
    let code = if probe.well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    respond(code, content_type, probe.text)
}

/// Refuses a request, and closes the connection: what may follow is not read.
fn refuse(code: StatusCode, why: &'static str) -> Response<Content> {
    let mut response = respond(code, TEXT, why);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

pub(super) fn respond(code: StatusCode, content_type: &'static str, text: impl Into<Bytes>) -> Response<Content> {
    let mut response = Response::new(text.into().into());
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
