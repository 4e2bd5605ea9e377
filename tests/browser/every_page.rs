//! What holds for every page: nothing for axe-core to say, nothing beyond a narrow screen, nothing that a policy refuses, an
//! order of the focus that is the order of the page.

use std::cell::RefCell;

use crate::am::Am;
use crate::axe;
use crate::gallery;
use crate::scene::Scene;

/// The widest thing that stands out of a narrow window, if one does (WCAG 1.4.10).
const BEYOND: &str = "
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return null;
    const out = [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > width + 1);
    return out.map(e => e.outerHTML.slice(0, 120))[0] || 'something';";

const PAPER: &str = "
    const style = getComputedStyle(document.body);
    return style.backgroundColor + style.color;";

#[tokio::test]
async fn is_for_everybody() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    let wrong = RefCell::new(Vec::new());
    let see = async |scene: &Scene, page| {
        let found = look_at(scene, page).await;
        wrong.borrow_mut().extend(found);
    };
    gallery::walk(&scene, see).await;
    nothing(&wrong.into_inner());
    scene.end().await;
}

#[tokio::test]
async fn is_for_everybody_in_trouble_too() {
    let mut am = Am::start().await;
    let Some(scene) = Scene::with_am(&am).await else {
        return;
    };
    let wrong = RefCell::new(Vec::new());
    let see = async |scene: &Scene, page| {
        let found = look_at(scene, page).await;
        wrong.borrow_mut().extend(found);
    };
    gallery::walk_through_trouble(&scene, &mut am, see).await;
    nothing(&wrong.into_inner());
    scene.end().await;
}

#[track_caller]
fn nothing(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with the page that the browser shows.
async fn look_at(scene: &Scene, page: &str) -> Vec<String> {
    let browser = &scene.browser;
    let mut found = browser.complaints().await;
    found.retain(|entry| !is_meant(entry));
    let mut papers = Vec::new();
    for (scheme, width) in [("light", 1100), ("dark", 320)] {
        browser.look(scheme, width).await;
        for complaint in axe::complaints(browser).await {
            found.push(format!("{scheme}, {width} px: {complaint}"));
        }
        papers.push(browser.evaluate(PAPER).await);
    }
    if papers[0] == papers[1] {
        found.push(String::from("light and dark look the same"));
    }
    let beyond = browser.evaluate(BEYOND).await;
    if !beyond.is_null() {
        found.push(format!("beyond 320 px: {beyond}"));
    }
    browser.look("light", 1100).await;
    browser.walk_with_tab().await;
    found
        .into_iter()
        .map(|what| format!("{page}: {what}"))
        .collect()
}

/// What the console says of an answer that is meant to be an error.
fn is_meant(entry: &str) -> bool {
    (entry.contains("with a status of 4") || entry.contains("with a status of 502"))
        && entry.contains("source: Some(\"network\")")
}
