//! Requests over one connection that stays, many at a time: a client that takes less work than what it asks for.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Longer than any request may take; a node that stands still is waited for.
const LIMIT: Duration = Duration::from_secs(40);

/// How many answers there were, over all connections.
pub(crate) static ANSWERED: AtomicU64 = AtomicU64::new(0);

/// What was answered, and when it can have been decided.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) sent: Instant,
    pub(crate) received: Instant,
    pub(crate) status: u16,
    /// Whether a handler of the host made it, and not Warden.
    pub(crate) handler: bool,
    /// Whether it holds a challenge.
    pub(crate) challenge: bool,
}

#[derive(Debug)]
pub(crate) struct Wire {
    address: String,
    stream: Option<BufReader<TcpStream>>,
}

impl Wire {
    /// To a host's URL.
    pub(crate) fn to(url: &str) -> Self {
        Self {
            address: url.strip_prefix("http://").unwrap().to_owned(),
            stream: None,
        }
    }

    /// Asks once.
    pub(crate) async fn get(&mut self, path: &str, rpt: Option<&str>) -> Option<Reply> {
        self.ask(&[(path, rpt)]).await.pop()
    }

    /// Asks for all of these, and then reads the answers: those that came before the connection ended.
    pub(crate) async fn ask(&mut self, requests: &[(&str, Option<&str>)]) -> Vec<Reply> {
        let mut replies = Vec::with_capacity(requests.len());
        let asked = tokio::time::timeout(LIMIT, self.exchange(requests, &mut replies)).await;
        if !matches!(asked, Ok(Some(()))) {
            self.stream = None;
        }
        replies
    }

    async fn exchange(
        &mut self,
        requests: &[(&str, Option<&str>)],
        replies: &mut Vec<Reply>,
    ) -> Option<()> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(&self.address).await.ok()?;
            stream.set_nodelay(true).ok()?;
            self.stream = Some(BufReader::new(stream));
        }
        let stream = self.stream.as_mut()?;
        let mut text = String::new();
        for (path, rpt) in requests {
            write!(text, "GET {path} HTTP/1.1\r\nhost: {}\r\n", self.address).ok()?;
            if let Some(rpt) = rpt {
                write!(text, "authorization: Bearer {rpt}\r\n").ok()?;
            }
            text.push_str("\r\n");
        }
        let sent = Instant::now();
        stream.get_mut().write_all(text.as_bytes()).await.ok()?;
        for _ in requests {
            replies.push(read(stream, sent).await?);
        }
        Some(())
    }
}

async fn read(stream: &mut BufReader<TcpStream>, sent: Instant) -> Option<Reply> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let status = line.split(' ').nth(1)?.parse().ok()?;
    let (mut handler, mut challenge, mut length) = (false, false, 0);
    loop {
        line.clear();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        match name {
            "host-one-handler" => handler = true,
            "www-authenticate" => challenge = value.trim().starts_with("UMA realm="),
            "content-length" => length = value.trim().parse().ok()?,
            _ => {}
        }
    }
    ANSWERED.fetch_add(1, Ordering::Relaxed);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Reply {
        sent,
        received: Instant::now(),
        status,
        handler,
        challenge,
    })
}
