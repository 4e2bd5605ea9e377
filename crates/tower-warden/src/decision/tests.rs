use std::sync::Arc;

use proptest::prelude::*;
use uma_client::{Issuer, ResourceId, Scopes};

use super::*;
use crate::{Am, CanonicalPath, OwnerId, ResourceMap};

const NOW: i64 = 1_800_000_000;

fn requirements(audience: Audience, resource: &str, scopes: &[&str]) -> Requirements {
    let am = Am::new(Issuer::parse("https://am.example").unwrap(), audience);
    let map = ResourceMap::new(
        CanonicalPath::parse("/x").unwrap(),
        OwnerId::new("alice"),
        Arc::new(am),
        ResourceId::parse(resource).unwrap(),
        Scopes::parse(["view", "edit", "delete"]).unwrap(),
    );
    Requirement::new(
        Arc::new(map),
        Scopes::parse(scopes.iter().copied()).unwrap(),
    )
    .into()
}

fn permission(resource: &str, scopes: &[&str], window: Window) -> Permission {
    let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
    let mut permission = Permission::new(ResourceId::parse(resource).unwrap(), scopes);
    permission.window = window;
    permission
}

fn decided(required: &[&str], permissions: Vec<Permission>, window: Window) -> Decision {
    let mut token = ActiveToken::new(permissions);
    token.window = window;
    let evidence = Evidence::Active(token);
    decide(
        &requirements(Audience::NotChecked, "r", required),
        &evidence,
        NOW,
    )
}

const ALWAYS: Window = Window::new(None, None, None);

fn until(expires: i64) -> Window {
    Window::new(None, None, Some(expires))
}

const ALLOW: Decision = Decision::Allow { expires: None };
const TOO_FEW: Decision = Decision::Refuse(Insufficiency::Scopes);

#[test]
fn duplicate_entries_add_up() {
    let split = vec![
        permission("r", &["edit"], ALWAYS),
        permission("q", &["view"], ALWAYS),
        permission("r", &["view"], ALWAYS),
    ];
    assert_eq!(decided(&["view", "edit"], split.clone(), ALWAYS), ALLOW);
    assert_eq!(decided(&["view", "edit", "delete"], split, ALWAYS), TOO_FEW);
}

#[test]
fn scopes_and_ids_are_compared_byte_for_byte() {
    assert_eq!(
        decided(&["view"], vec![permission("r", &["View"], ALWAYS)], ALWAYS),
        TOO_FEW
    );
    assert_eq!(
        decided(&["view"], vec![permission("R", &["view"], ALWAYS)], ALWAYS),
        TOO_FEW
    );
    assert_eq!(
        decided(&["view"], vec![permission("r", &["view "], ALWAYS)], ALWAYS),
        TOO_FEW
    );
}

#[test]
fn no_granted_scopes_grant_nothing() {
    assert_eq!(
        decided(&["view"], vec![permission("r", &[], ALWAYS)], ALWAYS),
        TOO_FEW
    );
    assert_eq!(decided(&["view"], vec![], ALWAYS), TOO_FEW);
}

#[test]
fn the_narrower_window_counts() {
    let of = |inner, outer| decided(&["view"], vec![permission("r", &["view"], inner)], outer);
    assert_eq!(
        of(until(NOW + 9), until(NOW + 5)),
        Decision::Allow {
            expires: Some(NOW + 5)
        }
    );
    assert_eq!(
        of(until(NOW + 5), until(NOW + 9)),
        Decision::Allow {
            expires: Some(NOW + 5)
        }
    );
    assert_eq!(
        of(ALWAYS, until(NOW + 9)),
        Decision::Allow {
            expires: Some(NOW + 9)
        }
    );
    assert_eq!(of(until(NOW), until(NOW + 9)), TOO_FEW);
    assert_eq!(
        of(until(NOW + 9), until(NOW)),
        Decision::Refuse(Insufficiency::Expired)
    );
    let early = |seconds| Window::new(Some(NOW + seconds), None, None);
    assert_eq!(of(early(30), ALWAYS), ALLOW);
    assert_eq!(of(early(31), ALWAYS), TOO_FEW);
    assert_eq!(
        of(ALWAYS, early(31)),
        Decision::Refuse(Insufficiency::NotYetValid)
    );
    let issued = |seconds| Window::new(None, Some(NOW + seconds), None);
    assert_eq!(of(issued(31), ALWAYS), TOO_FEW);
    assert_eq!(of(ALWAYS, issued(30)), ALLOW);
    assert_eq!(of(until(i64::MIN), ALWAYS), TOO_FEW);
    assert_eq!(of(Window::new(Some(i64::MAX), None, None), ALWAYS), TOO_FEW);
}

#[test]
fn a_grant_ends_when_the_first_of_its_scopes_does() {
    let permissions = vec![
        permission("r", &["view"], until(NOW + 5)),
        permission("r", &["view", "edit"], until(NOW + 7)),
        permission("r", &["edit"], until(NOW + 9)),
    ];
    assert_eq!(
        decided(&["view", "edit"], permissions, ALWAYS),
        Decision::Allow {
            expires: Some(NOW + 7)
        }
    );
}

