//! Pictures of pages, the same on each run.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::scene::Scene;

/// Puts fixed values where each run has its own: dates, times, ports, ids.
const TIDY: &str = r"
    const [ports, names] = arguments;
    const month = '(January|February|March|April|May|June|July|August|September|October|November|December)';
    const fixed = [
        [new RegExp('\\b\\d{1,2} ' + month + ' \\d{4}', 'g'), '1 May 2026'],
        [/\b\d{4}-\d\d-\d\d\b/g, '2026-05-01'],
        [/\b\d\d:\d\d\b/g, '12:00'],
        [/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '2f1c3a5e-4b6d-4c8e-9a0b-1c2d3e4f5a6b'],
        [/callback\/[\w-]+/g, 'callback/nIGzYKWbjFxYWKmJ'],
        ...names.map(([name, shown]) => [new RegExp(name.replaceAll('.', '\\.') + '(?!:)', 'g'), shown]),
        ...ports.map(([port, shown]) => [new RegExp(':' + port, 'g'), ':' + shown]),
    ];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        let text = walker.currentNode.data;
        for (const [found, shown] of fixed) text = text.replace(found, shown);
        if (text !== walker.currentNode.data) walker.currentNode.data = text;
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
    // As an operator would have called it.
    let names = json!([["127.0.0.1", "AM one"], ["the embedded AM", "AM two"]]);
    let tidy = vec![ports, names];
    let browser = &scene.browser;
    browser.page.execute(TIDY, tidy.clone()).await.unwrap();
    let frames = browser
        .page
        .find_all(thirtyfour::By::Tag("iframe"))
        .await
        .unwrap();
    for frame in frames {
        frame.scroll_into_view().await.unwrap();
        frame.enter_frame().await.unwrap();
        browser.page.execute(TIDY, tidy.clone()).await.unwrap();
        browser.leave_frames().await;
    }
    browser.page.execute(TIDY, tidy).await.unwrap();
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
