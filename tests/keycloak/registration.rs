//! A host that registers itself at Keycloak.

use reqwest::Method;
use uma_client::{
    AmClient, AmProfile, ErrorKind, Issuer, RegistrationForm, Secret, wire::ClientMetadata,
};

use crate::browser::person;
use crate::host::HostOne;
use crate::person::{PHOTO, Person};
use crate::realm::Realm;

/// By Keycloak's provider `default`: every user can be an owner at once.
#[tokio::test]
async fn a_host_registers_itself_and_everybody_can_share() {
    let Some(realm) = Realm::fresh().await else {
        return;
    };
    let token = realm.initial_access_token().await;
    let host = HostOne::with_am(&realm.issuer, &["--initial-access-token", &token]).await;
    // dave has no role of any client.
    for name in ["alice", "bob"] {
        let who = person(name);
        who.connect_keycloak(&host).await.expect(303);
        let uri = PHOTO.replace("alice", name);
        who.share(&host, &uri).await.expect(303);
        assert_eq!(who.shared(&host).await[0]["state"], "active");
        Person::new("app")
            .get(&host.at(&uri))
            .await
            .ticket(&realm.issuer);
    }
    let clients = realm.admin(Method::GET, "/clients", None).await;
    let ours = clients.as_array().unwrap().iter();
    let ours: Vec<_> = ours
        .filter(|client| client["name"] == "Host One" && client["clientId"] != "host-one")
        .collect();
    assert_eq!(ours.len(), 1, "registered once");
    assert_eq!(ours[0]["authorizationServicesEnabled"], true);
}

fn am(realm: &Realm, form: RegistrationForm) -> AmClient {
    let mut profile = AmProfile::keycloak();
    profile.registration_form = form;
    AmClient::builder(Issuer::parse(&realm.issuer).unwrap())
        .profile(profile)
        .allow_insecure_http()
        .build()
        .unwrap()
}

fn asked() -> ClientMetadata {
    ClientMetadata {
        client_name: Some("Another host".into()),
        redirect_uris: vec!["http://127.0.0.1:9/uma/callback".into()],
        grant_types: vec!["authorization_code".into(), "refresh_token".into()],
        response_types: vec!["code".into()],
        token_endpoint_auth_method: Some("client_secret_basic".into()),
        ..ClientMetadata::default()
    }
}

/// Both forms make a resource server; a registration token that was replaced replaces the stored one.
#[tokio::test]
async fn both_forms_register_change_and_delete() {
    let Some(realm) = Realm::fresh().await else {
        return;
    };
    let token = Secret::new(realm.initial_access_token().await);
    for form in [RegistrationForm::KeycloakDefault, RegistrationForm::Rfc7591] {
        let am = am(&realm, form);
        let made = am.register(&asked(), Some(&token)).await.unwrap();
        let host = am.with_credentials(made.credentials.clone());
        let pat = host.client_credentials().await.unwrap().access_token;
        let pat = uma_client::Pat::new(pat);
        let description =
            uma_client::wire::ResourceDescription::new(["view"]).with_name("A resource");
        host.create_resource(&pat, &description).await.unwrap();

        let mut changed = asked();
        changed.client_name = Some("A host of another name".into());
        let updated = am.update_registration(&made, &changed).await.unwrap();
        assert_eq!(updated.credentials, made.credentials, "{form:?}");
        assert_ne!(updated.registration_token, made.registration_token);
        let stale = am.read_registration(&made).await.unwrap_err();
        assert_eq!(stale.kind(), ErrorKind::Refused, "{stale}");
        let read = am.read_registration(&updated).await.unwrap();
        assert_eq!(
            read.metadata.client_name.as_deref(),
            Some("A host of another name")
        );
        host.client_credentials().await.unwrap();
        am.delete_registration(&read).await.unwrap();
        let gone = host.client_credentials().await.unwrap_err();
        assert!(gone.to_string().contains("no such client"), "{gone}");
    }
}

#[tokio::test]
async fn errors_say_what_to_do() {
    let Some(realm) = Realm::fresh().await else {
        return;
    };
    for form in [RegistrationForm::KeycloakDefault, RegistrationForm::Rfc7591] {
        let am = am(&realm, form);
        let error = am.register(&asked(), None).await.unwrap_err().to_string();
        assert!(error.contains("initial access token"), "{error}");
        let bad = Secret::new("not-one");
        let error = am.register(&asked(), Some(&bad)).await.unwrap_err();
        assert!(error.to_string().contains("get a new one"), "{error}");
    }
    // A client that is no resource server.
    let plain =
        uma_client::ClientCredentials::basic("requester-service", "requester-service-secret");
    let am = am(&realm, RegistrationForm::Rfc7591).with_credentials(plain);
    let pat = uma_client::Pat::new(am.client_credentials().await.unwrap().access_token);
    let error = am.list_resources(&pat).await.unwrap_err().to_string();
    assert!(error.contains("switch on \"Authorization\""), "{error}");
}
