//! Which names we answer to. A page of a stranger can make a browser ask us under a name of the stranger's (DNS
//! rebinding); it cannot make it say `localhost`.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use hyper::HeaderMap;
use hyper::Uri;
use hyper::header::HOST;

/// The names that are ours, in lower case. Clones share them.
#[derive(Clone, Debug)]
pub struct Hosts {
    names: Arc<RwLock<Vec<String>>>,
}

impl Hosts {
    /// localhost, this machine's own name, and those that the configuration allows.
    #[must_use]
    pub fn new(configured: &[String]) -> Self {
        Self { names: Arc::new(RwLock::new(names(configured))) }
    }

    /// Another configuration allows others.
    pub fn replace(&self, configured: &[String]) {
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = names(configured);
    }

    /// Was this request meant for us? A target in absolute form counts more than the header (RFC 9112, 3.2.2).
    pub(super) fn allow(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        if let Some(authority) = uri.authority() {
            return self.is_ours(authority.host());
        }
        let mut named = headers.get_all(HOST).iter();
        match (named.next(), named.next()) {
            (Some(host), None) => host.to_str().is_ok_and(|host| self.is_ours(without_port(host))),
            _ => false,
        }
    }

    /// IP addresses always pass: no stranger's page has one of ours for a name.
    fn is_ours(&self, host: &str) -> bool {
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if address.parse::<IpAddr>().is_ok() {
            return true;
        }
        let name = host.strip_suffix('.').unwrap_or(host).to_lowercase();
        self.names.read().unwrap_or_else(PoisonError::into_inner).contains(&name)
    }
}

fn names(configured: &[String]) -> Vec<String> {
    let own = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let short = own.split('.').next().unwrap_or_default().to_owned();
    let names = ["localhost".to_owned(), own, short].into_iter().chain(configured.iter().cloned());
    names.filter(|name| !name.is_empty()).map(|name| name.to_lowercase()).collect()
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        Hosts::new(&["Backup.Example".to_owned()]).allow(&Uri::from_static("/healthz"), &headers)
    }

    #[test]
    fn our_names_and_every_address_pass() {
        for host in
            ["localhost", "LOCALHOST:14871", "localhost.", "127.0.0.1:14871", "10.0.0.7", "[::1]:14871", "[::1]"]
        {
            assert!(allowed(host), "{host}");
        }
        assert!(allowed("backup.example"));
        assert!(allowed(rustix::system::uname().nodename().to_str().unwrap()));
    }

    #[test]
    fn strangers_names_do_not() {
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", ":80", "a@localhost"] {
            assert!(!allowed(host), "{host}");
        }
    }

    #[test]
    fn two_names_or_none_do_not_and_the_target_counts_more() {
        let hosts = Hosts::new(&[]);
        let mut headers = HeaderMap::new();
        assert!(!hosts.allow(&Uri::from_static("/"), &headers));
        headers.append(HOST, "localhost".parse().unwrap());
        assert!(!hosts.allow(&Uri::from_static("http://evil.example/"), &headers));
        headers.append(HOST, "localhost".parse().unwrap());
        assert!(!hosts.allow(&Uri::from_static("/"), &headers));
    }
}
