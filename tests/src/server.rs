//! A small HTTP server on the loopback that can misbehave in every way that real ones do.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What was asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET` or `HEAD`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers by their names in lower case.
    pub headers: BTreeMap<String, String>,
}

impl Request {
    /// A header; empty where it was not sent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What is answered.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers beside the length.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The connection is closed after so many bytes of the body.
    pub cut: Option<usize>,
    /// Another length than the body's is announced.
    pub length: Option<usize>,
    /// No length is announced: the end of the connection is the end of the body.
    pub unsized_: bool,
    /// Time between two pieces of the body, of which there are eight.
    pub pause: Duration,
}

impl Answer {
    /// A status with nothing else.
    pub fn status(status: u16) -> Self {
        Answer { status, ..Answer::default() }
    }

    /// All of `body`.
    pub fn whole(body: &[u8]) -> Self {
        Answer { status: 200, body: body.to_vec(), ..Answer::default() }
    }

    /// `body`, of which a client that knows `etag` may ask for the rest alone.
    pub fn file(body: &[u8], etag: &str, request: &Request) -> Self {
        let etag = format!("\"{etag}\"");
        let from = request.header("range").strip_prefix("bytes=").and_then(|r| r.strip_suffix('-')?.parse().ok());
        let is_same = ["", etag.as_str()].contains(&request.header("if-range"));
        let tagged = ("ETag", etag);
        match from.filter(|_| is_same) {
            Some(from) if from < body.len() => {
                let range = format!("bytes {from}-{}/{}", body.len() - 1, body.len());
                Answer { status: 206, headers: vec![tagged, ("Content-Range", range)], ..Answer::whole(&body[from..]) }
            }
            _ => Answer { headers: vec![tagged], ..Answer::whole(body) },
        }
    }

    /// A redirect.
    pub fn redirect(status: u16, to: impl Into<String>) -> Self {
        Answer::status(status).with("Location", to)
    }

    /// The same with a header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn send(&self, request: &Request, mut to: TcpStream) -> std::io::Result<()> {
        write!(to, "HTTP/1.1 {} Some reason\r\nConnection: close\r\n", self.status)?;
        for (name, value) in &self.headers {
            write!(to, "{name}: {value}\r\n")?;
        }
        if !self.unsized_ {
            write!(to, "Content-Length: {}\r\n", self.length.unwrap_or(self.body.len()))?;
        }
        write!(to, "\r\n")?;
        if request.method == "HEAD" {
            return Ok(());
        }
        let body = &self.body[..self.cut.unwrap_or(self.body.len())];
        if self.pause.is_zero() {
            return to.write_all(body);
        }
        for piece in body.chunks(body.len().div_ceil(8).max(1)) {
            to.write_all(piece)?;
            to.flush()?;
            std::thread::sleep(self.pause);
        }
        Ok(())
    }
}

type Seen = Arc<(Mutex<Vec<Request>>, Condvar)>;

/// A server that answers until the test ends.
pub struct Server {
    port: u16,
    seen: Seen,
}

impl Server {
    /// One that answers with what `answer` makes of the request and of how many of its path came before.
    pub fn new(answer: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let seen = Seen::default();
        let (shared, answer) = (seen.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answer) = (shared.clone(), answer.clone());
                std::thread::spawn(move || {
                    let Some(request) = read(&stream) else { return };
                    let before = {
                        let mut all = seen.0.lock().expect("no panic in a lock");
                        let before = all.iter().filter(|r| (&r.method, &r.path) == (&request.method, &request.path));
                        let before = before.count();
                        all.push(request.clone());
                        seen.1.notify_all();
                        before
                    };
                    // A client that goes away is none of the server's business.
                    let _ = answer(&request, before).send(&request, stream);
                });
            }
        });
        Server { port, seen }
    }

    /// The URL of `path` here.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// The same under another name of the host.
    pub fn other_host(&self, path: &str) -> String {
        format!("http://localhost:{}/{path}", self.port)
    }

    /// All that was asked so far.
    pub fn seen(&self) -> Vec<Request> {
        self.seen.0.lock().expect("no panic in a lock").clone()
    }

    /// Waits until something was asked.
    pub fn wait(&self) {
        let seen = self.seen.0.lock().expect("no panic in a lock");
        drop(self.seen.1.wait_while(seen, |all| all.is_empty()).expect("no panic in a lock"));
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    Some(Request { method, path, headers })
}
