//! The endpoints that programs call, and the table of all routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};
use tower_http::csrf::CsrfLayer;

use crate::faults::{self, Endpoint};
use crate::pages;
use crate::params::MAX_BODY;
use crate::reply::ApiError;
use crate::shared::Shared;

pub(crate) mod authorize;
pub(crate) mod claim_token;
pub(crate) mod claims;
pub(crate) mod introspect;
pub(crate) mod metadata;
pub(crate) mod permission;
pub(crate) mod register;
pub(crate) mod resources;
pub(crate) mod revoke;
pub(crate) mod token;
pub(crate) mod uma_grant;

pub(crate) type Am = axum::extract::State<Arc<Shared>>;

/// Paths below the issuer.
pub(crate) mod paths {
    pub(crate) const AUTHORIZE: &str = "/authorize";
    pub(crate) const CLAIM_TOKEN: &str = "/claim-token";
    pub(crate) const CLAIMS: &str = "/claims";
    pub(crate) const CONSENT: &str = "/consent";
    pub(crate) const INTROSPECT: &str = "/introspect";
    pub(crate) const PERMISSION: &str = "/permission";
    pub(crate) const POLICIES: &str = "/policies";
    pub(crate) const REGISTER: &str = "/register";
    pub(crate) const RESOURCE: &str = "/resource";
    pub(crate) const REVOKE: &str = "/revoke";
    pub(crate) const SIGN_IN: &str = "/signin";
    pub(crate) const SIGN_OUT: &str = "/signout";
    pub(crate) const TOKEN: &str = "/token";
}

/// All routes, at the issuer's path.
pub(crate) fn router(am: Arc<Shared>) -> Router {
    let routes = Routes {
        am: &am,
        router: Router::new(),
    };
    let routes = routes
        .at(paths::REGISTER, Endpoint::Register, post(register::create))
        .at(
            "/register/{client}",
            Endpoint::Register,
            get(register::read)
                .put(register::update)
                .delete(register::delete),
        )
        .at(
            paths::CLAIM_TOKEN,
            Endpoint::ClaimToken,
            post(claim_token::create),
        );
    let programs = (am.personality)(routes).router;
    let routes = Routes {
        am: &am,
        router: Router::new(),
    };
    // Only what a browser's cookie decides needs protection from foreign pages; a requester in a browser may call the rest from anywhere.
    let people = routes
        .at(paths::AUTHORIZE, Endpoint::Authorize, get(authorize::show))
        .at(paths::CONSENT, Endpoint::Authorize, post(authorize::decide))
        .at(
            paths::CLAIMS,
            Endpoint::ClaimsInteraction,
            get(claims::start),
        )
        .at(
            "/claims/{interaction}",
            Endpoint::ClaimsInteraction,
            get(claims::show).post(claims::decide),
        )
        .at(
            paths::SIGN_IN,
            Endpoint::SignIn,
            get(pages::signin::show).post(pages::signin::submit),
        )
        .at(
            paths::SIGN_OUT,
            Endpoint::SignIn,
            post(pages::signin::sign_out),
        )
        .at(
            paths::POLICIES,
            Endpoint::Policy,
            get(pages::policies::list),
        )
        .at(
            "/policies/{resource}",
            Endpoint::Policy,
            get(pages::policies::show),
        )
        .at(
            "/policies/{resource}/add",
            Endpoint::Policy,
            post(pages::policies::add),
        )
        .at(
            "/policies/{resource}/remove",
            Endpoint::Policy,
            post(pages::policies::remove),
        )
        .at(
            "/policies/{resource}/approve",
            Endpoint::Policy,
            post(pages::policies::approve),
        )
        .at(
            "/policies/{resource}/refuse",
            Endpoint::Policy,
            post(pages::policies::refuse),
        )
        .at(
            "/policies/{resource}/forget",
            Endpoint::Policy,
            post(pages::policies::forget),
        )
        .router
        .route_layer(CsrfLayer::new());
    programs
        .merge(people)
        .fallback(async || ApiError::not_found("there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            ApiError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "unsupported_method_type",
                "this path does not know the method",
            )
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(am)
}

/// The endpoints of UMA 2.0.
pub(crate) fn uma2(routes: Routes<'_>) -> Routes<'_> {
    let rfc8414 = metadata::rfc8414_path(routes.am);
    routes
        .at(
            "/.well-known/uma2-configuration",
            Endpoint::Metadata,
            get(metadata::show),
        )
        .at_absolute(&rfc8414, Endpoint::Metadata, get(metadata::show))
        .at(paths::TOKEN, Endpoint::Token, post(token::grant))
        .at(
            paths::INTROSPECT,
            Endpoint::Introspect,
            post(introspect::introspect),
        )
        .at(paths::REVOKE, Endpoint::Revoke, post(revoke::revoke))
        .at(
            paths::PERMISSION,
            Endpoint::Permission,
            post(permission::request),
        )
        .at(
            paths::RESOURCE,
            Endpoint::Resource,
            get(resources::list).post(resources::create),
        )
        .at(
            "/resource/",
            Endpoint::Resource,
            get(resources::list).post(resources::create),
        )
        .at(
            "/resource/{id}",
            Endpoint::Resource,
            get(resources::read)
                .put(resources::update)
                .delete(resources::delete),
        )
}

/// A router that is being filled.
pub(crate) struct Routes<'a> {
    am: &'a Arc<Shared>,
    router: Router<Arc<Shared>>,
}

impl Routes<'_> {
    /// Adds a path below the issuer.
    pub(crate) fn at(
        self,
        path: &str,
        endpoint: Endpoint,
        methods: MethodRouter<Arc<Shared>>,
    ) -> Self {
        let path = self.am.local(path);
        self.at_absolute(&path, endpoint, methods)
    }

    fn at_absolute(
        self,
        path: &str,
        endpoint: Endpoint,
        methods: MethodRouter<Arc<Shared>>,
    ) -> Self {
        let faults = from_fn_with_state((Arc::clone(self.am), endpoint), faults::apply);
        Self {
            router: self.router.route(path, methods.layer(faults)),
            ..self
        }
    }
}
