//! Which scopes a verb needs.

use http::Method;
use uma_client::{Scope, Scopes};

/// The table from verbs to the scopes that they need; one per type of resource.
///
/// The default is that of Puma: `GET` needs `view`, `PUT`, `PATCH` and `POST` need `edit`, `DELETE` needs `delete`.
/// `HEAD` always needs what `GET` needs. A verb that is not in the table needs a scope that nobody can have: it is refused.
///
/// ```
/// use http::Method;
/// use tower_warden::MethodScopes;
/// use uma_client::Scopes;
///
/// let print = Scopes::parse(["https://host.example/scopes/print"])?;
/// let table = MethodScopes::default().with(&Method::POST, print.clone());
/// assert_eq!(table.required(&Method::POST), Some(&print));
/// assert_eq!(table.required(&Method::HEAD), table.required(&Method::GET));
/// assert_eq!(table.required(&Method::OPTIONS), None);
/// # Ok::<(), uma_client::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodScopes {
    table: Vec<(Method, Scopes)>,
}

impl MethodScopes {
    /// A table that covers no verb.
    #[must_use]
    pub const fn none() -> Self {
        Self { table: Vec::new() }
    }

    /// Sets what a verb needs; a request must hold all of `scopes`.
    ///
    /// `HEAD` can't be set apart from `GET`: setting either sets both.
    #[must_use]
    pub fn with(mut self, method: &Method, scopes: Scopes) -> Self {
        let method = Self::row(method).clone();
        self.table.retain(|(known, _)| *known != method);
        self.table.push((method, scopes));
        self
    }

    /// What the verb needs, if the table covers it. Verbs are compared byte for byte (RFC 9110 section 9.1).
    #[must_use]
    pub fn required(&self, method: &Method) -> Option<&Scopes> {
        let method = Self::row(method);
        self.table
            .iter()
            .find(|(known, _)| known == method)
            .map(|(_, scopes)| scopes)
    }

    /// Every scope in the table, without repetition: what a resource of this type registers.
    #[must_use]
    pub fn all(&self) -> Option<Scopes> {
        Scopes::from_scopes(
            self.table
                .iter()
                .flat_map(|(_, scopes)| scopes.iter().cloned())
                .collect(),
        )
    }

    const fn row(method: &Method) -> &Method {
        match *method {
            Method::HEAD => &Method::GET,
            _ => method,
        }
    }

    fn with_word(self, methods: &[Method], word: &str) -> Self {
        let Some(scopes) = Scope::parse(word)
            .ok()
            .and_then(|scope| Scopes::from_scopes(vec![scope]))
        else {
            return self;
        };
        methods
            .iter()
            .fold(self, |table, method| table.with(method, scopes.clone()))
    }
}

impl Default for MethodScopes {
    fn default() -> Self {
        Self::none()
            .with_word(&[Method::GET], "view")
            .with_word(&[Method::PUT, Method::PATCH, Method::POST], "edit")
            .with_word(&[Method::DELETE], "delete")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(method: &str) -> Option<String> {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let table = MethodScopes::default();
        table.required(&method).map(|scopes| {
            let words: Vec<_> = scopes.iter().map(Scope::as_str).collect();
            words.join(" ")
        })
    }

    #[test]
    fn the_default_is_pumas() {
        for (method, scope) in [
            ("GET", Some("view")),
            ("HEAD", Some("view")),
            ("PUT", Some("edit")),
            ("PATCH", Some("edit")),
            ("POST", Some("edit")),
            ("DELETE", Some("delete")),
            ("OPTIONS", None),
            ("TRACE", None),
            ("CONNECT", None),
            ("get", None),
            ("PURGE", None),
        ] {
            assert_eq!(needs(method).as_deref(), scope, "{method}");
        }
    }

    #[test]
    fn setting_a_verb_replaces_its_row() {
        let both = Scopes::parse(["view", "print"]).unwrap();
        let table = MethodScopes::default().with(&Method::HEAD, both.clone());
        assert_eq!(table.required(&Method::GET), Some(&both));
        assert_eq!(
            table.all(),
            Scopes::parse(["view", "print", "edit", "delete"]).ok()
        );
        assert_eq!(MethodScopes::none().all(), None);
    }
}
