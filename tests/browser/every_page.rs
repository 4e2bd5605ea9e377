//! What holds for every page: nothing for axe-core to say, nothing beyond a narrow screen, nothing that a policy refuses, an
//! order of the focus that is the order of the page.

use std::cell::RefCell;

use crate::axe;
use crate::gallery;
use crate::scene::Scene;

/// The widest thing that stands out of a narrow window, if one does (WCAG 1.4.10).
const BEYOND: &str = "
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return null;
    const out = [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > width + 1);
    return out.map(e => e.outerHTML.slice(0, 120))[0] || 'something';";

#[tokio::test]
async fn is_for_everybody() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    let wrong = RefCell::new(Vec::new());
    gallery::walk(&scene, async |scene, page| {
        let browser = &scene.browser;
        let mut found = browser.complaints().await;
        found.retain(|entry| !is_meant(entry));
        let mut backgrounds = Vec::new();
        for (scheme, width) in [("light", 1100), ("dark", 320)] {
            browser.look(scheme, width).await;
            for complaint in axe::complaints(browser).await {
                found.push(format!("{scheme}, {width} px: {complaint}"));
            }
            let paper = browser.evaluate("return getComputedStyle(document.body).backgroundColor + getComputedStyle(document.body).color").await;
            backgrounds.push(paper);
        }
        if backgrounds[0] == backgrounds[1] {
            found.push(String::from("light and dark look the same"));
        }
        let beyond = browser.evaluate(BEYOND).await;
        if !beyond.is_null() {
            found.push(format!("beyond 320 px: {beyond}"));
        }
        browser.look("light", 1100).await;
        browser.walk_with_tab().await;
        wrong.borrow_mut().extend(found.into_iter().map(|what| format!("{page}: {what}")));
    })
    .await;
    let wrong = wrong.into_inner();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    scene.end().await;
}

/// What the console says of an answer that is meant to be an error.
fn is_meant(entry: &str) -> bool {
    entry.contains("the server responded with a status of 4")
        && entry.contains("source: Some(\"network\")")
}
