//! `WARDEN_SCREENSHOTS=folder`: pictures of every page, in light and dark. `scripts/screenshots` does the rest.

use std::path::{Path, PathBuf};

use crate::am::Am;
use crate::gallery;
use crate::picture;
use crate::scene::Scene;

/// Pages of which a picture would show nothing that another does not.
const LEFT_OUT: [&str; 3] = [
    "panel-signed-out",
    "connect-nothing-chosen",
    "not-to-be-shared",
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
    let phone = ON_A_PHONE.contains(&page).then_some(("-phone", 360));
    for (kind, width) in [("", 1100)].into_iter().chain(phone) {
        for scheme in ["light", "dark"] {
            scene.browser.look(scheme, width).await;
            let picture = picture::of(scene).await;
            let file = folder.join(format!("{page}{kind}-{scheme}.png"));
            std::fs::write(file, picture).unwrap();
        }
    }
    scene.browser.look("light", 1100).await;
}
