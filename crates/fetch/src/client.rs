//! One HTTP request: who we are, whom the token is for, where redirects may lead.

use std::io::{ErrorKind, Read};
use std::time::{Duration, SystemTime};

use ureq::http::{HeaderMap, Response};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};
use zsad_core::{Error, Result, env};

use crate::hosts::{Hosts, Permit};
use crate::settings::Settings;
use crate::url::{self, Origin};
use crate::wait;

const USER_AGENT: &str = concat!("zsad/", env!("CARGO_PKG_VERSION"), " (+", env!("CARGO_PKG_REPOSITORY"), ")");
const REDIRECTS: usize = 10;

/// Why a request did not bring what was wanted.
#[derive(Debug)]
pub enum Failure {
    /// It may pass by itself; the server may have said after how long.
    Passing(String, Option<Duration>),
    /// This source will not do.
    Lasting(String),
    /// No source will do: the disk is full, or a person wants to end.
    Fatal(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Fatal(error)
    }
}

/// Whether redirects to another place are followed, or only those that rename on the same host.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// All.
    All,
    /// Relative ones: what an absolute one carries is the answer.
    Relative,
}

/// Asks servers.
pub struct Client {
    agent: Agent,
    token: Option<String>,
    /// The origins that the token is for.
    trusted: Vec<Origin>,
    hosts: Hosts,
}

/// An answer with its body unread.
pub struct Reply<'a> {
    /// The URL that answered, after redirects.
    pub url: String,
    /// The status.
    pub status: u16,
    headers: HeaderMap,
    body: Body,
    _permit: Permit<'a>,
}

impl Reply<'_> {
    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body.
    pub fn reader(&mut self) -> impl Read + '_ {
        self.body.as_reader()
    }

    /// The same as something that another request may mend.
    pub fn refusal_as_passing(&self) -> Failure {
        Failure::Passing(format!("{}: the server answers {}", self.url, status(self.status)), None)
    }

    /// What an unwanted status means.
    pub fn refusal(&self) -> Failure {
        let why = format!("{}: the server answers {}", self.url, status(self.status));
        match self.status {
            408 | 425 | 429 | 500 | 502 | 503 | 504 => {
                let after = self.header("retry-after").and_then(|v| wait::retry_after(v, SystemTime::now()));
                match after {
                    Some(long) if long > wait::PATIENCE => {
                        let asked = humantime::format_duration(Duration::from_secs(long.as_secs()));
                        Failure::Lasting(format!("{why} and asks to wait {asked}"))
                    }
                    _ => Failure::Passing(why, after),
                }
            }
            _ => Failure::Lasting(why),
        }
    }
}

/// `404 Not Found`.
fn status(code: u16) -> String {
    let known = ureq::http::StatusCode::from_u16(code).ok().and_then(|s| s.canonical_reason());
    known.map_or(code.to_string(), |reason| format!("{code} {reason}"))
}

impl Client {
    /// One with the settings' time-outs and token. `SSL_CERT_FILE` names other root certificates than Mozilla's.
    ///
    /// # Errors
    /// Where those cannot be read.
    pub fn new(settings: &Settings) -> Result<Self> {
        let roots = match env::variable("SSL_CERT_FILE") {
            None => RootCerts::WebPki,
            Some(path) => {
                let pem = std::fs::read(&path).map_err(|e| Error::io(&path, &e))?;
                let certificates = parse_pem(&pem).filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                });
                let certificates: Vec<_> = certificates.collect();
                if certificates.is_empty() {
                    return Err(Error::data(path, "no certificate in it", "SSL_CERT_FILE names a file in PEM form"));
                }
                RootCerts::new_with_certs(&certificates)
            }
        };
        let config = Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(USER_AGENT)
            // Checksums are of the bytes as they are stored.
            .accept_encoding("identity")
            .timeout_resolve(Some(settings.timeout))
            .timeout_connect(Some(settings.timeout))
            .timeout_recv_response(Some(settings.timeout))
            .timeout_per_read(Some(settings.timeout))
            .build();
        let trusted = settings.hub.trusted();
        Ok(Client { agent: config.new_agent(), token: settings.hub.token.clone(), trusted, hosts: Hosts::default() })
    }

    /// Asks for `url` with `headers`; `head`: for the headers alone.
    ///
    /// # Errors
    /// Where no answer comes. Any status is an answer; see [`Reply::refusal`].
    pub fn ask(&self, url: &str, headers: &[(&str, String)], head: bool, follow: Follow) -> Result<Reply<'_>, Failure> {
        let mut url = url.to_owned();
        for _ in 0..=REDIRECTS {
            let origin = Origin::of(&url).ok_or_else(|| Failure::Lasting(format!("{url}: not a URL of http(s)")))?;
            let permit = self.hosts.enter(&origin.host);
            let response = self.once(&url, &origin, headers, head)?;
            let code = response.status().as_u16();
            let location = response.headers().get("location").and_then(|l| l.to_str().ok()).map(str::to_owned);
            match location {
                Some(to) if (301..=308).contains(&code) && (follow == Follow::All || !url::is_absolute(&to)) => {
                    let next = url::join(&url, &to);
                    if origin.scheme == "https" && !next.starts_with("https://") && !origin.is_loopback() {
                        return Err(Failure::Lasting(format!("{url}: leads to {next}, which is not encrypted")));
                    }
                    url = next;
                }
                _ => {
                    let (parts, body) = response.into_parts();
                    return Ok(Reply { url, status: code, headers: parts.headers, body, _permit: permit });
                }
            }
        }
        Err(Failure::Lasting(format!("{url}: more than {REDIRECTS} redirects")))
    }

    fn once(
        &self,
        url: &str,
        origin: &Origin,
        headers: &[(&str, String)],
        head: bool,
    ) -> Result<Response<Body>, Failure> {
        let mut request = if head { self.agent.head(url) } else { self.agent.get(url) };
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        // Decided anew for every hop: a redirect to another host goes without it.
        if let Some(token) = self.token.as_ref().filter(|_| origin.is_private() && self.trusted.contains(origin)) {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        request.call().map_err(|e| failure(url, &e))
    }
}

/// What an error of the connection means.
fn failure(url: &str, error: &ureq::Error) -> Failure {
    let why = format!("{url}: {error}");
    // Nobody listens; or the certificate is not one to trust.
    let lasting = [ErrorKind::ConnectionRefused, ErrorKind::InvalidData];
    match error {
        ureq::Error::Timeout(_) | ureq::Error::Protocol(_) => Failure::Passing(why, None),
        ureq::Error::Io(e) if !lasting.contains(&e.kind()) => Failure::Passing(why, None),
        _ => Failure::Lasting(why),
    }
}
