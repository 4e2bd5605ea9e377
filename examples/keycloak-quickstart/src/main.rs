//! The smallest service that Keycloak protects through Warden: one AM, a PAT by client credentials, resources that are
//! registered at start, and a handler that sees who was let in.
//!
//! Settings, with the defaults of `scripts/keycloak`: `REALM`, `CLIENT_ID`, `CLIENT_SECRET`, `LISTEN`.

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use tokio::net::TcpListener;
use tower_warden::{CanonicalPath, Grant, MemoryMaps, OneAm, OwnerId, Unmapped, WardenLayer};
use uma_client::{AmProfile, ClientCredentials, Issuer, Secret};

/// What this service has: a path, and a name for it at Keycloak.
const NOTES: [(&str, &str); 2] = [
    ("/notes/garden", "Notes on the garden"),
    ("/notes/house", "Notes on the house"),
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let realm = Issuer::parse(&setting("REALM", "http://127.0.0.1:18080/realms/warden"))?;
    let secret = Secret::new(setting("CLIENT_SECRET", "host-one-secret"));
    let client = ClientCredentials::basic(setting("CLIENT_ID", "host-one"), secret);
    let insecure = realm.as_str().starts_with("http://127.0.0.1");
    let mut am = OneAm::builder(realm, client).profile(AmProfile::keycloak());
    if insecure {
        am = am.allow_insecure_http(); // for development on this machine alone
    }
    let am = am.build()?;

    // Each path becomes a resource at Keycloak; on a later start the one that is there already is taken.
    let maps = MemoryMaps::new();
    for (path, name) in NOTES {
        let path = CanonicalPath::parse(path)?;
        let map = am.register(path, OwnerId::new("us"), name).await?;
        println!("{} is {name:?}, {}", map.key(), map.resource_id());
        maps.insert(map);
    }

    let warden = WardenLayer::builder()
        .maps(maps)
        .protection(am)
        .guard("/notes", Unmapped::Deny)
        .realm("notes")
        .build()?;
    let app = Router::new()
        .route("/notes/{note}", get(read).put(write))
        .layer(warden);

    let listener = TcpListener::bind(setting("LISTEN", "127.0.0.1:8080")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

/// Reached by those alone whose RPT holds the scope `view`.
async fn read(Path(note): Path<String>, grant: Grant) -> String {
    let scopes: Vec<&str> = grant.scopes().collect();
    format!(
        "the note on the {note}, for one who may {}\n",
        scopes.join(", ")
    )
}

/// Reached by those alone whose RPT holds the scope `edit`.
async fn write(Path(note): Path<String>) -> String {
    format!("the note on the {note} was changed\n")
}

fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}