#[test]
fn every_requirement_must_be_met() {
    let of = |resource: &str, scope: &str| {
        requirements(Audience::NotChecked, resource, &[scope])
            .first()
            .clone()
    };
    let both = Requirements::new(of("r", "view"), vec![of("q", "edit")]).unwrap();
    let of_token = |permissions| {
        let token = ActiveToken::new(permissions);
        decide(&both, &Evidence::Active(token), NOW)
    };
    let [r, q] = [
        permission("r", &["view"], until(NOW + 9)),
        permission("q", &["edit"], until(NOW + 5)),
    ];
    let allow = Decision::Allow {
        expires: Some(NOW + 5),
    };
    assert_eq!(of_token(vec![r.clone(), q.clone()]), allow);
    assert_eq!(of_token(vec![r.clone()]), TOO_FEW);
    assert_eq!(of_token(vec![q]), TOO_FEW);
    // What the one resource grants is nothing to the other.
    assert_eq!(
        of_token(vec![r, permission("r", &["edit"], ALWAYS)]),
        TOO_FEW
    );
}

/// What a handler is told of further scopes holds no more than what the decision would go by.
#[test]
fn scopes_of_another_resource_or_another_time_are_not_granted() {
    let requirements = requirements(Audience::NotChecked, "r", &["view"]);
    let of = |permissions, window| {
        let mut token = ActiveToken::new(permissions);
        token.window = window;
        granted_scopes(requirements.first(), &token, NOW)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let permissions = vec![
        permission("r", &["view", "print"], ALWAYS),
        permission("q", &["edit"], ALWAYS),
        permission("r", &["delete"], until(NOW)),
        permission("r", &["share"], until(NOW + 1)),
    ];
    assert_eq!(of(permissions.clone(), ALWAYS), ["view", "print", "share"]);
    assert!(of(permissions, until(NOW)).is_empty());
}

/// The text of UMA read naively: expand everything into single live (resource, scope) pairs, then look them up.
fn oracle(requirements: &Requirements, evidence: &Evidence, now: i64) -> bool {
    let Evidence::Active(token) = evidence else {
        return false;
    };
    let am = requirements.am();
    let issuer_fits = match &token.issuer {
        Some(issuer) => issuer == am.issuer().as_str(),
        None => true,
    };
    let audience_fits = match am.audience() {
        Audience::NotChecked => true,
        Audience::Expect(host) => token.audience.iter().any(|audience| audience == host),
    };
    if !issuer_fits || !audience_fits || token.bound {
        return false;
    }
    let mut live = Vec::new();
    for permission in &token.permissions {
        for scope in &permission.scopes {
            let windows = [token.window, permission.window];
            let open = windows.iter().all(|window| {
                let started =
                    |at: Option<i64>| at.is_none_or(|at| i128::from(at) <= i128::from(now) + 30);
                window.expires.is_none_or(|at| now < at)
                    && started(window.not_before)
                    && started(window.issued_at)
            });
            if open {
                live.push((permission.resource_id.as_str(), scope.as_str()));
            }
        }
    }
    requirements.iter().all(|requirement| {
        let id = requirement.map().resource_id().as_str();
        requirement
            .required()
            .iter()
            .all(|scope| live.contains(&(id, scope.as_str())))
    })
}

fn any_bound() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![
        4 => Just(None),
        4 => (-40_i64..40).prop_map(|offset| Some(NOW + offset)),
        1 => Just(Some(i64::MAX)),
        1 => Just(Some(i64::MIN)),
    ]
}

fn any_window() -> impl Strategy<Value = Window> {
    (any_bound(), any_bound(), any_bound()).prop_map(|(nbf, iat, exp)| Window::new(nbf, iat, exp))
}

fn any_scopes() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(
        prop::sample::select(vec!["view", "edit", "delete", "View"]),
        0..4,
    )
}

prop_compose! {
    fn any_evidence()(
        permissions in prop::collection::vec(
            (prop::sample::select(vec!["r", "q", "R"]), any_scopes(), any_window()), 0..5),
        window in any_window(),
        issuer in prop::sample::select(vec![None, None, Some("https://am.example"), Some("https://am.example/")]),
        audience in prop::collection::vec(prop::sample::select(vec!["host", "other"]), 0..3),
        bound in prop::bool::weighted(0.1),
        active in prop::bool::weighted(0.9),
    ) -> Evidence {
        if !active {
            return Evidence::Inactive;
        }
        let permissions = permissions.into_iter().map(|(id, scopes, window)| permission(id, &scopes, window)).collect();
        let mut token = ActiveToken::new(permissions);
        token.window = window;
        token.issuer = issuer.map(str::to_owned);
        token.audience = audience.into_iter().map(str::to_owned).collect();
        token.bound = bound;
        Evidence::Active(token)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn the_decision_is_what_the_text_says(
        evidence in any_evidence(),
        scopes in any_scopes().prop_filter("something is required", |scopes| !scopes.is_empty()),
        check in any::<bool>(),
    ) {
        let audience = if check { Audience::Expect("host".into()) } else { Audience::NotChecked };
        let requirements = requirements(audience, "r", &scopes);
        let decision = decide(&requirements, &evidence, NOW);
        let allowed = matches!(decision, Decision::Allow { .. });
        prop_assert_eq!(allowed, oracle(&requirements, &evidence, NOW), "{:?}", decision);
        // A grant holds in the second before its end, and no longer. Windows that open later don't count yet.
        if let Decision::Allow { expires: Some(expires) } = decision {
            prop_assert!(expires > NOW);
            prop_assert!(oracle(&requirements, &evidence, expires - 1));
        }
    }
}
