//! What was found, for people.

use std::fmt::Write as _;

use uma_client::{AmProfile, Error};

/// How something was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// As UMA 2.0 has it.
    Good,
    /// Different, and a profile covers it.
    Different,
    /// It does not work.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug)]
pub(crate) struct Finding {
    step: &'static str,
    mark: Mark,
    said: String,
}

impl Finding {
    pub(crate) fn new(step: &'static str, mark: Mark, said: impl Into<String>) -> Self {
        Self {
            step,
            mark,
            said: said.into(),
        }
    }

    /// Something that does not work; the error says what to do.
    pub(crate) fn bad(step: &'static str, error: &Error) -> Self {
        let mut said = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            let _ = write!(said, ": {error}");
            cause = error.source();
        }
        Self::new(step, Mark::Bad, said)
    }

    pub(crate) fn is_bad(&self) -> bool {
        self.mark == Mark::Bad
    }
}

pub(crate) fn table(findings: &[Finding]) -> String {
    let width = findings.iter().map(|one| one.step.len()).max().unwrap_or(0);
    let mut out = String::new();
    for finding in findings {
        let mark = match finding.mark {
            Mark::Good => "ok  ",
            Mark::Different => "own ",
            Mark::Bad => "FAIL",
        };
        let step = finding.step;
        let _ = writeln!(out, "{mark}  {step:width$}  {}", finding.said);
    }
    out
}

/// Which preset fits, or what to change of the nearest.
pub(crate) fn verdict(found: &AmProfile) -> String {
    let presets = [AmProfile::uma2(), AmProfile::keycloak()];
    let nearest = presets
        .iter()
        .map(|preset| (preset, differences(preset, found)))
        .min_by_key(|(_, differences)| differences.len());
    let Some((preset, differences)) = nearest else {
        return String::new();
    };
    let name = &preset.name;
    if differences.is_empty() {
        return format!("\nThe profile `{name}` fits: AmProfile::{name}().\n");
    }
    let mut out = format!("\nNearest is the profile `{name}`. Change:\n");
    let _ = writeln!(out, "    let mut profile = AmProfile::{name}();");
    for line in differences {
        let _ = writeln!(out, "    {line}");
    }
    out
}

/// What was looked at here, and is not as the preset has it, as lines of code.
fn differences(preset: &AmProfile, found: &AmProfile) -> Vec<String> {
    let mut lines = Vec::new();
    let mut compare = |same: bool, line: String| {
        if !same {
            lines.push(line);
        }
    };
    compare(
        preset.pat_scope == found.pat_scope,
        format!("profile.pat_scope = {:?};", found.pat_scope),
    );
    compare(
        preset.sends_description == found.sends_description,
        format!("profile.sends_description = {};", found.sends_description),
    );
    compare(
        preset.ticket_body == found.ticket_body,
        format!("profile.ticket_body = TicketBody::{:?};", found.ticket_body),
    );
    compare(
        preset.introspection_auth == found.introspection_auth,
        format!(
            "profile.introspection_auth = IntrospectionAuth::{:?};",
            found.introspection_auth
        ),
    );
    compare(
        preset.pat_dead == found.pat_dead,
        format!(
            "profile.pat_dead = vec![{}];",
            found
                .pat_dead
                .iter()
                .map(|dead| format!("PatDead::code({}, {:?})", dead.status, dead.code))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    );
    compare(
        preset.live_decision == found.live_decision,
        format!("profile.live_decision = {};", found.live_decision),
    );
    lines
}
