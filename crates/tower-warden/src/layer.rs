//! The tower layer.

use tower_layer::Layer;

use crate::{Engine, Warden, WardenBuilder};

/// Puts a [`Warden`] around a service. Make one with [`WardenLayer::builder`].
///
/// Around a finished axum `Router` it covers everything, routes and fallbacks that are added later included; as
/// `Router::layer` it covers what the router has at that moment; under `nest` it judges the path that the outermost
/// router saw.
#[derive(Debug, Clone)]
pub struct WardenLayer {
    engine: Engine,
}

impl WardenLayer {
    /// Begins a layer: maps, protection and at least one guard are to be named.
    pub fn builder() -> WardenBuilder {
        WardenBuilder::new()
    }

    pub(crate) const fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// The engine that judges the requests, for purging and for fronts other than tower.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }
}

impl<S> Layer<S> for WardenLayer {
    type Service = Warden<S>;

    fn layer(&self, inner: S) -> Warden<S> {
        Warden::new(inner, self.engine.clone())
    }
}
