//! PgBouncer in transaction mode, before a server.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::postgres::Server;

#[derive(Debug)]
pub(crate) struct Pooler {
    pub(crate) port: u16,
    /// What the URL of a database behind it has to say.
    pub(crate) query: &'static str,
    _child: Child,
    _folder: TempDir,
}

fn program() -> Option<&'static str> {
    [
        "/usr/sbin/pgbouncer",
        "/usr/bin/pgbouncer",
        "/usr/local/bin/pgbouncer",
    ]
    .into_iter()
    .find(|path| std::path::Path::new(path).exists())
}

/// Whether it keeps track of prepared statements, as from version 1.21 on.
fn tracks_statements(program: &str) -> bool {
    let output = std::process::Command::new(program)
        .arg("--version")
        .output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let version = text.split_whitespace().nth(1).unwrap_or_default();
    let mut numbers = version
        .split('.')
        .map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(1), Some(21))
}

impl Pooler {
    /// Set up as the book says; none where there is no PgBouncer.
    pub(crate) async fn before(server: &Server) -> Option<Self> {
        Self::start(server, true).await
    }

    /// As it comes, or came in earlier versions.
    pub(crate) async fn careless_before(server: &Server) -> Option<Self> {
        Self::start(server, false).await
    }

    async fn start(server: &Server, careful: bool) -> Option<Self> {
        let Some(program) = program() else {
            let wanted = std::env::var("WARDEN_PGBOUNCER").is_ok_and(|wanted| wanted == "1");
            assert!(
                !wanted,
                "WARDEN_PGBOUNCER=1, and there is no PgBouncer here"
            );
            let _ = writeln!(
                std::io::stderr(),
                "!! SKIPPED: the test behind PgBouncer, since there is none here"
            );
            return None;
        };
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let folder = TempDir::new().unwrap();
        let users = folder.path().join("users");
        let (user, password) = (server.url.username(), server.url.password().unwrap_or(""));
        std::fs::write(&users, format!("\"{user}\" \"{password}\"\n")).unwrap();
        let (statements, query) = match (tracks_statements(program), careful) {
            (true, true) => ("max_prepared_statements = 200", ""),
            (true, false) => ("max_prepared_statements = 0", ""),
            (false, true) => (
                "server_reset_query = DISCARD ALL\nserver_reset_query_always = 1",
                "statement-cache-capacity=0",
            ),
            (false, false) => ("", ""),
        };
        let config = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = transaction\nmax_client_conn = 500\n\
             default_pool_size = 6\n{statements}\n",
            server.port(),
            users.display()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(program);
        command.arg("-q").arg(&config);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let open = |path, mode| {
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
            };
            open(folder.path(), 0o755);
            open(&users, 0o644);
            open(&config, 0o644);
            // It refuses to run as root.
            let id = std::process::Command::new("id").arg("-u").output().unwrap();
            if id.stdout.starts_with(b"0\n") {
                command.args(["-u", "nobody"]);
            }
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Some(Self {
                    port,
                    query,
                    _child: child,
                    _folder: folder,
                });
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("PgBouncer did not start");
    }
}
