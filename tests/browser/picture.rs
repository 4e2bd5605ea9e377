//! Pictures of pages, the same on each run.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::scene::Scene;

/// Puts fixed values where each run has its own: dates, ports, ids.
const TIDY: &str = "
    const ports = arguments[0];
    for (const time of document.querySelectorAll('time')) {
        time.textContent = '1 May 2026, 12:00 UTC';
    }
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        let text = walker.currentNode.data;
        for (const [port, shown] of ports) text = text.replaceAll(':' + port, ':' + shown);
        walker.currentNode.data = text;
    }
    if (document.activeElement) document.activeElement.blur();
    window.scrollTo(0, 0);";

/// The whole page as a PNG.
pub(crate) async fn of(scene: &Scene) -> Vec<u8> {
    let port = |url: &str| url.rsplit(':').next().unwrap_or_default().to_owned();
    let ports = json!([
        [port(&scene.host.url), "8080"],
        [port(&scene.host.am), "8081"],
        [port(scene.host.second_am()), "8082"],
    ]);
    let browser = &scene.browser;
    browser
        .page
        .execute(TIDY, vec![ports.clone()])
        .await
        .unwrap();
    let frames = browser
        .page
        .find_all(thirtyfour::By::Tag("iframe"))
        .await
        .unwrap();
    for frame in frames {
        frame.scroll_into_view().await.unwrap();
        frame.enter_frame().await.unwrap();
        browser
            .page
            .execute(TIDY, vec![ports.clone()])
            .await
            .unwrap();
        browser.leave_frames().await;
    }
    browser.page.execute(TIDY, vec![ports]).await.unwrap();
    let size = browser.evaluate("return [document.documentElement.clientWidth, Math.ceil(document.documentElement.getBoundingClientRect().height)]").await;
    let clip = json!({"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1});
    let wanted = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
    let shot = browser
        .page
        .cdp()
        .send_raw("Page.captureScreenshot", wanted)
        .await
        .unwrap();
    STANDARD.decode(shot["data"].as_str().unwrap()).unwrap()
}
