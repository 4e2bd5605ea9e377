//! `WARDEN_SCREENSHOTS=folder`: pictures of every page, in light and dark. `scripts/screenshots` does the rest.

use std::path::PathBuf;

use crate::gallery;
use crate::picture;
use crate::scene::Scene;

/// Pages whose shape on a phone is worth a picture.
const ON_A_PHONE: [&str; 5] = [
    "host-home-shared",
    "list",
    "connect",
    "share",
    "panel-protected",
];

#[tokio::test]
async fn screenshots() {
    let Some(folder) = std::env::var_os("WARDEN_SCREENSHOTS").map(PathBuf::from) else {
        return;
    };
    // Cargo runs tests in the folder of the package.
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(folder);
    std::fs::create_dir_all(&folder).unwrap();
    let scene = Scene::new().await.expect("pictures need a browser");
    gallery::walk(&scene, async |scene, page| {
        let narrow = ON_A_PHONE.contains(&page);
        for (kind, width) in [("", 1100), ("-phone", 360)] {
            if kind.is_empty() || narrow {
                for scheme in ["light", "dark"] {
                    scene.browser.look(scheme, width).await;
                    let picture = picture::of(scene).await;
                    std::fs::write(folder.join(format!("{page}{kind}-{scheme}.png")), picture)
                        .unwrap();
                }
            }
        }
    })
    .await;
    scene.end().await;
}
