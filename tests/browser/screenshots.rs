//! `WARDEN_SCREENSHOTS=folder`: pictures of every page, in light and dark. `scripts/screenshots` does the rest.

use std::path::{Path, PathBuf};

use crate::am::Am;
use crate::gallery;
use crate::picture;
use crate::scene::Scene;

/// Pages of which a picture would show nothing that another does not.
const LEFT_OUT: [&str; 11] = [
    "connect-nothing-chosen",
    "connection-none",
    "connection-stays",
    "host-sign-in-wrong",
    "list-disconnected",
    "list-unconnected",
    "not-to-be-shared",
    "panel-lost",
    "panel-signed-out",
    "problems-moving",
    "stop-everything",
];
/// Pages whose shape on a phone is worth a picture.
const ON_A_PHONE: [&str; 5] = ["host-home", "list", "access", "resource", "connection"];

#[tokio::test]
async fn screenshots() {
    let Some(folder) = std::env::var_os("WARDEN_SCREENSHOTS").map(PathBuf::from) else {
        return;
    };
    // Cargo runs tests in the folder of the package.
    let project = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = project.join(folder);
    std::fs::create_dir_all(&folder).unwrap();
    let see = async |scene: &Scene, page| take(scene, page, &folder).await;
    let scene = Scene::new().await.expect("pictures need a browser");
    gallery::walk(&scene, see).await;
    scene.end().await;
    let mut am = Am::start().await;
    let scene = Scene::with_am(&am).await.expect("pictures need a browser");
    gallery::walk_through_trouble(&scene, &mut am, see).await;
    scene.end().await;
}

async fn take(scene: &Scene, page: &str, folder: &Path) {
    if LEFT_OUT.contains(&page) {
        return;
    }
    let mut looks = vec![("", "light"), ("", "dark")];
    if ON_A_PHONE.contains(&page) {
        looks.push(("-phone", "light"));
    }
    for (kind, scheme) in looks {
        let width = match (kind, page.starts_with("panel")) {
            ("", false) => 1100,
            ("", true) => 420,
            _ => 360,
        };
        scene.browser.look(scheme, width).await;
        let picture = picture::of(scene).await;
        let file = folder.join(format!("{page}{kind}-{scheme}.png"));
        std::fs::write(file, picture).unwrap();
    }
    scene.browser.look("light", 1100).await;
}
