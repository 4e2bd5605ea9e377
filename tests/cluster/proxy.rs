//! A way between two sockets that can be cut, held up, or made to lose what Postgres tells unasked.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What tells.
const WORD: &[u8] = b"NOTIFY ";

/// How the way is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    /// What is sent arrives so much later.
    Slow(Duration),
    /// Notifications of the server are lost; all else arrives.
    Deaf,
    /// What a client would tell by way of the server fails there; all else arrives.
    Mute,
    /// Nothing arrives, nothing is closed.
    Silent,
    /// Connections are closed, new ones too.
    Cut,
}

#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    way: Arc<watch::Sender<Way>>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let way = Arc::new(watch::Sender::new(Way::Open));
        let ways = Arc::clone(&way);
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let way = ways.subscribe();
                tokio::spawn(async move { carry(near, port, way).await });
            }
        });
        Self {
            port: own,
            way,
            accepting,
        }
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(near: TcpStream, port: u16, way: watch::Receiver<Way>) {
    if *way.borrow() == Way::Cut {
        return;
    }
    let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let (from_near, to_near) = near.into_split();
    let (from_far, to_far) = far.into_split();
    let mut cut = way.clone();
    tokio::select! {
        () = octets(from_near, to_far, way.clone()) => {}
        () = messages(from_far, to_near, way) => {}
        _ = cut.wait_for(|way| *way == Way::Cut) => {}
    }
}

/// Waits as the way demands.
async fn passage(way: &mut watch::Receiver<Way>) {
    let now = *way.borrow();
    match now {
        Way::Slow(time) => tokio::time::sleep(time).await,
        Way::Silent | Way::Cut => {
            let _ = way
                .wait_for(|way| !matches!(way, Way::Silent | Way::Cut))
                .await;
        }
        Way::Open | Way::Deaf | Way::Mute => {}
    }
}

async fn octets(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut way: watch::Receiver<Way>) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        passage(&mut way).await;
        let sent = &mut buffer[..read];
        if *way.borrow() == Way::Mute {
            let found = sent.windows(WORD.len()).position(|window| window == WORD);
            if let Some(at) = found {
                sent[at] = b'X';
            }
        }
        if to.write_all(sent).await.is_err() {
            return;
        }
    }
}

/// The server's side, message by message: a kind, a length, and what it holds.
async fn messages(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut way: watch::Receiver<Way>) {
    let mut buffer: Vec<u8> = Vec::new();
    let mut chunk = [0; 16 * 1024];
    // Until it has said what it is, one octet may be the answer to the question for TLS.
    let mut begun = false;
    loop {
        let Ok(read @ 1..) = from.read(&mut chunk).await else {
            return;
        };
        buffer.extend_from_slice(&chunk[..read]);
        passage(&mut way).await;
        let mut out = Vec::with_capacity(buffer.len());
        if !begun && buffer.len() == 1 && matches!(buffer[0], b'N' | b'S') {
            out.append(&mut buffer);
        }
        let mut at = 0;
        while let Some(length) = buffer.get(at + 1..at + 5) {
            begun = true;
            let length = u32::from_be_bytes(length.try_into().unwrap()) as usize + 1;
            let Some(message) = buffer.get(at..at + length) else {
                break;
            };
            if !(message[0] == b'A' && *way.borrow() == Way::Deaf) {
                out.extend_from_slice(message);
            }
            at += length;
        }
        buffer.drain(..at);
        if to.write_all(&out).await.is_err() {
            return;
        }
    }
}
