//! An AM in the test's own process, on its own socket, that can be scripted and can go away.

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uma_client::Dialect;
use warden_am::{ClientSpec, Script, WardenAm};

pub(crate) struct Am {
    pub(crate) issuer: String,
    pub(crate) script: Script,
    am: WardenAm,
    running: Option<(oneshot::Sender<()>, JoinHandle<std::io::Result<()>>)>,
}

impl Am {
    pub(crate) async fn start() -> Self {
        Self::speaking(Dialect::Uma2).await
    }

    /// One that speaks a dialect.
    pub(crate) async fn speaking(dialect: Dialect) -> Self {
        warden_canary::planted("secrets of warden-am, before host-one");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let am = WardenAm::builder(&issuer)
            .dialect(dialect)
            .user("alice", "alice")
            .user("bob", "bob")
            .user("carol", "carol")
            .client(ClientSpec::new("app"))
            .secret_prefix(warden_canary::MARK)
            .build()
            .unwrap();
        let mut this = Self {
            issuer,
            script: am.script(),
            am,
            running: None,
        };
        this.serve(listener);
        this
    }

    fn serve(&mut self, listener: TcpListener) {
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            let _ = stopped.await;
        };
        self.running = Some((stop, tokio::spawn(self.am.clone().serve(listener, stopped))));
    }

    /// Closes its socket; connections that are open break.
    pub(crate) async fn go_away(&mut self) {
        let (stop, serving) = self.running.take().unwrap();
        let _ = stop.send(());
        serving.abort();
        let _ = serving.await;
    }

    /// Listens again at the same address, knowing what it knew.
    pub(crate) async fn come_back(&mut self) {
        let address = self.issuer.strip_prefix("http://").unwrap();
        for _ in 0..100 {
            if let Ok(listener) = TcpListener::bind(address).await {
                return self.serve(listener);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{address} can't be bound again");
    }
}
