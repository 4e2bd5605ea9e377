use crate::dialect::Dialect;
use crate::profile::AmProfile;
use crate::wire::Metadata;

impl AmProfile {
    /// The preset with this [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Dialect::ALL
            .iter()
            .map(Dialect::profile)
            .chain([Self::keycloak()])
            .find(|preset| preset.name == name)
    }

    /// The profile of the AM with these metadata, where they tell it for certain; an AM that looks like none that is known
    /// here need not be strict.
    ///
    /// Keycloak is known by its protection API, whose two paths nobody else has.
    pub fn recognise(metadata: &Metadata) -> Option<Self> {
        let ends = |url: &Option<String>, end: &str| {
            url.as_deref()
                .is_some_and(|url| url.contains("/realms/") && url.ends_with(end))
        };
        let keycloak = ends(
            &metadata.resource_registration_endpoint,
            "/authz/protection/resource_set",
        ) && ends(
            &metadata.permission_endpoint,
            "/authz/protection/permission",
        );
        keycloak.then(Self::keycloak)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_found_by_name() {
        for name in ["uma2", "draft03", "keycloak"] {
            assert_eq!(AmProfile::from_name(name).unwrap().name, name);
        }
        assert_eq!(AmProfile::from_name("of-my-own"), None);
    }

    #[test]
    fn keycloak_is_known_by_its_protection_api() {
        let realm = "https://sso.example/auth/realms/home";
        let mut metadata = Metadata {
            issuer: realm.to_owned(),
            resource_registration_endpoint: Some(format!("{realm}/authz/protection/resource_set")),
            permission_endpoint: Some(format!("{realm}/authz/protection/permission")),
            ..Metadata::default()
        };
        assert_eq!(AmProfile::recognise(&metadata), Some(AmProfile::keycloak()));
        metadata.permission_endpoint = Some("https://am.example/permission".to_owned());
        assert_eq!(AmProfile::recognise(&metadata), None);
        assert_eq!(AmProfile::recognise(&Metadata::default()), None);
    }
}
