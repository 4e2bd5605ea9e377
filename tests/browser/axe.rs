//! axe-core, the accessibility checker, which `scripts/axe-core` fetches.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::browser::Browser;

static AXE: LazyLock<Option<String>> = LazyLock::new(|| {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut script = Command::new(project.join("scripts/axe-core"));
    // A test run fetches nothing that was not asked for.
    if std::env::var_os("WARDEN_BROWSER").is_none() {
        script.arg("--cached");
    }
    let output = script.output().unwrap();
    match output.status.code() {
        Some(0) => {
            let path = String::from_utf8(output.stdout).unwrap();
            Some(std::fs::read_to_string(path.trim_end()).unwrap())
        }
        Some(4) => {
            // Past the capture of the test harness.
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED: the accessibility checker: it can't be had here; `scripts/axe-core` fetches it"
            );
            None
        }
        _ => panic!("{}", String::from_utf8_lossy(&output.stderr)),
    }
});

#[derive(Debug, Deserialize)]
struct Violation {
    id: String,
    impact: Option<String>,
    nodes: Vec<String>,
}

/// What axe-core has to say against the page, of whatever weight; nothing where it can't be had. Frames are looked at as
/// pages of their own.
pub(crate) async fn complaints(browser: &Browser) -> Vec<String> {
    let Some(axe) = AXE.as_deref() else {
        return Vec::new();
    };
    browser.evaluate(axe).await;
    let run = "
        const done = arguments[arguments.length - 1];
        const options = { resultTypes: ['violations'], iframes: false, rules: { 'target-size': { enabled: true } } };
        const short = v => ({ id: v.id, impact: v.impact, nodes: v.nodes.map(n => n.html + ' -- ' + n.failureSummary) });
        axe.run(document, options).then(r => done(r.violations.map(short)), e => done([{ id: String(e), impact: null, nodes: [] }]));";
    let found = browser.page.execute_async(run, Vec::new()).await.unwrap();
    let found: Vec<Violation> = found.convert().unwrap();
    let in_words = |one: Violation| {
        let Violation { id, impact, nodes } = one;
        format!(
            "{id} ({}): {}",
            impact.unwrap_or_default(),
            nodes.join("; ")
        )
    };
    found.into_iter().map(in_words).collect()
}
